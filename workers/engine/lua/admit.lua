-- Count messages of one company against its daily cap and against the limit of each number, where both allow it.
-- ARGV: key of the day, cap of the day ('' none), messages to a number (0: no limit) in, seconds, prefix of numbers, then the numbers
-- Returns for each number: {'', 0} counted, {'day', seconds left} or {'number', seconds left}
local now, day, cap, amount, window_ms = now_ms(), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] * 1000
local sent, answers = tonumber(redis.call('GET', day) or 0), {}
for i = 6, #ARGV do
  local key = ARGV[5] .. ARGV[i]
  local oldest = amount > 0 and tonumber(redis.call('LINDEX', key, amount - 1) or nil)
  if cap and sent >= cap then
    answers[#answers + 1] = {'day', 0}
  elseif oldest and oldest > now - window_ms then
    answers[#answers + 1] = {'number', math.ceil((oldest + window_ms - now) / 1000)}
  else
    sent = sent + 1
    if amount > 0 then
      redis.call('LPUSH', key, now)
      redis.call('LTRIM', key, 0, amount - 1)
      redis.call('PEXPIRE', key, window_ms)
    end
    answers[#answers + 1] = {'', 0}
  end
end
redis.call('SET', day, sent, 'EX', 172800)
return answers
