-- Takes a partition that nobody else holds, under a new token. What is held for longer than can be was held before the
-- clock was set back: a common lease's time is left of it.
-- KEYS: 1 lease, 2 fence    ARGV: 1 worker id, 2 milliseconds to live, 3 the most that any lease has
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^%d+ (.*)$') ~= ARGV[1] then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return false
end
redis.call('DEL', KEYS[1]) -- before what takes memory
local lease = redis.call('INCR', KEYS[2]) .. ' ' .. ARGV[1]
redis.call('SET', KEYS[1], lease, 'PX', ARGV[2])
return lease
