-- A rollback for one instance, or the one it has already. ARGV: id, instance, episodes, fields.
-- Returns {'opened' | 'joined', id, state, rule digest}.
local id, instance, episodes = ARGV[1], ARGV[2], words(ARGV[3])
local function link(rollback)
  for _, fingerprint in ipairs(episodes) do
    local k = key('episode', fingerprint)
    if redis.call('EXISTS', k) == 1 then
      redis.call('HSET', k, 'rollbacks', with_word(redis.call('HGET', k, 'rollbacks') or '', rollback))
    end
  end
end

local k = key('rollback', id)
if redis.call('EXISTS', k) == 1 then     -- the reply to our first try was lost
  return {'opened', id, redis.call('HGET', k, 'state'), redis.call('HGET', k, 'rule_digest') or ''}
end
local fields = cjson.decode(ARGV[4])

-- An alert joins the rollback that its instance has. What joins under other terms, or once something may have
-- changed, is remembered as such: it is asked again if that rollback turns out not to have been about it.
local function join(holder)
  local held = key('rollback', holder)
  local state, digest = redis.call('HGET', held, 'state'), redis.call('HGET', held, 'rule_digest') or ''
  local text, joins = redis.call('HGET', held, 'episodes') or '', redis.call('HGET', held, 'joins') or ''
  local before = state == 'planned' or state == 'waiting'
  local other = not before or digest ~= fields.rule_digest or redis.call('HGET', held, 'spec') ~= fields.spec
  for _, fingerprint in ipairs(episodes) do
    text = with_word(text, fingerprint)
    if other and fields.rule_digest ~= '' then joins = with_word(joins, fingerprint .. '/' .. fields.rule_digest) end
  end
  redis.call('HSET', held, 'episodes', text, 'joins', joins)
  if state == 'verifying' then redis.call('HSET', held, 'joined_after', '1') end
  link(holder)
  if state == 'held' or state == 'verifying' then rouse(holder) end   -- another release may have come
  return {'joined', holder, state, digest}
end

local holder = redis.call('GET', key('claim', instance))
if holder then
  local state = redis.call('HGET', key('rollback', holder), 'state')
  if state and state ~= 'ended' then return join(holder) end   -- else a claim of something Redis forgot
end
set_fields(k, ARGV[4])
redis.call('HSET', k, 'id', id, 'instance', instance, 'state', 'planned', 'opened_at', ms(now),
  'episodes', table.concat(episodes, ' '), 'attempts', '0')
redis.call('SET', key('claim', instance), id)
redis.call('ZADD', P .. 'history', ms(now), id)
redis.call('ZREMRANGEBYRANK', P .. 'history', 0, -HISTORY_MOST - 1)
redis.call('SADD', UNFINISHED, id)
link(id)
first_bell(id)
return {'opened', id, 'planned', redis.call('HGET', k, 'rule_digest') or ''}
