-- Shared by all scripts. Assignment ids are `stream/rendition/group`.

local MOST_OPEN = 512       -- open defects of one stream
local MOST_CLOSED = 100     -- closed defects of one stream
local CLOSED_S = 604800     -- 7 days
local MOST_HISTORY = 10
local MOST_TOLD = 32       -- closed defects that a new lease is told of

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

local function stream_of(assignment)
  return string.match(assignment, '^[^/]+')
end

local function group_of(assignment)
  return string.match(assignment, '[^/]+$')
end

-- unpack() has a limit; fn is called with slices of the list.
local function slices(list, fn)
  for from = 1, #list, 1000 do
    fn(unpack(list, from, math.min(from + 999, #list)))
  end
end

local function hmget(key, fields)
  local out = {}
  for from = 1, #fields, 1000 do
    local part = redis.call('HMGET', key, unpack(fields, from, math.min(from + 999, #fields)))
    for n = 1, #part do out[from + n - 1] = part[n] end
  end
  return out
end

-- Nobody renewed for half a TTL: it was the store that was away (or its clock that jumped), not its holders.
-- For one TTL, what has a holder is left to it.
local function grace(now, ttl)
  local beat = tonumber(redis.call('GET', KEY_BEAT) or now)
  if now - beat > ttl / 2 then redis.call('SET', KEY_GRACE, '1', 'PX', ttl) end
  return redis.call('EXISTS', KEY_GRACE) == 1
end

local function remember(assignment, word, worker, epoch, now)
  local key = KEY_HISTORY .. assignment
  redis.call('LPUSH', key, whole(now) .. ' ' .. word .. ' ' .. worker .. ' ' .. epoch)
  redis.call('LTRIM', key, 0, MOST_HISTORY - 1)
end

local function publish(what, finding, assignment, defect, body, because)
  return redis.call('XADD', KEY_FINDINGS, '*', 'what', what, 'finding', finding, 'stream', stream_of(assignment),
    'assignment', assignment, 'defect', defect, 'body', body, 'because', because)
end

local function keep_closed(stream, defect, because)
  defect.state = 'closed'
  defect.because = because
  local key = KEY_CLOSED .. stream
  redis.call('LPUSH', key, cjson.encode(defect))
  redis.call('LTRIM', key, 0, MOST_CLOSED - 1)
  redis.call('EXPIRE', key, CLOSED_S)
end

local function forget_open(stream, key)
  redis.call('HDEL', KEY_OPEN .. stream, key)
  if redis.call('EXISTS', KEY_OPEN .. stream) == 0 then
    redis.call('SREM', KEY_OPEN_STREAMS, stream)
  end
end

-- Calls fn(key, defect) for each open defect of an assignment. Most streams have none: one cheap look.
local function each_open(assignment, fn)
  local stream = stream_of(assignment)
  if redis.call('SISMEMBER', KEY_OPEN_STREAMS, stream) == 0 then return end
  local all = redis.call('HGETALL', KEY_OPEN .. stream)
  for n = 1, #all, 2 do
    local defect = cjson.decode(all[n + 1])
    if defect.assignment == assignment then fn(stream, all[n], defect) end
  end
end

-- The lease that saw them ended: open defects wait for the next one to confirm or close them.
local function unconfirm(assignment)
  local waiting = {}
  each_open(assignment, function(stream, key, defect)
    if defect.state == 'open' then
      defect.state = 'unconfirmed'
      redis.call('HSET', KEY_OPEN .. stream, key, cjson.encode(defect))
      publish('unconfirmed', defect.id, assignment, defect.id, defect.body, 'lease_ended')
    end
    waiting[#waiting + 1] = cjson.encode(defect)
  end)
  return waiting
end

-- Nobody is to watch it any more.
local function remove_assignment(assignment)
  each_open(assignment, function(stream, key, defect)
    forget_open(stream, key)
    keep_closed(stream, defect, 'stopped_watching')
    publish('closed', defect.id, assignment, defect.id, defect.body, 'stopped_watching')
  end)
  redis.call('ZREM', KEY_DUE .. group_of(assignment), assignment)
  redis.call('HDEL', KEY_ASSIGNMENT, assignment)
  redis.call('HDEL', KEY_LEASE, assignment)
  redis.call('HDEL', KEY_CHECKPOINT, assignment)
  redis.call('HDEL', KEY_STATUS, assignment)
  redis.call('HDEL', KEY_ACCEPTED, assignment)
  redis.call('DEL', KEY_HISTORY .. assignment)
end
