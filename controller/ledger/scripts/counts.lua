-- What the metrics and the status show. Returns {due, oldest lag ms, unfinished states as {state, n, …}, totals}.
local oldest = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
local lag = 0
if oldest[2] then lag = math.max(0, now - tonumber(oldest[2])) end
local states, flat = {}, {}
for _, id in ipairs(redis.call('SMEMBERS', UNFINISHED)) do
  local state = redis.call('HGET', key('rollback', id), 'state') or 'lost'
  states[state] = (states[state] or 0) + 1
end
for state, n in pairs(states) do
  flat[#flat + 1] = state
  flat[#flat + 1] = n
end
return {redis.call('ZCARD', DUE), ms(lag), flat, redis.call('HGETALL', P .. 'totals')}
