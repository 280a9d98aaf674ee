-- Prelude: end one execution. Only the execution that holds the job may do it; a late one gets 0 and changes nothing.
-- outcome: finished, failed, revoked (ends) · retry, wait, pass, yield, back (the job goes on later)
local STATES = {finished = 'SUCCESS', failed = 'FAILURE', revoked = 'REVOKED', retry = 'RETRY', wait = 'RETRY',
  pass = 'PROGRESS', yield = 'PROGRESS', back = 'PROGRESS'}
local STATUS = {finished = 'finished', failed = 'failed', revoked = 'canceled'}
local RESULT_TYPE = {finished = 1, failed = 2, revoked = 3, retry = 4}

local function unlist(queue, id, execution)
  redis.call('ZREM', 'rq:wip:' .. queue, id .. ':' .. execution)
end

-- listed: whether RQ's own records of it may be there (see list).
local function release(queue, id, execution, worker, listed)
  local both = id .. ':' .. execution
  redis.call('ZREM', 'sira:leases', queue .. ':' .. both)
  if not listed then return end
  redis.call('DEL', 'rq:execution:' .. both)
  redis.pcall('ZREM', 'rq:executions:' .. id, execution)
  redis.pcall('SREM', 'rq:worker:' .. worker .. ':executions', both)
end

local function lifetime(outcome, result_ttl, failure_ttl, default_s)
  local asked = outcome == 'finished' and result_ttl or outcome ~= 'finished' and failure_ttl
  return tonumber(asked or '') and whole(asked) or default_s
end

local function add(key, field, count)
  redis.call('HSET', key, field, whole(redis.call('HGET', key, field)) + count)
end

