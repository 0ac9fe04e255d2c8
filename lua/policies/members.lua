-- members: how many a group has, and whose e-mail addresses they have.
--
--   group_policy members.lua min=1 max=50 domains=example.com,.example.org;
--
-- parameter   default
-- min, max    0, any    members of one group
-- domains     any       domains of e-mail addresses, parted by commas; with a
--                       dot before it, those below it, too
-- email       optional  "required": a member must have an e-mail address
-- unknown     deny      what is done with a change of which nobody knows how
--                       many members it leaves (below): deny or pass
--
-- Members are counted where a client gives all of them: when a group is made
-- (none are 0), when it is replaced with a list, and in a PATCH that replaces
-- the list. Where members come and go one by one (member.add, member.remove,
-- other PATCHes) the number is not known: with "max" such an addition and with
-- "min" such a removal is refused, unless "unknown=pass".
--
-- An e-mail address is the field "email" of a group or a member, or an id with
-- an "@" in it. Answers "invalid" with the field, or "forbidden".

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

local function one_of(name, default, other)
    local text = take(name) or default
    if text ~= default and text ~= other then
        error(name .. " must be " .. default .. " or " .. other .. ', not "'
            .. text .. '"', 0)
    end
    return text
end

local min, max = whole("min"), whole("max")
local required = one_of("email", "optional", "required") == "required"
local pass = one_of("unknown", "deny", "pass") == "pass"
local domains = {}

for domain in (take("domains") or ""):gmatch("[^,%s]+") do
    domains[#domains + 1] = domain:lower()
end

if next(params) then
    error('unknown parameter "' .. next(params) .. '"', 0)
end
if min and max and min > max then
    error("min is more than max", 0)
end
if not (min or max or required or #domains > 0) then
    error("give at least one of min, max, domains and email", 0)
end

local function allowed(address)
    local domain = address:lower():match("@([^@]*)$")
    if #domains == 0 then
        return true
    end
    for _, known in ipairs(domains) do
        if domain == known or known:sub(1, 1) == "."
            and #domain > #known and domain:sub(-#known) == known
        then
            return true
        end
    end
    return false
end

local function text(value)
    return type(value) == "string" and value or nil
end

-- a field that is wrong and why, or nothing
local function wrong(member, path)
    local id = text(member.id)
    local address = text(member.email) or id and id:find("@", 1, true) and id

    if not address then
        if required then
            return path .. ".email", path .. " must have an e-mail address"
        end
    elseif not allowed(address) then
        return path .. (address == id and ".id" or ".email"),
            "the domain of " .. address .. " is not allowed"
    end
end

local function refuse(ctx, field, why)
    if field then
        ctx:deny("invalid", #why > 500 and "the domain is not allowed" or why,
            field)
        return true
    end
end

local function counted(ctx, n)
    if min and n < min then
        return refuse(ctx, "members", "members must be at least " .. min)
    end
    if max and n > max then
        return refuse(ctx, "members", "members must be at most " .. max)
    end
end

local function listed(ctx, members)
    if counted(ctx, #members) then
        return true
    end
    for i, member in ipairs(members) do
        if refuse(ctx, wrong(member, "members[" .. i .. "]")) then
            return true
        end
    end
end

local function uncounted(ctx, op)
    if pass or not (op == "add" and max or op == "remove" and min) then
        return false
    end
    ctx:deny("forbidden", "members are changed with the whole group only")
    return true
end

-- SCIM's PATCH: a list of { op = "add", "remove" or "clear", member }
local function patched(ctx, changes)
    local known, ids, n = false, {}, 0

    for i, change in ipairs(changes) do
        if change.op == "clear" then
            known, ids, n = true, {}, 0
        else
            local member = change.member or {}
            local id = member.id or i

            if change.op == "add" then
                if refuse(ctx, wrong(member, "members")) then
                    return true
                end
                n = n + (ids[id] and 0 or 1)
                ids[id] = true
            elseif ids[id] then
                n = n - 1
                ids[id] = nil
            end
            if not known and uncounted(ctx, change.op) then
                return true
            end
        end
    end

    return known and counted(ctx, n)
end

local policy = {}

function policy.request(ctx)
    local operation, group = ctx.operation, ctx.group

    if operation == "member.add" then
        if not uncounted(ctx, "add") then
            refuse(ctx, wrong(ctx.member or {}, "member"))
        end
        return
    end
    if operation == "member.remove" then
        uncounted(ctx, "remove")
        return
    end
    if operation ~= "group.create" and operation ~= "group.replace"
        and operation ~= "group.modify"
    then
        return
    end

    local set = group.change and group.change.set or {}
    local email = text(group.email) or text(set.email)
    if email and email:find("@", 1, true) and not allowed(email) then
        refuse(ctx, "email", "the domain of " .. email .. " is not allowed")
        return
    end

    if group.change then
        patched(ctx, group.change.members or {})
    elseif group.members or operation == "group.create" then
        listed(ctx, group.members or {})
    end
end

return policy
