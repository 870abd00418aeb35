-- A channel has a message. ARGV: id, channel, receipt. Returns how many it lost, of which nobody told it yet.
local id, channel = ARGV[1], ARGV[2]
if redis.call('EXISTS', key('message', id)) == 1 then
  redis.call('HSET', key('message', id), 'sent ' .. channel, ms(now), 'receipt ' .. channel, ARGV[3])
  redis.call('HDEL', key('message', id), 'error ' .. channel)
end
if redis.call('ZREM', key('outbox', channel), id) == 1 then redis.call('HINCRBY', TOLD, 'sent ' .. channel, 1) end
return tonumber(redis.call('HGET', LOST, channel) or '0')
