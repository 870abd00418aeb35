-- Put before every script. P is the key prefix; the other capitals are set by keys.prelude().
-- All times are this server's TIME in milliseconds: clocks of other machines are never compared with it.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function ms(n) return string.format('%.0f', n) end

local function key(kind, id) return P .. kind .. ':' .. id end

local DUE, BELLS, BOOK, UNFINISHED = P .. 'due', P .. 'bells', P .. 'book', P .. 'unfinished'
local UNRESOLVED = P .. 'unresolved'

-- When somebody must look at `id` again, whatever becomes of doorbells.
local function wake(id, at) redis.call('ZADD', DUE, ms(at), id) end

-- A new id: its first doorbell is rung in the same MULTI, by the caller.
local function first_bell(id)
  redis.call('HSET', BELLS, id, '1:' .. ms(DUE_FIRST))
  wake(id, now + DUE_FIRST)
end

local function quiet(id)
  redis.call('ZREM', DUE, id)
  redis.call('HDEL', BELLS, id)
  redis.call('HDEL', P .. 'newer', id)
end

local function holds(lease, token) return redis.call('GET', key('lease', lease)) == token end

local function set_fields(k, json)
  local fields = cjson.decode(json)
  for name, value in pairs(fields) do redis.call('HSET', k, name, value) end
end

local function words(text)
  local list = {}
  for word in string.gmatch(text or '', '%S+') do list[#list + 1] = word end
  return list
end

-- At most so many are kept: what collects for weeks must not make every look at it slower.
local function with_word(text, word)
  local present = words(text)
  for _, known in ipairs(present) do
    if known == word then return text end
  end
  if #present >= 500 then return text end
  if not text or text == '' then return word end
  return text .. ' ' .. word
end

-- A record that ended, or is gone, is written no more: its seal stands for what it said.
local function is_unfinished(id)
  local state = redis.call('HGET', key('rollback', id), 'state')
  return state and state ~= 'ended'
end

-- Whoever works on it now may be about to put it to sleep: `move` sees that it was woken meanwhile.
local function rouse(id)
  if not is_unfinished(id) then return end
  wake(id, now)
  redis.call('HSET', key('rollback', id), 'roused', '1')
end

-- Whether a campaign has begun to change things since, one rollback left out of account. `by` is what tells when:
-- 'committed_at', or 'committed_in', the version of the book, which no two commits have in common.
local function changes_since(campaign, by, since, without)
  for _, member in ipairs(redis.call('ZRANGE', key('members', campaign), 0, -1)) do
    if member ~= without then
      local r = redis.call('HMGET', key('rollback', member), by, 'state', 'changed')
      local at = tonumber(r[1] or nil)
      if at and at >= since and (r[2] ~= 'ended' or r[3] == '1') then return true end
    end
  end
  return false
end

-- The same since its release came anew: the run of a campaign that is on.
local function has_begun(campaign, without)
  local anew = tonumber(redis.call('HGET', key('campaign', campaign), 'run_in') or '0')
  return changes_since(campaign, 'committed_in', anew + 1, without)
end

-- Every word on a service's releases is audited, and whoever chose a release before it chooses again.
local function say_of_release(service, by, what, release, environment, why, before)
  redis.call('HINCRBY', BOOK, 'version', 1)
  redis.call('XADD', key('catalogue', service), 'MAXLEN', '~', ms(CATALOGUE_LOG_MOST), '*', 'by', by or '',
    'what', what, 'release', release, 'environment', environment or '', 'why', why or '', 'before', before or '')
end

local function put_mark(marks, field, entry)
  if entry then redis.call('HSET', marks, field, cjson.encode(entry)) else redis.call('HDEL', marks, field) end
end

-- What stood before a rollback's mark stands again, also from beneath another's.
local function without_mark(entry, rollback)
  if not entry then return nil, false end
  local rest, found = without_mark(entry.was, rollback)
  if entry.rollback == rollback then return rest, true end
  entry.was = rest
  return entry, found
end

-- Take away every mark that a rollback set. Returns the releases.
local function lift_marks(service, rollback, by)
  local marks, lifted = key('marks', service), {}
  local all = redis.call('HGETALL', marks)
  for i = 1, #all, 2 do
    if string.find(all[i + 1], rollback, 1, true) then
      local rest, found = without_mark(cjson.decode(all[i + 1]), rollback)
      if found then
        put_mark(marks, all[i], rest)
        local environment, release = string.match(all[i], '^([^\n]*)\n(.*)$')
        say_of_release(service, by, 'lift', release, environment, rollback, all[i + 1])
        lifted[#lifted + 1] = release
      end
    end
  end
  return lifted
end

-- The lines of the list of those that began that are a campaign's own.
local function lines_of(campaign)
  local found, all = {}, redis.call('ZRANGE', P .. 'campaigns', 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    if string.match(all[i], '^%S+') == campaign then found[#found + 1] = {all[i], all[i + 1]} end
  end
  return found
end

local OUTBOX, MESSAGES, CHANNELS = P .. 'outbox', P .. 'messages', P .. 'channels'
local UNDELIVERED, LOST, TOLD = P .. 'undelivered', P .. 'lost-messages', P .. 'totals-told'

-- No queue of messages grows without end: the oldest (ids begin with their time) is only counted from then on.
local function keep_few(queue, channel)
  if redis.call('ZCARD', queue) <= MESSAGES_MOST then return end
  local waiting = redis.call('ZRANGE', queue, 0, -1)
  table.sort(waiting)
  redis.call('ZREM', queue, waiting[1])
  redis.call('HSET', key('message', waiting[1]), 'lost ' .. channel, ms(now))
  redis.call('HINCRBY', LOST, channel, 1)
  redis.call('HINCRBY', TOLD, 'lost ' .. channel, 1)
end

-- Say something to people, in the same script as what it is about; `what` names it, and is said once in seven days.
-- `message` is JSON as outbox.written() writes it. Returns the message's id, its earlier one where it was said.
local function tell(what, message)
  local said = key('said', redis.sha1hex(what))
  local known = redis.call('GET', said)
  if known then return known end
  local id = 'm' .. ms(now) .. string.sub(redis.sha1hex(what), 1, 12)
  redis.call('SET', said, id, 'PX', SAID_KEPT)
  redis.call('HSET', key('message', id), 'message', message, 'at', ms(now))
  redis.call('PEXPIRE', key('message', id), HISTORY_KEPT)
  redis.call('ZADD', MESSAGES, ms(now), id)
  redis.call('ZREMRANGEBYRANK', MESSAGES, 0, -HISTORY_MOST - 1)
  redis.call('ZADD', OUTBOX, ms(now), id)
  keep_few(OUTBOX, '')
  return id
end
