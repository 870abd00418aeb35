-- The target shows a higher fence than ours while we hold the lease: the clock went back in a failover.
-- ARGV: lease, token, the fence seen. Returns {token, fence}, or {} when the lease is lost.
local k = key('lease', ARGV[1])
local present = redis.call('GET', k)
local holder = string.match(ARGV[2], '^(.*):%d+$')
if not present or string.match(present, '^(.*):%d+$') ~= holder then return {} end
local fence = math.max(tonumber(ARGV[3]) + 1, tonumber(string.match(present, '(%d+)$')))
local token = holder .. ':' .. ms(fence)
redis.call('SET', key('fence', ARGV[1]), ms(fence))
redis.call('SET', k, token, 'PX', LEASE_TTL)
return {token, ms(fence)}
