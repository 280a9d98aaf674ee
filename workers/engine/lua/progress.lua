-- Keep what a running job reports, if it still holds its job.
-- ARGV: id, execution, meta (sealed)
-- Returns: 0 lost, 1 kept, 2 kept and the task is to be cancelled
local key = 'rq:job:' .. ARGV[1]
local held = redis.call('HMGET', key, 'sira_execution', 'sira_cancel', 'worker_name')
if held[1] ~= ARGV[2] then return 0 end
redis.call('HSET', key, 'meta', ARGV[3], 'sira_state', 'PROGRESS')
tell(ARGV[1], 'PROGRESS', held[3] or '', ARGV[3])
publish()
return held[2] and 2 or 1
