-- name, profile as JSON, expected latest version ('' = any), profiles at most, versions kept
-- A version never changes; saving what is the latest already makes none. -> version, 'conflict' or 'full'
local name, key = ARGV[1], KEY_PROFILE .. ARGV[1]
local latest = tonumber(redis.call('HGET', key, 'latest') or 0)
if ARGV[3] ~= '' and tonumber(ARGV[3]) ~= latest then return 'conflict' end
if latest > 0 and redis.call('HGET', key, whole(latest)) == ARGV[2] then return whole(latest) end
if latest == 0 and redis.call('SCARD', KEY_PROFILES) >= tonumber(ARGV[4]) then return 'full' end
latest = latest + 1
redis.call('HSET', key, 'latest', whole(latest), whole(latest), ARGV[2])
redis.call('HDEL', key, whole(latest - tonumber(ARGV[5])))
redis.call('SADD', KEY_PROFILES, name)
return whole(latest)
