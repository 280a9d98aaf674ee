-- Renew the leases of the slots whose processes live.
-- ARGV: lease_ms, worker_ttl_s, then the worker names
-- Returns for each busy slot: {worker, job id, 1 if to be cancelled, running ms, hard limit s, execution}
-- RQ's own jobs time themselves out; as in RQ they are killed only if they don't.
local RQS_GRACE_S = 60
local AHEAD_MS = 6000 -- how long claims that were sent ahead count without a further renewal
local now, busy = now_ms(), {}

-- What a worker holds whose hash somebody has deleted: the lease of the job that names it. It registers at its next exchange.
local function held_by(worker)
  for _, lease in ipairs(redis.call('ZRANGE', 'sira:leases', 0, -1)) do
    local id, execution = string.match(lease, '^.*:([^:]+):([^:]+)$')
    local job = read('rq:job:' .. (id or ''), 'worker_name', 'sira_execution')
    if job[1] == worker and job[2] == execution then return lease end
  end
end

for i = 3, #ARGV do
  local worker = 'rq:worker:' .. ARGV[i]
  local mine = read(worker, 'birth', 'sira_ahead', 'sira_holds')
  if mine[1] then
    redis.call('EXPIRE', worker, ARGV[2]) -- first: after one write that needs no memory a full server lets the others pass
    redis.call('HSET', worker, 'last_heartbeat', iso(now))
    if mine[2] then redis.call('HSET', worker, 'sira_ahead', now + AHEAD_MS) end
  end
  local holds = mine[1] and mine[3] or not mine[1] and held_by(ARGV[i]) or ''
  local queue, id, execution = string.match(holds, '^(.*):([^:]+):([^:]+)$')
  local job = id and read('rq:job:' .. id, 'sira_execution', 'sira_cancel', 'sira_claimed', 'timeout', 'sira_retries', 'sira_listed') or {}
  if id and job[1] == execution then
    local both, since = id .. ':' .. execution, job[3] and whole(job[3]) or now
    redis.call('ZADD', 'sira:leases', now + tonumber(ARGV[1]), holds)
    if job[6] ~= execution then list(ARGV[i], id, execution, since) end
    redis.call('EXPIRE', worker .. ':executions', ARGV[2])
    redis.call('HSET', 'rq:job:' .. id, 'last_heartbeat', iso(now))
    redis.call('HSET', 'rq:execution:' .. both, 'last_heartbeat', now / 1000)
    local limit = whole(job[4])
    if not job[5] and limit > 0 then limit = limit + RQS_GRACE_S end
    busy[#busy + 1] = {ARGV[i], id, job[2] and 1 or 0, now - since, limit, execution}
  end
end
return busy
