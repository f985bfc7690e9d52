-- worker, group, most, ttl_ms, ahead_ms
-- Claims what is free or expired, earliest first. An epoch is the store's time in ms, or one more than the last.
-- -> expiry ms, then {id, epoch, revision, stream revision, spec, checkpoint, {open defects}, {closed lately}} each

-- What was closed lately, newest first: the checkpoint may be older than the last word that was accepted.
local function told(id)
  local out = {}
  for _, text in ipairs(redis.call('LRANGE', KEY_CLOSED .. stream_of(id), 0, MOST_TOLD - 1)) do
    if string.find(text, '"' .. string.gsub(id, '/', '\\/') .. '"', 1, true) then out[#out + 1] = text end
  end
  return out
end

local worker, group, most, ttl, ahead = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = now_ms()
local holders_first = grace(now, ttl)
local due = KEY_DUE .. group
local ids = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)
if #ids < most then
  -- No lease ends that far in the future: the store's clock was set back since.
  local lost = redis.call('ZRANGEBYSCORE', due, '(' .. whole(now + ahead), '+inf', 'LIMIT', 0, most - #ids)
  for _, id in ipairs(lost) do ids[#ids + 1] = id end
end
local out = {whole(now + ttl)}
if #ids == 0 then return out end

local leases, revisions = hmget(KEY_LEASE, ids), hmget(KEY_ASSIGNMENT, ids)
local checkpoints = hmget(KEY_CHECKPOINT, ids)
local expiry, scores, tokens = whole(now + ttl), {}, {}
for n, id in ipairs(ids) do
  local stream = stream_of(id)
  local spec = redis.call('HGET', KEY_STREAM, stream)
  if not revisions[n] or not spec then
    redis.call('ZREM', due, id)
  else
    local last, before = 0, ''
    if leases[n] then
      local epoch, holder = string.match(leases[n], '^(%d+):(.*)$')
      last, before = tonumber(epoch), holder
    end
    local epoch = whole(math.max(now, last + 1))
    if before == '' or not holders_first then
      if before ~= '' then remember(id, 'expired', before, whole(last), now) end
      remember(id, 'claimed', worker, epoch, now)
      scores[#scores + 1], scores[#scores + 2] = expiry, id
      tokens[#tokens + 1], tokens[#tokens + 2] = id, epoch .. ':' .. worker
      out[#out + 1] = {id, epoch, revisions[n], redis.call('HGET', KEY_STREAM_REVISION, stream), spec,
        checkpoints[n] or '', unconfirm(id), checkpoints[n] and told(id) or {}}
    end
  end
end
slices(scores, function(...) redis.call('ZADD', due, 'XX', ...) end)
slices(tokens, function(...) redis.call('HSET', KEY_LEASE, ...) end)
return out
