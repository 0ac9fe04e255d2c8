-- MultiTech FaxFinder contact groups.
--
-- Sources: the web services API pages of MultiTech (creating a new group,
-- viewing groups, editing groups, deleting contacts).

local contacts = field "contact" {
    from = "members", type = "array",
    items = field "" { from = "id", type = "member_id",
                       ref = "{origin}{base}/contacts/{owner}/{id}" },
}

local group_url = field "contact_group_url" {
    from = "id", type = "id", read_only = true,
    ref = "{origin}{base}/contact_groups/{owner}/{id}",
}

-- ASSUMED: the name is required; the pages do not say
local new_group = {
    field "contact_group" {
        from = ".", type = "object", required = true,
        fields = {
            field "name" { required = true, blank = false },
            field "description" {},
            contacts,
        },
    },
}

local group = {
    field "contact_group_url" { from = "id", type = "id", required = true,
                                ref = group_url.ref },
    field "name" {},
    field "description" {},
    contacts,
}

local function response(message, fields)
    return {
        field "response" {
            from = ".", type = "object", required = true,
            fields = { field "message" { const = message }, fields },
        },
    }
end

local one = field "contact_group" { from = ".", type = "object",
                                    required = true, fields = group }

return dialect "faxfinder" {
    media_type = "application/xml",
    accept = { "application/xml", "text/xml" },
    format = "xml",
    auth = "basic",
    id = "decimal",
    member_id = "decimal",
    base_path = "/ffws/v1",

    -- order=field: the shortest form of that syntax
    syntax = "odata",
    names = { name = "name", description = "description" },

    operations = {
        ["group.create"] = {
            "POST", "/contact_groups/{owner}",
            request = new_group, response = response("Created", one),
            accept = { 201 },
        },
        ["group.list"] = {
            "GET", "/contact_groups/{owner}",
            query = {
                field "limit" { type = "integer", min = 1 },
                field "offset" { type = "integer", min = 0 },
                field "name" { from = "name_contains" },
                field "description" { from = "description_contains" },
                field "order" { type = "order" },
            },
            -- ASSUMED: a list without groups has only the message
            response = response("Success", field "contact_group" {
                from = "items", type = "array", items = group,
            }),
        },
        -- ASSUMED: documented for contacts, and contact_group_url is of
        -- this form
        ["group.get"] = {
            "GET", "/contact_groups/{owner}/{id}",
            response = response("Success", one),
        },
        ["group.replace"] = {
            "PUT", "/contact_groups/{owner}/{id}",
            request = new_group, response = response("Modified"),
        },
        -- ASSUMED: by analogy with contacts
        ["group.delete"] = {
            "DELETE", "/contact_groups/{owner}/{id}",
            response = response("Deleted"), accept = { 204 },
        },
    },

    -- contacts, which groups refer to
    reads = {
        { "GET", "/contacts/{owner}" },
        { "GET", "/contacts/{owner}/{id}" },
    },

    texts = { "response.message" },

    -- ASSUMED: the shape of an error, and the realm: no page gives them
    errors = {
        unauthorized = {
            status = 401, body = { response = { message = "$reason" } },
            headers = { ["WWW-Authenticate"] = 'Basic realm="FaxFinder"' },
        },
        forbidden = {
            { when = { "policy" }, status = 403,
              body = { response = { message = "$detail" } } },
            { status = 403, body = { response = { message = "$reason" } } },
        },
        method_not_allowed = {
            status = 405, body = { response = { message = "$reason" } },
            headers = { ["Allow"] = "$allow" },
        },
        malformed = { status = 400,
                      body = { response = { message = "$detail" } } },
        invalid = { status = 400,
                    body = { response = { message = "$details" } } },
        ["*"] = { body = { response = { message = "$detail" } } },
    },
}
