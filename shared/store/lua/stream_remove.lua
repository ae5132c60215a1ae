-- Removes a stream and everything that is kept of it.
-- KEYS: 1 streams, 2 changes, 3.. the partition's other hashes by stream id, last four the stream's own keys    ARGV: 1 stream id
local known = redis.call('HDEL', KEYS[1], ARGV[1])
redis.pcall('INCR', KEYS[2]) -- only a hint
for i = 3, #KEYS - 4 do redis.call('HDEL', KEYS[i], ARGV[1]) end
redis.call('UNLINK', unpack(KEYS, #KEYS - 3))
return known
