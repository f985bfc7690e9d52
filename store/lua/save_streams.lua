-- most in all, then per stream: mode (create, upsert, change), id, expected revision ('' = any), spec, external id ('' = none)
-- -> {word, id, revision} each; words: created, updated, unchanged, missing, conflict, taken, full
local most, out = tonumber(ARGV[1]), {}
local function labels_of(spec)
  local names = {}
  for name, value in pairs(cjson.decode(spec).labels or {}) do names[name .. '=' .. value] = true end
  return names
end
for i = 2, #ARGV, 5 do
  local mode, id, expected, spec, external = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local owner = external ~= '' and redis.call('HGET', KEY_STREAM_EXTERNAL, external) or false
  if mode == 'upsert' and owner then id = owner end
  local before = redis.call('HGET', KEY_STREAM, id)
  local revision = tonumber(redis.call('HGET', KEY_STREAM_REVISION, id) or 0)
  local word
  if mode == 'change' and not before then word = 'missing'
  elseif expected ~= '' and tonumber(expected) ~= revision then word = 'conflict'
  elseif owner and owner ~= id then word = 'taken'
  elseif before and (mode == 'create' or (mode == 'upsert' and not owner)) then word = 'conflict' -- a new id that is not new
  elseif not before and redis.call('HLEN', KEY_STREAM) >= most then word = 'full'
  elseif before == spec then word = 'unchanged'
  else
    word = before and 'updated' or 'created'
    revision = revision + 1
    local now, old = labels_of(spec), before and labels_of(before) or {}
    for label in pairs(old) do
      if not now[label] then redis.call('SREM', KEY_LABEL .. label, id) end
    end
    for label in pairs(now) do
      if not old[label] then redis.call('SADD', KEY_LABEL .. label, id) end
    end
    local known = before and cjson.decode(before).external_id
    if type(known) == 'string' and known ~= external then redis.call('HDEL', KEY_STREAM_EXTERNAL, known) end
    if external ~= '' then redis.call('HSET', KEY_STREAM_EXTERNAL, external, id) end
    redis.call('HSET', KEY_STREAM, id, spec)
    redis.call('HSET', KEY_STREAM_REVISION, id, whole(revision))
    redis.call('ZADD', KEY_STREAM_IDS, 0, id)
  end
  out[#out + 1] = {word, id, whole(revision)}
end
return out
