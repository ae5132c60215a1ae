-- Passes entries of the feed: puts what is to be delivered of them into the outbox and moves the cursor, in one.
-- KEYS: 1 lease, 2 fence, 3 cursor, 4 outbox, 5 delivered
-- ARGV: 1 lease, 2 the last entry's id, 3 most that may wait, 4 milliseconds that the delivered is known, 5 number of
--       letters, then for each: target, stream, kind, event, message id, due at, traceparent or nothing; then (stream
--       and label, start)..
-- Returns nothing to a stale owner, 0 where the outbox is full, else 1. What was passed before is not put again.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return false end
local what = wrong(3, {'string', 'stream', 'hash'})
if what then return damaged(what) end
local last = 5 + 7 * tonumber(ARGV[5])
if last > 5 and redis.call('XLEN', KEYS[4]) >= tonumber(ARGV[3]) then return 0 end
if cursor_moved(KEYS[3], ARGV[2]) then
  for i = 6, last, 7 do
    local traced = ARGV[i + 6] ~= '' and {'traceparent', ARGV[i + 6]} or {}
    redis.call('XADD', KEYS[4], '*', 't', ARGV[i], 's', ARGV[i + 1], 'k', ARGV[i + 2], 'e', ARGV[i + 3], 'm', ARGV[i + 4],
      'd', ARGV[i + 5], unpack(traced))
  end
  for i = last + 1, #ARGV, 2 do
    redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1])
    redis.call('PEXPIRE', KEYS[5], ARGV[4])
  end
end
return 1
