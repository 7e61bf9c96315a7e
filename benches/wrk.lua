-- Tells wrk to send a body when asked to, and prints exact figures as one line of JSON.
--
-- Use: wrk -s wrk.lua URL -- [BODY_BYTES]. Only init() and done() are defined: a request() function would make
-- wrk call Lua for each request and slow the load generator down.

function init(arguments)
    local bytes = tonumber(arguments[1])
    if bytes then
        wrk.method = "POST"
        wrk.body = string.rep("x", bytes)
        wrk.headers["Content-Type"] = "application/octet-stream"
    end
end

function done(summary, latency, requests)
    local failed = summary.errors
    print(string.format(
        '{"requests": %d, "bytes": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "bad_status": %d, "socket_errors": %d}',
        summary.requests, summary.bytes, summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99),
        failed.status, failed.connect + failed.read + failed.write + failed.timeout))
end
