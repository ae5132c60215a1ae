-- What the last commits left of a stream, unless its keys do not bear another.
-- KEYS: 1 progress, 2 inference, 3 state, 4 memory, 5 feed, 6 open, 7 kept, 8 frames, 9 scores, 10 events, 11 event data    ARGV: 1 stream id
-- Returns progress, state and memory; nothing for what there is none of.
local what = wrong(1, {'hash', 'hash', 'hash', 'hash', 'stream', 'hash', 'hash', 'stream', 'stream', 'zset', 'hash'})
if what then return damaged(what) end
local progress = redis.call('HGET', KEYS[1], ARGV[1])
local cursor = progress and string.match(progress, '^%d+ (%d+%-%d+) ')
local waits = cursor and redis.pcall('XRANGE', KEYS[8], '(' .. cursor, '+', 'COUNT', 1)[1] -- of no cursor: an error
if waits and not is_after(waits[1], newest(KEYS[9])) then return damaged(KEYS[9] .. ' goes on beyond the cursor') end
return {progress, redis.call('HGET', KEYS[3], ARGV[1]), redis.call('HGET', KEYS[4], ARGV[1])}
