-- Prolongs a lease that still stands.
-- KEYS: 1 lease    ARGV: 1 the lease, 2 milliseconds to live
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
