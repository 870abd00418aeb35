-- What GitOps controllers we have paused, and for whom: a hash of instance → JSON.
-- ARGV: verb, what it takes as JSON. Returns how many entries it was done to.
local SUSPENDED = P .. 'suspended'
local asked = cjson.decode(ARGV[2])

local function entry_of(instance)
  local text = redis.call('HGET', SUSPENDED, instance)
  return text and cjson.decode(text)
end

local function keep(instance, entry) redis.call('HSET', SUSPENDED, instance, cjson.encode(entry)) end

-- Only of the rollback that is meant: a later one of the same instance has its own.
local function of_rollback()
  local entry = entry_of(asked.instance)
  if entry and entry.rollback == asked.rollback then return entry end
end

local verbs = {}

function verbs.note()
  local entry, before = asked.entry, of_rollback()
  entry.noted_ms = before and before.noted_ms or now
  keep(asked.instance, entry)
  return 1
end

function verbs.say()
  local entry = of_rollback()
  if not entry then return 0 end
  entry.says = asked.says
  keep(asked.instance, entry)
  return 1
end

function verbs.forget()
  if not of_rollback() then return 0 end
  return redis.call('HDEL', SUSPENDED, asked.instance)
end

function verbs.ask()
  local found, all = 0, redis.call('HGETALL', SUSPENDED)
  for i = 1, #all, 2 do
    local entry = cjson.decode(all[i + 1])
    if entry.owner == asked.owner then
      entry.asked_by = asked.by
      keep(all[i], entry)
      found = found + 1
    end
  end
  return found
end

return verbs[ARGV[1]]()
