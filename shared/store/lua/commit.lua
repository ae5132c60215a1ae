-- Commits a partition's streams if the caller owns it; a stream that is not where the caller thinks is left alone.
-- KEYS: 1 lease, 2 fence, 3 progress, 4 state, 5 memory, 6 feed, 7 open, 8 kept, 9 held, then per stream: frames, scores,
--       events, event data
-- ARGV: 1 lease, 2 most feed entries, how many milliseconds of its own time a stream keeps 3 frames, 4 scores, 5 events,
--       then per stream: id, progress expected, new progress, state (nothing: as it is), memory (nothing: no checkpoint),
--       labels, number of scored frames, (frame id, scores)..,
--       number of transitions, (kind, event id, start, event as JSON, traceparent or nothing)..
-- Returns nothing to a stale owner, else for each stream 1: committed now, 2: committed before, 0: refused, 3: not
-- registered any more, or what is wrong with its keys: then nothing of it is written. A commit that passes no entry
-- leaves the progress as it was: whether it came before is told by the state.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return false end
local outcomes, at = {}, 6
local records = redis.call('TYPE', KEYS[9]).ok == 'hash' -- somebody records, or did until seconds ago
local HELD = 60000 -- for whoever records: so long, at least, frames of a source that has ended
local DAY = 86400000 -- more by the clock than by the stream's own time: a clock that is set must not take an hour's history
local MOST_OLD = 300 -- more than a model has labels: of each, one event that began before may not have ended before
local function take() at = at + 1; return ARGV[at - 1] end
local function before(id, milliseconds)
  return string.format('%.0f', math.max(0, string.match(id, '^%d+') - milliseconds))
end
local function at_keys(key)
  return {feed = KEYS[6], open = KEYS[7], kept = KEYS[8], events = KEYS[key + 2], event_data = KEYS[key + 3]}
end
local function ended_before(at_ms, events, event_data) -- up to MOST_OLD of them
  local ids = redis.call('ZRANGEBYSCORE', events, '-inf', '(' .. at_ms, 'LIMIT', 0, MOST_OLD)
  local texts, ended = #ids > 0 and redis.call('HMGET', event_data, unpack(ids)) or {}, {}
  for i, text in ipairs(texts) do
    local is_open = text and string.find(text, '"ended_at_ms":null', 1, true)
    local ended_at_ms = text and string.match(text, '"ended_at_ms":(%d+)') or 0
    if not is_open and tonumber(ended_at_ms) < tonumber(at_ms) then ended[#ended + 1] = ids[i] end
  end
  return ended
end
local of_all = wrong(3, {'hash', 'hash', 'hash', 'stream', 'hash', 'hash'})
local key = 10
while at <= #ARGV do
  local id, expected, wanted, state, memory = take(), take(), take(), take(), take()
  local labels, num_scored = take(), tonumber(take())
  local first_scored = at
  at = at + num_scored * 2
  local num_transitions = tonumber(take())
  local first_transition = at
  at = at + num_transitions * 5
  local damage = of_all or wrong(key, {'stream', 'stream', 'zset', 'hash'})
  local current = not damage and redis.call('HGET', KEYS[3], id)
  if not damage and current == expected and num_scored > 0 then
    redis.call('XTRIM', KEYS[key], 'MINID', '0-0') -- lets go of nothing, but a full Redis refuses the next one else
    local added = redis.pcall('XADD', KEYS[key + 1], ARGV[first_scored], labels, ARGV[first_scored + 1])
    if type(added) == 'table' then
      if not string.find(added.err, 'smaller') and not string.find(added.err, 'exhausted') then return added end
      damage = KEYS[key + 1] .. ' goes on beyond the cursor'
    end
  end
  if damage then
    outcomes[#outcomes + 1] = damage
  elseif current == wanted and (wanted ~= expected or redis.call('HGET', KEYS[4], id) == state) then
    outcomes[#outcomes + 1] = 2
  elseif current == expected then
    local cursor, checkpoint = string.match(wanted, '^%d+ (%S+) %d+ %d+ (%S+)')
    local oldest_frame = before(cursor, ARGV[3]) .. '-0'
    local held = string.match(records and redis.call('HGET', KEYS[9], id) or '', '^%d+%-%d+$') or checkpoint
    for _, entry in ipairs({checkpoint, held}) do
      if is_after(oldest_frame, entry) then oldest_frame = entry end
    end
    redis.call('XTRIM', KEYS[key], 'MINID', oldest_frame) -- before what takes memory
    for i = first_scored + 2, first_scored + 2 * num_scored - 1, 2 do
      redis.call('XADD', KEYS[key + 1], ARGV[i], labels, ARGV[i + 1])
    end
    for i = first_transition, at - 1, 5 do
      put_event(at_keys(key), ARGV[2], id, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
      if records and ARGV[i] == 'opened' then redis.call('HSETNX', KEYS[9], id, oldest_frame) end
    end
    if num_transitions > 0 or memory ~= '' then
      local old = ended_before(before(cursor, ARGV[5]), KEYS[key + 2], KEYS[key + 3])
      if #old > 0 then
        redis.call('ZREM', KEYS[key + 2], unpack(old))
        redis.call('HDEL', KEYS[key + 3], unpack(old))
        for i = 1, #old do old[i] = old[i] .. '/marks' end
        redis.call('HDEL', KEYS[key + 3], unpack(old))
      end
      if redis.call('HEXISTS', KEYS[7], id) == 0 then
        redis.call('PEXPIRE', KEYS[key + 2], ARGV[5] + DAY)
        redis.call('PEXPIRE', KEYS[key + 3], ARGV[5] + DAY)
      end
    end
    if state ~= '' then redis.call('HSET', KEYS[4], id, state) end
    if memory ~= '' then
      redis.call('HSET', KEYS[5], id, memory)
      redis.call('PEXPIRE', KEYS[key + 1], ARGV[4] + DAY)
      if not is_after(newest(KEYS[key]), cursor) then -- none waits
        local goes_on = num_scored > 0 and not string.find(cursor, '-1$') -- so a clock that is set must not take its frames
        redis.call('PEXPIRE', KEYS[key], ARGV[3] + (goes_on and DAY or records and HELD or 0))
      end
    end
    redis.call('HSET', KEYS[3], id, wanted)
    redis.call('XTRIM', KEYS[key + 1], 'MINID', '~', before(cursor, ARGV[4]))
    outcomes[#outcomes + 1] = 1
  else
    outcomes[#outcomes + 1] = current and 0 or 3
  end
  key = key + 4
end
return outcomes
