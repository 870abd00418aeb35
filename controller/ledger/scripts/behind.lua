-- An alert that another rule would have taken waits behind a rollback, and is asked again if that one changes nothing.
-- ARGV: rollback id, fingerprint, rule digest. Returns 1 where it waits, 0 where that rollback is over.
local record = key('rollback', ARGV[1])
if not is_unfinished(ARGV[1]) then return 0 end
local joins = redis.call('HGET', record, 'joins') or ''
redis.call('HSET', record, 'joins', with_word(joins, ARGV[2] .. '/' .. ARGV[3]))
return 1
