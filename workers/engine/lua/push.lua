-- Push one task, once: a second push of the same id, or a late one after its end, changes nothing.
-- ARGV: id, queue, due (ms since 1970; '' = now), replace ('1' pushes again a task that has ended), then field, value, …
-- Returns 1 if pushed, 0 if it was there.
local id, queue, due = ARGV[1], ARGV[2], tonumber(ARGV[3])
local key = 'rq:job:' .. id
if ARGV[4] == '1' then
  local status = redis.call('HGET', key, 'status')
  if status == 'queued' or status == 'started' or status == 'scheduled' or status == 'rate_limited' then return 0 end
  redis.call('DEL', key, 'sira:ended:' .. id)
  for _, registry in ipairs({'finished', 'failed', 'canceled'}) do redis.call('ZREM', 'rq:' .. registry .. ':' .. queue, id) end
elseif redis.call('EXISTS', key, 'sira:ended:' .. id) > 0 then
  return 0
end
redis.call('HSET', key, unpack(ARGV, 5))
redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
local now = now_ms()

-- Whether the company's share of the queue (RQ's rate limit, times its own K) is taken: then the job waits beside it.
local function over_share()
  local job = redis.call('HMGET', key, 'rate_limit_key', 'rate_limit_concurrency', 'sira_scope')
  if not job[1] then return false end
  local concurrency = tonumber(job[2]) * tonumber(redis.call('HGET', 'sira:shares', job[3] or '') or 1)
  redis.call('HSET', key, 'rate_limit_concurrency', concurrency)
  local full = redis.call('ZCARD', 'rq:rl:' .. job[1] .. ':allowed') >= concurrency
  redis.call('ZADD', 'rq:rl:' .. job[1] .. (full and ':rate_limited' or ':allowed'), now / 1000, id)
  return full
end

if due and due > now then
  redis.call('HSET', key, 'status', 'scheduled')
  redis.call('ZADD', 'rq:scheduled:' .. queue, due / 1000, id)
elseif over_share() then
  redis.call('HSET', key, 'status', 'rate_limited')
else
  redis.call('HSET', key, 'status', 'queued', 'enqueued_at', iso(now))
  redis.call('RPUSH', 'rq:queue:' .. queue, id)
end
tell(id, 'PENDING', '', '')
publish()
return 1
