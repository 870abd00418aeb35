-- A message to people. ARGV: what it is (said once), JSON. Returns its id.
return tell(ARGV[1], ARGV[2])
