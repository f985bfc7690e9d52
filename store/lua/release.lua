-- worker, then (id, epoch, delay_ms, checkpoint or '') each
-- Gives back what is still the worker's; what it says of them from now on is refused. -> ids given back
local worker, now, out = ARGV[1], now_ms(), {}
for i = 2, #ARGV, 4 do
  local id, epoch = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', KEY_LEASE, id) == epoch .. ':' .. worker then
    redis.call('HSET', KEY_LEASE, id, epoch .. ':')
    redis.call('ZADD', KEY_DUE .. group_of(id), 'XX', whole(now + tonumber(ARGV[i + 2])), id)
    if ARGV[i + 3] ~= '' then redis.call('HSET', KEY_CHECKPOINT, id, ARGV[i + 3]) end
    remember(id, 'released', worker, epoch, now)
    unconfirm(id)
    out[#out + 1] = id
  end
end
return out
