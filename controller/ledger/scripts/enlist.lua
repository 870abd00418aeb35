-- A rollback is one of a campaign's from now on. ARGV: campaign, rollback id, lease, token, what the campaign is (JSON).
-- Returns 'ok' | 'lost'.
local campaign, id = ARGV[1], ARGV[2]
if not holds(ARGV[3], ARGV[4]) then return 'lost' end
local record, members = key('rollback', id), key('members', campaign)
local before = redis.call('HGET', record, 'campaign') or ''
if before ~= '' and before ~= campaign then redis.call('ZREM', key('members', before), id) end
redis.call('HSET', record, 'campaign', campaign)
if not redis.call('ZSCORE', members, id) then      -- two may join in one millisecond, and still have an order
  redis.call('ZADD', members, ms(redis.call('HINCRBY', key('campaign', campaign), 'joined', 1)), id)
  redis.call('HINCRBY', BOOK, 'version', 1)
end
set_fields(key('campaign', campaign), ARGV[5])
redis.call('PEXPIRE', members, ms(CAMPAIGN_KEPT))
redis.call('PEXPIRE', key('campaign', campaign), ms(STARTS_KEPT))
return 'ok'
