-- worker, findings kept at most, then per finding: assignment, epoch, sequence, kind, n, n more
--   edge: key, edge, body        source: blind or healthy, body
--   series: step, slot ms, slots kept, (series, packed)...      coverage: (detector, watched, degraded, blind)...
-- -> per finding: 1 accepted, 2 known already, 3 refused (the lease is another's), 4 full: keep it and what follows it
local worker, most = ARGV[1], tonumber(ARGV[2])
local now, room = now_ms(), most - redis.call('XLEN', KEY_FINDINGS)
local leases, last, dirty, blocked, out = {}, {}, {}, {}, {}

local function edge(finding, assignment, epoch, key, word, body)
  local stream = stream_of(assignment)
  local stored = redis.call('HGET', KEY_OPEN .. stream, key)
  local defect, what = nil, word
  if stored then
    defect = cjson.decode(stored)
    if word ~= 'closed' then what = defect.state == 'unconfirmed' and 'confirmed' or 'updated' end
  else
    defect = {id = finding, first = body}
    if word ~= 'closed' then what = 'opened' end
  end
  defect.assignment, defect.epoch, defect.body, defect.state = assignment, epoch, body, 'open'
  local because = ''
  if word == 'closed' then
    because = 'ended'
    if stored then forget_open(stream, key) end
    keep_closed(stream, defect, because)
  elseif stored or redis.call('HLEN', KEY_OPEN .. stream) < MOST_OPEN then
    redis.call('HSET', KEY_OPEN .. stream, key, cjson.encode(defect))
    redis.call('SADD', KEY_OPEN_STREAMS, stream)
  end
  publish(what, finding, assignment, defect.id, body, because)
  room = room - 1
end

local function series(assignment, from, to)
  local step, slot = ARGV[from], tonumber(ARGV[from + 1])
  if slot > now + 2000 * tonumber(step) then return end -- a worker's clock is far ahead: it would block the others' rows
  local key = KEY_SERIES .. step .. ':' .. assignment
  redis.pcall('XADD', key, 'MAXLEN', ARGV[from + 2], ARGV[from + 1] .. '-*', unpack(ARGV, from + 3, to)) -- late rows are refused
  redis.call('EXPIRE', key, 90000)
end

local function coverage(assignment, from, to)
  local key, names = KEY_COVERAGE .. stream_of(assignment), {}
  for i = from, to, 4 do names[#names + 1] = ARGV[i] end
  if #names == 0 then return end
  local known, free, sums = hmget(key, names), nil, {}
  for n, name in ipairs(names) do
    local watched, degraded, blind = 0, 0, 0
    if known[n] then
      watched, degraded, blind = string.match(known[n], '^(%d+) (%d+) (%d+)$')
    else
      free = (free or 256 - redis.call('HLEN', key)) - 1
    end
    if known[n] or free >= 0 then
      local i = from + 4 * (n - 1)
      sums[#sums + 1] = name
      sums[#sums + 1] = string.format('%.0f %.0f %.0f', watched + ARGV[i + 1], degraded + ARGV[i + 2], blind + ARGV[i + 3])
    end
  end
  slices(sums, function(...) redis.call('HSET', key, ...) end)
end

local at = 3
while ARGV[at] do
  local assignment, epoch, sequence, kind = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  local from, to = at + 5, at + 4 + tonumber(ARGV[at + 4])
  if leases[assignment] == nil then
    leases[assignment] = redis.call('HGET', KEY_LEASE, assignment)
    last[assignment] = {}
    local seen, number = string.match(redis.call('HGET', KEY_ACCEPTED, assignment) or '', '^(%d+):(%d+)$')
    if seen then last[assignment][seen] = tonumber(number) end
  end
  local verdict = 1
  if leases[assignment] ~= epoch .. ':' .. worker then
    verdict = 3
  elseif sequence <= (last[assignment][epoch] or -1) then
    verdict = 2
  elseif blocked[assignment] or ((kind == 'edge' or kind == 'source') and room <= 0) then
    verdict = 4
    blocked[assignment] = true
  else
    if kind == 'edge' then
      edge(assignment .. '@' .. epoch .. '.' .. ARGV[at + 2], assignment, epoch, ARGV[from], ARGV[from + 1], ARGV[from + 2])
    elseif kind == 'source' then
      publish(ARGV[from], assignment .. '@' .. epoch .. '.' .. ARGV[at + 2], assignment, '', ARGV[from + 1], '')
      room = room - 1
    elseif kind == 'series' then
      series(assignment, from, to)
    else
      coverage(assignment, from, to)
    end
    last[assignment][epoch] = sequence
    dirty[assignment] = epoch
  end
  out[#out + 1] = verdict
  at = to + 1
end
for assignment, epoch in pairs(dirty) do
  redis.call('HSET', KEY_ACCEPTED, assignment, epoch .. ':' .. whole(last[assignment][epoch]))
end
return out
