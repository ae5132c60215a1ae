-- Appends frames to a stream's queue, in order, until one must wait.
-- KEYS: 1 lease, 2 fence, 3 frames, 4 published, 5 progress, 6 arrivals
-- ARGV: 1 lease, 2 stream id, 3 generation, 4 pace, 5 most frames that wait (fast), 6 most that are kept, then per entry:
--       id, number of arguments, the entry's fields and values
-- Returns {outcome, entries accepted}; a duplicate counts as accepted, also where the queue has forgotten it.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return {'fenced', 0} end
local progress = redis.call('HGET', KEYS[5], ARGV[2])
if not progress then return {'gone', 0} end
local generation, cursor, passed, checkpoint = string.match(progress, '^(%d+) (%S+) (%d+) %d+ ?(%S*)')
if generation ~= ARGV[3] then return {'gone', 0} end
local sequence = tonumber(redis.call('HGET', KEYS[4], ARGV[2]) or '0')
local first = sequence
local accepted, at, has_news = 0, 7, false
while at <= #ARGV do
  local id, count = ARGV[at], tonumber(ARGV[at + 1])
  local is_frame = ARGV[at + 2] == 'j'
  if ARGV[4] == 'fast' and is_frame and sequence - tonumber(passed) >= tonumber(ARGV[5]) then break end
  local fields = {}
  for i = at + 2, at + 1 + count do fields[#fields + 1] = ARGV[i] end
  local number = is_frame and sequence + 1 or sequence
  local added = not is_after(id, cursor) and {err = 'equal or smaller'}
    or redis.pcall('XADD', KEYS[3], id, 'n', number, unpack(fields))
  if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller', 1, true) then return redis.error_reply(added.err) end
  else
    sequence, has_news = number, true
  end
  accepted = accepted + 1
  at = at + 2 + count
end
if has_news then
  redis.pcall('INCR', KEYS[6]) -- only a hint
  if redis.call('TTL', KEYS[3]) >= 0 then redis.call('PERSIST', KEYS[3]) end -- it waits now, for as long as it must
end
if sequence ~= first then redis.call('HSET', KEYS[4], ARGV[2], sequence) end
local excess = redis.call('XLEN', KEYS[3]) - ARGV[6]
if excess > 0 then
  -- frames since the checkpoint stay, and markers that wait: the oldest of the live frames that wait go instead
  local upto = checkpoint == '' and cursor or checkpoint
  local passed_by = redis.call('XRANGE', KEYS[3], '-', upto, 'COUNT', excess)
  if ARGV[4] == 'live' and excess > #passed_by then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[3], '(' .. cursor, '+', 'COUNT', excess - #passed_by)) do
      if entry[2][3] == 'j' then redis.call('XDEL', KEYS[3], entry[1]) end
    end
  end
  redis.call('XTRIM', KEYS[3], 'MAXLEN', redis.call('XLEN', KEYS[3]) - #passed_by)
end
return {at <= #ARGV and 'full' or 'ok', accepted}