-- The end: into its registry for ttl_s seconds. 0 forgets a finished job at once, a negative one keeps it for good.
-- Returns the fields that are still to be written; or nothing and the id, if nothing is left of it.
local function finish(id, queue, outcome, now, ttl_s, depends)
  local key, results = 'rq:job:' .. id, 'rq:results:' .. id
  local kept = {key, results}
  if wake_dependents(id, now, STATUS[outcome]) then kept[3] = key .. ':dependents' end
  if depends then kept[#kept + 1] = dependencies_of(id) end
  if ttl_s == 0 then
    redis.call('DEL', unpack(kept))
    return nil, id
  end
  redis.call('ZADD', 'rq:' .. STATUS[outcome] .. ':' .. queue, ttl_s > 0 and math.floor(now / 1000) + ttl_s or '+inf', id)
  for _, each in ipairs(kept) do
    if ttl_s > 0 then redis.call('EXPIRE', each, ttl_s) else redis.call('PERSIST', each) end
  end
  return {'status', STATUS[outcome], 'ended_at', iso(now), 'sira_state', STATES[outcome], 'sira_execution', '', 'worker_name', ''}
end

-- Back into a queue: at the tail for a slice that yields, at the front for work that a stop interrupted.
local function later(id, queue, outcome, now, delay_ms)
  local key = 'rq:job:' .. id
  redis.call('HSET', key, 'sira_state', STATES[outcome])
  local front = outcome == 'back'
  if outcome == 'retry' then
    add(key, 'retries_left', -1)
    add(key, 'number_of_retries', 1)
    front = redis.call('HGET', key, 'enqueue_at_front_on_retry') == '1'
    if front then redis.call('HSET', key, 'ended_at', iso(now)) end -- by which RQ's scheduler knows a retry
  else
    redis.call('HSET', key, 'sira_between', 1)
  end
  if outcome == 'wait' then add(key, 'sira_waits', 1) end
  if delay_ms > 0 then
    redis.call('HSET', key, 'status', 'scheduled')
    redis.call('ZADD', 'rq:scheduled:' .. queue, (now + delay_ms) / 1000, id)
  else
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', iso(now))
    redis.call(front and 'LPUSH' or 'RPUSH', 'rq:queue:' .. queue, id)
  end
end

-- `came`: the outcome that the worker told; what has returned a value is so kept also where somebody had cancelled it.
-- What stands there and is no stream is taken away: no end of a job may hang on it.
local function keep_result(o, came, claimed, now)
  local entry = {'type', RESULT_TYPE[came], 'worker_name', o.worker, 'execution_id', o.execution,
    'execution_started_at', (tonumber(claimed) or now) / 1000, 'execution_ended_at', now / 1000}
  if o.result ~= '' then
    entry[#entry + 1] = came == 'finished' and 'return_value' or 'exc_string'
    entry[#entry + 1] = o.result
  end
  local key = 'rq:results:' .. o.id
  local kept = redis.pcall('XADD', key, 'MAXLEN', '10', '*', unpack(entry))
  if type(kept) == 'table' and kept.err then
    redis.call('DEL', key)
    redis.call('XADD', key, 'MAXLEN', '10', '*', unpack(entry))
  end
end

-- o: id, execution, queue, outcome, delay_ms, ttl_s, worker, result (base64; of a foreign failure its traceback), error (sealed), payload (sealed), lost (a worker died)
-- Returns 1, the id if nothing is left of the job, and the fields that are still to be written; then the lease is to be
-- given back (see release). Or 0 if it is not the holder's; 2, with nothing changed, if somebody has cancelled what would
-- have gone on: the holder makes that end ready and says it.
local function settle(o)
  local key, now = 'rq:job:' .. o.id, now_ms()
  local held = read(key, 'sira_execution', 'sira_cancel', 'sira_claimed', 'result_ttl', 'failure_ttl',
    'repeats_left', 'repeat_intervals', 'rate_limit_key', 'rate_limit_concurrency', 'sira_scope', 'origin',
    'sira_attempts', 'sira_helps', 'sira_retries', 'status', 'dependency_ids', 'sira_listed', 'sira_error')
  local cancelled = held[15] == 'canceled'
  if held[1] == o.execution and not STATUS[o.outcome] and (cancelled or held[2]) then return 2 end
  unlist(o.queue, o.id, o.execution) -- first: after one write that needs no memory a full server lets the others pass
  if held[1] ~= o.execution then
    release(o.queue, o.id, o.execution, o.worker, true)
    return 0
  end
  local came = o.outcome
  if cancelled then o.outcome = 'revoked' end
  if o.lost then add(key, 'sira_losses', 1) end
  if o.outcome == 'yield' then
    redis.call('HDEL', key, 'sira_losses')
    if held[14] then redis.call('HSET', key, 'retries_left', held[14]) end -- RQ's own Retry has no such number
  end
  if RESULT_TYPE[came] then keep_result(o, came, held[3], now) end
  local gone, fields
  if held[2] and STATUS[o.outcome] then redis.call('HDEL', key, 'sira_cancel') end -- RQ's requeue would leave it
  if o.outcome == 'finished' and not held[2] and rerun(o.id, o.queue, now, held[6], held[7]) then
    redis.call('HSET', key, 'sira_state', STATES[o.outcome])
  elseif STATUS[o.outcome] then
    fields, gone = finish(o.id, o.queue, o.outcome, now, lifetime(o.outcome, held[4], held[5], o.ttl_s), held[16])
  else
    later(o.id, o.queue, o.outcome, now, o.delay_ms)
  end
  if held[8] and redis.call('HGET', key, 'status') ~= 'queued' then free_slot(o.id, held[8], held[9], now) end
  if fields and (held[18] or o.error ~= '') then
    fields[#fields + 1], fields[#fields + 2] = 'sira_error', o.error
  elseif not (fields or gone) then
    redis.call('HDEL', key, 'sira_execution', 'worker_name', 'sira_error')
    if o.error ~= '' then redis.call('HSET', key, 'sira_error', o.error) end
  end
  o.listed = o.rescued or held[17] == o.execution
  tell(o.id, STATES[o.outcome], o.worker, o.payload, {held[10], held[11], held[12], held[13]})
  return 1, gone, fields
end
