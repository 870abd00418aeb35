-- A rollback is one of a campaign's from now on. ARGV: campaign, rollback id, lease, token, what the campaign is (JSON).
-- Returns 'ok' | 'lost'.
local campaign, id = ARGV[1], ARGV[2]
if not holds(ARGV[3], ARGV[4]) or not is_unfinished(id) then return 'lost' end     -- a person may have ended it
local record, members = key('rollback', id), key('members', campaign)
local before = redis.call('HGET', record, 'campaign') or ''
if before ~= '' and before ~= campaign then redis.call('ZREM', key('members', before), id) end
redis.call('HSET', record, 'campaign', campaign)

-- An instance that went back in this campaign has got the release anew: a run of the campaign is over, and its
-- waves and its place among the limits with it. Who is not done yet is in the next one.
local function begin_anew()
  local kept = key('campaign', campaign)
  local run = redis.call('HGET', kept, 'run') or '0'
  local again, unfinished = false, {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', members, '(' .. run, '+inf')) do
    local r = redis.call('HMGET', key('rollback', member), 'instance', 'state', 'changed')
    again = again or (r[1] == ARGV[3] and r[2] == 'ended' and r[3] == '1')
    if r[2] ~= 'ended' then unfinished[#unfinished + 1] = member end
  end
  if not again then return end
  redis.call('HSET', kept, 'run', redis.call('HGET', kept, 'joined') or '0', 'run_in',
    redis.call('HGET', BOOK, 'version') or '0')
  for _, member in ipairs(unfinished) do
    redis.call('ZADD', members, ms(redis.call('HINCRBY', kept, 'joined', 1)), member)
  end
end

if not redis.call('ZSCORE', members, id) then      -- two may join in one millisecond, and still have an order
  begin_anew()
  redis.call('ZADD', members, ms(redis.call('HINCRBY', key('campaign', campaign), 'joined', 1)), id)
  redis.call('HINCRBY', BOOK, 'version', 1)
end
set_fields(key('campaign', campaign), ARGV[5])
redis.call('PEXPIRE', members, ms(CAMPAIGN_KEPT))
redis.call('PEXPIRE', key('campaign', campaign), ms(STARTS_KEPT))
return 'ok'
