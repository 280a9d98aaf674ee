-- A job whose ledger has moved begins its attempts anew; or the coming retry is counted as none.
-- ARGV: id, execution, how many of its items are settled ('' : the coming retry is free)
-- Returns: 1 if it holds the job and (if asked) the ledger moved since this was asked last, else 0
local key = 'rq:job:' .. ARGV[1]
if redis.call('HGET', key, 'sira_execution') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HSET', key, 'retries_left', whole(redis.call('HGET', key, 'retries_left')) + 1, 'sira_between', 1)
  return 1
end
if (redis.call('HGET', key, 'sira_settled') or '0') == ARGV[3] then return 0 end
redis.call('HDEL', key, 'sira_losses')
redis.call('HSET', key, 'sira_settled', ARGV[3])
local retries = redis.call('HGET', key, 'sira_retries')
if retries then redis.call('HSET', key, 'retries_left', retries) end -- RQ's own Retry has no such number
return 1
