local policy = {}

function policy.request(ctx)
    if ctx.operation == "group.create"
        and not ctx.group.name:find("^%l+%-")
    then
        return ctx:deny("invalid", "name must start with a team prefix",
                        "name")
    end

    ctx.group.email = ctx.group.email or ctx.params.email
end

function policy.response(ctx)
    ctx.group.seen = true
end

return policy
