-- A person's hand: pauses, locks, demotions, loop-breakers. ARGV: verb, what it takes as JSON. Each raises the book's version, so
-- that whoever asked the guards before asks them again. Pauses and locks end by themselves: what is over is not there.
-- Returns {1, …} where it was done, {0, …} where not; what follows is the verb's own.
local PAUSES, LOCKS, DEMOTED, DEEDS = P .. 'pauses', P .. 'locks', P .. 'demoted', P .. 'deeds'
local asked = cjson.decode(ARGV[2])

local function ended(entry) return type(entry.until_ms) == 'number' and entry.until_ms <= now end

local function standing(k, name)
  local text = redis.call('HGET', k, name)
  local entry = text and cjson.decode(text)
  if entry and not ended(entry) then return entry end
end

local function sweep(k)
  local all = redis.call('HGETALL', k)
  for i = 1, #all, 2 do
    if ended(cjson.decode(all[i + 1])) then redis.call('HDEL', k, all[i]) end
  end
end

-- The audit of what persons did. `about` is what it was done to.
local function deed(what, about, why)
  redis.call('XADD', DEEDS, 'MAXLEN', '~', ms(DEEDS_MOST), '*', 'by', asked.by or '', 'what', what,
    'about', about, 'why', why or '')
end

-- What waited for this is judged anew now, not when its turn comes.
local function wake_waiting()
  for _, id in ipairs(redis.call('SMEMBERS', UNFINISHED)) do
    if redis.call('HGET', key('rollback', id), 'state') == 'waiting' then rouse(id) end
  end
end

local function done(...)
  redis.call('HINCRBY', BOOK, 'version', 1)
  return {1, ...}
end

local function until_ms()
  if type(asked.for_ms) == 'number' then return now + asked.for_ms end
  return cjson.null
end

local verbs = {}

function verbs.pause()
  sweep(PAUSES)
  local entry = {by = asked.by, why = asked.why, until_ms = until_ms(), at_ms = now}
  redis.call('HSET', PAUSES, asked.scope, cjson.encode(entry))
  deed('pause', asked.scope, asked.why)
  return done(type(entry.until_ms) == 'number' and ms(entry.until_ms) or '')
end

function verbs.resume()
  sweep(PAUSES)
  if redis.call('HDEL', PAUSES, asked.scope) == 0 then return {0} end
  deed('resume', asked.scope, asked.why)
  wake_waiting()
  return done()
end

-- Ours by the token: the reply to our first try was lost.
function verbs.lock()
  sweep(LOCKS)
  local held = standing(LOCKS, asked.service)
  if held and held.token ~= asked.token then return {0, held.by, held.why, ms(held.until_ms)} end
  local entry = {by = asked.by, why = asked.why, token = asked.token, until_ms = until_ms()}
  redis.call('HSET', LOCKS, asked.service, cjson.encode(entry))
  if not held then deed('lock', asked.service, asked.why) end
  return done(ms(entry.until_ms))
end

-- One that has ended cannot be kept: a rollback may have begun since.
function verbs.renew()
  local held = standing(LOCKS, asked.service)
  if not held or held.token ~= asked.token then return {0} end
  held.until_ms = until_ms()
  redis.call('HSET', LOCKS, asked.service, cjson.encode(held))
  return done(ms(held.until_ms))
end

-- With `force` a person takes the lock away from whoever holds it.
function verbs.unlock()
  local held = standing(LOCKS, asked.service)
  sweep(LOCKS)
  if not held or not (asked.force or held.token == asked.token) then return {0} end
  redis.call('HDEL', LOCKS, asked.service)
  if not asked.force then asked.by = held.by end
  deed('unlock', asked.service, asked.why)
  wake_waiting()
  return done(held.by)
end

-- A rollback demotes its rule once: it may say so again later, when a person has promoted the rule meanwhile.
function verbs.demote()
  local record = key('rollback', asked.rollback)
  if asked.by == 'rollback ' .. asked.rollback and redis.call('EXISTS', record) == 1 then
    if not is_unfinished(asked.rollback) then return {1} end       -- who lost its lease speaks after the end
    if redis.call('HSETNX', record, 'demoted', '1') == 0 then return {1} end
  end
  redis.call('HSET', DEMOTED, asked.rule, cjson.encode({why = asked.why, at_ms = now, rollback = asked.rollback}))
  deed('demote', asked.rule, asked.why)
  return done()
end

function verbs.promote()
  if redis.call('HDEL', DEMOTED, asked.rule) == 0 then return {0} end
  deed('promote', asked.rule, asked.why)
  wake_waiting()
  return done()
end

-- What was counted is forgotten with it: the next rollbacks of the service are a new beginning.
function verbs.close()
  local text = redis.call('HGET', P .. 'breakers', asked.service)
  if not text or type(cjson.decode(text).open_since) ~= 'number' then return {0} end
  redis.call('HDEL', P .. 'breakers', asked.service)
  deed('resume loop-breaker', 'service ' .. asked.service, asked.why)
  wake_waiting()
  return done()
end

-- Only the audit: it changes nothing that a guard counts.
function verbs.note()
  deed(asked.what, asked.about, asked.why)
  return {1}
end

return verbs[ARGV[1]]()
