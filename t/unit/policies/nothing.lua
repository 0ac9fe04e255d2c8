local policy = {}

function policy.request(ctx) end
