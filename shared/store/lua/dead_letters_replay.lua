-- Puts dead letters of a target back into the outbox, behind what waits there.
-- KEYS: 1 outbox, 2 dead letters    ARGV: 1 most that may wait, then the letters' ids
-- Returns how many were put back.
local what = wrong(1, {'stream', 'stream'})
if what then return damaged(what) end
local put = 0
for i = 2, #ARGV do
  local entry = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])[1]
  if entry and redis.call('XLEN', KEYS[1]) < tonumber(ARGV[1]) then
    local fields = entry[2]
    redis.call('XADD', KEYS[1], '*', unpack(fields, 1, #fields - 2)) -- all but why
    redis.call('XDEL', KEYS[2], ARGV[i])
    put = put + 1
  end
end
return put
