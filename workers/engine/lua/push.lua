-- Push one task, once: a second push of the same id, or a late one after its end, changes nothing.
-- ARGV: id, queue, due (ms since 1970; '' = now), replace, then field, value, …
-- replace: '1' pushes again what has ended; the id of an event: if that end is older, for a push may come late.
-- Returns 1 if pushed, 0 if it was there.
local id, queue, due, fields = ARGV[1], ARGV[2], tonumber(ARGV[3]), {unpack(ARGV, 5)}
local key = 'rq:job:' .. id
local function order(event)
  local ms, number = string.match(event or '', '^(%d+)%-(%d+)$')
  return tonumber(ms or 0), tonumber(number or 0)
end

if ARGV[4] ~= '0' then
  local found = read(key, 'status', 'sira_event')
  local status, ms, number = found[1], order(found[2])
  if status == 'queued' or status == 'started' or status == 'scheduled' or status == 'rate_limited' then return 0 end
  local until_ms, until_number = order(ARGV[4])
  local ended = status == 'finished' or status == 'failed' or status == 'canceled' or status == 'stopped'
  if ended and ARGV[4] ~= '1' and (ms > until_ms or ms == until_ms and number >= until_number) then return 0 end
  redis.call('DEL', key, 'sira:ended:' .. id)
  for _, registry in ipairs({'finished', 'failed', 'canceled'}) do redis.call('ZREM', 'rq:' .. registry .. ':' .. queue, id) end
elseif redis.call('EXISTS', key, 'sira:ended:' .. id) > 0 then
  return 0
end
local now, given = now_ms(), {}
for i = 1, #fields, 2 do given[fields[i]] = fields[i + 1] end

local function also(...)
  for _, each in ipairs({...}) do fields[#fields + 1] = each end
end

-- The company's share of the queue: RQ's rate limit, times its own K.
local limit, concurrency = given.rate_limit_key, nil
if limit then
  concurrency = tonumber(given.rate_limit_concurrency) * tonumber(redis.call('HGET', 'sira:shares', given.sira_scope or '') or 1)
  also('rate_limit_concurrency', concurrency)
end

-- Whether the share is taken: then the job waits beside the queue, where RQ's own set of limits lets it be found.
local function over_share()
  if not limit then return false end
  local full = redis.call('ZCARD', 'rq:rl:' .. limit .. ':allowed') >= concurrency
  if full then
    redis.call('SADD', 'rq:rl-keys', limit)
    redis.call('HSET', 'rq:rl:' .. limit, 'concurrency', concurrency)
  end
  redis.call('ZADD', 'rq:rl:' .. limit .. (full and ':rate_limited' or ':allowed'), now / 1000, id)
  return full
end

if not given.created_at then also('created_at', iso(now)) end
if due and due > now then
  also('status', 'scheduled')
  redis.call('ZADD', 'rq:scheduled:' .. queue, due / 1000, id)
elseif over_share() then
  also('status', 'rate_limited')
else
  also('status', 'queued', 'enqueued_at', iso(now))
  redis.call('RPUSH', 'rq:queue:' .. queue, id)
end
redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
tell(id, 'PENDING', '', '', {given.sira_scope, queue, '0', given.sira_helps})
local event = publish(nil, id)
if event then also('sira_event', event) end
redis.call('HSET', key, unpack(fields))
return 1
