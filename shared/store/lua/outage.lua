-- Opens or closes the event of a camera's being away, under a lease that stands, while that generation of the stream is
-- registered. One that is open stays the one: whoever asks again, or after a crash, changes nothing.
-- KEYS: 1 progress, 2 lease, 3 fence, 4 feed, 5 kept, 6 open, 7 events, 8 event data
-- ARGV: 1 lease, 2 stream id, 3 generation, 4 its label, 5 most feed entries, 6 opened or closed, then event id, start and
--       event as JSON; or its end in ms, and why
-- Returns 2 to a stale owner, 0 where that stream is gone, else 1.
if not owns(KEYS[2], KEYS[3], ARGV[1]) then return 2 end
local what = wrong(1, {'hash'}) or wrong(4, {'stream', 'hash', 'hash', 'zset', 'hash'})
if what then return damaged(what) end
local progress = redis.call('HGET', KEYS[1], ARGV[2])
if not progress or string.match(progress, '^%d+') ~= ARGV[3] then return 0 end
local at = {feed = KEYS[4], kept = KEYS[5], open = KEYS[6], events = KEYS[7], event_data = KEYS[8]}
local is_open = false
for id in string.gmatch(redis.call('HGET', KEYS[6], ARGV[2]) or '', '%S+') do
  if string.match(id, '%.(.*)%.') == ARGV[4] then
    is_open = true
    local place = place_of(id, KEYS[8], KEYS[5])
    if ARGV[6] == 'closed' then
      local event = place and closed(id, redis.call('HGET', place, id), ARGV[7], ARGV[8])
      put_event(at, ARGV[5], ARGV[2], 'closed', id, string.match(id, '%d+$'), event)
    end
  end
end
if ARGV[6] == 'opened' and not is_open then put_event(at, ARGV[5], ARGV[2], 'opened', ARGV[7], ARGV[8], ARGV[9]) end
return 1
