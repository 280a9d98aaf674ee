-- Prelude: end one execution. Only the execution that holds the job may do it; a late one gets 0 and changes nothing.
-- outcome: finished, failed, revoked (ends) · retry, wait, yield, back (the job goes on later)
local STATES = {finished = 'SUCCESS', failed = 'FAILURE', revoked = 'REVOKED', retry = 'RETRY', wait = 'RETRY',
  yield = 'PROGRESS', back = 'PROGRESS'}
local STATUS = {finished = 'finished', failed = 'failed', revoked = 'canceled'}
local RESULT_TYPE = {finished = 1, failed = 2, revoked = 3, retry = 4}

local function release(queue, id, execution, worker)
  local both = id .. ':' .. execution
  redis.call('DEL', 'rq:execution:' .. both)
  redis.call('ZREM', 'rq:executions:' .. id, execution)
  redis.call('ZREM', 'rq:wip:' .. queue, both)
  redis.call('ZREM', 'sira:leases', queue .. ':' .. both)
  redis.call('SREM', 'rq:worker:' .. worker .. ':executions', both)
  if redis.call('EXISTS', 'rq:worker:' .. worker) == 1 then
    redis.call('HSET', 'rq:worker:' .. worker, 'state', 'idle')
    redis.call('HDEL', 'rq:worker:' .. worker, 'current_job')
  end
end

local function lifetime(outcome, result_ttl, failure_ttl, default_s)
  if outcome == 'finished' then return tonumber(result_ttl or default_s) end
  return tonumber(failure_ttl or default_s)
end

-- The end: into its registry for ttl_s seconds. 0 forgets a finished job at once, a negative one keeps it for good.
local function finish(id, queue, outcome, now, ttl_s)
  local key, results = 'rq:job:' .. id, 'rq:results:' .. id
  redis.call('DEL', 'rq:executions:' .. id)
  redis.call('HSET', key, 'status', STATUS[outcome], 'ended_at', iso(now))
  wake_dependents(id, now)
  if ttl_s == 0 then
    redis.call('DEL', key, results, key .. ':dependents', dependencies_of(id))
    return
  end
  redis.call('ZADD', 'rq:' .. STATUS[outcome] .. ':' .. queue, ttl_s > 0 and math.floor(now / 1000) + ttl_s or '+inf', id)
  for _, each in ipairs({key, results, key .. ':dependents', dependencies_of(id)}) do
    if ttl_s > 0 then redis.call('EXPIRE', each, ttl_s) else redis.call('PERSIST', each) end
  end
end

-- Back into a queue: at the tail for a slice that yields, at the front for work that a stop interrupted.
local function later(id, queue, outcome, now, delay_ms)
  local key = 'rq:job:' .. id
  if outcome == 'retry' then redis.call('HINCRBY', key, 'retries_left', -1) else redis.call('HSET', key, 'sira_between', 1) end
  if outcome == 'wait' then redis.call('HINCRBY', key, 'sira_waits', 1) end
  if delay_ms > 0 then
    redis.call('HSET', key, 'status', 'scheduled')
    redis.call('ZADD', 'rq:scheduled:' .. queue, (now + delay_ms) / 1000, id)
  else
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', iso(now))
    redis.call(outcome == 'back' and 'LPUSH' or 'RPUSH', 'rq:queue:' .. queue, id)
  end
end

-- o: id, execution, queue, outcome, delay_ms, ttl_s, worker, result (base64), error (sealed), payload (sealed), lost (a worker died)
local function settle(o)
  local key, now = 'rq:job:' .. o.id, now_ms()
  local held = redis.call('HMGET', key, 'sira_execution', 'sira_cancel', 'sira_claimed', 'result_ttl', 'failure_ttl',
    'repeats_left', 'repeat_intervals', 'rate_limit_key', 'rate_limit_concurrency')
  release(o.queue, o.id, o.execution, o.worker)
  if held[1] ~= o.execution then return 0 end
  local outcome = o.outcome
  if held[2] and not STATUS[outcome] then outcome = 'revoked' end
  redis.call('HDEL', key, 'sira_execution', 'worker_name')
  if o.lost then redis.call('HINCRBY', key, 'sira_losses', 1) end
  if outcome == 'yield' then
    redis.call('HDEL', key, 'sira_losses')
    redis.call('HSET', key, 'retries_left', redis.call('HGET', key, 'sira_retries') or 0)
  end
  redis.call('HSET', key, 'sira_state', STATES[outcome])
  if o.error ~= '' then redis.call('HSET', key, 'sira_error', o.error) else redis.call('HDEL', key, 'sira_error') end
  if RESULT_TYPE[outcome] then
    local entry = {'type', RESULT_TYPE[outcome], 'worker_name', o.worker, 'execution_id', o.execution,
      'execution_started_at', (tonumber(held[3]) or now) / 1000, 'execution_ended_at', now / 1000}
    if o.result ~= '' then entry[#entry + 1] = 'return_value'; entry[#entry + 1] = o.result end
    redis.call('XADD', 'rq:results:' .. o.id, 'MAXLEN', '10', '*', unpack(entry))
  end
  if outcome == 'finished' and rerun(o.id, o.queue, now, held[6], held[7]) then
    wake_dependents(o.id, now)
  elseif STATUS[outcome] then
    finish(o.id, o.queue, outcome, now, lifetime(outcome, held[4], held[5], o.ttl_s))
  else
    later(o.id, o.queue, outcome, now, o.delay_ms)
  end
  if held[8] and redis.call('HGET', key, 'status') ~= 'queued' then free_slot(o.id, held[8], held[9], now) end
  tell(o.id, STATES[outcome], o.worker, o.payload)
  return 1
end
