-- Keep a place for n messages at so many a second, one after the other, and no more than that in any second that slides
-- over the places, whatever their sizes; if it comes soon enough.
-- ARGV: key, messages a second, n, the milliseconds that may be waited for it
-- Returns: the milliseconds until the place has come, and when it ends ('': more than may be waited, none was kept)
-- Beside the key, which says when the last place ends, stands a list of the places of the last second and those to come,
-- the newest first: when, how many, and when it ends.
local now, key, rate, n = now_ms(), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local due, ends, log = math.max(tonumber(redis.call('GET', key) or 0), now), '', key .. ':places'
local together = n
for _, place in ipairs(redis.call('LRANGE', log, 0, -1)) do
  local at, count = place:match('^(%S+) (%S+)')
  together = together + tonumber(count)
  if together > rate then
    due = math.max(due, at + 1000)
    break
  end
end
local wait = math.ceil(due - now)
if wait <= tonumber(ARGV[4]) then
  ends = string.format('%.3f', due + n * 1000 / rate)
  local kept_ms = math.ceil(math.max(ends - now, due - now + 1000)) + 1000
  redis.call('SET', key, ends, 'PX', kept_ms)
  redis.call('LPUSH', log, string.format('%.3f %d %s', due, n, ends))
  redis.call('PEXPIRE', log, kept_ms)
  while tonumber(redis.call('LINDEX', log, -1):match('^%S+')) <= now - 1000 do redis.call('RPOP', log) end
end
return {wait, ends}
