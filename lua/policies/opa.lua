-- opa: asks a policy engine with Open Policy Agent's data API.
--
--   location /opa/ {                                   # for hooks only
--       internal;
--       proxy_pass http://127.0.0.1:8181/;
--   }
--   group_policy opa.lua uri=/opa/v1/data/groups/allow;
--
-- parameter   default
-- uri         -           the location to ask; required
-- operations  changes     operations to ask about, parted by commas:
--                         group.create, ...; "changes" are all that change
--                         something, "all" are all
-- timeout     500         ms
-- outcome     forbidden   how a refusal is answered
-- on_error    deny        when there is no decision: deny ("unavailable") or
--                         pass
--
-- Posts
--
--   {"input": {"operation": "group.create", "dialect": "scim",
--              "upstream_dialect": "vinyldns", "id": null,
--              "principal": {"id": "acme", "scopes": ["groups:write"]},
--              "group": {...}, "member": {...}, "query": {...},
--              "request": {"method": "POST", "path": "...", "addr": "..."}}}
--
-- with the canonical names of fields; what there is none of is left out, empty
-- scopes are null. The decision is {"result": true}, {"result": false} or
-- {"result": {"allow": true}}; beside "allow" there may be a "reason", the
-- sentence for the client, and a "field". A result that is missing, as OPA
-- answers where a rule is undefined, is no.

local params = ...

-- what is taken away was read: what is left is a mistake
local function take(name)
    local text = params[name]
    params[name] = nil
    return text
end

local CHANGES = {
    "group.create", "group.replace", "group.modify", "group.delete",
    "member.add", "member.remove",
}
local READS = { "group.list", "group.get", "member.list", "member.get" }
local OUTCOMES = {
    forbidden = true, invalid = true, conflict = true, not_found = true,
    not_supported = true, unavailable = true, unauthorized = true,
    rate_limited = true,
}

local known, asked = {}, {}

for _, list in ipairs({ CHANGES, READS }) do
    for _, operation in ipairs(list) do
        known[operation] = true
    end
end

local function ask_about(operations)
    for _, operation in ipairs(operations) do
        asked[operation] = true
    end
end

local uri = take("uri") or error("uri is missing", 0)
local timeout = tonumber(take("timeout") or 500)
local outcome = take("outcome") or "forbidden"
local on_error = take("on_error") or "deny"

for word in (take("operations") or "changes"):gmatch("[^,%s]+") do
    if word == "changes" or word == "all" then
        ask_about(CHANGES)
        ask_about(word == "all" and READS or {})
    elseif known[word] then
        asked[word] = true
    else
        error('operations has the unknown "' .. word .. '"', 0)
    end
end

if next(params) then
    error('unknown parameter "' .. next(params) .. '"', 0)
end
if uri:sub(1, 1) ~= "/" then
    error('uri must begin with "/", as a location of this server', 0)
end
if not timeout or timeout < 1 or timeout > 60000 then
    error("timeout must be 1 to 60000 ms", 0)
end
if not OUTCOMES[outcome] then
    error('outcome cannot be "' .. outcome .. '"', 0)
end
if on_error ~= "deny" and on_error ~= "pass" then
    error('on_error must be deny or pass, not "' .. on_error .. '"', 0)
end

local function input(ctx)
    local principal = ctx.principal

    return {
        operation = ctx.operation,
        dialect = ctx.dialect,
        upstream_dialect = ctx.upstream_dialect,
        id = ctx:var("group_id") or null,
        principal = principal and {
            id = principal.id,
            -- an empty table would be an object
            scopes = #principal.scopes > 0 and principal.scopes or null,
        } or null,
        group = ctx.group,
        member = ctx.member,
        query = ctx.query,
        request = {
            method = ctx:var("request_method"),
            path = ctx:var("uri"),
            addr = ctx:var("remote_addr"),
        },
    }
end

-- what the engine decided, or nil and why there is no decision
local function decide(ctx)
    local res, why = ctx:fetch{
        uri = uri, method = "POST", timeout = timeout,
        json = { input = input(ctx) },
    }

    if not res then
        return nil, why
    end
    if res.status ~= 200 then
        return nil, "status " .. res.status
    end
    if type(res.json) ~= "table" then
        return nil, "no JSON"
    end

    local result = res.json.result

    if type(result) == "table" then
        return result
    end
    return { allow = result }
end

local function sentence(text, most)
    return type(text) == "string" and #text <= most and text ~= "" and text
        or nil
end

local policy = {}

function policy.request(ctx)
    if not asked[ctx.operation] then
        return
    end

    local decision, why = decide(ctx)

    if not decision then
        ctx:log("error", "no decision from " .. uri .. ": " .. why)
        if on_error == "deny" then
            return ctx:deny("unavailable", "there is no decision now")
        end
        return
    end

    -- nothing but true is yes
    if decision.allow ~= true then
        return ctx:deny(outcome, sentence(decision.reason, 512)
            or "not allowed by policy", sentence(decision.field, 128))
    end
end

return policy
