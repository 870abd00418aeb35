-- One entry of a rollback's journal, chained, only with the lease. ARGV: id, lease, token, entry, head before, head.
-- Returns 'ok' | 'lost' | 'forked' (somebody else wrote since we read).
if not holds(ARGV[2], ARGV[3]) then return 'lost' end
local record = key('rollback', ARGV[1])
if not is_unfinished(ARGV[1]) then return 'lost' end
local head = redis.call('HGET', record, 'journal_head') or ''
if head == ARGV[6] then return 'ok' end  -- the reply to our first try was lost
if head ~= ARGV[5] then return 'forked' end
redis.call('RPUSH', key('journal', ARGV[1]), ARGV[4])
redis.call('HSET', record, 'journal_head', ARGV[6])
return 'ok'
