-- Cancel a task: at once if it waits, by a flag if it runs, by a marker if it was never pushed.
-- ARGV: id, queue, ttl_s
-- Returns: 'waiting' (ended now), 'running' (flag set), 'ended' (too late), 'absent' (marker set)
local id, queue, ttl_s = ARGV[1], ARGV[2], tonumber(ARGV[3])
local key = 'rq:job:' .. id
local status = redis.call('HGET', key, 'status')
if not status then
  redis.call('SET', 'sira:ended:' .. id, 1, 'EX', ttl_s)
  return 'absent'
end
if status == 'started' then
  redis.call('HSET', key, 'sira_cancel', 1)
  return 'running'
end
if status ~= 'queued' and status ~= 'scheduled' and status ~= 'deferred' then return 'ended' end
redis.call('LREM', 'rq:queue:' .. queue, 1, id)
redis.call('ZREM', 'rq:scheduled:' .. queue, id)
local gone = finish(id, queue, 'revoked', now_ms(), ttl_s)
tell(id, 'REVOKED', '', '')
publish(gone)
return 'waiting'
