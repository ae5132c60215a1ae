-- Replaces a stream's spec if it is still the one that the caller saw.
-- KEYS: 1 streams, 2 changes    ARGV: 1 stream id, 2 the spec seen, 3 the new spec
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current == ARGV[3] then return 1 end
if current ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.pcall('INCR', KEYS[2]) -- only a hint
return 1
