-- How an event is written and told. One that is kept lies in a hash of its own, where nothing has a lifetime. What people
-- said of an event, its marks, lies beside it, in the field that its id and '/marks' name.
local function note_open(open, stream, id, is_open)
  local ids = {}
  for other in string.gmatch(redis.call('HGET', open, stream) or '', '%S+') do
    if other ~= id then ids[#ids + 1] = other end
  end
  if is_open then ids[#ids + 1] = id end
  if #ids > 0 then redis.call('HSET', open, stream, table.concat(ids, ' ')) else redis.call('HDEL', open, stream) end
end
local function place_of(id, event_data, kept) -- the hash in which it lies
  return redis.call('HEXISTS', kept, id) == 1 and kept or redis.call('HEXISTS', event_data, id) == 1 and event_data
end
local function tell(feed, most, kind, event, marks, traceparent)
  local more = marks and {'marks', marks} or {}
  if (traceparent or '') ~= '' then more[#more + 1], more[#more + 2] = 'traceparent', traceparent end
  redis.call('XADD', feed, 'MAXLEN', '~', most, '*', 'kind', kind, 'event', event, unpack(more))
end
local function closed(id, event, ended_ms, reason)
  local started_ms = string.match(id, '%d+$')
  if tonumber(ended_ms) < tonumber(started_ms) then ended_ms = started_ms end
  event = string.gsub(event, '"state":"open"', '"state":"closed"')
  event = string.gsub(event, '"ended_at_ms":null', '"ended_at_ms":' .. ended_ms)
  return (string.gsub(event, '"close_reason":null', '"close_reason":"' .. reason .. '"'))
end
-- `at` names the keys: feed, open, kept, events, event_data. What closes and is not there was deleted meanwhile.
local function put_event(at, most, stream, kind, id, start, event, traceparent)
  local place = place_of(id, at.event_data, at.kept)
  note_open(at.open, stream, id, kind == 'opened')
  if not place and kind == 'closed' then return end
  if place ~= at.kept then
    redis.call('ZADD', at.events, start, id)
    place = at.event_data
  end
  redis.call('HSET', place, id, event)
  if kind == 'opened' then -- what is open stays
    redis.call('PERSIST', at.events)
    redis.call('PERSIST', at.event_data)
  end
  tell(at.feed, most, kind, event, redis.call('HGET', place, id .. '/marks'), traceparent)
end
