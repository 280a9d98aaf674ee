-- Push one task, once: a second push of the same id, or a late one after its end, changes nothing.
-- ARGV: id, queue, due (ms since 1970; '' = now), replace ('1' pushes again a task that has ended), then field, value, …
-- Returns 1 if pushed, 0 if it was there.
local id, queue, due = ARGV[1], ARGV[2], tonumber(ARGV[3])
local key = 'rq:job:' .. id
if ARGV[4] == '1' then
  local status = redis.call('HGET', key, 'status')
  if status == 'queued' or status == 'started' or status == 'scheduled' then return 0 end
  redis.call('DEL', key, 'sira:ended:' .. id)
  for _, registry in ipairs({'finished', 'failed', 'canceled'}) do redis.call('ZREM', 'rq:' .. registry .. ':' .. queue, id) end
elseif redis.call('EXISTS', key, 'sira:ended:' .. id) > 0 then
  return 0
end
redis.call('HSET', key, unpack(ARGV, 5))
redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
local now = now_ms()
if due and due > now then
  redis.call('HSET', key, 'status', 'scheduled')
  redis.call('ZADD', 'rq:scheduled:' .. queue, due / 1000, id)
else
  redis.call('HSET', key, 'status', 'queued', 'enqueued_at', iso(now))
  redis.call('RPUSH', 'rq:queue:' .. queue, id)
end
tell(id, 'PENDING', '', '')
publish()
return 1
