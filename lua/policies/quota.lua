-- quota: how many groups and changes a principal has in a time.
--
--   group_shared_zone quotas 1m;                       # in http
--   group_policy quota.lua zone=quotas window=1h groups=10 changes=100;
--
-- parameter   default
-- zone        -         the group_shared_zone that counts; required
-- window      1h        seconds, or with m, h or d; it begins with the first
--                       change and ends for all at once
-- groups      any       group.create, in one window
-- changes     any       all that changes: create, replace, modify, delete and
--                       members, in one window
-- name        quota     several quotas in one zone have different names
-- full        deny      when the zone is full: deny ("unavailable") or pass
--
-- Counts what is asked, also when the upstream refuses it then; what a quota
-- refuses is not counted. Put it behind the policies that check a request.
-- Who has not signed in shares one quota with all who have not. Answers
-- "rate_limited". A dry run (group_explain) is told whether there is one left,
-- and uses none up.

local params = ...

-- what is taken away was read: what is left is a mistake
local function take(name)
    local text = params[name]
    params[name] = nil
    return text
end

local function whole(name)
    local text = take(name)
    local n = tonumber(text)
    if text and (not n or n < 0 or n % 1 ~= 0) then
        error(name .. ' must be a whole number, not "' .. text .. '"', 0)
    end
    return n
end

local UNITS = { [""] = 1, s = 1, m = 60, h = 3600, d = 86400 }

local function seconds(text)
    local n, unit = text:match("^(%d+)(%a?)$")
    local time = n and UNITS[unit] and n * UNITS[unit]
    if not time or time < 1 or time > 365 * 86400 then
        error('window must be a time such as 30s, 10m, 1h or 1d, not "'
            .. text .. '"', 0)
    end
    return time
end

local zone = take("zone") or error("zone is missing", 0)
local window = take("window") or "1h"
local ttl = seconds(window)
local groups, changes = whole("groups"), whole("changes")
local name = take("name") or "quota"
local full = take("full") or "deny"

if next(params) then
    error('unknown parameter "' .. next(params) .. '"', 0)
end
if full ~= "deny" and full ~= "pass" then
    error('full must be deny or pass, not "' .. full .. '"', 0)
end
if not (groups or changes) then
    error("give at least one of groups and changes", 0)
end
if #name > 64 then
    error("name is too long", 0)
end

local READS = {
    ["group.list"] = true, ["group.get"] = true,
    ["member.list"] = true, ["member.get"] = true,
}

local policy = {}

function policy.request(ctx)
    if READS[ctx.operation] then
        return
    end

    local counters = ctx.shared[zone]
        or error('there is no group_shared_zone "' .. zone .. '"', 0)
    local who = ctx.principal and "=" .. ctx.principal.id or ""

    -- the first 150 bytes of an id have to do: a key has 256
    local function key(what)
        return name .. ":" .. what .. ":" .. who:sub(1, 150)
    end

    -- true when there is one more
    local function count(what, limit)
        local function over()
            ctx:deny("rate_limited", "at most " .. limit .. " " .. what
                .. " in " .. window)
            return false
        end

        if ctx.dry_run then
            if (counters:get(key(what)) or 0) >= limit then
                return over()
            end
            return true
        end

        local n, why = counters:incr(key(what), 1, 0, ttl)
        if not n then
            if why == "full" and full == "pass" then
                return true
            end
            ctx:log("error", "quota cannot be counted: " .. why)
            ctx:deny("unavailable", "quotas cannot be counted now")
            return false
        end
        if n > limit then
            counters:incr(key(what), -1, 0, ttl)
            return over()
        end
        return true
    end

    if changes and not count("changes", changes) then
        return
    end
    if groups and ctx.operation == "group.create"
        and not count("groups", groups) and changes and not ctx.dry_run
    then
        counters:incr(key("changes"), -1, 0, ttl)
    end
end

return policy
