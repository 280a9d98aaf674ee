-- Renew the leases of the slots whose processes live.
-- ARGV: lease_ms, worker_ttl_s, then the worker names
-- Returns for each busy slot: {worker, job id, 1 if to be cancelled, running ms, hard limit s}
-- RQ's own jobs time themselves out; as in RQ they are killed only if they don't.
local RQS_GRACE_S = 60
local AHEAD_MS = 6000 -- how long claims that were sent ahead count without a further renewal
local now, busy = now_ms(), {}
for i = 3, #ARGV do
  local worker = 'rq:worker:' .. ARGV[i]
  if redis.call('EXISTS', worker) == 1 then
    redis.call('EXPIRE', worker, ARGV[2]) -- first: after one write that needs no memory a full server lets the others pass
    if redis.call('HEXISTS', worker, 'sira_ahead') == 1 then redis.call('HSET', worker, 'sira_ahead', now + AHEAD_MS) end
    redis.call('EXPIRE', worker .. ':executions', ARGV[2])
    redis.call('HSET', worker, 'last_heartbeat', iso(now))
  end
  for _, both in ipairs(redis.call('SMEMBERS', worker .. ':executions')) do
    local id = string.match(both, '^[^:]+') or ''
    local job = read('rq:job:' .. id, 'origin', 'sira_cancel', 'sira_claimed', 'timeout', 'sira_execution', 'sira_retries')
    if job[1] and both == id .. ':' .. (job[5] or '') then
      redis.call('ZADD', 'sira:leases', now + tonumber(ARGV[1]), job[1] .. ':' .. both)
      redis.call('HSET', 'rq:job:' .. id, 'last_heartbeat', iso(now))
      redis.call('HSET', 'rq:execution:' .. both, 'last_heartbeat', now / 1000)
      local limit = whole(job[4])
      if not job[6] and limit > 0 then limit = limit + RQS_GRACE_S end
      busy[#busy + 1] = {ARGV[i], id, job[2] and 1 or 0, now - (job[3] and whole(job[3]) or now), limit}
    end
  end
end
return busy
