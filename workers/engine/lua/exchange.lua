-- One round trip per job: settle what was done (if any) and claim the next (if asked), telling both in one event.
-- ARGV: worker, lease_ms, next execution id ('' claims nothing), '1' if it was sent ahead of the wake, n, n queue names
--       in order, then nothing, or: id, execution, queue, outcome, delay_ms, ttl_s, result, error, payload, '1' if its worker died,
--       then nothing, or the job that calls somebody after this end: id, then field, value, …
-- Returns: {as what it was settled, 0, or 'cancel' (see settle), nothing or {id, execution, queue, data, meta, scope, attempts, retries left, retries, waits},
--           1 if the worker is registered, how many jobs it holds without knowing}
local worker, n = ARGV[1], tonumber(ARGV[5])
local me = 'rq:worker:' .. worker
local settled, gone, done = 0, nil, nil
if #ARGV > 5 + n then
  local id, execution, queue, outcome, delay_ms, ttl_s, result, failure, payload, lost, call = unpack(ARGV, 6 + n, 16 + n)
  done = {id = id, execution = execution, queue = queue, outcome = outcome, delay_ms = tonumber(delay_ms),
    ttl_s = tonumber(ttl_s), worker = worker, result = result, error = failure, payload = payload, lost = lost == '1'}
  settled, gone = settle(done)
  if settled == 2 then return {'cancel', false, 1, 0} end
  if call and settled == 1 and done.outcome == outcome then
    redis.call('HSET', 'rq:job:' .. call, unpack(ARGV, 17 + n))
    enqueue(call, queue, now, '1')
  end
end
local ended = settled == 1 and STATUS[done.outcome]
local count = ended and redis.call('HINCRBY', me, done.outcome == 'failed' and 'failed_job_count' or 'successful_job_count', 1)
local mine = (not count or count == 1) and redis.call('HMGET', me, 'birth', 'sira_ahead') or {true}
-- What was sent ahead counts while the keeper renews: a machine that died or froze as it waited takes no job.
local claims = ARGV[3] ~= '' and (ARGV[4] ~= '1' or now_ms() < whole(mine[2]))
-- Mostly there is none of these: one question instead of three.
local holds = me .. ':executions'
local hindered = claims and redis.call('EXISTS', holds, 'rq:suspended', 'sira:paused') > 0
local strays = hindered and redis.call('SCARD', holds) or 0
local claimed = claims and strays == 0 and start({unpack(ARGV, 6, 5 + n)}, worker, ARGV[3], tonumber(ARGV[2]), hindered)
if not mine[1] then
  redis.call('DEL', me)
elseif not (claimed and done) and (claimed or done) then
  redis.call('HSET', me, 'state', claimed and 'busy' or 'idle')
end
publish(gone, claimed and claimed[1])
return {settled == 1 and done.outcome or 0, claimed or false, mine[1] and 1 or 0, strays}
