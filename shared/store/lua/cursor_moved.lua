-- A part of scripts: moves a follower's cursor to an entry that comes after it; says whether it did.
local function cursor_moved(key, entry_id)
  local cursor = redis.call('GET', key)
  if cursor and not string.match(cursor, '^%d+-%d+$') then cursor = nil end
  if cursor and not is_after(entry_id, cursor) then return false end
  redis.call('SET', key, entry_id)
  return true
end
