-- Moves a follower's cursor on, or to wherever it must be put, if the caller owns the partition.
-- KEYS: 1 lease, 2 fence, 3 cursor, 4 feed    ARGV: 1 lease, 2 the entry's id, 3 1: back, too
-- Returns nothing to a stale owner.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return false end
local what = wrong(3, {'string', 'stream'})
if what then return damaged(what) end
if ARGV[3] == '1' then redis.call('SET', KEYS[3], ARGV[2]) else cursor_moved(KEYS[3], ARGV[2]) end
return 1
