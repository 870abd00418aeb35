-- The episodes of one chunk of a notification. ARGV: 'peek' | 'record', notification id, items, meta, [service, …],
-- place of the item to begin with, ms until somebody is to look at it ('0': it is rung for).
-- items: JSON [[fingerprint, 1 firing | 0 resolved, startsAt ms, [rule digest, …], [digest of a rule it is only of
-- interest to, …], [first, heard] | [], labels, annotations], …]. A resolve that nobody sent says how the episode was seen:
-- one that is another by now is left alone. The services are some of those of all alerts that begin
-- with the body, for the storm brake: they are counted before any of it rings.
-- 'peek' writes nothing and tells whether 'record' would: a repeated body costs one round trip and no write.
-- Returns {alerts to write, known, stragglers, closed, pairs to resolve, places of the alerts that begin, place of the
-- last item that was taken}: past HEAR_MOST calls nothing more is begun, so that nobody else waits for us.
local spent = 0
local redis = {call = function(...)
  spent = spent + 1
  return redis.call(...)
end}
local record = ARGV[1] == 'record'
local id = ARGV[2]
local items = cjson.decode(ARGV[3])
local truncated = cjson.decode(ARGV[4]).truncated or 0
local begins = {}
local writes, known, stragglers, closings, pairs_new = 0, 0, 0, 0, 0

-- How a firing alert stands to what is remembered of its fingerprint.
local function judge(first, heard, closed, starts)
  if not first then return 'new' end
  if closed == '' then
    if starts <= math.max(heard, first) + GAP then return 'same' end   -- its clock may be ahead of ours
    return 'new'                        -- the old episode ended unheard
  end
  if starts >= tonumber(closed) and starts > first then return 'new' end
  if now - tonumber(closed) <= STRAGGLER then return 'straggler' end
  return 'reopened'
end

