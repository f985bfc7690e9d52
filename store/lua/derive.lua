-- groups revision, then per stream: id, revision ('' = not wanted at all), n, n times (assignment, revision)
-- Makes assignments what they should be. Whoever worked from an older stream or older groups changes nothing.
-- -> {added, removed, changed, stale}
local out = {0, 0, 0, 0}
if (redis.call('GET', KEY_GROUPS_REVISION) or '0') ~= ARGV[1] then return {0, 0, 0, -1} end
local now, at = whole(now_ms()), 2
while ARGV[at] do
  local stream, revision, n = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  if redis.call('HGET', KEY_STREAM_REVISION, stream) ~= revision then
    out[4] = out[4] + 1
  else
    local wanted, list = {}, {}
    for i = at + 3, at + 2 + 2 * n, 2 do
      local id = ARGV[i]
      wanted[id] = true
      list[#list + 1] = id
      local known = redis.call('HGET', KEY_ASSIGNMENT, id)
      if known ~= ARGV[i + 1] then
        redis.call('HSET', KEY_ASSIGNMENT, id, ARGV[i + 1])
        if known then out[3] = out[3] + 1 else out[1] = out[1] + 1 end
      end
      redis.call('ZADD', KEY_DUE .. group_of(id), 'NX', now, id)
    end
    local before = redis.call('HGET', KEY_STREAM_ASSIGNED, stream) or ''
    for id in string.gmatch(before, '%S+') do
      if not wanted[id] then
        remove_assignment(id)
        out[2] = out[2] + 1
      end
    end
    local after = table.concat(list, ' ')
    if after == '' then
      redis.call('HDEL', KEY_STREAM_ASSIGNED, stream)
    elseif after ~= before then
      redis.call('HSET', KEY_STREAM_ASSIGNED, stream, after)
    end
  end
  at = at + 3 + 2 * n
end
return out
