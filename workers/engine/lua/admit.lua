-- Count messages of one company against its daily cap and against the limit of each number, where both allow it.
-- ARGV: key of the day, cap of the day ('' none), messages to a number (0: no limit) in, seconds, prefix of numbers, then of each message its number and a name of its own
-- Returns for each message: {'', 0} counted, now or before, {'day', 0} or {'number', seconds left}
-- A number's list holds its last messages, the newest first: when, and its name.
local now, day, cap, amount, window_ms = now_ms(), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] * 1000
local sent, answers = tonumber(redis.call('GET', day) or 0), {}
for i = 6, #ARGV, 2 do
  local key, name, known, oldest = ARGV[5] .. ARGV[i], ARGV[i + 1], false, nil
  for n, entry in ipairs(redis.call('LRANGE', key, 0, -1)) do
    local at, who = entry:match('^(%d+) ?(.*)$')
    known = known or who == name
    if n == amount then oldest = tonumber(at) end
  end
  if known then
    answers[#answers + 1] = {'', 0}
  elseif cap and sent >= cap then
    answers[#answers + 1] = {'day', 0}
  elseif oldest and oldest > now - window_ms then
    answers[#answers + 1] = {'number', math.ceil((oldest + window_ms - now) / 1000)}
  else
    sent = sent + 1
    redis.call('LPUSH', key, string.format('%d %s', now, name))
    redis.call('LTRIM', key, 0, math.max(amount, 1) - 1)
    redis.call('PEXPIRE', key, window_ms + 3600000)
    answers[#answers + 1] = {'', 0}
  end
end
redis.call('SET', day, sent, 'EX', 172800)
return answers
