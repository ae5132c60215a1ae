-- Whether keys bear what is to be written: what is wrong with those from the first on, each of its kind or not there.
local function wrong(first, kinds)
  for i, wanted in ipairs(kinds) do
    local kind = redis.call('TYPE', KEYS[first + i - 1])['ok']
    if kind ~= 'none' and kind ~= wanted then return KEYS[first + i - 1] .. ' is no ' .. wanted end
  end
end
local function newest(stream) -- the last id that an entry ever had
  if redis.call('EXISTS', stream) == 0 then return '0-0' end
  local told = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #told, 2 do
    if told[i] == 'last-generated-id' then return told[i + 1] end
  end
end
local function damaged(what) return redis.error_reply('DAMAGED ' .. what) end
