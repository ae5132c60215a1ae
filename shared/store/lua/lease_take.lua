-- Takes a partition that nobody else holds, under a new token.
-- KEYS: 1 lease, 2 fence    ARGV: 1 worker id, 2 milliseconds to live
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^%d+ (.*)$') ~= ARGV[1] then return false end
redis.call('DEL', KEYS[1]) -- before what takes memory
local lease = redis.call('INCR', KEYS[2]) .. ' ' .. ARGV[1]
redis.call('SET', KEYS[1], lease, 'PX', ARGV[2])
return lease
