-- The lease on a rollback's instance, or on a notification, with all a worker needs to begin. ARGV: id, holder, kind,
-- the format of records that the caller knows. A rollback of a newer one is left alone, and rung for again as ever; one
-- that is taken is of the taker's from then on: it may write what an older version does not know.
-- holder is '<job>:<nonce>': if the lease is ours by it, the reply to our first try was lost.
-- Returns {'busy', token} | {'gone'} | {'newer', format} | {'taken', lease, token, fence, now, record, journal, episodes, book, left}.
local id, holder, kind = ARGV[1], ARGV[2], ARGV[3]
local record = key(kind, id)
if redis.call('EXISTS', record) == 0 or redis.call('HGET', record, 'state') == 'ended' then
  quiet(id)
  return {'gone'}
end
local format, known = 1, tonumber(ARGV[4])
if kind == 'rollback' then
  format = tonumber(string.match(redis.call('HGET', record, 'format') or '', '^%d%d?%d?$') or '1')
  if format > known then
    redis.call('HSETNX', P .. 'newer', id, ms(now))
    return {'newer', ms(format)}
  end
end
local lease = kind == 'rollback' and redis.call('HGET', record, 'instance') or id
local k = key('lease', lease)
local token = redis.call('GET', k)
if token and string.sub(token, 1, #holder + 1) ~= holder .. ':' then return {'busy', token} end
if not token then
  local last = tonumber(redis.call('GET', key('fence', lease)) or nil) or 0
  if not (last > 0 and last < 1e15) then last = 0 end      -- we never wrote that: the target's own is what counts
  local fence = ms(math.max(last + 1, now))
  token = holder .. ':' .. fence
  redis.call('SET', key('fence', lease), fence)
  if kind == 'notification' then redis.call('PEXPIRE', key('fence', lease), 86400000) end
  redis.call('SET', k, token, 'PX', LEASE_TTL)
end
wake(id, now + LEASE_TTL + 250)          -- the holder's death rings
if kind == 'rollback' then
  redis.call('HDEL', record, 'roused')     -- who takes it sees what it was woken for
  redis.call('HDEL', P .. 'newer', id)
  if format < known then redis.call('HSET', record, 'format', ms(known)) end
end
redis.call('HSET', BELLS, id, string.match(redis.call('HGET', BELLS, id) or '1:', '^%d+') .. ':' .. ms(DUE_FIRST))

local episodes = {}
local function add_episode(fingerprint)
  episodes[#episodes + 1] = {fingerprint, redis.call('HGETALL', key('episode', fingerprint))}
end
local fields = redis.call('HGETALL', record)
local left = {}
if kind == 'notification' then
  local seen = {}
  for i = 1, #fields, 2 do
    local fingerprint = string.match(fields[i], '^(%S+) ')
    if fingerprint and not seen[fingerprint] then
      seen[fingerprint] = true
      add_episode(fingerprint)
    end
  end
else
  for _, fingerprint in ipairs(words(redis.call('HGET', record, 'episodes'))) do add_episode(fingerprint) end
  left = redis.call('HGETALL', key('left', lease))
end
return {'taken', lease, token, string.match(token, '(%d+)$'), ms(now), fields,
  redis.call('LRANGE', key('journal', id), 0, -1), episodes, redis.call('HGET', BOOK, 'version') or '0', left}
