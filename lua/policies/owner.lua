-- owner: who may change groups that somebody else made.
--
--   group_policy owner.lua "prefix={principal}-" admins=ops
--                          "lookup=/directory/groups/{id}" field=name;
--   group_policy owner.lua "ask=/owners?group={id}&who={principal}";
--
-- parameter   default
-- prefix      none      whose groups these are, by the name: all that begin
--                       with this text; {principal} in it is the principal
-- lookup      none      where the name of a group is read that is to be
--                       changed: a location of this server; its answer is JSON
-- field       name      the name's key in that answer
-- ask         none      who may change a group, by an answer: 200 or 204 is
--                       yes, 401, 403, 404 or 410 is no; groups that are new
--                       are not asked about
-- admins      none      principals, parted by commas, who may change all
-- timeout     1000      ms for "lookup" and "ask"
-- unknown     deny      when there is no answer, or the name is not known:
--                       deny or pass
--
-- {id}, {principal}, {operation} and {container} in "lookup" and "ask" become
-- what they stand for, percent-encoded; in nginx.conf a parameter with a brace
-- in it stands in quotes. One of "prefix" and "ask" must be
-- given. A prefix is asked of new names, too: nobody makes, or calls, a group
-- as if it were another one's. Without "lookup" the name of a group that is
-- changed is not known. Answers "forbidden", or "unavailable" when there is no
-- answer. Who has not signed in owns nothing.

local params = ...

-- what is taken away was read: what is left is a mistake
local function take(name)
    local text = params[name]
    params[name] = nil
    return text
end

local function location(name)
    local uri = take(name)
    if uri and uri:sub(1, 1) ~= "/" then
        error(name .. ' must begin with "/"', 0)
    end
    for placeholder in (uri or ""):gmatch("{(.-)}") do
        if not ("id principal operation container "):find(placeholder .. " ",
            1, true)
        then
            error(name .. ' has the unknown "{' .. placeholder .. '}"', 0)
        end
    end
    return uri
end

local prefix, lookup, ask = take("prefix"), location("lookup"), location("ask")
local field = take("field") or "name"
local timeout = tonumber(take("timeout") or 1000)
local unknown = take("unknown") or "deny"
local admins = {}

for admin in (take("admins") or ""):gmatch("[^,%s]+") do
    admins[admin] = true
end

if next(params) then
    error('unknown parameter "' .. next(params) .. '"', 0)
end
if (prefix == nil) == (ask == nil) then
    error("give either prefix or ask", 0)
end
if prefix == "" then
    error("prefix is empty", 0)
end
if lookup and not prefix then
    error("lookup is for prefix", 0)
end
if not timeout or timeout < 1 or timeout > 60000 then
    error("timeout must be 1 to 60000 ms", 0)
end
if unknown ~= "deny" and unknown ~= "pass" then
    error('unknown must be deny or pass, not "' .. unknown .. '"', 0)
end

local READS = {
    ["group.list"] = true, ["group.get"] = true,
    ["member.list"] = true, ["member.get"] = true,
}
local YES = { [200] = true, [204] = true }
local NO = { [401] = true, [403] = true, [404] = true, [410] = true }

local function encode(text)
    return (text:gsub("[^%w._~-]", function(c)
        return ("%%%02X"):format(c:byte())
    end))
end

local function fill(ctx, template)
    local values = {
        id = ctx:var("group_id"),
        principal = ctx.principal and ctx.principal.id,
        operation = ctx.operation,
        container = ctx.group and ctx.group.owner,
    }
    return (template:gsub("{(.-)}", function(name)
        return encode(tostring(values[name] or ""))
    end))
end

local function fetch(ctx, template)
    local uri = fill(ctx, template)
    local res, why = ctx:fetch{ uri = uri, timeout = timeout }
    if not res then
        ctx:log("error", "no answer from " .. uri .. ": " .. why)
    end
    return res
end

local function forbid(ctx)
    return ctx:deny("forbidden", "this group is somebody else's")
end

local function not_known(ctx)
    if unknown == "deny" then
        return ctx:deny("unavailable",
            "it cannot be found out whose group this is")
    end
end

local policy = {}

function policy.request(ctx)
    if READS[ctx.operation] then
        return
    end

    local who = ctx.principal and ctx.principal.id
    if not who then
        return forbid(ctx)
    end
    if admins[who] then
        return
    end

    local new = ctx.operation == "group.create"

    if ask then
        if new then
            return
        end
        local res = fetch(ctx, ask)
        if res and YES[res.status] then
            return
        end
        if res and NO[res.status] then
            return forbid(ctx)
        end
        return not_known(ctx)
    end

    local own = prefix:gsub("{principal}", function() return who end)

    local group = ctx.group or {}
    local set = group.change and group.change.set
    local name = group.name or set and set.name

    if type(name) == "string" and name:sub(1, #own) ~= own then
        return ctx:deny("forbidden", "name must begin with " .. own, "name")
    end
    if new then
        return
    end

    local res = lookup and fetch(ctx, lookup)
    if res and (res.status == 404 or res.status == 410) then
        -- there is none, which the upstream says itself
        return
    end
    local old = res and res.status == 200 and type(res.json) == "table"
        and res.json[field]
    if type(old) ~= "string" then
        return not_known(ctx)
    end
    if old:sub(1, #own) ~= own then
        return forbid(ctx)
    end
end

return policy
