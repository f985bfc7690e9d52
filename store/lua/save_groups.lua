-- groups as JSON, expected revision ('' = any) -> revision, or 'conflict'
local revision = tonumber(redis.call('GET', KEY_GROUPS_REVISION) or 0)
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= revision then return 'conflict' end
if redis.call('GET', KEY_GROUPS) == ARGV[1] then return whole(revision) end
redis.call('SET', KEY_GROUPS, ARGV[1])
redis.call('SET', KEY_GROUPS_REVISION, whole(revision + 1))
return whole(revision + 1)
