-- A person approves the plan that a rollback asks about. ARGV: id, by, the release that the person
-- read ('' : any). Returns {'ok' | 'moved', state}.
local id, record = ARGV[1], key('rollback', ARGV[1])
local state = redis.call('HGET', record, 'state') or ''
local asked = redis.call('HGET', record, 'asked') or ''
if state ~= 'waiting' or asked == '' then return {'moved', state} end
local told = cjson.decode(asked)
local plan = told.plan
if ARGV[3] ~= '' and told.to ~= ARGV[3] then
  return {'moved', 'it would go to ' .. tostring(told.to) .. ' by now, and not to ' .. ARGV[3]}
end
if redis.call('HGET', record, 'approved') == plan then return {'ok', state} end   -- the first word counts
local until_ms = tonumber(told.until_ms)
if until_ms and until_ms <= now then return {'moved', 'not asked about any more: nobody answered in time'} end
redis.call('HSET', record, 'approved_by', ARGV[2], 'approved_at', ms(now), 'approved', plan)
redis.call('HINCRBY', BOOK, 'version', 1)
rouse(id)
return {'ok', state}
