-- Takes the request that waits longest of those sealed for a desk; false where none waits. Says now and then that the
-- desk is there.
-- KEYS: 1 open, 2 waiting, 3 desks
-- ARGV: 1 public key of the desk, 2 milliseconds between its words, 3 milliseconds after which the silent are forgotten
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local said = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not said or now - said >= tonumber(ARGV[2]) or said - now > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3]) -- before what takes memory
  redis.call('ZADD', KEYS[3], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  local sealed = redis.call('HGET', KEYS[2], id)
  local own = sealed and cjson.decode(sealed)[ARGV[1]]
  if own then
    redis.call('HDEL', KEYS[2], id)
    return {id, own}
  end
end
return false
