-- The last write before the first change: everything that may still say no is asked here, at once.
-- ARGV: id, lease, token, effect, book version as read, from release, fields,
-- campaign, its line in the list of those that began, '1' where it was committed before, nothing was changed since, and
-- the guards were asked again: then what is reserved stays, and only who may still say no is asked.
-- Returns {'ok' | 'lost' | 'moved' | 'resolved' | 'effect' | 'book', what}.
local id, instance, token, effect = ARGV[1], ARGV[2], ARGV[3], key('effect', ARGV[4])
local record = key('rollback', id)
if not holds(instance, token) then return {'lost', ''} end
local state, ours = redis.call('HGET', record, 'state'), redis.call('HGET', record, 'effect')
local again = ARGV[10] == '1'
if again then
  if ours ~= ARGV[4] or (state ~= 'acting' and state ~= 'parked') then return {'moved', state or ''} end
else
  if state == 'acting' and ours == ARGV[4] then return {'ok', redis.call('HGET', BOOK, 'version')} end
  if state ~= 'planned' and state ~= 'waiting' then return {'moved', state or ''} end
end
local episodes, open = words(redis.call('HGET', record, 'episodes')), 0
for _, fingerprint in ipairs(episodes) do
  if redis.call('HGET', key('episode', fingerprint), 'closed') == '' then open = open + 1 end
end
if #episodes > 0 and open == 0 then return {'resolved', ''} end
local made = redis.call('GET', effect)
if made and made ~= id and redis.call('HGET', record, 'by') == '' then return {'effect', made} end   -- a person may

if (redis.call('HGET', BOOK, 'version') or '0') ~= ARGV[5] then
  return {'book', redis.call('HGET', BOOK, 'version')}
end
if again then
  redis.call('HSET', record, 'acting_since', ms(now))    -- nothing was begun before: the time to act counts anew
  return {'ok', ARGV[5]}
end

redis.call('SET', effect, id, 'PX', EFFECT_KEPT)
redis.call('SADD', P .. 'begun', id)
if made and made ~= id then redis.call('HSET', record, 'effect_before', made) end
if ARGV[8] ~= '' then
  if not has_begun(ARGV[8], id) then     -- an earlier run of it counts on, by a name of its own
    for _, line in ipairs(lines_of(ARGV[8])) do
      redis.call('ZREM', P .. 'campaigns', line[1])
      redis.call('ZADD', P .. 'campaigns', line[2], (string.gsub(line[1], '^%S+', ARGV[8] .. '~' .. line[2])))
    end
  end
  redis.call('ZADD', P .. 'campaigns', 'NX', ms(now), ARGV[9])
  redis.call('ZREMRANGEBYSCORE', P .. 'campaigns', '-inf', ms(now - STARTS_KEPT))
end
local last = key('changed', instance)
if redis.call('HGET', record, 'by') == '' then        -- a person's hand starts no cooldown
  redis.call('HSET', record, 'changed_before', cjson.encode(redis.call('HGETALL', last)))
  redis.call('HSET', last, 'at', ms(now), 'rollback', id, 'campaign', ARGV[8])
  redis.call('PEXPIRE', last, EFFECT_KEPT)
end
redis.call('ZADD', P .. 'starts', ms(now), id)
redis.call('ZREMRANGEBYSCORE', P .. 'starts', '-inf', ms(now - EFFECT_KEPT))
if ARGV[6] ~= '' then
  redis.call('HSET', key('left', instance), ARGV[6], ms(now))
  redis.call('PEXPIRE', key('left', instance), EFFECT_KEPT)
end
set_fields(record, ARGV[7])
redis.call('HSET', record, 'state', 'acting', 'effect', ARGV[4], 'from', ARGV[6], 'attempts', '0', 'committed_at', ms(now),
  'acting_since', ms(now))
local version = ms(redis.call('HINCRBY', BOOK, 'version', 1))
redis.call('HSET', record, 'committed_in', version)
return {'ok', version}
