-- Registers a stream unless its id is taken; asked twice for the very same one, as after a lost reply, it agrees.
-- KEYS: 1 streams, 2 progress, 3 changes    ARGV: 1 stream id, 2 spec, 3 progress
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] and 1 or 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.pcall('INCR', KEYS[3]) -- only a hint
return 1
