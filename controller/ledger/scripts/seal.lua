-- The seal of a rollback that ended, only on what was read. ARGV: id, number of the seal, the record's fields as read
-- (a JSON object of texts), how many entries its journal had, the seal.
-- Returns 'ok' | 'gone' (nothing to seal) | 'changed' (read it again) | 'taken' (another seal has that number).
local id, number = ARGV[1], tonumber(ARGV[2])
local record = key('rollback', id)
if redis.call('HGET', record, 'state') ~= 'ended' or redis.call('HEXISTS', record, 'seal') == 1 then
  redis.call('ZREM', P .. 'unsealed', id)
  return 'gone'
end
local last = redis.call('ZREVRANGE', P .. 'seals', 0, 0, 'WITHSCORES')[2]
if number ~= tonumber(last or '0') + 1 then return 'taken' end
local read, count = cjson.decode(ARGV[3]), 0
for name, text in pairs(read) do
  if redis.call('HGET', record, name) ~= text then return 'changed' end
  count = count + 1
end
if redis.call('HLEN', record) ~= count or redis.call('LLEN', key('journal', id)) ~= tonumber(ARGV[4]) then
  return 'changed'
end
redis.call('HSET', record, 'seal', ARGV[5])
redis.call('PEXPIRE', record, HISTORY_KEPT)     -- anew: seals are forgotten in the order of their numbers
redis.call('PEXPIRE', key('journal', id), HISTORY_KEPT)
redis.call('ZADD', P .. 'seals', ms(number), id)
redis.call('ZREMRANGEBYRANK', P .. 'seals', 0, -HISTORY_MOST - 1)
redis.call('ZREM', P .. 'unsealed', id)
return 'ok'
