-- Notes that a worker lives, forgets the silent, and returns who lives.
-- KEYS: 1 workers    ARGV: 1 worker id, 2 milliseconds after which the silent are forgotten
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2]) -- before what takes memory
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
