-- Let the lease go without a change of state. ARGV: lease, token, id, look again in ms,
-- JSON list of the pairs of a notification that wait for a worker that knows their rule.
if not holds(ARGV[1], ARGV[2]) then return 0 end
redis.call('DEL', key('lease', ARGV[1]))
for _, pair in ipairs(cjson.decode(ARGV[5] or '[]')) do redis.call('ZADD', P .. 'awaiting', 'NX', ms(now), pair) end
if redis.call('ZSCORE', DUE, ARGV[3]) then wake(ARGV[3], now + tonumber(ARGV[4])) end
return 1
