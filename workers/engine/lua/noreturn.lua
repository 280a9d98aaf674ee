-- From here on a running job is seen through: no cancel, and so many attempts more each time it has moved on.
-- ARGV: id, execution, attempts
-- Returns: 0 lost, 1 done, 2 somebody has cancelled it before
local key = 'rq:job:' .. ARGV[1]
local held = redis.call('HMGET', key, 'sira_execution', 'sira_cancel', 'sira_noreturn')
if held[1] ~= ARGV[2] then return 0 end
if held[2] then return 2 end
if not held[3] then redis.call('HSET', key, 'sira_noreturn', 1, 'retries_left', ARGV[3], 'sira_retries', ARGV[3]) end
return 1
