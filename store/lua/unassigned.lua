-- groups -> per group: assignments, how many of them nobody holds
local now, out = now_ms(), {}
for _, group in ipairs(ARGV) do
  out[#out + 1] = redis.call('ZCARD', KEY_DUE .. group)
  out[#out + 1] = redis.call('ZCOUNT', KEY_DUE .. group, '-inf', now)
end
return out
