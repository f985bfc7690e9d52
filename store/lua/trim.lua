-- entries kept for latecomers, at most removed in one call
-- Removes the oldest findings that every consumer group has handled, beyond those kept. -> removed
local keep, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local surplus = math.min(redis.call('XLEN', KEY_FINDINGS) - keep, most)
if surplus <= 0 then return 0 end
local groups = redis.call('XINFO', 'GROUPS', KEY_FINDINGS)
if #groups == 0 then return 0 end

local function before(a, b)
  local ams, an = string.match(a, '^(%d+)-(%d+)$')
  local bms, bn = string.match(b, '^(%d+)-(%d+)$')
  if ams ~= bms then return tonumber(ams) < tonumber(bms) end
  return tonumber(an) < tonumber(bn)
end

local oldest = redis.call('XRANGE', KEY_FINDINGS, '-', '+', 'COUNT', surplus + 1)
local limit = oldest[#oldest][1]
for _, flat in ipairs(groups) do
  local group = {}
  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
  local floor = group['last-delivered-id']
  if group['pending'] > 0 then
    floor = redis.call('XPENDING', KEY_FINDINGS, group['name'])[2]
  end
  if before(floor, limit) then limit = floor end
end
return redis.call('XTRIM', KEY_FINDINGS, 'MINID', limit)
