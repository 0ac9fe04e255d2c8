-- PortSIP PBX user groups, REST API version 22.
--
-- Sources: the API reference (groups) and its OpenAPI description; the "about"
-- page for query syntax, nulls and errors.

local caller_id = {
    field "provider_id" {},
    field "caller_id" { min = 1, max = 64 },
    field "display_name" {},
    field "description" { max = 1024, null = true },
}

local id = field "id" { type = "id", required = true }

-- blank fields are answered as null
local name = field "name" { min = 1, max = 64, null = true }
local description = field "description" { max = 1024, null = true }
local caller_ids = field "outbound_caller_ids" {
    type = "array", items = caller_id, null = true,
}

local new_group = { name, caller_ids, description }
local group = { id, name, caller_ids, description }

local member = {
    field "id" { from = "member.ref", null = true },
    field "name" { from = "member.name", null = true },
    field "display_name" { from = "member.name", null = true },
    field "extension_number" { from = "member.id", type = "member_id",
                               required = true },
}

local unauthorized = {
    errors = { { code = "UNAUTHORIZED", message = "$detail" } },
}

return dialect "portsip" {
    media_type = "application/json",
    auth = "bearer",
    id = "base64",
    member_id = "opaque",
    base_path = "/api",

    syntax = "odata",
    names = { id = "id", name = "name", description = "description" },

    operations = {
        ["group.create"] = {
            "POST", "/groups", scopes = { "groups:write" },
            request = new_group, response = { id }, status = 201,
            accept = { 200 },
        },
        ["group.list"] = {
            "GET", "/groups", scopes = { "groups:read" },
            query = {
                field "filter" { type = "filter" },
                field "search" {},
                field "orderby" { from = "order", type = "order" },
                field "skip" { from = "offset", type = "integer", min = 0 },
                field "top" { from = "limit", type = "integer",
                              min = 1, max = 100, default = 100 },
            },
            response = {
                field "count" { from = "total", type = "integer",
                                required = true },
                field "items" {
                    type = "array", required = true,
                    items = { id, name, description },
                },
            },
        },
        ["group.get"] = {
            "GET", "/groups/{id}", scopes = { "groups:read" },
            response = group,
        },
        -- ASSUMED: an update is of the whole group
        ["group.replace"] = {
            "POST", "/groups/{id}", scopes = { "groups:write" },
            request = new_group, accept = { 204 },
        },
        ["group.delete"] = {
            "POST", "/groups/{id}/destroy", scopes = { "groups:write" },
            status = 204, accept = { 200 },
        },
        ["member.list"] = {
            "GET", "/groups/{group_id}/members",
            scopes = { "groups:read" },
            response = {
                field "items" { type = "array", required = true,
                                items = member },
            },
        },
        ["member.get"] = {
            "GET", "/groups/{group_id}/members/{member.id}",
            scopes = { "groups:read" }, response = member,
        },
        ["member.add"] = {
            "POST", "/groups/{group_id}/members/{member.id}",
            scopes = { "groups:write" }, accept = { 204 },
        },
        ["member.remove"] = {
            "POST", "/groups/{group_id}/members/{member.id}/destroy",
            scopes = { "groups:write" }, status = 204, accept = { 200 },
        },
    },

    texts = { "errors[].message" },

    errors = {
        -- ASSUMED: 401, 403, 404 and 409, of which the pages say "4XX"; the
        -- login page has the code UNAUTHORIZED
        unauthorized = {
            -- RFC 6750, 3.1
            { when = { "credentials" }, status = 401, body = unauthorized,
              headers = { ["WWW-Authenticate"] =
                          'Bearer realm="PortSIP", error="invalid_token"' } },
            { status = 401, body = unauthorized,
              headers = { ["WWW-Authenticate"] = 'Bearer realm="PortSIP"' } },
        },
        forbidden = { status = 403, body = unauthorized },
        invalid = {
            status = 400,
            body = { errors = { { code = "VALIDATE_FAILED",
                                  message = "field validation failed",
                                  detail = each { field = "$field",
                                                  code = "$code",
                                                  message = "$detail" } } } },
        },
        malformed = {
            status = 400,
            body = { errors = { { code = "VALIDATE_FAILED",
                                  message = "$detail" } } },
        },
        method_not_allowed = {
            status = 405,
            body = { errors = { { code = "UNKNOWN", message = "$detail" } } },
            headers = { ["Allow"] = "$allow" },
        },
        ["*"] = {
            body = { errors = { { code = "UNKNOWN", message = "$detail" } } },
        },
    },
}
