-- Gives a lease back, if it still stands.
-- KEYS: 1 lease    ARGV: 1 the lease
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
