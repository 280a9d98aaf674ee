-- Prelude: pop the first job that may run, and in the same breath write all that says who runs it.
-- A job is claimed only if its hash says `queued`: second ids of one push and ids without a hash fall out here.
local SKIP_AT_MOST = 100

local ENDED = {SUCCESS = true, FAILURE = true, REVOKED = true}
local OF_BEFORE = {'meta', 'sira_error', 'sira_losses', 'sira_waits', 'sira_settled', 'sira_noreturn', 'sira_between'}

-- {status, between, attempts, started, ttl, scope, helps, data, meta, retries left, retries, waits, state} of the job and
-- its id
local function claimable(queue)
  for _ = 1, SKIP_AT_MOST do
    local id = redis.call('LPOP', 'rq:queue:' .. queue)
    if not id then return end
    local job = read('rq:job:' .. id, 'status', 'sira_between', 'sira_attempts', 'sira_started', 'ttl',
      'sira_scope', 'sira_helps', 'data', 'meta', 'retries_left', 'sira_retries', 'sira_waits', 'sira_state')
    if job[1] == 'queued' then return job, id end
  end
end

-- A task of ours that has told of itself before. If it had ended, RQ's tools have requeued it: that is a retry, so its
-- attempts begin anew, and the event of that end stands in its hash until SQL has heard of it (see requeued.py). Returns
-- the job as it is now, and that event.
local function again(key, job)
  local known = read(key, 'sira_event', 'sira_requeued')
  if not ENDED[job[13]] then return job, known[2] end
  redis.call('HDEL', key, unpack(OF_BEFORE))
  redis.call('HSET', key, 'sira_requeued', known[1] or '0-0', 'sira_state', '', 'retries_left', job[11])
  redis.call('PERSIST', key)
  return {job[1], nil, 0, nil, nil, job[6], job[7], job[8], '', job[11], job[11], 0, ''}, known[1] or '0-0'
end

-- The queues are those arguments of the script. hindered: whether the service may be suspended, or queues be paused.
local function start(from, to, worker, execution, lease_ms, hindered)
  local paused = {}
  if hindered then
    if redis.call('EXISTS', 'rq:suspended') == 1 then return end
    for _, queue in ipairs(redis.call('SMEMBERS', 'sira:paused')) do paused[queue] = true end
  end
  for i = from, to do
    local queue, job, id, requeued = ARGV[i], nil, nil, nil
    if not paused[queue] then job, id = claimable(queue) end
    if id then
      if job[11] and job[13] then job, requeued = again('rq:job:' .. id, job) end
      local key, both, at = 'rq:job:' .. id, id .. ':' .. execution, iso(now_ms())
      local attempts = whole(job[3]) + (job[2] and 0 or 1)
      redis.call('ZADD', 'rq:wip:' .. queue, '+inf', both)
      redis.call('ZADD', 'sira:leases', now + lease_ms, queue .. ':' .. both)
      redis.call('HSET', key, 'status', 'started', 'worker_name', worker, 'started_at', at, 'last_heartbeat', at,
        'sira_execution', execution, 'sira_claimed', now, 'sira_started', job[4] or now, 'sira_attempts', attempts)
      if job[4] or job[5] then redis.call('PERSIST', key) end -- RQ's requeue leaves how long the failure was kept
      if job[2] then
        redis.call('HDEL', key, 'sira_between')
      else
        tell(id, 'STARTED', worker, '', {job[6], queue, attempts, job[7]})
      end
      return {id, execution, queue, job[8] or '', job[9] or '', job[6] or '', attempts, job[10] or 0, job[11] or 0, job[12] or 0, requeued or ''}
    end
  end
end
