-- Move what is due from the scheduled registries into its queue, or beside it where a rate limit is full.
-- ARGV: at most n per queue, then the queue names
-- Returns how many were moved; or, when all the others are done, what stood in the way at one of the queues.
local now, moved, refused = now_ms(), 0, nil
for i = 2, #ARGV do
  local queue = ARGV[i]
  local due = redis.pcall('ZRANGEBYSCORE', 'rq:scheduled:' .. queue, '-inf', now / 1000, 'LIMIT', 0, ARGV[1])
  if due.err then refused = due end
  for _, id in ipairs(due) do
    redis.call('ZREM', 'rq:scheduled:' .. queue, id)
    local job = read('rq:job:' .. id, 'status', 'enqueue_at_front_on_retry', 'ended_at', 'enqueue_at_front',
      'rate_limit_key', 'rate_limit_concurrency', 'sira_started')
    if job[1] == 'scheduled' then
      local front = (job[2] == '1' and job[3]) or (not job[3] and job[4] == '1')
      ready(id, queue, now, front and '1', job[5], job[6], job[7])
      moved = moved + 1
    end
  end
end
return refused or moved
