-- Everything that guards count, as of one version. ARGV: campaign, service.
-- Returns {version, now, starts {member, ms, …}, pauses, lock of the service, demoted, storm {service, ms, …},
-- members {{rollback, instance, state, outcome, changed}, …}, campaigns under way {id, …}}.
local members, active = {}, {}
local function read(id)
  local r = redis.call('HMGET', key('rollback', id), 'instance', 'state', 'outcome', 'changed', 'campaign')
  if r[2] then return {id, r[1] or '', r[2], r[3] or '', r[4] or ''}, r[5] or '' end
end
for _, id in ipairs(redis.call('ZRANGE', key('members', ARGV[1]), 0, -1)) do
  local member = read(id)
  if member then members[#members + 1] = member end
end
local begun = {acting = true, parked = true, verifying = true, undoing = true}
local seen = {}
for _, id in ipairs(redis.call('SMEMBERS', UNFINISHED)) do
  local member, campaign = read(id)
  if member and begun[member[3]] and campaign ~= '' and not seen[campaign] then
    seen[campaign] = true
    active[#active + 1] = campaign
  end
end
return {redis.call('HGET', BOOK, 'version') or '0', ms(now),
  redis.call('ZRANGE', P .. 'campaigns', 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', P .. 'pauses'), redis.call('HGET', P .. 'locks', ARGV[2]) or '',
  redis.call('HGETALL', P .. 'demoted'), redis.call('ZRANGE', P .. 'storm', 0, -1, 'WITHSCORES'), members, active}
