-- One change of state. ARGV: id, states it may come from, state to go to, lease, token, fields,
-- look again in ms ('' = never), '1' to let the lease go, '1' if the target was changed, effects made besides.
-- After commit nothing moves without the lease; a person moves only what nobody holds.
-- Returns {'ok' | 'lost' | 'moved', state}.
local id, to, lease, token = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local record = key('rollback', id)
local state = redis.call('HGET', record, 'state') or ''
if token ~= '' and not holds(lease, token) then
  if state == to and redis.call('HGET', record, 'moved_by') == token then return {'ok', state} end
  return {'lost', state}
end
local allowed = false
for _, from in ipairs(words(ARGV[2])) do allowed = allowed or from == state end
if not allowed then return {'moved', state} end
if token == '' and state ~= 'planned' and state ~= 'waiting' and redis.call('EXISTS', key('lease', lease)) == 1 then
  return {'lost', state}
end

set_fields(record, ARGV[6])
redis.call('HSET', record, 'state', to, 'moved_by', token, 'moved_at', ms(now))
if ARGV[7] == '' then quiet(id) else wake(id, now + tonumber(ARGV[7])) end
if ARGV[8] == '1' and token ~= '' then redis.call('DEL', key('lease', lease)) end
for _, effect in ipairs(words(ARGV[10])) do
  redis.call('SET', key('effect', effect), id, 'PX', EFFECT_KEPT)
end

if to == 'ended' then
  if redis.call('GET', key('claim', lease)) == id then redis.call('DEL', key('claim', lease)) end
  redis.call('SREM', UNFINISHED, id)
  redis.call('HSET', record, 'ended_at', ms(now))
  redis.call('PEXPIRE', record, HISTORY_KEPT)
  redis.call('PEXPIRE', key('journal', id), HISTORY_KEPT)
  local effect = redis.call('HGET', record, 'effect')
  if effect and ARGV[9] ~= '1' then      -- nothing was changed: the reservation goes back
    if redis.call('GET', key('effect', effect)) == id then redis.call('DEL', key('effect', effect)) end
    redis.call('ZREM', P .. 'starts', id)
    redis.call('HDEL', key('left', lease), redis.call('HGET', record, 'from') or '')
  end
  redis.call('HINCRBY', P .. 'totals', (redis.call('HGET', record, 'outcome') or '') .. ' '
    .. (redis.call('HGET', record, 'reason') or ''), 1)
  redis.call('HINCRBY', BOOK, 'version', 1)
end
return {'ok', to}
