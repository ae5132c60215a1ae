-- Notes that a worker lives, and forgets those that were given up, unless they were heard of since.
-- KEYS: 1 workers    ARGV: 1 worker id, then per worker given up: id, when it was heard of
-- Returns the time, then each worker and when it was heard of.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', KEYS[1], ARGV[1]) -- before what takes memory
redis.call('ZADD', KEYS[1], now, ARGV[1])
for i = 2, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return {now, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
