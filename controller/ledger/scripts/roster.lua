-- What was seen of some instances. ARGV: items, how long a release must be good to be known so (ms).
-- items: JSON [[instance, pin, its effect, told, bits, by, after, hand, who, healthy, scraped, index, place, release,
-- [earlier arrival, …]], …], all texts; '' is unknown. An empty pin: it is as it was when it was last seen.
-- Returns the instances whose release has been good for so long and was not vouched for yet.
local ripe = {}

-- Whose hand brought an arrival, if it was ours: by the record of the rollback that did.
local function our_hand(instance, pin, effect)
  local made = redis.call('GET', key('effect', effect))
  local id = false
  if made then
    local left = redis.call('HGET', key('rollback', made), 'arrival')
    if left and left ~= pin then id = made end
  end
  if not id then
    local claim = redis.call('GET', key('claim', instance))
    if claim and redis.call('HGET', key('rollback', claim), 'our_arrival') == pin then id = claim end
  end
  if not id then return nil end
  local by = redis.call('HGET', key('rollback', id), 'by')
  if by and by ~= '' then return 'person', by end
  return 'rollback', id
end

-- Whether a rule's alert is about this instance, or was since it has been good. What is over is forgotten.
local function troubled(instance, good)
  local k, found = key('troubled', instance), false
  for _, fingerprint in ipairs(redis.call('SRANDMEMBER', k, 100)) do
    local episode = redis.call('HMGET', key('episode', fingerprint), 'closed', 'heard')
    local closed, heard = episode[1], tonumber(episode[2] or nil) or now
    if closed == '' and now - heard < SILENT_MOST then
      found = true
    else
      if closed and closed ~= '' and good and tonumber(closed) > good then found = true end
      redis.call('SREM', k, fingerprint)
    end
  end
  return found or redis.call('SCARD', k) > 0
end

local function text(n) if n then return ms(n) end return '' end

local function write_arrival(instance, e, fresh)
  local k = key('arrivals', instance)
  local seen = {pin = e.pin, release = e.release, by = e.by, after = e.after, hand = e.hand, who = e.who, at = e.came}
  if fresh then
    redis.call('LPUSH', k, cjson.encode(seen))
    redis.call('LTRIM', k, 0, ARRIVALS_MOST - 1)
  elseif redis.call('EXISTS', k) == 1 then
    redis.call('LSET', k, 0, cjson.encode(seen))
  end
  redis.call('PEXPIRE', k, SIGHTING_KEPT)
end

-- When it came: the target's own word where it is exact, else what the looks before leave open of it.
local function place_in_time(e, by, after, last_without)
  e.by, e.after = math.min(by or now, now), after
  if by and after == by then return end
  if last_without and (not after or last_without > after) then e.after = last_without end
  if e.after and e.after > e.by then e.by, e.after = e.after, e.by end
end

-- Another look at the same arrival may tell more of it.
local function narrow(e, by, after)
  local new_by, new_after = math.min(by or e.by, e.by), after
  if e.after and (not new_after or e.after > new_after) then new_after = e.after end
  if by and by == after then new_by, new_after = by, after end
  if new_after and new_after > new_by then return false end
  local told = new_by ~= e.by or new_after ~= e.after
  e.by, e.after = new_by, new_after
  return told
end

local function look(item)
  local instance, pin = item[1], item[2]
  local k = key('roster', instance)
  local was = {}
  local flat = redis.call('HGETALL', k)
  for i = 1, #flat, 2 do was[flat[i]] = flat[i + 1] end
  local known = was.pin ~= nil
  if pin == '' and not known then return end

  local e = {pin = pin, release = item[14], hand = item[8], who = item[9], came = now}
  local by, after, seen = tonumber(item[6]), tonumber(item[7]), tonumber(was.seen)
  local fresh, told_more = false, false
  if pin == '' or was.pin == pin then
    e = {pin = was.pin, release = was.release, hand = was.hand, who = was.who, came = tonumber(was.came),
      by = tonumber(was.by), after = tonumber(was.after)}
    if pin ~= '' then told_more = narrow(e, by, after) end
  elseif known and item[5] ~= '' and item[5] == was.bits and by and by == after and by == tonumber(was.by) then
    e.came, e.by, e.after, e.hand, e.who = tonumber(was.came), by, after, was.hand, was.who  -- a restart brought nothing
  else
    fresh = true
    place_in_time(e, by, after, seen)
    if not known then
      for _, earlier in ipairs(item[15] or {}) do redis.call('RPUSH', key('arrivals', instance), earlier) end
    end
  end
  local effect = item[3]
  if pin == '' then effect = was.effect end
  if e.hand == 'deploy' then
    local hand, who = our_hand(instance, e.pin, effect)
    if hand then e.hand, e.who, told_more = hand, who, true end
  end

  local good, healthy = tonumber(was.good_since), item[10]
  if pin == '' then healthy = was.healthy end
  local fine = healthy == '1' and item[11] ~= '0'
  if troubled(instance, good) or not fine then
    good = nil
  elseif fresh or not good or now - seen > UNSEEN_MOST then
    good = now
  end

  if known and was.index ~= item[12] and pin ~= '' then redis.call('ZREM', key('instances', was.index), instance) end
  local index, place = item[12], item[13]
  if pin == '' then index, place = was.index, was.place end
  redis.call('HSET', k, 'pin', e.pin, 'release', e.release, 'by', text(e.by), 'after', text(e.after), 'hand', e.hand,
    'who', e.who, 'came', text(e.came), 'healthy', healthy, 'scraped', item[11], 'seen', text(now),
    'good_since', text(good), 'index', index, 'place', place)
  if pin ~= '' then redis.call('HSET', k, 'told', item[4], 'bits', item[5], 'effect', effect) end
  if fresh then redis.call('HDEL', k, 'vouched') end
  redis.call('PEXPIRE', k, ROSTER_KEPT)
  for _, list in ipairs({key('instances', index), key('instances-in', place)}) do
    redis.call('ZADD', list, ms(now), instance)
    redis.call('ZREMRANGEBYSCORE', list, '-inf', ms(now - ROSTER_KEPT))
    redis.call('PEXPIRE', list, ROSTER_KEPT)
  end
  if fresh or told_more then write_arrival(instance, e, fresh) end
  if good and now - good >= tonumber(ARGV[2]) and (fresh or not was.vouched) then ripe[#ripe + 1] = instance end
end

for _, item in ipairs(cjson.decode(ARGV[1])) do look(item) end
return ripe