-- One read for an episode and the decisions on it: a repeated body is mostly these. Lua unpacks no endless list.
local function read(k, digests)
  local wanted = {'first', 'heard', 'closed', 'rollbacks', 'firing', 'truncated'}
  for at = 1, math.min(#digests, 100) do wanted[at + 6] = 'rule:' .. digests[at] end
  local e = redis.call('HMGET', k, unpack(wanted))
  for at = 101, #digests do e[at + 6] = redis.call('HGET', k, 'rule:' .. digests[at]) end
  return e
end

local function undecided(e, digests)
  local missing = {}
  for at, digest in ipairs(digests) do
    if not e[at + 6] then missing[#missing + 1] = digest end
  end
  return missing
end

-- Whether the last hearing is fresh enough to stand. One that a rollback is judged by must be nearly exact.
local function fresh(heard, rollbacks)
  if now - heard < JUDGED_EVERY then return true end
  if now - heard >= HEARD_EVERY then return false end
  for _, rollback in ipairs(words(rollbacks or '')) do
    if redis.call('SISMEMBER', UNFINISHED, rollback) == 1 then return false end
  end
  return true
end

-- The rules that an open episode is of interest to find it under their digest.
local function filed(e, digests, others)
  for _, list in ipairs({digests, others}) do
    for _, digest in ipairs(list) do
      if not string.find(' ' .. (e[5] or '') .. ' ', ' ' .. digest .. ' ', 1, true) then return false end
    end
  end
  return true
end

local function file(k, fingerprint, digests, others)
  local under = ''
  for _, list in ipairs({digests, others}) do
    for _, digest in ipairs(list) do
      under = with_word(under, digest)
      redis.call('SADD', key('firing', digest), fingerprint)
      redis.call('PEXPIRE', key('firing', digest), EPISODE_KEPT)
    end
  end
  redis.call('HSET', k, 'firing', under)
end

local function ask(k, fingerprint, digests)
  pairs_new = pairs_new + #digests
  if not record then return end
  for _, digest in ipairs(digests) do
    redis.call('HSET', k, 'rule:' .. digest, '')
    redis.call('HSET', key('notification', id), fingerprint .. ' ' .. digest, '')
  end
end

local function firing(k, item, e, at)
  local first, heard, closed = tonumber(e[1] or nil), tonumber(e[2] or nil), e[3]
  local fingerprint, starts, digests, others = item[1], item[3], item[4], item[5]
  if not heard or (closed ~= '' and not tonumber(closed or nil)) then first = nil end   -- unreadable: as never heard
  local verdict = judge(first, heard, closed, starts)
  if verdict == 'straggler' then
    stragglers = stragglers + 1
    return
  end
  if verdict == 'new' and #digests == 0 and #others == 0 then     -- no rule: nothing to remember
    known = known + 1
    return
  end
  local missing = digests
  if verdict == 'same' then
    missing = undecided(e, digests)
    local cut = truncated > 0 and (tonumber(e[6] or nil) or 0) == 0      -- from now on no absence counts
    if #missing == 0 and starts >= first and fresh(heard, e[4]) and filed(e, digests, others) and not cut then
      known = known + 1
      return
    end
  end
  writes = writes + 1
  if verdict ~= 'same' and #digests > 0 then begins[#begins + 1] = at end
  if not record then
    ask(k, fingerprint, missing)
    return
  end
  if verdict == 'new' or verdict == 'reopened' then
    local since = starts
    if verdict == 'reopened' then since = math.min(first, starts) end
    redis.call('DEL', k)
    redis.call('HSET', k, 'first', ms(since), 'closed', '', 'labels', item[7], 'annotations', item[8],
      'opened', ms(now), 'opened_as', verdict)
  else
    redis.call('HSET', k, 'first', ms(math.min(first, starts)))
  end
  redis.call('HSET', k, 'heard', ms(now), 'truncated', ms(truncated))
  redis.call('PEXPIRE', k, EPISODE_KEPT)
  redis.call('ZADD', UNRESOLVED, ms(now), fingerprint)
  file(k, fingerprint, digests, others)
  ask(k, fingerprint, missing)
end

-- Whether an episode is still as it was when its alert was found to be lacking.
local function as_seen(e, seen)
  return #seen == 0 or (tonumber(e[1] or nil) == seen[1] and tonumber(e[2] or nil) == seen[2])
end

local function resolved(k, item, e)
  if (e[3] and e[3] ~= '') or not as_seen(e, item[6]) then
    known = known + 1
    return
  end
  writes = writes + 1
  if not record then return end
  if not e[1] then                       -- resolved before it was heard firing: remembered for stragglers
    redis.call('HSET', k, 'first', ms(item[3]), 'heard', ms(now), 'closed', ms(now))
    redis.call('PEXPIRE', k, ms(86400000))
    return
  end
  closings = closings + 1
  redis.call('HSET', k, 'closed', ms(now))
  redis.call('ZREM', UNRESOLVED, item[1])
  for _, digest in ipairs(words(e[5] or '')) do redis.call('SREM', key('firing', digest), item[1]) end
  for _, rollback in ipairs(words(redis.call('HGET', k, 'rollbacks') or '')) do
    if redis.call('ZSCORE', DUE, rollback) then
      rouse(rollback)
      spent = spent + 3
    end
  end
end

local taken = tonumber(ARGV[6]) - 1
while taken < #items and spent < HEAR_MOST do
  taken = taken + 1
  local item = items[taken]
  local k = key('episode', item[1])
  local e = read(k, item[4])
  if item[2] == 1 then firing(k, item, e, taken) else resolved(k, item, e) end
end

-- What was matched anew is news to the guards. Of more services than any brake asks for, the last are enough.
local services = cjson.decode(ARGV[5])
for _, service in ipairs(services) do
  local before = tonumber(redis.call('ZSCORE', P .. 'storm', service) or nil)
  redis.call('ZADD', P .. 'storm', ms(now), service)
  if not before or now - before >= JUDGED_EVERY then redis.call('HINCRBY', BOOK, 'version', 1) end
end
if #services > 0 then
  redis.call('ZREMRANGEBYSCORE', P .. 'storm', '-inf', ms(now - STORM_KEPT))
  redis.call('ZREMRANGEBYRANK', P .. 'storm', 0, -STORM_MOST - 1)
end
if record and pairs_new > 0 then
  redis.call('HSET', key('notification', id), '#meta', ARGV[4], '#at', ms(now))
  first_bell(id)
  if ARGV[7] ~= '0' then wake(id, now + tonumber(ARGV[7])) end     -- one of many: others are to get their turn
end
if record then redis.call('ZREMRANGEBYSCORE', UNRESOLVED, '-inf', ms(now - EPISODE_KEPT)) end
return {writes, known, stragglers, closings, pairs_new, begins, taken}
