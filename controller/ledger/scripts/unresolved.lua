-- A part of the episodes that are open. ARGV: cursor ('0' to begin), about how many.
-- What is over or forgotten is taken off the list. Returns {cursor, now, {{fingerprint, first, heard, truncated, listed}, …}}.
local found = {}
local part = redis.call('ZSCAN', UNRESOLVED, ARGV[1], 'COUNT', ARGV[2])
for i = 1, #part[2], 2 do
  local e = redis.call('HMGET', key('episode', part[2][i]), 'closed', 'first', 'heard', 'truncated', 'listed')
  if e[1] == '' and e[2] then
    found[#found + 1] = {part[2][i], e[2], e[3] or e[2], e[4] or '0', e[5] or ''}
  else
    redis.call('ZREM', UNRESOLVED, part[2][i])
  end
end
return {part[1], ms(now), found}
