-- Puts a group's rollout where what the caller saw is still there, or nothing where that is wanted.
-- KEYS: 1 rollouts, 2 counter of changes    ARGV: 1 group, 2 what was seen or '', 3 what is to be or '', 4 what the
-- counter said, where no other rollout may have changed since, or ''
local current = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if current == ARGV[3] then return 1 end
if current ~= ARGV[2] then return 0 end
if ARGV[4] ~= '' and (redis.call('GET', KEYS[2]) or '0') ~= ARGV[4] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
redis.call('INCR', KEYS[2])
return 1
