-- What wrk sends: one body over and over, or a body whose fingerprints were never sent before.
-- BENCH_BODY names the file; every FINGERPRINT in it becomes a new fingerprint in each request.
local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
local text = file:read("*a")
file:close()

wrk.method = "POST"
wrk.body = text
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")

local pieces, at = {}, 1
for head, after in text:gmatch("()FINGERPRINT()") do
  pieces[#pieces + 1] = text:sub(at, head - 1)
  pieces[#pieces + 1] = ""
  at = after
end
pieces[#pieces + 1] = text:sub(at)

if #pieces > 1 then
  local serial = 0
  function request()
    for i = 2, #pieces, 2 do
      serial = serial + 1
      pieces[i] = string.format("%016x", serial)
    end
    return wrk.format(nil, nil, nil, table.concat(pieces))
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('FIGURES {"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
