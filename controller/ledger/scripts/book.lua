-- Everything that guards count, as of one version. ARGV: campaign, service, a rollback whose own commit is left out of
-- account ('': none): nothing was changed under it, and its guards are asked again.
-- Returns {version, now, starts {member, ms, …}, pauses, lock of the service, demoted, storm {service, ms, …},
-- members {{rollback, instance, state, outcome, changed, '1' of an earlier run}, …}, campaigns under way {id, …},
-- '1' where this one has begun since its release came anew, open loop-breakers {service, JSON, …}}.
local own = ARGV[3] or ''
local members, active = {}, {}
local function read(id)
  local r = redis.call('HMGET', key('rollback', id), 'instance', 'state', 'outcome', 'changed', 'campaign')
  if id == own and r[2] then r[2] = 'waiting' end
  if r[2] then return {id, r[1] or '', r[2], r[3] or '', r[4] or ''}, r[5] or '' end
end
local run = tonumber(redis.call('HGET', key('campaign', ARGV[1]), 'run') or '0')
local joined = redis.call('ZRANGE', key('members', ARGV[1]), 0, -1, 'WITHSCORES')
for i = 1, #joined, 2 do
  local member = read(joined[i])
  if member then
    member[6] = tonumber(joined[i + 1]) <= run and '1' or ''
    members[#members + 1] = member
  end
end
local begun = {acting = true, parked = true, verifying = true, undoing = true}
local seen = {}
for _, id in ipairs(redis.call('SMEMBERS', P .. 'begun')) do
  local member, campaign = read(id)
  if member and begun[member[3]] and campaign ~= '' and not seen[campaign] then
    seen[campaign] = true
    active[#active + 1] = campaign
  end
end
local starts = redis.call('ZRANGE', P .. 'campaigns', 0, -1, 'WITHSCORES')
if own ~= '' then
  local mine = redis.call('HGET', key('rollback', own), 'campaign') or ''
  local others = {}
  for i = 1, #starts, 2 do               -- a campaign that nobody else has begun has not begun
    if string.match(starts[i], '^%S+') ~= mine or changes_since(mine, 'committed_at', tonumber(starts[i + 1]), own) then
      others[#others + 1] = starts[i]
      others[#others + 1] = starts[i + 1]
    end
  end
  starts = others
end
local breakers, counted = {}, redis.call('HGETALL', P .. 'breakers')
for i = 1, #counted, 2 do
  if type(cjson.decode(counted[i + 1]).open_since) == 'number' then
    breakers[#breakers + 1] = counted[i]
    breakers[#breakers + 1] = counted[i + 1]
  end
end
return {redis.call('HGET', BOOK, 'version') or '0', ms(now), starts,
  redis.call('HGETALL', P .. 'pauses'), redis.call('HGET', P .. 'locks', ARGV[2]) or '',
  redis.call('HGETALL', P .. 'demoted'), redis.call('ZRANGE', P .. 'storm', 0, -1, 'WITHSCORES'), members, active,
  has_begun(ARGV[1], own) and '1' or '', breakers}
