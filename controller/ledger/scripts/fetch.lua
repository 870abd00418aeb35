-- Messages whose time has come, each claimed until a try must be over.
-- ARGV: channel ('' = those that no channel was chosen for yet), at most how many.
-- Returns [[id, JSON, put at, tries, parts that have it], …].
local queue = ARGV[1] == '' and OUTBOX or key('outbox', ARGV[1])
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', ms(now), 'LIMIT', 0, tonumber(ARGV[2]))) do
  local kept = redis.call('HMGET', key('message', id), 'message', 'at', 'tries ' .. ARGV[1], 'parts ' .. ARGV[1])
  if kept[1] then
    redis.call('ZADD', queue, ms(now + SENDING), id)
    found[#found + 1] = {id, kept[1], kept[2], kept[3] or '0', kept[4] or ''}
  else
    redis.call('ZREM', queue, id)       -- older than anything is kept
  end
end
return found
