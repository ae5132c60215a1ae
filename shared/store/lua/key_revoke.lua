-- Revokes an admin's key, unless no other admin's would open anything then.
-- KEYS: 1 keys
-- ARGV: 1 its id, 2 its record as it is to be, 3 the time in ms, 4 id of the admin's key that settings name, or nothing
-- Returns whether it is revoked.
local function opens(record)
  local is_read, key = pcall(cjson.decode, record)
  if not is_read or type(key) ~= 'table' or key.role ~= 'admin' or type(key.revoked_at_ms) == 'number' then return false end
  return type(key.expires_at_ms) ~= 'number' or key.expires_at_ms > tonumber(ARGV[3])
end
local is_left = ARGV[4] ~= '' and ARGV[4] ~= ARGV[1] and redis.call('HEXISTS', KEYS[1], ARGV[4]) == 0
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do
  is_left = is_left or (stored[i] ~= ARGV[1] and opens(stored[i + 1]))
end
if not is_left then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
