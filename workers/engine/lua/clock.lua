-- Prelude: Redis' own clock, in the forms that we and RQ keep; numbers of hashes; what is told in the stream.

-- A whole number that stands in a hash, into which anybody may have written: 0 for what is none.
local function whole(value)
  local number = tonumber(value or 0)
  return number and math.abs(number) < 1e15 and math.floor(number) or 0
end

-- Fields of a hash; none of what stands under its key and is no hash.
local function read(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  return found.err and {} or found
end

local now
local function now_ms()
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return now
end

-- 2025-12-31T23:59:59.123000Z (RQ's form); days to civil date as in Hinnant's chrono algorithms.
local written
local function iso(ms)
  if ms == now and written then return written end
  local days, rest = math.floor(ms / 86400000), ms % 86400000
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day, month = doy - math.floor((153 * mp + 2) / 5) + 1, mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local seconds = math.floor(rest / 1000)
  local text = string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z', year, month, day,
    math.floor(seconds / 3600), math.floor(seconds / 60) % 60, seconds % 60, rest % 1000)
  if ms == now then written = text end
  return text
end

-- Changes of this call, told in one entry of the stream: c1 = id, state, scope, queue, attempt, worker; p1 = payload.
-- job: {scope, queue, attempts, helps} of the hash, where the caller has read them already.
local changes, told = {}, {}
local function tell(id, state, worker, payload, job)
  local n = #told + 1
  job = job or redis.call('HMGET', 'rq:job:' .. id, 'sira_scope', 'origin', 'sira_attempts', 'sira_helps')
  if job[4] then return end
  changes[#changes + 1] = 'c' .. n
  changes[#changes + 1] = table.concat({id, state, job[1] or '', job[2] or '', string.format('%d', whole(job[3])), worker}, '\t')
  if payload ~= '' then
    changes[#changes + 1] = 'p' .. n
    changes[#changes + 1] = payload
  end
  told[n] = id
end

-- gone: the id of a job whose hash was deleted in this call. quiet: of one whose hash need not name the event: until it
-- tells of something else, what SQL has of it is the same. id, fields: what is still to be written of a job that has ended,
-- in one command with the event, for a command costs the server more than what it writes.
local function publish(gone, quiet, id, fields)
  local event = #told > 0 and redis.call('XADD', 'sira:events', '*', unpack(changes)) or nil
  for _, each in ipairs(told) do
    if each == id and fields then
      fields[#fields + 1] = 'sira_event'
      fields[#fields + 1] = event
    elseif each ~= gone and each ~= quiet then
      redis.call('HSET', 'rq:job:' .. each, 'sira_event', event)
    end
  end
  if fields then redis.call('HSET', 'rq:job:' .. id, unpack(fields)) end
  return event
end
