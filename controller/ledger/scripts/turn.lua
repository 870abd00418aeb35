-- Whose turn it is to ask Alertmanager: whoever has it keeps it by asking again, and nobody else has it meanwhile.
-- ARGV: machine, for how many ms. Returns 1 where it is this machine's, 0 where it is another's.
local k = P .. 'relearning'
local present = redis.call('GET', k)
if present and present ~= ARGV[1] then return 0 end
redis.call('SET', k, ARGV[1], 'PX', ARGV[2])
return 1
