return { request = "not a function" }
