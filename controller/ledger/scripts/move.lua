-- One change of state. ARGV: id, states it may come from, state to go to, lease, token, fields,
-- look again in ms ('' = never), '1' to let the lease go, '1' if the target was changed, effects made besides,
-- what is asked again when it ends ('' | 'joins': at once | 'all': the others as well, once heard again) and the id of the notification that asks, our try's nonce,
-- the message to people should this open the loop-breaker ('' for a person's rollback; JSON as outbox.written(), {why} is filled in).
-- After commit nothing moves without the lease; a person moves only what nobody holds.
-- From acting or parked back to waiting: a commit that nothing followed is given back.
-- Returns {'ok' | 'lost' | 'moved', state}.
local id, to, lease, token = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local record = key('rollback', id)
local state = redis.call('HGET', record, 'state') or ''
if state == to and redis.call('HGET', record, 'moved_by') == ARGV[13] then return {'ok', state} end   -- a lost reply
if token ~= '' and not holds(lease, token) then return {'lost', state} end
local allowed = false
for _, from in ipairs(words(ARGV[2])) do allowed = allowed or from == state end
if not allowed then return {'moved', state} end
if token == '' and state ~= 'planned' and state ~= 'waiting' and redis.call('EXISTS', key('lease', lease)) == 1 then
  return {'lost', state}
end

local given_back = to == 'waiting' and (state == 'acting' or state == 'parked')
set_fields(record, ARGV[6])
redis.call('HSET', record, 'state', to, 'moved_by', ARGV[13], 'moved_at', ms(now))
local roused = (to == 'waiting' or to == 'held') and redis.call('HGET', record, 'roused')   -- while it was looked at
local joined = to == 'held' and state ~= to and (redis.call('HGET', record, 'joins') or '') ~= ''   -- before it was held
if roused or joined then
  wake(id, now)
elseif ARGV[7] == '' then
  quiet(id)
else
  wake(id, now + tonumber(ARGV[7]))
end
if ARGV[8] == '1' and token ~= '' then redis.call('DEL', key('lease', lease)) end
for _, effect in ipairs(words(ARGV[10])) do
  redis.call('SET', key('effect', effect), id, 'PX', EFFECT_KEPT)
end

-- Put pairs whose alert still fires before the rules once more.
local function ask_again(pairs_known)
  local id_new, asked = ARGV[12], 0
  for fingerprint, digest in pairs_known do
    local episode = key('episode', fingerprint)
    if digest ~= '' and redis.call('HGET', episode, 'closed') == '' then
      redis.call('HSET', episode, 'rule:' .. digest, '')
      redis.call('HSET', key('notification', id_new), fingerprint .. ' ' .. digest, '')
      asked = asked + 1
    end
  end
  if asked > 0 then
    redis.call('HSET', key('notification', id_new), '#at', ms(now))
    first_bell(id_new)
    wake(id_new, now)
  end
end

-- Forget what was decided about the alerts that this was opened for: it was about a release that is gone, and
-- whether they are about the one that came is known when they are heard again.
local function ask_when_heard(digest)
  for _, fingerprint in ipairs(words(redis.call('HGET', record, 'episodes') or '')) do
    local episode = key('episode', fingerprint)
    if digest ~= '' and redis.call('HGET', episode, 'rule:' .. digest) ~= '' then
      redis.call('HDEL', episode, 'rule:' .. digest)
    end
  end
end

-- The others of a campaign wait for what becomes of this one.
local campaign = redis.call('HGET', record, 'campaign') or ''
if campaign ~= '' and (to == 'ended' or to == 'held' or given_back) then
  for _, member in ipairs(redis.call('ZRANGE', key('members', campaign), 0, -1)) do
    if member ~= id then
      local at = redis.call('HGET', key('rollback', member), 'state')
      if at == 'waiting' then rouse(member) end
      if at == 'planned' then redis.call('HSET', key('rollback', member), 'roused', '1') end
    end
  end
end
if ((to == 'ended' or to == 'held') and state ~= to) or given_back then
  redis.call('SREM', P .. 'begun', id)
  redis.call('HINCRBY', BOOK, 'version', 1)
end

-- Nothing was changed: a campaign that changed nothing else has not begun, and there is nothing to cool down from.
local function give_back_place()
  local last = key('changed', lease)
  if redis.call('HGET', last, 'rollback') == id then
    redis.call('DEL', last)
    local before = cjson.decode(redis.call('HGET', record, 'changed_before') or '[]')
    for i = 1, #before, 2 do redis.call('HSET', last, before[i], before[i + 1]) end
    redis.call('PEXPIRE', last, EFFECT_KEPT)
  end
  for _, line in ipairs(lines_of(campaign)) do
    if not changes_since(campaign, 'committed_at', tonumber(line[2]), id) then
      redis.call('ZREM', P .. 'campaigns', line[1])
    end
  end
end

-- The release that runs here again was not shown to be the cause: it is none that was left.
local function not_left()
  local from, mark = redis.call('HGET', record, 'from') or '', key('left', lease)
  if redis.call('HGET', mark, from) == redis.call('HGET', record, 'committed_at') then
    redis.call('HDEL', mark, from)
  end
end

-- The whole reservation of a commit that no change followed.
local function give_back()
  local effect = redis.call('HGET', record, 'effect')
  if not effect then return end
  local before = redis.call('HGET', record, 'effect_before')
  if redis.call('GET', key('effect', effect)) == id then
    redis.call('DEL', key('effect', effect))
    if before then redis.call('SET', key('effect', effect), before, 'PX', EFFECT_KEPT) end
  end
  redis.call('ZREM', P .. 'starts', id)
  give_back_place()
  lift_marks(redis.call('HGET', record, 'service') or '', id, 'rollback ' .. id)
  not_left()
end

if given_back then
  give_back()
  redis.call('HDEL', record, 'effect', 'effect_before', 'changed_before', 'committed_at', 'acting_since', 'committed_in', 'plan')
end

-- The loop-breaker of a service: what rules' rollbacks came to, one after the other. Each is counted once. Open, it
-- stays so until a person ends it.
local function count_outcome(bad)
  local service = redis.call('HGET', record, 'service') or ''
  local text = redis.call('HGET', P .. 'breakers', service)
  local one = text and cjson.decode(text) or {ineffective = 0, failed = 0, rollbacks = {}}
  if type(one.open_since) == 'number' then return end
  if bad == '' then
    redis.call('HDEL', P .. 'breakers', service)
    return
  end
  if redis.call('HSETNX', record, 'counted', bad) == 0 then return end
  one[bad] = one[bad] + 1
  local list = {}                        -- an empty one is decoded as a mapping
  for _, known in ipairs(one.rollbacks) do list[#list + 1] = known end
  list[#list + 1] = id
  one.rollbacks = list
  if one.ineffective >= LOOP_INEFFECTIVE or one.failed >= LOOP_FAILED then
    local said = one.ineffective >= LOOP_INEFFECTIVE and ms(one.ineffective) .. ' rollbacks in a row did not help'
      or ms(one.failed) .. ' rollbacks failed, and none recovered meanwhile'
    one.open_since, one.why = now, said .. ': ' .. table.concat(list, ', ')
    redis.call('HSET', record, 'opened_breaker', '1')
    if ARGV[14] and ARGV[14] ~= '' then
      tell('breaker:' .. id, (string.gsub(ARGV[14], '{why}', function() return one.why end)))
    end
  end
  redis.call('HSET', P .. 'breakers', service, cjson.encode(one))
end

-- Held for somebody else's doing, unreadable, or planned by nobody who may, is no failure of ours.
local BLAMELESS = {['changed-meanwhile'] = true, ['record-unreadable'] = true, ['not-sealed'] = true, ['inventory-changed'] = true}
if (redis.call('HGET', record, 'rule') or '') ~= '' and state ~= to then
  local outcome, reason = redis.call('HGET', record, 'outcome') or '', redis.call('HGET', record, 'reason') or ''
  local proven = redis.call('HGET', record, 'undone_as') == 'ineffective'
  if to == 'held' and proven then
    count_outcome('ineffective')
  elseif to == 'held' and not BLAMELESS[reason] then
    count_outcome('failed')
  end
  if to == 'ended' and (outcome == 'ineffective' or outcome == 'failed') then count_outcome(outcome) end
  if to == 'ended' and outcome == 'recovered' then count_outcome('') end
end

if to == 'ended' then
  redis.call('HSET', record, 'changed', ARGV[9])
  if ARGV[11] ~= '' then
    ask_again(string.gmatch(redis.call('HGET', record, 'joins') or '', '(%S+)/(%S+)'))
  end
  if ARGV[11] == 'all' then ask_when_heard(redis.call('HGET', record, 'rule_digest') or '') end
  if redis.call('GET', key('claim', lease)) == id then redis.call('DEL', key('claim', lease)) end
  redis.call('SREM', UNFINISHED, id)
  redis.call('HSET', record, 'ended_at', ms(now))
  redis.call('ZADD', P .. 'unsealed', ms(now), id)
  redis.call('ZREMRANGEBYRANK', P .. 'unsealed', 0, -HISTORY_MOST - 1)
  redis.call('PEXPIRE', record, HISTORY_KEPT)
  redis.call('PEXPIRE', key('journal', id), HISTORY_KEPT)
  if ARGV[9] ~= '1' then give_back() end
  if redis.call('HGET', record, 'undone_as') == redis.call('HGET', record, 'outcome') then not_left() end
  redis.call('HINCRBY', P .. 'totals', (redis.call('HGET', record, 'outcome') or '') .. ' '
    .. (redis.call('HGET', record, 'reason') or ''), 1)
end
return {'ok', to}
