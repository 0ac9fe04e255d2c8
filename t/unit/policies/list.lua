return { function(ctx) end }
