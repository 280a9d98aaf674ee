-- How long a bulk has waited for its gateway: since this was first asked with so many of its items settled.
-- ARGV: id, execution, how many of its items are settled
-- Returns: {milliseconds, since when (ms since 1970)}; nothing if another execution holds the job
local key, now = 'rq:job:' .. ARGV[1], now_ms()
local held = read(key, 'sira_execution', 'sira_away')
if held[1] ~= ARGV[2] then return end
local settled, since = string.match(held[2] or '', '^(%d+) (%d+)$')
if settled ~= ARGV[3] or whole(since) > now then
  since = string.format('%d', now)
  redis.call('HSET', key, 'sira_away', ARGV[3] .. ' ' .. since)
end
return {now - whole(since), whole(since)}
