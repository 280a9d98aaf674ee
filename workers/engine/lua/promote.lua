-- Move what is due from the scheduled registries into its queue.
-- ARGV: at most n per queue, then the queue names
-- Returns how many were moved.
local now, moved = now_ms(), 0
for i = 2, #ARGV do
  local queue = ARGV[i]
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'rq:scheduled:' .. queue, '-inf', now / 1000, 'LIMIT', 0, ARGV[1])) do
    redis.call('ZREM', 'rq:scheduled:' .. queue, id)
    local key = 'rq:job:' .. id
    local job = redis.call('HMGET', key, 'status', 'enqueue_at_front_on_retry', 'ended_at', 'enqueue_at_front')
    if job[1] == 'scheduled' then
      local front = (job[2] == '1' and job[3]) or (not job[3] and job[4] == '1')
      redis.call('HSET', key, 'status', 'queued', 'enqueued_at', iso(now))
      redis.call(front and 'LPUSH' or 'RPUSH', 'rq:queue:' .. queue, id)
      moved = moved + 1
    end
  end
end
return moved
