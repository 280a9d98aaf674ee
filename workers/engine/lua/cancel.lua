-- Cancel a task: at once if it waits, by a flag if it runs, by a marker if it was never pushed.
-- ARGV: id, queue, ttl_s, and of a task its scope, by which one that was never pushed is told of
-- Returns: 'waiting' (ended now), 'running' (flag set), 'ended' (too late), 'absent' (marker set), 'noreturn' (refused)
local id, queue, ttl_s = ARGV[1], ARGV[2], tonumber(ARGV[3])
local key = 'rq:job:' .. id
local status = read(key, 'status')[1]
if not status then
  redis.call('SET', 'sira:ended:' .. id, 1, 'EX', ttl_s)
  if ARGV[4] then
    tell(id, 'REVOKED', '', '', {ARGV[4], queue, '0'})
    publish(id)
  end
  return 'absent'
end
local WAITS = {queued = true, scheduled = true, deferred = true, rate_limited = true}
if status ~= 'started' and not WAITS[status] then return 'ended' end
if redis.call('HEXISTS', key, 'sira_noreturn') == 1 then return 'noreturn' end
if status == 'started' then
  redis.call('HSET', key, 'sira_cancel', 1)
  return 'running'
end
redis.call('LREM', 'rq:queue:' .. queue, 1, id)
redis.call('ZREM', 'rq:scheduled:' .. queue, id)
redis.call('ZREM', 'rq:deferred:' .. queue, id)
local limit = redis.call('HMGET', key, 'rate_limit_key', 'rate_limit_concurrency')
if limit[1] then
  redis.call('ZREM', 'rq:rl:' .. limit[1] .. ':rate_limited', id)
  free_slot(id, limit[1], limit[2], now_ms())
end
local fields, gone = finish(id, queue, 'revoked', now_ms(), ttl_s, true)
tell(id, 'REVOKED', '', '')
publish(gone, nil, id, fields)
return 'waiting'
