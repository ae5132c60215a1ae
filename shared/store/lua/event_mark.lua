-- Stores what people say of an event if that is still what the caller saw, moves the event to where it belongs, and tells.
-- KEYS: 1 feed, 2 kept, 3 events, 4 event data
-- ARGV: 1 event id, 2 marks seen (nothing: none), 3 new marks, 4 whether it is kept now (1, or nothing), 5 start,
--       6 most that is kept, 7 most feed entries
-- Returns nothing where there is no such event, else done (now or before), changed, or full.
local DAY = 86400000
local what = wrong(1, {'stream', 'hash', 'zset', 'hash'})
if what then return damaged(what) end
local id, field = ARGV[1], ARGV[1] .. '/marks'
local from = place_of(id, KEYS[4], KEYS[2])
if not from then return false end
local event, marks = redis.call('HGET', from, id), redis.call('HGET', from, field) or ''
if marks == ARGV[3] then return 'done' end
if marks ~= ARGV[2] then return 'changed' end
local to = ARGV[4] == '1' and KEYS[2] or KEYS[4]
if to ~= from then
  if to == KEYS[2] then
    if redis.call('HLEN', to) >= 2 * tonumber(ARGV[6]) then return 'full' end
    redis.call('ZREM', KEYS[3], id)
  else
    local is_alone = redis.call('EXISTS', KEYS[3]) == 0 and not string.find(event, '"ended_at_ms":null', 1, true)
    redis.call('ZADD', KEYS[3], ARGV[5], id)
    if is_alone then redis.call('PEXPIRE', KEYS[3], DAY) end -- all others have expired, or are to come
  end
  redis.call('HDEL', from, id, field)
  redis.call('HSET', to, id, event)
  if to ~= KEYS[2] and redis.call('PTTL', to) < 0 then
    local left = redis.call('PTTL', KEYS[3])
    if left > 0 then redis.call('PEXPIRE', to, left) end
  end
end
redis.call('HSET', to, field, ARGV[3])
tell(KEYS[1], ARGV[7], 'updated', event, ARGV[3])
return 'done'
