-- The open episodes that are of interest to a rule. ARGV: rule digest, at most how many.
-- Those that are over are taken off the list. Returns {{fingerprint, first, heard, labels, annotations, decision}, …}.
local digest, most, found = ARGV[1], tonumber(ARGV[2]), {}
for _, fingerprint in ipairs(redis.call('SMEMBERS', key('firing', digest))) do
  local e = redis.call('HMGET', key('episode', fingerprint), 'closed', 'first', 'heard', 'labels', 'annotations',
    'rule:' .. digest)
  if e[1] == '' then
    if #found < most then found[#found + 1] = {fingerprint, e[2], e[3], e[4] or '{}', e[5] or '{}', e[6] or ''} end
  else
    redis.call('SREM', key('firing', digest), fingerprint)
  end
end
return found
