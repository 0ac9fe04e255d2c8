-- email: the address of a group is one of ours, and a group without words of
-- its own tells who wrote it last.
--
--   group_policy email.lua domain=example.com;

local params = ...
local domain = "@" .. (params.domain or error("domain is missing", 0))

local policy = {}

function policy.request(ctx)
    if ctx.operation ~= "group.create" and ctx.operation ~= "group.replace" then
        return
    end

    local group = ctx.group

    if group.email:sub(-#domain) ~= domain then
        return ctx:deny("invalid", "email must end with " .. domain, "email")
    end

    group.description = group.description or "written by " .. ctx.principal.id
end

return policy
