-- The time, then each worker and when it was heard of.
-- KEYS: 1 workers    ARGV: none
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {now, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
