-- RQ's own keys that hold another type than RQ writes are deleted: a bell that is lost with one is rung again by `due`.
-- ARGV: JSON [[key, type], …]. Returns the keys that were deleted.
local deleted = {}
for _, one in ipairs(cjson.decode(ARGV[1])) do
  local is = redis.call('TYPE', one[1]).ok
  if is ~= 'none' and is ~= one[2] then
    redis.call('DEL', one[1])
    deleted[#deleted + 1] = one[1]
  end
end
return deleted
