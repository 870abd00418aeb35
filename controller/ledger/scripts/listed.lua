-- Episodes that Alertmanager itself said to fire, in a list of everything that does. ARGV: [fingerprint, …], when the
-- list was asked for in ms. A notification that was cut off before that hides nothing any more.
for _, fingerprint in ipairs(cjson.decode(ARGV[1])) do
  local k = key('episode', fingerprint)
  local e = redis.call('HMGET', k, 'closed', 'heard', 'truncated')
  if e[1] == '' then
    redis.call('HSET', k, 'listed', '1')
    if (e[3] or '0') ~= '0' and tonumber(e[2]) <= tonumber(ARGV[2]) then redis.call('HSET', k, 'truncated', '0') end
  end
end
return 1
