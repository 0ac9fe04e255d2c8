local policy = {}

function policy.requst(ctx) end

return policy
