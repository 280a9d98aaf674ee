-- Whether nobody has a job whose hash says that it waits or runs; if asked, it goes back into its queue.
-- ARGV: id, queue, '1' to mend
-- Returns: 'waiting' (it stands in no list of those that wait), 'running' (nobody holds it), or nothing if all is well
local id, queue, mends = ARGV[1], ARGV[2], ARGV[3] == '1'
local key, now = 'rq:job:' .. id, now_ms()
local job = read(key, 'status', 'sira_execution', 'worker_name', 'rate_limit_key')
local ours = job[2] ~= '' and job[2]
local executions = redis.call('ZRANGE', 'rq:executions:' .. id, 0, -1)

-- By our lease; or by a stock worker, whose time in RQ's registry has not run out (ours stand there without an end).
local function held()
  if ours and redis.call('ZSCORE', 'sira:leases', queue .. ':' .. id .. ':' .. ours) then return true end
  for _, execution in ipairs(executions) do
    local until_s = tonumber(redis.call('ZSCORE', 'rq:wip:' .. queue, id .. ':' .. execution) or '')
    if until_s and until_s > now / 1000 and until_s < math.huge then return true end
  end
end

local function listed()
  if job[1] == 'queued' then return redis.call('LPOS', 'rq:queue:' .. queue, id) or held() end
  if job[1] == 'scheduled' then return redis.call('ZSCORE', 'rq:scheduled:' .. queue, id) end
  if job[1] == 'rate_limited' then return redis.call('ZSCORE', 'rq:rl:' .. (job[4] or '') .. ':rate_limited', id) end
  return true
end

local found
if job[1] == 'started' and not held() then
  found = 'running'
elseif job[1] ~= 'started' and not listed() then
  found = 'waiting'
end
if not (found and mends) then return found end
local worker = job[3] or ''
if ours then executions[#executions + 1] = ours end
for _, execution in ipairs(executions) do
  unlist(queue, id, execution)
  release(queue, id, execution, worker, true)
end
if redis.call('EXISTS', 'rq:worker:' .. worker) == 1 then redis.call('HSET', 'rq:worker:' .. worker, 'state', 'idle') end
redis.call('HDEL', key, 'sira_execution', 'worker_name')
if found == 'running' and ours then redis.call('HSET', key, 'sira_between', 1) end -- a stock worker counted nothing
redis.call('HSET', key, 'status', 'queued', 'enqueued_at', iso(now))
redis.call('LREM', 'rq:queue:' .. queue .. ':intermediate', 1, id) -- where RQ would fail it as stuck
redis.call('LPUSH', 'rq:queue:' .. queue, id)
return found
