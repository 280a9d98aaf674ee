-- Keep a place for n messages at so many a second, one after the other, if it comes soon enough.
-- ARGV: key, messages a second, n, the milliseconds that may be waited for it
-- Returns: the milliseconds until the place has come, and when it ends ('': more than may be waited, none was kept)
local now, key, rate, n = now_ms(), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local due, ends = math.max(tonumber(redis.call('GET', key) or 0), now), ''
local wait = math.ceil(due - now)
if wait <= tonumber(ARGV[4]) then
  ends = string.format('%.3f', due + n * 1000 / rate)
  redis.call('SET', key, ends, 'PX', math.ceil(ends - now) + 1000)
end
return {wait, ends}
