-- Unfinished rollbacks that wait for nobody: not held, and no entry in `due`. Every script that leaves one unfinished
-- sets `due` with it, so there are none unless a hand or a fault took the entry away. They are woken.
-- One whose record is gone is no rollback any more. Returns {woken id, …}.
local woken = {}
for _, id in ipairs(redis.call('SMEMBERS', UNFINISHED)) do
  local state = redis.call('HGET', key('rollback', id), 'state')
  if not state or state == 'ended' then
    redis.call('SREM', UNFINISHED, id)
  elseif state ~= 'held' and not redis.call('ZSCORE', DUE, id) then
    wake(id, now)
    woken[#woken + 1] = id
  end
end
if #woken > 0 then redis.call('HINCRBY', P .. 'orphans', 'woken', #woken) end
return woken
