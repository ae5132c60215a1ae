-- Whether a lease is its partition's newest. One that ran out stands until another is taken: a clock that is set
-- forward has all of them run out at once. Under keys of another type nobody owns anything.
local function owns(lease_key, fence_key, lease)
  local held = redis.pcall('GET', lease_key)
  if held then return held == lease end
  return redis.pcall('GET', fence_key) == string.match(lease, '^%d+')
end
