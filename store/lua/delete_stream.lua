-- id, expected revision ('' = any) -> deleted, missing, conflict
local id = ARGV[1]
local spec = redis.call('HGET', KEY_STREAM, id)
if not spec then return 'missing' end
if ARGV[2] ~= '' and redis.call('HGET', KEY_STREAM_REVISION, id) ~= ARGV[2] then return 'conflict' end
for assignment in string.gmatch(redis.call('HGET', KEY_STREAM_ASSIGNED, id) or '', '%S+') do
  remove_assignment(assignment)
end
local known = cjson.decode(spec)
for name, value in pairs(known.labels or {}) do redis.call('SREM', KEY_LABEL .. name .. '=' .. value, id) end
if type(known.external_id) == 'string' then redis.call('HDEL', KEY_STREAM_EXTERNAL, known.external_id) end
redis.call('HDEL', KEY_STREAM, id)
redis.call('HDEL', KEY_STREAM_REVISION, id)
redis.call('HDEL', KEY_STREAM_ASSIGNED, id)
redis.call('ZREM', KEY_STREAM_IDS, id)
redis.call('DEL', KEY_COVERAGE .. id)
return 'deleted'
