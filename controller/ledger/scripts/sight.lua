-- What a healthy revision of a workload ran; the newest sighting of a revision is the one that is kept.
-- ARGV: instance, "uid/revision hash", JSON. Each field is "ms JSON".
local k = key('sightings', ARGV[1])
redis.call('HSET', k, ARGV[2], ms(now) .. ' ' .. ARGV[3])
redis.call('PEXPIRE', k, ms(SIGHTING_KEPT))
local held = redis.call('HLEN', k)
while held > SIGHTINGS_MOST do
  local oldest, since
  local all = redis.call('HGETALL', k)
  for i = 1, #all, 2 do
    local at = tonumber(string.match(all[i + 1], '^%d+')) or 0
    if not since or at < since then oldest, since = all[i], at end
  end
  redis.call('HDEL', k, oldest)
  held = held - 1
end
return 'ok'
