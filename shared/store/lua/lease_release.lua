-- Gives a lease back, if it still stands; its token is worth nothing any more.
-- KEYS: 1 lease, 2 fence    ARGV: 1 the lease
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('INCR', KEYS[2])
