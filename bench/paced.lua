-- What wrk sends at a steady rate: bodies of several sizes whose fingerprints were never sent before.
-- BENCH_BODIES names the files, BENCH_SHARES how many of a hundred bodies each gives, BENCH_RATE the bodies a second.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long tv_sec; long tv_nsec; } bench_time;
  int clock_gettime(int clock, bench_time *at);
]]
local at = ffi.new("bench_time")
local function now_ms()
  ffi.C.clock_gettime(1, at)
  return tonumber(at.tv_sec) * 1000 + tonumber(at.tv_nsec) / 1e6
end

local function pieces_of(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  local pieces, from = {}, 1
  for head, after in text:gmatch("()FINGERPRINT()") do
    pieces[#pieces + 1] = text:sub(from, head - 1)
    pieces[#pieces + 1] = ""
    from = after
  end
  pieces[#pieces + 1] = text:sub(from)
  return pieces
end

local turns = {}     -- a hundred turns, each with the body that is its
for path in os.getenv("BENCH_BODIES"):gmatch("%S+") do
  turns[#turns + 1] = pieces_of(path)
end
local order, n = {}, 0
for share in os.getenv("BENCH_SHARES"):gmatch("%S+") do
  n = n + 1
  for _ = 1, tonumber(share) do order[#order + 1] = turns[n] end
end
for i = 1, #order do     -- spread, the same in every run
  local j = (i * 37) % #order + 1
  order[i], order[j] = order[j], order[i]
end

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")

local pause = 1000 / tonumber(os.getenv("BENCH_RATE"))
local began, sent, serial = nil, 0, 0

function delay()
  began = began or now_ms()
  sent = sent + 1
  return math.max(0, math.floor(began + sent * pause - now_ms()))
end

function request()
  local pieces = order[sent % #order + 1]
  for i = 2, #pieces, 2 do
    serial = serial + 1
    pieces[i] = string.format("%016x", serial)
  end
  return wrk.format(nil, nil, nil, table.concat(pieces))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('FIGURES {"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f, "most_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
