-- What is registered and thought of a service's releases. ARGV: verb, service, what it takes as JSON.
-- Every change raises the book's version, so that whoever chose a release before chooses again, and is audited.
-- Fields of `marks` are "ENVIRONMENT\nRELEASE"; an empty environment is all of them.
local service, asked = ARGV[2], cjson.decode(ARGV[3])
local MANIFESTS, MARKS = key('manifests', service), key('marks', service)
local STABLE = key('stable', service)

local function changed(what, release, why, before)
  say_of_release(service, asked.by, what, release, asked.environment, why, before)
end

-- The oldest go first; `kept` names those that stay as long as others can go.
local function keep_few(k, most, kept)
  local over = redis.call('HLEN', k) - most
  if over <= 0 then return end
  local all, found = redis.call('HGETALL', k), {}
  for i = 1, #all, 2 do
    local entry = cjson.decode(all[i + 1])
    found[#found + 1] = {all[i], kept(entry) and 1 or 0, entry.at_ms or 0}
  end
  table.sort(found, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    if a[3] ~= b[3] then return a[3] < b[3] end
    return a[1] < b[1]
  end)
  for i = 1, over do redis.call('HDEL', k, found[i][1]) end
end

-- Manifests. Absent is unknown; `digests` are words of one text.

local function all_in(some, others)
  local present = {}
  for _, word in ipairs(words(others)) do present[word] = true end
  for _, word in ipairs(words(some)) do
    if not present[word] then return false end
  end
  return true
end

local function starts_with(text, head) return string.sub(text, 1, #head) == head end

local compatible = {
  digests = function(old, new) return all_in(old, new) and new or (all_in(new, old) and old) end,
  commit = function(old, new) return starts_with(new, old) and new or (starts_with(old, new) and old) end,
  artifact_sha256 = function(old, new) return old == new and old end,
  platform = function(old, new) return old == new and old end,
}

-- What identifies a build never changes; the rest is as it was said last.
local function completed(old, new)
  local merged = {}
  for name, value in pairs(old) do merged[name] = value end
  for name, value in pairs(new) do
    local fits = compatible[name]
    if fits and old[name] then
      merged[name] = fits(old[name], value)
      if not merged[name] then return nil, name end
    else
      merged[name] = value
    end
  end
  if asked.reversible then merged.irreversible = nil end
  if merged.irreversible and merged.cannot_go_back_past then return nil, 'irreversible' end
  return merged
end

local function alike(a, b)
  for name, value in pairs(a) do
    if b[name] ~= value then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

local verbs = {}

-- Returns {'new' | 'same' | 'completed', manifest} or {'contradiction', manifest that stands, field}.
function verbs.register()
  local text = redis.call('HGET', MANIFESTS, asked.version)
  local old = text and cjson.decode(text)
  local before = old and old.manifest or {}
  local manifest, field = completed(before, asked.manifest)
  if not manifest then return {'contradiction', text, field} end
  if old and alike(before, manifest) then return {'same', text} end
  local entry = {manifest = manifest, by = asked.by, at_ms = old and old.at_ms or now}
  local written = cjson.encode(entry)
  redis.call('HSET', MANIFESTS, asked.version, written)
  keep_few(MANIFESTS, MANIFESTS_MOST, function(one)
    return one.manifest.irreversible or one.manifest.cannot_go_back_past
  end)
  changed('register', asked.version, old and 'completed' or '', text or '')
  return {old and 'completed' or 'new', written}
end

-- Marks. `was` is what stood before a rollback's mark, so that it can be lifted, also from beneath another's.

local function put(field, entry) put_mark(MARKS, field, entry) end

local function depth(entry) return entry and 1 + depth(entry.was) or 0 end

-- A worker that lost its lease may speak after the rollback's end, and of what was lifted by then.
local function too_late(rollback, mark)
  local r = redis.call('HMGET', key('rollback', rollback), 'state', 'outcome')
  return r[1] == 'ended' and not (mark == 'known-bad' and r[2] == 'recovered')
end

-- Returns {1, what stood before} where it was written, {0, what stands} where it was not.
function verbs.mark()
  local field = asked.environment .. '\n' .. asked.release
  local text = redis.call('HGET', MARKS, field)
  local standing = text and cjson.decode(text)
  local mark = standing and standing.mark or 'unknown'
  local doubted = mark == 'known-bad' or mark == 'suspect'
  local by_rollback = asked.rollback ~= ''
  -- What is merely seen never outweighs what was decided, and a doubt never weakens what is certain.
  if asked.by == 'observer' and (doubted or mark == asked.mark) then return {0, text or ''} end
  local again = standing and standing.rollback == asked.rollback and mark == asked.mark
  if by_rollback and too_late(asked.rollback, asked.mark) then return {0, text or ''} end
  if by_rollback and (again or (asked.mark == 'suspect' and mark == 'known-bad')) then return {0, text} end
  if asked.mark == 'unknown' and not standing then return {0, ''} end
  local entry
  if asked.mark ~= 'unknown' then
    entry = {mark = asked.mark, by = asked.by, why = asked.why, at_ms = now, rollback = asked.rollback}
    if by_rollback then
      entry.was = without_mark(standing, asked.rollback)
      if depth(entry) > MARKS_DEEP then entry.was = nil end
    end
  end
  put(field, entry)
  keep_few(MARKS, MARKS_MOST, function(one) return one.mark == 'known-bad' end)
  changed(asked.mark, asked.release, asked.why, text or '')
  return {1, text or ''}
end

-- Returns the releases whose mark by this rollback was taken away.
function verbs.lift() return lift_marks(service, asked.rollback, asked.by) end

-- An empty release takes the pointer away. Returns what it pointed to before.
function verbs.point()
  local text = redis.call('HGET', STABLE, asked.environment)
  local before = text and cjson.decode(text).release or ''
  if before == asked.release then return before end
  if asked.release == '' then
    redis.call('HDEL', STABLE, asked.environment)
  else
    local entry = {release = asked.release, by = asked.by, at_ms = now}
    redis.call('HSET', STABLE, asked.environment, cjson.encode(entry))
  end
  changed('stable', asked.release, '', before)
  return before
end

return verbs[ARGV[1]]()
