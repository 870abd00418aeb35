-- The digests of the rules that servers go by. ARGV: JSON list of those that the caller, a server, goes by ([]: only asked).
-- One that no server has named for RULE_SPREADS is in force no more. Returns [digest, …].
local k = P .. 'in-force'
for _, digest in ipairs(cjson.decode(ARGV[1])) do redis.call('ZADD', k, ms(now), digest) end
redis.call('ZREMRANGEBYSCORE', k, '-inf', ms(now - RULE_SPREADS))
return redis.call('ZRANGE', k, 0, -1)
