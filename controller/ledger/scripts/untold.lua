-- A try to tell failed. ARGV: id, channel, error, parts that have it none the less.
-- Returns [tries, ms until the next, ms since it was put]; nothing where it is no longer waited for.
local id, channel = ARGV[1], ARGV[2]
local k, queue = key('message', id), key('outbox', channel)
if not redis.call('ZSCORE', queue, id) then return {} end
local tries = redis.call('HINCRBY', k, 'tries ' .. channel, 1)
local pause = math.min(RETELL_FIRST * 2 ^ math.min(tries - 1, 20), RETELL_MAX)
redis.call('HSET', k, 'error ' .. channel, ARGV[3], 'parts ' .. channel, ARGV[4])
redis.call('ZADD', queue, ms(now + pause), id)
return {tries, pause, now - tonumber(redis.call('HGET', k, 'at') or ms(now))}
