-- The ids whose time has come, each moved on (5 s, doubling to 60 s) so that only one reconciler has it.
-- ARGV: at most how many, the queue's list, the queue's job ids begin with. A bell still in the queue is not rung twice.
-- Returns [[id, n of the bell to ring], …].
local ring = {}
local function look(id)
  local n, delay = string.match(redis.call('HGET', BELLS, id) or '', '^(%d+):(%d+)$')
  n, delay = tonumber(n or nil) or 0, math.min(tonumber(delay or nil) or DUE_FIRST, DUE_MAX)
  if n > 1e9 then n = 0 end                -- we never wrote that: the count begins anew
  wake(id, now + delay)
  if not redis.call('LPOS', ARGV[2], id .. '-' .. ms(n)) then
    n = n + 1
    ring[#ring + 1] = {id, n}
  end
  redis.call('HSET', BELLS, id, ms(n) .. ':' .. ms(math.min(delay * 2, DUE_MAX)))
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', ms(now), 'LIMIT', 0, tonumber(ARGV[1]))) do
  if #id <= 64 and string.match(id, '^[%w_-]+$') then look(id) else quiet(id) end    -- no id of ours
end
return ring
