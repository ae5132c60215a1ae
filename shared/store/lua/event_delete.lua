-- Deletes an event with what people said of it, and tells so. One that is open stays deleted when it closes.
-- KEYS: 1 feed, 2 kept, 3 events, 4 event data, 5 open    ARGV: 1 event id, 2 stream id, 3 most feed entries
-- Returns whether there was one.
local what = wrong(1, {'stream', 'hash', 'zset', 'hash', 'hash'})
if what then return damaged(what) end
local place = place_of(ARGV[1], KEYS[4], KEYS[2])
if not place then return 0 end
local event, marks = redis.call('HGET', place, ARGV[1]), redis.call('HGET', place, ARGV[1] .. '/marks')
redis.call('ZREM', KEYS[3], ARGV[1]) -- before what takes memory
redis.call('HDEL', place, ARGV[1], ARGV[1] .. '/marks')
note_open(KEYS[5], ARGV[2], ARGV[1], false)
tell(KEYS[1], ARGV[3], 'deleted', event, marks)
return 1
