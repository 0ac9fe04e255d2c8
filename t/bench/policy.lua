-- The policy of the benchmark: reads three fields and changes them.

local policy = {}

function policy.request(ctx)
    local group = ctx.group

    group.description = group.description
        or "made by " .. (ctx.principal and ctx.principal.id or "nobody")
    group.email = group.name:lower() .. "." .. group.email
    group.name = ctx.params.prefix .. group.name
end

return policy
