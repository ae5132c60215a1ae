-- Passes entries of the feed: puts what is to be delivered of them into the outbox and moves the cursor, in one.
-- KEYS: 1 lease, 2 fence, 3 cursor, 4 outbox
-- ARGV: 1 lease, 2 the last entry's id, 3 most that may wait, then for each: target, stream, kind, event, message id
-- Returns nothing to a stale owner, 0 where the outbox is full, else 1. What was passed before is not put again.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return false end
local what = wrong(3, {'string', 'stream'})
if what then return damaged(what) end
if #ARGV > 3 and redis.call('XLEN', KEYS[4]) >= tonumber(ARGV[3]) then return 0 end
if cursor_moved(KEYS[3], ARGV[2]) then
  for i = 4, #ARGV, 5 do
    redis.call('XADD', KEYS[4], '*', 't', ARGV[i], 's', ARGV[i + 1], 'k', ARGV[i + 2], 'e', ARGV[i + 3], 'm', ARGV[i + 4])
  end
end
return 1
