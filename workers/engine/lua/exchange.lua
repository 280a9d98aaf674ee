-- One round trip per job: settle what was done (if any) and claim the next (if asked), telling both in one event.
-- ARGV: worker, lease_ms, next execution id ('' claims nothing), '1' if it was sent ahead of the wake, n, n queue names
--       in order, then nothing, or: id, execution, queue, outcome, delay_ms, ttl_s, result, error, payload, '1' if its worker died,
--       then nothing, or the job that calls somebody after this end: id, then field, value, …
-- Returns: {as what it was settled, 0, or 'cancel' (see settle), nothing or {id, execution, queue, data, meta, scope, attempts, retries left, retries, waits, requeued},
--           1 if the worker is registered, 1 if it holds a job without knowing}
local worker, n = ARGV[1], tonumber(ARGV[5])
local me = 'rq:worker:' .. worker
local settled, gone, fields, done = 0, nil, nil, nil
if #ARGV > 5 + n then
  local id, execution, queue, outcome, delay_ms, ttl_s, result, failure, payload, lost, call = unpack(ARGV, 6 + n, 16 + n)
  done = {id = id, execution = execution, queue = queue, outcome = outcome, delay_ms = tonumber(delay_ms),
    ttl_s = tonumber(ttl_s), worker = worker, result = result, error = failure, payload = payload, lost = lost == '1',
    rescued = n == 0}
  settled, gone, fields = settle(done)
  if settled == 2 then return {'cancel', false, 1, 0} end
  if call and settled == 1 and done.outcome == outcome then
    redis.call('HSET', 'rq:job:' .. call, unpack(ARGV, 17 + n))
    enqueue(call, queue, now, '1')
  end
end
local mine = read(me, 'birth', 'sira_ahead', 'sira_holds', 'successful_job_count', 'failed_job_count')
local held = done and done.queue .. ':' .. done.id .. ':' .. done.execution
local strays = (mine[3] or '') ~= '' and mine[3] ~= held
-- What was sent ahead counts while the keeper renews: a machine that died or froze as it waited takes no job. Nor does a
-- worker that is not registered (any more): what it held would stand nowhere.
local claims = ARGV[3] ~= '' and mine[1] and not strays and (ARGV[4] ~= '1' or now_ms() < whole(mine[2]))
local hindered = claims and redis.call('EXISTS', 'rq:suspended', 'sira:paused') > 0
local claimed = claims and start(6, 5 + n, worker, ARGV[3], tonumber(ARGV[2]), hindered)
if not mine[1] then
  redis.call('DEL', me)
elseif claimed or done then
  local holds = claimed and claimed[3] .. ':' .. claimed[1] .. ':' .. claimed[2] or strays and mine[3] or ''
  local failed = settled == 1 and done.outcome == 'failed'
  local count = settled == 1 and STATUS[done.outcome] and 1 or 0
  redis.call('HSET', me, 'state', (claimed or strays) and 'busy' or 'idle', 'sira_holds', holds,
    failed and 'failed_job_count' or 'successful_job_count', whole(mine[failed and 5 or 4]) + count)
end
if claimed and not done then list(worker, claimed[1], claimed[2], now) end
publish(gone, claimed and claimed[11] == '' and claimed[1], done and done.id, fields)
if settled == 1 then release(done.queue, done.id, done.execution, worker, done.listed) end -- last: what has failed above is still held, and is said again
return {settled == 1 and done.outcome or 0, claimed or false, mine[1] and 1 or 0, strays and 1 or 0}
