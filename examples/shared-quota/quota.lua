-- quota: groups that a principal makes in a time, counted by all nodes in one
-- place, which is asked by a subrequest.
--
--   group_policy quota.lua groups=3 window=60 down=deny;
--
-- parameter   default
-- groups      -         group.create, in one window; required
-- window      3600      seconds, from the first of them on
-- uri         /quota    a location that counts: GET uri?key=...&window=...
--                       answers {"count": n, "left": seconds}
-- timeout     1000      ms to wait for it
-- down        deny      when it does not answer: deny ("unavailable") or pass
--
-- Counts what is asked, also when the upstream refuses it then. Answers
-- "rate_limited". Who has not signed in shares one quota with all who have not.

local params = ...

-- what is taken away was read: what is left is a mistake
local function take(name, default)
    local text = params[name]
    params[name] = nil
    return text or default
end

local function whole(name, default)
    local text = take(name, default) or error(name .. " is missing", 0)
    local n = tonumber(text)
    if not n or n < 1 or n % 1 ~= 0 then
        error(name .. ' must be a whole number, not "' .. text .. '"', 0)
    end
    return n
end

local groups = whole("groups")
local window = whole("window", 3600)
local timeout = whole("timeout", 1000)
local uri = take("uri", "/quota")
local down = take("down", "deny")

if next(params) then
    error('unknown parameter "' .. next(params) .. '"', 0)
end
if down ~= "deny" and down ~= "pass" then
    error('down must be deny or pass, not "' .. down .. '"', 0)
end

local function encode(text)
    return (text:gsub("[^%w._~-]", function(c)
        return ("%%%02X"):format(c:byte())
    end))
end

local policy = {}

function policy.request(ctx)
    if ctx.operation ~= "group.create" then
        return
    end

    local who = ctx.principal and "=" .. ctx.principal.id or ""
    local res, why = ctx:fetch{
        uri = uri .. "?key=" .. encode("quota:groups:" .. who)
            .. "&window=" .. window,
        timeout = timeout,
    }
    local answer = res and res.status == 200 and res.json

    if type(answer) ~= "table" or type(answer.count) ~= "number" then
        ctx:log("error", "quotas are not counted: "
            .. (why or "status " .. res.status))
        if down == "deny" then
            return ctx:deny("unavailable", "quotas cannot be counted now")
        end
        return
    end

    if answer.count > groups then
        return ctx:deny("rate_limited", "at most " .. groups .. " groups in "
            .. window .. " seconds, again in " .. answer.left)
    end
end

return policy
