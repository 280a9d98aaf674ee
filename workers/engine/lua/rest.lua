-- Keep no place before so many milliseconds have passed.
-- ARGV: key, milliseconds
-- Returns: the milliseconds until the next place
local now, key, ms = now_ms(), ARGV[1], tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', key) or 0), now + ms)
redis.call('SET', key, string.format('%.3f', due), 'PX', math.ceil(due - now) + 1000)
return math.ceil(due - now)
