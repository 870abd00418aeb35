-- Give a message to channels. ARGV: id, channels (none: there is nobody to tell). Returns 'ok' | 'known'.
local id = ARGV[1]
if redis.call('ZREM', OUTBOX, id) == 0 then return 'known' end
local lost = tonumber(redis.call('HGET', LOST, '') or '0')   -- before anybody chose channels for them
for i = 2, #ARGV do
  redis.call('SADD', CHANNELS, ARGV[i])
  redis.call('HSETNX', key('message', id), 'tries ' .. ARGV[i], 0)
  redis.call('ZADD', key('outbox', ARGV[i]), ms(now), id)
  if lost > 0 then redis.call('HINCRBY', LOST, ARGV[i], lost) end
  keep_few(key('outbox', ARGV[i]), ARGV[i])
end
if #ARGV > 1 then redis.call('HDEL', LOST, '') end
if #ARGV == 1 then
  redis.call('HSET', key('message', id), 'nobody', ms(now))
  redis.call('HINCRBY', TOLD, 'nobody ', 1)
end
return 'ok'
