-- The claims whose worker is gone: of one dead slot, or all whose lease has run out.
-- ARGV: worker ('' = by lease), at most n; by lease also: lease_ms
-- Returns: {{id, execution, queue, worker, losses so far, 1 if to be cancelled, retries left, retries in all}, …}; settling them is the caller's, and fenced.
local claims, now = {}, now_ms()
if ARGV[1] ~= '' then
  for _, both in ipairs(redis.call('SMEMBERS', 'rq:worker:' .. ARGV[1] .. ':executions')) do
    local id = string.match(both, '^[^:]+') or ''
    local queue = read('rq:job:' .. id, 'origin')[1] or ''
    claims[#claims + 1] = {queue .. ':' .. both, queue, both}
  end
else
  -- A server whose clock was ahead has stamped these, and was replaced: a dead one among them must not live that long.
  local latest = now + tonumber(ARGV[3])
  for _, claim in ipairs(redis.call('ZRANGEBYSCORE', 'sira:leases', '(' .. latest, '+inf')) do
    redis.pcall('ZADD', 'sira:leases', latest, claim) -- a full server refuses it, which keeps nobody from being rescued
  end
  for _, claim in ipairs(redis.call('ZRANGEBYSCORE', 'sira:leases', '-inf', now, 'LIMIT', 0, ARGV[2])) do
    claims[#claims + 1] = {claim, string.match(claim, '^(.*):([^:]+:[^:]+)$')} -- the name of a queue may have colons
  end
end
local lost = {}
for _, each in ipairs(claims) do
  local claim, queue, both = each[1], each[2], each[3] or ''
  local id, execution = string.match(both, '^([^:]+):([^:]+)$')
  if not id then -- no claim of ours, whoever wrote it
    redis.call('ZREM', 'sira:leases', claim)
    redis.call('SREM', 'rq:worker:' .. ARGV[1] .. ':executions', both)
    queue, id, execution = '', '', ''
  end
  local worker = redis.call('HGET', 'rq:execution:' .. id .. ':' .. execution, 'worker_name') or ARGV[1]
  local job = read('rq:job:' .. id, 'sira_losses', 'sira_cancel', 'sira_execution', 'retries_left',
    'sira_retries')
  if job[3] ~= execution then
    redis.call('ZREM', 'sira:leases', claim)
    redis.call('ZREM', 'rq:wip:' .. queue, id .. ':' .. execution)
    redis.call('SREM', 'rq:worker:' .. worker .. ':executions', id .. ':' .. execution)
    redis.call('DEL', 'rq:execution:' .. id .. ':' .. execution)
    redis.call('ZREM', 'rq:executions:' .. id, execution)
  else
    lost[#lost + 1] = {id, execution, queue, worker, whole(job[1]), job[2] and 1 or 0, whole(job[4]), whole(job[5])}
  end
end
return lost
