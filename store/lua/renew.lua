-- worker, group, ttl_ms, info, n, n times (id, epoch, revision), checkpoints, (id, JSON)..., statuses, (id, JSON)...
-- Keeps every lease that is still the worker's. -> {store ms, {lost}, {changed}, {removed}}
local worker, group, ttl, n = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local now = now_ms()
grace(now, ttl)
redis.call('SET', KEY_BEAT, whole(now))
local ids = {}
for i = 1, n do ids[i] = ARGV[3 + 3 * i] end
local leases, revisions = hmget(KEY_LEASE, ids), hmget(KEY_ASSIGNMENT, ids)
local lost, changed, removed, scores, ours = {}, {}, {}, {}, {}
local expiry = whole(now + ttl)
for i, id in ipairs(ids) do
  if not revisions[i] then
    removed[#removed + 1] = id
  elseif leases[i] ~= ARGV[4 + 3 * i] .. ':' .. worker then
    lost[#lost + 1] = id
  else
    ours[id] = true
    scores[#scores + 1], scores[#scores + 2] = expiry, id
    if revisions[i] ~= ARGV[5 + 3 * i] then changed[#changed + 1] = id end
  end
end
slices(scores, function(...) redis.call('ZADD', KEY_DUE .. group, 'XX', ...) end)

local at = 6 + 3 * n
for _, key in ipairs({KEY_CHECKPOINT, KEY_STATUS}) do
  local count, kept = tonumber(ARGV[at]), {}
  for i = at + 1, at + 2 * count, 2 do
    if ours[ARGV[i]] then kept[#kept + 1], kept[#kept + 2] = ARGV[i], ARGV[i + 1] end
  end
  slices(kept, function(...) redis.call('HSET', key, ...) end)
  at = at + 1 + 2 * count
end

redis.call('HSET', KEY_WORKER, worker, ARGV[4])
if redis.call('ZADD', KEY_WORKERS, now, worker) == 1 then
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEY_WORKERS, '-inf', now - 600000, 'LIMIT', 0, 100)) do
    redis.call('ZREM', KEY_WORKERS, gone)
    redis.call('HDEL', KEY_WORKER, gone)
  end
end
return {whole(now), lost, changed, removed}
