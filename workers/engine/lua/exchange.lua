-- One round trip per job: settle what was done (if any) and claim the next (if asked), telling both in one event.
-- ARGV: worker, lease_ms, next execution id ('' claims nothing), n, n queue names in order,
--       then nothing, or: id, execution, queue, outcome, delay_ms, ttl_s, result, error, payload, '1' if its worker died
-- Returns: {1 if settled else 0, nothing or {id, execution, queue, hash}}
local n = tonumber(ARGV[4])
local queues = {unpack(ARGV, 5, 4 + n)}
local settled = 0
if #ARGV > 4 + n then
  local id, execution, queue, outcome, delay_ms, ttl_s, result, failure, payload, lost = unpack(ARGV, 5 + n)
  settled = settle({id = id, execution = execution, queue = queue, outcome = outcome, delay_ms = tonumber(delay_ms),
    ttl_s = tonumber(ttl_s), worker = ARGV[1], result = result, error = failure, payload = payload, lost = lost == '1'})
  local counter = outcome == 'failed' and 'failed_job_count' or 'successful_job_count'
  local known = redis.call('EXISTS', 'rq:worker:' .. ARGV[1]) == 1
  if settled == 1 and STATUS[outcome] and known then redis.call('HINCRBY', 'rq:worker:' .. ARGV[1], counter, 1) end
end
local claimed = ARGV[3] ~= '' and start(queues, ARGV[1], ARGV[3], tonumber(ARGV[2]))
publish()
return {settled, claimed or false}
