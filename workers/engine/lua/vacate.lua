-- Give the places of a company's share that are held by jobs which neither wait nor run (foreign tools deleted them) to who waits.
-- ARGV: id of a job that waits for a place
-- Returns how many places were given back.
local now, vacated = now_ms(), 0
local limit = read('rq:job:' .. ARGV[1], 'rate_limit_key', 'rate_limit_concurrency')
if not limit[1] then return 0 end
for _, holder in ipairs(redis.call('ZRANGE', 'rq:rl:' .. limit[1] .. ':allowed', 0, -1)) do
  local status = read('rq:job:' .. holder, 'status')[1]
  if status ~= 'queued' and status ~= 'started' then
    redis.call('ZREM', 'rq:rl:' .. limit[1] .. ':allowed', holder)
    vacated = vacated + 1
  end
end
free_slot('', limit[1], limit[2], now)
return vacated
