-- Takes what was delivered out of the outbox; what could not be goes to the target's dead letters.
-- KEYS: 1 lease, 2 fence, 3 outbox, 4 dead letters
-- ARGV: 1 lease, 2 the entry's id, 3 why it could not be delivered or nothing, 4 most dead letters, 5 milliseconds they stay
-- Returns nothing to a stale owner, else 1.
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return false end
local what = wrong(3, {'stream', 'stream'})
if what then return damaged(what) end
local entry = redis.call('XRANGE', KEYS[3], ARGV[2], ARGV[2])[1]
if not entry then return 1 end
redis.call('XDEL', KEYS[3], ARGV[2]) -- before what takes memory
if ARGV[3] ~= '' then
  local fields = entry[2]
  fields[#fields + 1], fields[#fields + 2] = 'why', ARGV[3]
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[4], '*', unpack(fields))
  redis.call('PEXPIRE', KEYS[4], ARGV[5])
end
return 1
