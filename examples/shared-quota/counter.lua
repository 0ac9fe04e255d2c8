-- Counts in Redis, for lua-nginx-module: its sockets do not block the worker.
-- Of Redis' protocol there is what EVAL, AUTH and their answers need.

local SCRIPT = [[
    local n = redis.call("INCR", KEYS[1])
    if n == 1 then
        redis.call("EXPIRE", KEYS[1], ARGV[1])
    end
    return {n, redis.call("TTL", KEYS[1])}
]]

local counter = {}

-- value, or nil and why; a list comes as a table
local function read(sock)
    local line, err = sock:receive()
    if not line then
        return nil, err
    end

    local kind, rest = line:sub(1, 1), line:sub(2)

    if kind == "+" then
        return rest
    elseif kind == ":" then
        return tonumber(rest)
    elseif kind == "*" and tonumber(rest) == 2 then
        local first, why = read(sock)
        if not first then
            return nil, why
        end
        local second
        second, why = read(sock)
        return second and { first, second }, why
    end

    return nil, kind == "-" and rest or "an odd answer"
end

local function command(sock, ...)
    local text = { "*" .. select("#", ...) .. "\r\n" }
    for _, word in ipairs({ ... }) do
        text[#text + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
    end

    local sent, err = sock:send(text)
    if not sent then
        return nil, err
    end
    return read(sock)
end

-- One more of "key", which is forgotten "window" seconds after the first:
-- {count, seconds that are left}, or nil and why. Redis does both at once.
local function count(key, window)
    local sock = ngx.socket.tcp()
    local ms = tonumber(ngx.var.redis_timeout)
    sock:settimeouts(ms, ms, ms)

    -- without a port it is "unix:/path"
    local host, port = ngx.var.redis:match("^([^/]+):(%d+)$")
    local ok, err
    if host then
        ok, err = sock:connect(host, tonumber(port))
    else
        ok, err = sock:connect(ngx.var.redis)
    end
    if not ok then
        return nil, err
    end

    local password = ngx.var.redis_password
    if password ~= "" and sock:getreusedtimes() == 0 then
        ok, err = command(sock, "AUTH", password)
        if not ok then
            sock:close()
            return nil, err
        end
    end

    local found
    found, err = command(sock, "EVAL", SCRIPT, "1", key, window)
    if not found then
        -- what comes later on this connection would be an old answer
        sock:close()
        return nil, err
    end

    sock:setkeepalive(60000, 32)
    return found
end

-- GET ?key=...&window=seconds
function counter.answer()
    local args = ngx.req.get_uri_args()
    local found, err = count(args.key, args.window)

    if not found then
        ngx.log(ngx.ERR, "redis: ", err)
        return ngx.exit(503)
    end

    ngx.header["Content-Type"] = "application/json"
    ngx.print(('{"count":%d,"left":%d}'):format(found[1], found[2]))
end

return counter
