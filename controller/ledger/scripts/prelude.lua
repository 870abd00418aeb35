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
