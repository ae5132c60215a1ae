-- Writes a hash field of a stream only under a lease that stands, while that generation of the stream is registered.
-- KEYS: 1 progress, 2 hash, 3 lease, 4 fence    ARGV: 1 stream id, 2 generation, 3 value, 4 lease
if not owns(KEYS[3], KEYS[4], ARGV[4]) then return 2 end
local what = wrong(1, {'hash', 'hash'})
if what then return damaged(what) end
local progress = redis.call('HGET', KEYS[1], ARGV[1])
if not progress or string.match(progress, '^%d+') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1]) -- before what takes memory
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
