-- Replaces what a hash has under an id, if it is still what the caller saw.
-- KEYS: 1 the hash, 2 its counter of changes    ARGV: 1 id, 2 what was seen, 3 what is to be
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current == ARGV[3] then return 1 end
if current ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.pcall('INCR', KEYS[2]) -- only a hint
return 1
