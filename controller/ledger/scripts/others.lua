-- The open episodes that are of interest to a rule. ARGV: rule digest, at most how many.
-- One that nobody has repeated for long says nothing of now. Those that are over are taken off the list.
-- Returns {{fingerprint, first, heard, labels, annotations, decision}, …}, one more than asked for if there are more.
local digest, most, found = ARGV[1], tonumber(ARGV[2]), {}
for _, fingerprint in ipairs(redis.call('SMEMBERS', key('firing', digest))) do
  if #found > most then break end        -- a list without end would keep Redis from everybody else
  local k = key('episode', fingerprint)
  local e = redis.call('HMGET', k, 'closed', 'first', 'heard', 'labels', 'annotations', 'rule:' .. digest)
  if e[1] ~= '' then
    redis.call('SREM', key('firing', digest), fingerprint)
  elseif now - (tonumber(e[3] or nil) or now) < SILENT_MOST then
    found[#found + 1] = {fingerprint, e[2], e[3], e[4] or '{}', e[5] or '{}', e[6] or ''}
  else                                   -- off the list as well, until `hear` files it again
    redis.call('SREM', key('firing', digest), fingerprint)
    redis.call('HDEL', k, 'firing')
  end
end
return found
