-- Prelude: pop the first job that may run, and in the same breath write all that says who runs it.
-- A job is claimed only if its hash says `queued`: second ids of one push and ids without a hash fall out here.
local SKIP_AT_MOST = 100

local function claimable(queue)
  for _ = 1, SKIP_AT_MOST do
    local id = redis.call('LPOP', 'rq:queue:' .. queue)
    if not id then return end
    if redis.call('HGET', 'rq:job:' .. id, 'status') == 'queued' then return id end
  end
end

local function start(queues, worker, execution, lease_ms)
  if redis.call('EXISTS', 'rq:suspended') == 1 then return end
  for _, queue in ipairs(queues) do
    local id = redis.call('SISMEMBER', 'sira:paused', queue) == 0 and claimable(queue)
    if id then
      local now, key, both = now_ms(), 'rq:job:' .. id, id .. ':' .. execution
      local at = iso(now)
      redis.call('HSET', 'rq:execution:' .. both, 'id', execution, 'job_id', id, 'created_at', now / 1000,
        'last_heartbeat', now / 1000, 'worker_name', worker)
      redis.call('ZADD', 'rq:executions:' .. id, '+inf', execution)
      redis.call('ZADD', 'rq:wip:' .. queue, '+inf', both)
      redis.call('SADD', 'rq:worker:' .. worker .. ':executions', both)
      redis.call('HSET', 'rq:worker:' .. worker, 'state', 'busy', 'current_job', id)
      redis.call('ZADD', 'sira:leases', now + lease_ms, queue .. ':' .. both)
      redis.call('HSET', key, 'status', 'started', 'worker_name', worker, 'started_at', at, 'last_heartbeat', at,
        'sira_execution', execution, 'sira_claimed', now)
      redis.call('HSETNX', key, 'sira_started', now)
      redis.call('PERSIST', key)
      if redis.call('HDEL', key, 'sira_between') == 0 then
        redis.call('HINCRBY', key, 'sira_attempts', 1)
        tell(id, 'STARTED', worker, '')
      end
      return {id, execution, queue, redis.call('HGETALL', key)}
    end
  end
end
