-- naming: what groups may be called.
--
--   group_policy naming.lua pattern=^%l[%l%d-]*$ min=3 max=40
--                           reserved=admin,root,test
--                           "message=lower case letters, digits and -";
--
-- parameter   default
-- pattern     any       a Lua pattern; with ^ and $ it is for the whole name
-- min, max    0, any    characters, not bytes
-- reserved    none      words, parted by commas, that no name has in it, in
--                       upper or lower case (of A to Z); words of a name are
--                       parted by what is neither a letter nor a digit
-- message     the rule  the sentence that a client gets for the pattern
--
-- Looks at each name that a client gives a group: when it is made, replaced
-- or, with SCIM, patched. Answers "invalid", field "name". A name that stays
-- as it is, and what an upstream tells, is not looked at.

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

-- what string.find() would only say of a name that comes far enough
local function check(pattern)
    local rest = pattern:gsub("%%b..", ""):gsub("%%.", "")
    if rest:find("%%") then
        error("pattern ends with %", 0)
    end
    rest = rest:gsub("%[%^?%]?[^%]]*%]", "")
    if rest:find("[", 1, true) then
        error("pattern has a [ without ]", 0)
    end
    local _, opened = rest:gsub("%(", "")
    local _, closed = rest:gsub("%)", "")
    if opened ~= closed then
        error("pattern has ( and ) that do not match", 0)
    end
    string.find("", pattern)
    return pattern
end

local pattern = take("pattern")
local min, max = whole("min"), whole("max")
local message = take("message")
    or pattern and "name must match " .. pattern
local reserved = {}

for word in (take("reserved") or ""):gmatch("[^,%s]+") do
    reserved[word:lower()] = true
end

if next(params) then
    error('unknown parameter "' .. next(params) .. '"', 0)
end
if min and max and min > max then
    error("min is more than max", 0)
end
if pattern then
    check(pattern)
end
if not (pattern or min or max or next(reserved)) then
    error("give at least one of pattern, min, max and reserved", 0)
end

local function characters(text)
    local _, n = text:gsub("[^\128-\191]", "")
    return n
end

local policy = {}

function policy.request(ctx)
    local group = ctx.group
    if not group or ctx.operation == "group.list" then
        return
    end

    -- SCIM's PATCH
    local set = group.change and group.change.set
    local name = group.name or set and set.name
    if type(name) ~= "string" then
        return
    end

    local n = characters(name)
    if min and n < min then
        return ctx:deny("invalid", "name is too short, at least " .. min
            .. " characters", "name")
    end
    if max and n > max then
        return ctx:deny("invalid", "name is too long, at most " .. max
            .. " characters", "name")
    end
    if pattern and not name:find(pattern) then
        return ctx:deny("invalid", message, "name")
    end
    for word in name:lower():gmatch("[%w\128-\255]+") do
        if reserved[word] then
            return ctx:deny("invalid", 'name has the reserved word "' .. word
                .. '"', "name")
        end
    end
end

return policy
