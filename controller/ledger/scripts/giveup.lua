-- What could not be told for three days is tried no more, and stays visible. Returns [[id, channel], …].
local given_up = {}
for _, channel in ipairs(redis.call('SMEMBERS', CHANNELS)) do
  local queue = key('outbox', channel)
  for _, id in ipairs(redis.call('ZRANGE', queue, 0, -1)) do
    local at = tonumber(redis.call('HGET', key('message', id), 'at') or '0')
    if at <= now - TOLD_WITHIN then
      redis.call('ZREM', queue, id)
      redis.call('HSET', key('message', id), 'gave-up ' .. channel, ms(now))
      redis.call('HINCRBY', TOLD, 'gave-up ' .. channel, 1)
      redis.call('ZADD', UNDELIVERED, ms(now), id .. ' ' .. channel)
      given_up[#given_up + 1] = {id, channel}
    end
  end
end
redis.call('ZREMRANGEBYSCORE', UNDELIVERED, '-inf', ms(now - HISTORY_KEPT))
redis.call('ZREMRANGEBYRANK', UNDELIVERED, 0, -MESSAGES_MOST - 1)
return given_up
