-- Prelude: RQ's own records of an execution, from which its tools tell what a worker does. Who ends it takes them away.
-- They are six commands more for a job. So one that follows another at once has them only from the next renewal on, if it
-- still runs by then; a worker that comes from idling has the time.
local function list(worker, id, execution, since)
  local both = id .. ':' .. execution
  redis.call('HSET', 'rq:job:' .. id, 'sira_listed', execution)
  redis.call('HSET', 'rq:execution:' .. both, 'id', execution, 'job_id', id, 'created_at', since / 1000,
    'last_heartbeat', now_ms() / 1000, 'worker_name', worker)
  redis.pcall('ZADD', 'rq:executions:' .. id, '+inf', execution) -- somebody may have written something else there
  redis.pcall('SADD', 'rq:worker:' .. worker .. ':executions', both)
end
