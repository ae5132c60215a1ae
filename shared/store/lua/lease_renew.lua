-- Prolongs a lease that still stands.
-- KEYS: 1 lease, 2 fence    ARGV: 1 the lease, 2 milliseconds to live
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return 0 end
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
