-- idempotency key, fingerprint, seconds held while in progress -> 'yours', 'other' (same key, another request), or {fingerprint, answer}
local key = KEY_IDEMPOTENCY .. ARGV[1]
local known = redis.call('HMGET', key, 'request', 'answer')
if not known[1] then
  redis.call('HSET', key, 'request', ARGV[2])
  redis.call('EXPIRE', key, ARGV[3])
  return 'yours'
end
if known[1] ~= ARGV[2] then return 'other' end
return {known[2] or ''}
