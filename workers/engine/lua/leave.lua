-- Give a place back that was kept and not used, unless somebody stands behind it.
-- ARGV: key, when it ends, as it was told
-- Returns: 1 if it was given back, else 0
local key, log = ARGV[1], ARGV[1] .. ':places'
local place = redis.call('GET', key) == ARGV[2] and redis.call('LPOP', log)
if not place then return 0 end
local before = redis.call('LINDEX', log, 0)
redis.call('SET', key, before and before:match('%S+$') or place:match('^%S+'), 'KEEPTTL')
return 1
