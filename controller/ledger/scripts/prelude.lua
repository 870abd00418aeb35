-- Put before every script. P is the key prefix; the other capitals are set by keys.prelude().
-- All times are this server's TIME in milliseconds: clocks of other machines are never compared with it.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function ms(n) return string.format('%.0f', n) end

local function key(kind, id) return P .. kind .. ':' .. id end

local DUE, BELLS, BOOK, UNFINISHED = P .. 'due', P .. 'bells', P .. 'book', P .. 'unfinished'

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
