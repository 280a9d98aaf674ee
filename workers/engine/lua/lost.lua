-- The claims whose worker is gone: of one dead slot, or all whose lease has run out.
-- ARGV: worker ('' = by lease), at most n; by lease also: lease_ms, for how long (ms) the server is up
-- Returns: {{id, execution, queue, worker, losses so far, 1 if to be cancelled, retries left, retries in all}, …}; settling them is the caller's, and fenced.
local PARTS = '^(.*):([^:]+):([^:]+)$' -- the name of a queue may have colons
local DAY_MS = 86400000
local claims, now = {}, now_ms()
if ARGV[1] ~= '' then
  claims[1] = read('rq:worker:' .. ARGV[1], 'sira_holds')[1] or nil
else
  -- A server whose clock was ahead has stamped these, and was replaced: a dead one among them must not live that long.
  local latest = now + tonumber(ARGV[3])
  for _, claim in ipairs(redis.call('ZRANGEBYSCORE', 'sira:leases', '(' .. latest, '+inf')) do
    redis.pcall('ZADD', 'sira:leases', latest, claim) -- a full server refuses it, which keeps nobody from being rescued
  end
  -- What ran out while the server was away could not be renewed: for one lease it still counts. No outage takes days.
  local up_ms = tonumber(ARGV[4])
  local from = up_ms < tonumber(ARGV[3]) and now - up_ms or -math.huge
  local found = redis.call('ZRANGEBYSCORE', 'sira:leases', '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
  for i = 1, #found, 2 do
    local ended = tonumber(found[i + 1])
    if ended >= from or ended < from - DAY_MS then claims[#claims + 1] = found[i] end
  end
end

-- Nobody holds by it (any more): its job is gone, or another's.
local function void(claim, queue, id, execution)
  local both = id .. ':' .. execution
  redis.call('ZREM', 'sira:leases', claim)
  redis.call('ZREM', 'rq:wip:' .. queue, both)
  local worker = redis.call('HGET', 'rq:execution:' .. both, 'worker_name') or ARGV[1]
  redis.call('SREM', 'rq:worker:' .. worker .. ':executions', both)
  redis.call('DEL', 'rq:execution:' .. both)
  redis.call('ZREM', 'rq:executions:' .. id, execution)
  if ARGV[1] ~= '' then redis.call('HSET', 'rq:worker:' .. ARGV[1], 'sira_holds', '') end
end

local lost = {}
for _, claim in ipairs(claims) do
  local queue, id, execution = string.match(claim, PARTS)
  local job = read('rq:job:' .. (id or ''), 'sira_losses', 'sira_cancel', 'sira_execution', 'retries_left', 'sira_retries', 'worker_name')
  if not id or job[3] ~= execution then
    void(claim, queue or '', id or '', execution or '')
  else
    lost[#lost + 1] = {id, execution, queue, job[6] or ARGV[1], whole(job[1]), job[2] and 1 or 0, whole(job[4]), whole(job[5])}
  end
end
return lost
