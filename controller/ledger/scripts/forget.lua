-- An id that nothing is known of any more. ARGV: id.
quiet(ARGV[1])
redis.call('SREM', UNFINISHED, ARGV[1])
return 1
