-- Answers a probe that is still waited for, which makes room for another.
-- KEYS: 1 open, 2 answer    ARGV: 1 id, 2 report, 3 milliseconds to keep it
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
