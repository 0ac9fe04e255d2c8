-- audit: one line of JSON for each change.
--
--   error_log /var/log/nginx/groups.log notice;
--   group_policy audit.lua "before=/directory/groups/{id}";
--
-- parameter   default
-- level       notice      of the error log: error, warn, notice or info
-- before      none        where the group is read before it is changed: a
--                         location of this server, {id} in it is the group's
--                         id, percent-encoded; its answer is JSON
-- timeout     1000        ms for "before"
-- attempts    off         "on": a line before the change, too, with the
--                         outcome "asked"
--
-- It is the last of the policies. A dry run (group_explain) has no line. The
-- line has
--
--   who        the principal, or null       addr    the client's address
--   operation  group.create, ...            id      the group's, upstream
--   asked      what the client sent, after the policies before this one
--   before     what "before" found, or null
--   after      the group or member as the upstream told it, or null
--   outcome    "done", or "asked"
--
-- Hooks do not see a change that fails: that one has no line "done", and the
-- access log has its $group_outcome. A line of the log holds 1024 bytes: where
-- a part is too long for it, lists in it are told by their length, and then
-- the part is "...". To read the lines:
--
--   sed -n 's/.*audit\.lua": \({.*}\)\( while .*\)\{0,1\}, client: .*/\1/p'

local params = ...

-- what is taken away was read: what is left is a mistake
local function take(name)
    local text = params[name]
    params[name] = nil
    return text
end

local LEVELS = { error = true, warn = true, notice = true, info = true }

local level = take("level") or "notice"
local before_uri = take("before")
local timeout = tonumber(take("timeout") or 1000)
local attempts = take("attempts") or "off"

if next(params) then
    error('unknown parameter "' .. next(params) .. '"', 0)
end
if not LEVELS[level] then
    error('level cannot be "' .. level .. '"', 0)
end
if before_uri and before_uri:sub(1, 1) ~= "/" then
    error('before must begin with "/"', 0)
end
if not timeout or timeout < 1 or timeout > 60000 then
    error("timeout must be 1 to 60000 ms", 0)
end
if attempts ~= "on" and attempts ~= "off" then
    error('attempts must be on or off, not "' .. attempts .. '"', 0)
end

local CHANGES = {
    ["group.create"] = true, ["group.replace"] = true,
    ["group.modify"] = true, ["group.delete"] = true,
    ["member.add"] = true, ["member.remove"] = true,
}

-- bytes of a line, of the three parts together, and of each of the first two
local LINE, PARTS, PART = 1024, 700, 220

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n" }

local function quote(text)
    return '"' .. text:gsub('[%c"\\\127]', function(c)
        return ESCAPES[c] or ("\\u%04x"):format(c:byte())
    end) .. '"'
end

-- "brief": lists are told by their length
local function json(value, brief)
    local kind = type(value)

    if kind == "string" then
        return quote(value)
    end
    if kind == "number" then
        return value % 1 == 0 and ("%.0f"):format(value)
            or ("%.14g"):format(value)
    end
    if kind == "boolean" then
        return tostring(value)
    end
    if kind ~= "table" then
        return "null"
    end

    local parts = {}

    if #value > 0 or next(value) == nil then
        if brief then
            return tostring(#value)
        end
        for i, item in ipairs(value) do
            parts[i] = json(item)
        end
        return "[" .. table.concat(parts, ",") .. "]"
    end

    local names = {}
    for name in pairs(value) do
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        parts[i] = quote(name) .. ":" .. json(value[name], brief)
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

local function part(value, room)
    local text = json(value)
    if #text > room then
        text = json(value, true)
    end
    return #text > room and '"..."' or text
end

-- the beginning of a long text, with whole characters
local function short(text)
    if not text then
        return "null"
    end
    if #text > 64 then
        text = text:sub(1, 64):gsub("[\192-\255][\128-\191]*$", "") .. "..."
    end
    return quote(text)
end

-- of this request: the file is run anew for each
local asked, before = "null", "null"

local function write(ctx, outcome, after)
    local head = '{"who":' .. short(ctx.principal and ctx.principal.id)
        .. ',"addr":' .. short(ctx:var("remote_addr"))
        .. ',"operation":' .. quote(ctx.operation)
        .. ',"id":' .. short(ctx:var("group_id"))
    local rest = ',"outcome":"' .. outcome .. '"}'
    local parts = ',"asked":' .. asked .. ',"before":' .. before
        .. ',"after":' .. after

    if #head + #parts + #rest > LINE then
        parts = ',"asked":"...","before":"...","after":"..."'
    end
    ctx:log(level, head .. parts .. rest)
end

local function read(ctx)
    local id = ctx:var("group_id")
    if not id then
        return "null"
    end

    local uri = before_uri:gsub("{id}", function()
        return (id:gsub("[^%w._~-]", function(c)
            return ("%%%02X"):format(c:byte())
        end))
    end)
    local res = ctx:fetch{ uri = uri, timeout = timeout }

    return res and res.status == 200 and part(res.json, PART) or "null"
end

local policy = {}

function policy.request(ctx)
    if not CHANGES[ctx.operation] or ctx.dry_run then
        return
    end

    asked = part(ctx.group or ctx.member, PART)

    if before_uri and ctx.operation ~= "group.create" then
        before = read(ctx)
    end
    if attempts == "on" then
        write(ctx, "asked", "null")
    end
end

function policy.response(ctx)
    if CHANGES[ctx.operation] and not ctx.dry_run then
        write(ctx, "done", part(ctx.group or ctx.member,
            PARTS - #asked - #before))
    end
end

return policy
