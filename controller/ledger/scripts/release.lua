-- Let the lease go without a change of state. ARGV: lease, token, id, look again in ms.
if not holds(ARGV[1], ARGV[2]) then return 0 end
redis.call('DEL', key('lease', ARGV[1]))
if redis.call('ZSCORE', DUE, ARGV[3]) then wake(ARGV[3], now + tonumber(ARGV[4])) end
return 1
