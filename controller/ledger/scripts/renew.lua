-- Keep the lease, and move `due` so that our death rings. ARGV: lease, token, id. Returns 1, or 0 when lost.
if not holds(ARGV[1], ARGV[2]) then return 0 end
redis.call('PEXPIRE', key('lease', ARGV[1]), LEASE_TTL)
if redis.call('HGET', key('rollback', ARGV[3]), 'state') ~= 'ended' then wake(ARGV[3], now + LEASE_TTL + 250) end
return 1
