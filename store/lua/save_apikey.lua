-- digest, JSON, keys at most, 'first' = only if there is none -> 'saved', 'full', 'not_first'
local count = redis.call('HLEN', KEY_APIKEY)
if ARGV[4] == 'first' and count > 0 then return 'not_first' end
if count >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', KEY_APIKEY, ARGV[1], ARGV[2])
return 'saved'
