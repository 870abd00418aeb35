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
local holder = redis.call('GET', key('claim', instance))
if holder then
  local held = key('rollback', holder)
  local text = redis.call('HGET', held, 'episodes') or ''
  for _, fingerprint in ipairs(episodes) do text = with_word(text, fingerprint) end
  redis.call('HSET', held, 'episodes', text)
  link(holder)
  if redis.call('HGET', held, 'state') == 'held' then wake(holder, now) end   -- its arrival may be gone
  return {'joined', holder, redis.call('HGET', held, 'state'), redis.call('HGET', held, 'rule_digest') or ''}
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
