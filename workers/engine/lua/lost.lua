-- The claims whose worker is gone: of one dead slot, or all whose lease has run out.
-- ARGV: worker ('' = by lease), at most n
-- Returns: {{id, execution, queue, worker, losses so far, 1 if to be cancelled, retries left, retries in all}, …}; settling them is the caller's, and fenced.
local claims, now = {}, now_ms()
if ARGV[1] ~= '' then
  for _, both in ipairs(redis.call('SMEMBERS', 'rq:worker:' .. ARGV[1] .. ':executions')) do
    local id = string.match(both, '^[^:]+')
    claims[#claims + 1] = (redis.call('HGET', 'rq:job:' .. id, 'origin') or '') .. ':' .. both
  end
else
  claims = redis.call('ZRANGEBYSCORE', 'sira:leases', '-inf', now, 'LIMIT', 0, ARGV[2])
end
local lost = {}
for _, claim in ipairs(claims) do
  local queue, id, execution = string.match(claim, '^([^:]*):([^:]+):(.+)$')
  local worker = redis.call('HGET', 'rq:execution:' .. id .. ':' .. execution, 'worker_name') or ARGV[1]
  local job = redis.call('HMGET', 'rq:job:' .. id, 'sira_losses', 'sira_cancel', 'sira_execution', 'retries_left',
    'sira_retries')
  if job[3] ~= execution then
    redis.call('ZREM', 'sira:leases', claim)
    redis.call('ZREM', 'rq:wip:' .. queue, id .. ':' .. execution)
    redis.call('SREM', 'rq:worker:' .. worker .. ':executions', id .. ':' .. execution)
    redis.call('DEL', 'rq:execution:' .. id .. ':' .. execution)
    redis.call('ZREM', 'rq:executions:' .. id, execution)
  else
    lost[#lost + 1] = {id, execution, queue, worker, tonumber(job[1] or 0), job[2] and 1 or 0, tonumber(job[4] or 0), tonumber(job[5] or 0)}
  end
end
return lost
