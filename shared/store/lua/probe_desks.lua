-- The public keys of those who looked for requests lately, the latest first.
-- KEYS: 1 desks    ARGV: 1 milliseconds after which the silent count as gone, 2 how many at most
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', now - ARGV[1], 'LIMIT', 0, ARGV[2])
