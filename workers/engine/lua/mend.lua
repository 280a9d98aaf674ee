-- Put a job back into its queue if its hash says that it waits or runs but nobody has it.
-- ARGV: id, queue
-- Returns: 'waiting' (was queued and in no list), 'running' (was started and under no lease), or nothing if all is well
local id, queue = ARGV[1], ARGV[2]
local key = 'rq:job:' .. id
local job = redis.call('HMGET', key, 'status', 'sira_execution')
local found
if job[1] == 'queued' and not redis.call('LPOS', 'rq:queue:' .. queue, id) then
  found = 'waiting'
elseif job[1] == 'started' and job[2] and not redis.call('ZSCORE', 'sira:leases', queue .. ':' .. id .. ':' .. job[2]) then
  local worker = redis.call('HGET', key, 'worker_name') or ''
  release(queue, id, job[2], worker)
  if redis.call('EXISTS', 'rq:worker:' .. worker) == 1 then redis.call('HSET', 'rq:worker:' .. worker, 'state', 'idle') end
  redis.call('HDEL', key, 'sira_execution', 'worker_name')
  redis.call('HSET', key, 'sira_between', 1)
  found = 'running'
end
if found then
  redis.call('HSET', key, 'status', 'queued', 'enqueued_at', iso(now_ms()))
  redis.call('LPUSH', 'rq:queue:' .. queue, id)
end
return found
