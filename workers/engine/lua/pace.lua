-- Let n messages pass at so many a second (GCRA, with one second's worth at once), or say how long to wait.
-- ARGV: key, messages a second, n
-- Returns: 0, or the milliseconds to wait before asking again
local now, key, rate, n = now_ms(), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(tonumber(redis.call('GET', key) or 0), now - 1000)
if due > now then return math.ceil(due - now) end
due = due + n * 1000 / rate
redis.call('SET', key, string.format('%.3f', due), 'PX', math.ceil(math.max(due - now, 0)) + 2000)
return 0
