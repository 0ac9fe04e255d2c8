-- defaults: fills what a client leaves out, by who the client is.
--
--   group_policy defaults.lua email.acme=voice@acme.example
--                             email.*=ops@example.com
--                             "description.*=made for {principal}"
--                             members.ci=17,18;
--
-- parameter          default
-- <field>.<who>      -              the value of a field for a principal; "*"
--                                   is everybody else, signed in or not
-- operations         group.create   where fields are filled, parted by commas:
--                                   group.create, group.replace
--
-- Fields are external_id, owner, name, description, email, status (texts, in
-- which {principal} is the principal), sticky_sender (true or false), members
-- and admins (ids, parted by commas). A field that a client gave, also as an
-- empty text, stays. For what is the same for all, group_default does it
-- without a hook. It runs before the hooks do: a field that it fills is not
-- absent here.

local params = ...

local KINDS = {
    external_id = "text", owner = "text", name = "text", description = "text",
    email = "text", status = "text", sticky_sender = "flag",
    members = "ids", admins = "ids",
}
local OPERATIONS = { ["group.create"] = true, ["group.replace"] = true }

local function ids(text)
    local list = {}
    for id in text:gmatch("[^,%s]+") do
        list[#list + 1] = id
    end
    return list
end

local fields, operations = {}, {}

for key, value in pairs(params) do
    local field, who = key:match("^([%a_]+)%.(.+)$")
    local kind = KINDS[field]

    if key == "operations" then
        for _, operation in ipairs(ids(value)) do
            if not OPERATIONS[operation] then
                error('operations has the unknown "' .. operation .. '"', 0)
            end
            operations[operation] = true
        end
    elseif not field then
        error('unknown parameter "' .. key .. '", expected <field>.<who>', 0)
    elseif not kind then
        error('"' .. field .. '" is no field that can be filled', 0)
    elseif kind == "flag" and value ~= "true" and value ~= "false" then
        error(key .. ' must be true or false, not "' .. value .. '"', 0)
    else
        fields[field] = fields[field] or {}
        fields[field][who] = value
    end
end

if not next(fields) then
    error("there is nothing to fill", 0)
end
if not next(operations) then
    operations["group.create"] = true
end

local policy = {}

function policy.request(ctx)
    if not operations[ctx.operation] then
        return
    end

    local group = ctx.group
    local who = ctx.principal and ctx.principal.id or ""

    for field, values in pairs(fields) do
        local value = values[who] or values["*"]

        if value and group[field] == nil then
            if KINDS[field] == "flag" then
                value = value == "true"
            elseif KINDS[field] == "ids" then
                local list = {}
                for i, id in ipairs(ids(value)) do
                    list[i] = { id = id }
                end
                value = list
            else
                value = value:gsub("{principal}", function() return who end)
            end
            group[field] = value
        end
    end
end

return policy
