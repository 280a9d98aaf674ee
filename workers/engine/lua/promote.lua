-- Move what is due from the scheduled registries into its queue.
-- ARGV: at most n per queue, then the queue names
-- Returns how many were moved.
local now, moved = now_ms(), 0
for i = 2, #ARGV do
  local queue = ARGV[i]
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'rq:scheduled:' .. queue, '-inf', now / 1000, 'LIMIT', 0, ARGV[1])) do
    redis.call('ZREM', 'rq:scheduled:' .. queue, id)
    if redis.call('HGET', 'rq:job:' .. id, 'status') == 'scheduled' then
      redis.call('HSET', 'rq:job:' .. id, 'status', 'queued', 'enqueued_at', iso(now))
      redis.call('RPUSH', 'rq:queue:' .. queue, id)
      moved = moved + 1
    end
  end
end
return moved
