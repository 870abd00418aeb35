-- The decisions on some of a notification's pairs. ARGV: notification id, token, [[fingerprint, digest, decision, [instance, …],
-- the decision in short, for the audit], …].
-- Returns the pairs that are left, or -1 when the lease is lost.
local id = ARGV[1]
if not holds(id, ARGV[2]) then return -1 end
local k = key('notification', id)
for _, item in ipairs(cjson.decode(ARGV[3])) do
  local episode = key('episode', item[1])
  if redis.call('HDEL', k, item[1] .. ' ' .. item[2]) == 1 and redis.call('EXISTS', episode) == 1 then
    redis.call('HSET', episode, 'rule:' .. item[2], item[3])
    redis.call('XADD', P .. 'decisions', 'MAXLEN', '~', '20000', '*',
      'fingerprint', item[1], 'rule_digest', item[2], 'decision', item[5])
    for _, instance in ipairs(item[4]) do       -- an instance with an open alert is not seen to be good
      redis.call('SADD', key('troubled', instance), item[1])
      redis.call('PEXPIRE', key('troubled', instance), EPISODE_KEPT)
    end
  end
end
local left = 0
for _, field in ipairs(redis.call('HKEYS', k)) do
  if string.sub(field, 1, 1) ~= '#' then left = left + 1 end
end
if left == 0 then
  redis.call('DEL', k, key('lease', id), key('fence', id))
  quiet(id)
end
return left
