-- What wrk sends: bodies over and over, or bodies whose fingerprints were never sent before.
-- BENCH_BODIES names the files; every FINGERPRINT in one becomes a new fingerprint in each request. BENCH_SHARES says
-- how many bodies of a round each gives, BENCH_RATE how many are sent in a second ('' as many as are answered).
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

local bodies, order = {}, {}
for path in os.getenv("BENCH_BODIES"):gmatch("%S+") do bodies[#bodies + 1] = pieces_of(path) end
for share in os.getenv("BENCH_SHARES"):gmatch("%S+") do
  local body = table.remove(bodies, 1)
  for _ = 1, tonumber(share) do order[#order + 1] = body end
end
for i = 1, #order do     -- spread, the same in every run
  local j = (i * 37) % #order + 1
  order[i], order[j] = order[j], order[i]
end

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")

local sent, serial = 0, 0
if #order == 1 and #order[1] == 1 then
  wrk.body = order[1][1]      -- one request, made once
else
  function request()
    local pieces = order[sent % #order + 1]
    sent = sent + 1
    for i = 2, #pieces, 2 do
      serial = serial + 1
      pieces[i] = string.format("%016x", serial)
    end
    return wrk.format(nil, nil, nil, table.concat(pieces))
  end
end

local rate = tonumber(os.getenv("BENCH_RATE"))
if rate then
  local ffi = require("ffi")
  ffi.cdef [[
    typedef struct { long tv_sec; long tv_nsec; } bench_time;
    int clock_gettime(int clock, bench_time *at);
  ]]
  local at, began, turn = ffi.new("bench_time"), nil, 0
  function delay()
    ffi.C.clock_gettime(1, at)
    local now_ms = tonumber(at.tv_sec) * 1000 + tonumber(at.tv_nsec) / 1e6
    began, turn = began or now_ms, turn + 1
    return math.max(0, math.floor(began + turn * 1000 / rate - now_ms))
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('FIGURES {"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f, "most_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
