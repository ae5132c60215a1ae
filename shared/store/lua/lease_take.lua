-- Takes a partition that nobody else holds, under a new token. What is held for longer than can be was held before the
-- clock was set back: a common lease's time is left of it. Keys that are none of ours are left alone: tokens must rise.
-- KEYS: 1 lease, 2 fence    ARGV: 1 worker id, 2 milliseconds to live, 3 the most that any lease has
local what = wrong(1, {'string', 'string'})
if what then return damaged(what) end
local held, fence = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
local holder = held and string.match(held, '^%d+ (.*)$')
if held and not holder then return damaged(KEYS[1] .. ' is no lease') end
if fence and not string.match(fence, '^%d+$') then return damaged(KEYS[2] .. ' is no counter') end
if held and holder ~= ARGV[1] then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return false
end
redis.call('DEL', KEYS[1]) -- before what takes memory
local lease = redis.call('INCR', KEYS[2]) .. ' ' .. ARGV[1]
redis.call('SET', KEYS[1], lease, 'PX', ARGV[2])
return lease
