-- Removes a stream and everything that is kept of it; of its open events the feed tells that they are closed.
-- KEYS: 1 streams, 2 changes, 3 feed, 4 kept, 5 open, 6 progress, 7.. the partition's other hashes by stream id, last four
--       the stream's own keys
-- ARGV: 1 stream id, 2 the label of events that end by the clock, 3 most feed entries, 4 the spec seen
-- Returns 1, and 0 where the spec is another now, or gone.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[4] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.pcall('INCR', KEYS[2]) -- only a hint
local event_data = KEYS[#KEYS]
if not wrong(3, {'stream', 'hash', 'hash', 'hash'}) and not wrong(#KEYS, {'hash'}) then
  local passed_ms = string.match(redis.call('HGET', KEYS[6], ARGV[1]) or '', '^%d+ (%d+)') or '0'
  for id in string.gmatch(redis.call('HGET', KEYS[5], ARGV[1]) or '', '%S+') do
    local place = place_of(id, event_data, KEYS[4])
    if place then
      local ended_ms = string.match(id, '%.(.*)%.') == ARGV[2] and redis.call('TIME')[1] .. '000' or passed_ms
      local event = closed(id, redis.call('HGET', place, id), ended_ms, 'stream_removed')
      tell(KEYS[3], ARGV[3], 'closed', event, redis.call('HGET', place, id .. '/marks'))
    end
  end
  for _, field in ipairs(redis.call('HKEYS', KEYS[4])) do
    if string.sub(field, 1, #ARGV[1] + 1) == ARGV[1] .. '.' then redis.call('HDEL', KEYS[4], field) end
  end
end
for i = 5, #KEYS - 4 do redis.call('HDEL', KEYS[i], ARGV[1]) end
redis.call('UNLINK', unpack(KEYS, #KEYS - 3))
return 1
