-- Writes what is known of events' media, and which frames stay for it, if the caller owns the partition as a recorder.
-- KEYS: 1 lease, 2 fence, 3 held, 4 media, 5 feed, then the frames of each stream that is named
-- ARGV: 1 lease, 2 milliseconds until nothing is held any more, 3 the feed's last entry that was heard,
--       4 number of records, (event id, record or nothing: forget it)..,
--       then for each stream: id, entry from which on its frames stay, or nothing: as ever
-- Returns 1, or nothing to a stale owner.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return false end
redis.call('PEXPIRE', KEYS[3], ARGV[2]) -- before what takes memory
local first_hold = 5 + 2 * ARGV[4]
for i = 5, first_hold - 1, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[4], ARGV[i]) else redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1]) end
end
local unheard = newest(KEYS[5]) ~= ARGV[3]
for i = first_hold, #ARGV, 2 do
  if ARGV[i + 1] ~= '' then
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
    local frames = KEYS[6 + (i - first_hold) / 2]
    local left = redis.call('PTTL', frames)
    if left >= 0 and left < tonumber(ARGV[2]) then redis.call('PEXPIRE', frames, ARGV[2]) end -- of a source that ended
  elseif not unheard then
    redis.call('HDEL', KEYS[3], ARGV[i])
  end
end
redis.call('HSET', KEYS[3], '', '0-0') -- so that it is there: no stream is called so
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return 1
