-- A hook, so that there is something to see of hooks.
return {
    request = function(ctx)
        if ctx.operation == "group.create"
            and not ctx.group.name:find("^%l+%-")
        then
            return ctx:deny("invalid", "must begin with a team: sales-...",
                "name")
        end
    end,
}
