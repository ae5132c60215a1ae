-- Where a partition's feed begins and ends, and where a follower of it is.
-- KEYS: 1 feed, 2 cursor    ARGV: none
-- Returns the oldest entry's id or nothing, the last id that an entry ever had, the last that was taken out on purpose,
-- the cursor or nothing.
local what = wrong(1, {'stream', 'string'})
if what then return damaged(what) end
local removed = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local told = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #told, 2 do
    if told[i] == 'max-deleted-entry-id' then removed = told[i + 1] end -- since Redis 7
  end
end
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {oldest and oldest[1] or false, newest(KEYS[1]), removed, redis.call('GET', KEYS[2])}
