local policy = {}

function policy.request(ctx)
    if ctx.group then
end

return policy
