-- The decisions on some of a notification's pairs. ARGV: notification id, token, [[fingerprint, digest, decision, [instance, …],
-- the decision in short, for the audit, 1 where the rule is unknown to every worker, [digest, …]], …], id of another notification.
-- Such a decision does not stand: a server that has that rule asks again when it hears the alert. The digests are those
-- of the rules to ask instead, unless they were: the other notification asks them.
-- Returns the pairs that are left, or -1 when the lease is lost.
local id = ARGV[1]
if not holds(id, ARGV[2]) then return -1 end
local k = key('notification', id)
local instead = {}
local function forget(episode, fingerprint, digest, others)
  redis.call('HDEL', episode, 'rule:' .. digest)
  for _, other in ipairs(others) do
    if redis.call('HGET', episode, 'closed') == '' and redis.call('HSETNX', episode, 'rule:' .. other, '') == 1 then
      instead[#instead + 1] = fingerprint .. ' ' .. other
    end
  end
end
for _, item in ipairs(cjson.decode(ARGV[3])) do
  local episode = key('episode', item[1])
  redis.call('ZREM', P .. 'awaiting', item[1] .. ' ' .. item[2])
  if redis.call('HDEL', k, item[1] .. ' ' .. item[2]) == 1 and redis.call('EXISTS', episode) == 1 then
    redis.call('HSET', episode, 'rule:' .. item[2], item[3])
    if item[6] == 1 then forget(episode, item[1], item[2], item[7]) end
    redis.call('XADD', P .. 'decisions', 'MAXLEN', '~', '20000', '*',
      'fingerprint', item[1], 'rule_digest', item[2], 'decision', item[5])
    for _, instance in ipairs(item[4]) do       -- an instance with an open alert is not seen to be good
      redis.call('SADD', key('troubled', instance), item[1])
      redis.call('PEXPIRE', key('troubled', instance), EPISODE_KEPT)
    end
  end
end
if #instead > 0 then
  local asks = key('notification', ARGV[4])
  for _, pair in ipairs(instead) do redis.call('HSET', asks, pair, '') end
  redis.call('HSET', asks, '#at', ms(now))
  first_bell(ARGV[4])
  wake(ARGV[4], now)
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
