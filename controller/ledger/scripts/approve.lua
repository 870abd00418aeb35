-- A person approves the plan that a rollback asks about. ARGV: id, by. Returns {'ok' | 'moved', state}.
local id, record = ARGV[1], key('rollback', ARGV[1])
local state = redis.call('HGET', record, 'state') or ''
local asked = redis.call('HGET', record, 'asked') or ''
if state ~= 'waiting' or asked == '' then return {'moved', state} end
local plan = cjson.decode(asked).plan
if redis.call('HGET', record, 'approved') == plan then return {'ok', state} end   -- the first word counts
redis.call('HSET', record, 'approved_by', ARGV[2], 'approved_at', ms(now), 'approved', plan)
redis.call('HINCRBY', BOOK, 'version', 1)
wake(id, now)
return {'ok', state}
