-- Give a place back that was kept and not used, unless somebody stands behind it.
-- ARGV: key, messages a second, n, when it ends, as it was told
-- Returns: 1 if it was given back, else 0
local key, ends = ARGV[1], ARGV[4]
if redis.call('GET', key) ~= ends then return 0 end
redis.call('SET', key, string.format('%.3f', ends - ARGV[3] * 1000 / ARGV[2]), 'KEEPTTL')
return 1
