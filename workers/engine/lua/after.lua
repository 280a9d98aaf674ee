-- Prelude: what RQ promises for after a job's end: dependents, repeats, and the slot of a rate limit.
local function enqueue(id, queue, now, at_front)
  redis.call('HSET', 'rq:job:' .. id, 'status', 'queued', 'enqueued_at', iso(now))
  redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
  redis.call(at_front == '1' and 'LPUSH' or 'RPUSH', 'rq:queue:' .. queue, id)
end

-- Free the slot of a rate limit and fill it with who waits for it, the oldest first (as in rq.rate_limit). Not where what
-- stands there is no set of slots: no end of a job may hang on it.
local function free_slot(id, limit, concurrency, now)
  local allowed, waiting = 'rq:rl:' .. limit .. ':allowed', 'rq:rl:' .. limit .. ':rate_limited'
  if type(redis.pcall('ZREM', allowed, id)) == 'table' then return end
  while redis.call('ZCARD', allowed) < math.max(whole(concurrency), 1) do
    local next = redis.call('ZPOPMIN', waiting)
    if #next == 0 then return end
    local job = read('rq:job:' .. next[1], 'origin', 'status', 'enqueue_at_front')
    if job[1] and job[2] == 'rate_limited' then
      redis.call('ZADD', allowed, now / 1000, next[1])
      enqueue(next[1], job[1], now, job[3])
    end
  end
end

-- A job whose time has come goes into its queue; one with a rate limit waits beside it for a slot, if only for this
-- moment (as in rq.scheduler). One that began before goes first: bulks are ended one after the other, also if they rest.
local function ready(id, queue, now, at_front, limit, concurrency, began)
  if not limit then return enqueue(id, queue, now, at_front) end
  redis.call('SADD', 'rq:rl-keys', limit) -- by these a stock worker fills the slots that it frees
  redis.call('HSET', 'rq:rl:' .. limit, 'concurrency', math.max(whole(concurrency), 1))
  redis.call('HSET', 'rq:job:' .. id, 'status', 'rate_limited', 'origin', queue)
  if at_front == '1' then redis.call('HSET', 'rq:job:' .. id, 'enqueue_at_front', 1) end
  redis.call('ZADD', 'rq:rl:' .. limit .. ':rate_limited', began and 0 or now / 1000, id)
  free_slot(id, limit, concurrency, now)
end

-- None of what stands there and is no set.
local function members(key)
  local found = redis.pcall('SMEMBERS', key)
  return found.err and {} or found
end

-- RQ's own key has two colons here.
local function dependencies_of(id)
  return 'rq:job::' .. id .. ':dependencies'
end

-- A parent that is gone counts as met, one that failed only if the dependent allows it (as in rq.job.dependencies_are_met).
local function met(id, allow_failures)
  for _, parent in ipairs(members(dependencies_of(id))) do
    local status = read('rq:job:' .. parent, 'status')[1]
    if status and status ~= 'finished' and not (allow_failures == '1' and status == 'failed') then return false end
  end
  return true
end

-- True if there are any. status: of the job, if it is not written yet.
local function wake_dependents(id, now, status)
  local dependents = members('rq:job:' .. id .. ':dependents')
  if status and #dependents > 0 then redis.call('HSET', 'rq:job:' .. id, 'status', status) end
  for _, dependent in ipairs(dependents) do
    local job = read('rq:job:' .. dependent, 'status', 'origin', 'allow_dependency_failures', 'enqueue_at_front',
      'rate_limit_key', 'rate_limit_concurrency')
    if job[1] == 'deferred' and job[2] and met(dependent, job[3]) then
      redis.call('ZREM', 'rq:deferred:' .. job[2], dependent)
      ready(dependent, job[2], now, job[4], job[5], job[6])
    end
  end
  return #dependents > 0
end

-- The next run of a job enqueued with Repeat, after dependents have seen the end of this one; true if there is one.
local function rerun(id, queue, now, repeats_left, intervals)
  if whole(repeats_left) < 1 then return false end
  local key, read, list = 'rq:job:' .. id, pcall(cjson.decode, intervals or '[0]')
  if not read or type(list) ~= 'table' then list = {} end
  redis.call('HSET', key, 'status', 'finished', 'repeats_left', whole(repeats_left) - 1)
  wake_dependents(id, now)
  local wait = tonumber(table.remove(list, 1) or 0) or 0
  if #list > 0 then redis.call('HSET', key, 'repeat_intervals', cjson.encode(list)) end
  if wait > 0 then
    redis.call('HSET', key, 'status', 'scheduled')
    redis.call('ZADD', 'rq:scheduled:' .. queue, now / 1000 + wait, id)
  else
    enqueue(id, queue, now)
  end
  return true
end
