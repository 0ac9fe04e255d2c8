-- VinylDNS groups.
--
-- Sources: the API documentation (create-group) and the server's own source
-- (MembershipRouting, MembershipJsonProtocol, MembershipService, v0.21.6).

local id = field "id" { type = "member_id", required = true }

local function people(name, from)
    return field(name) { from = from or name, type = "array",
                         required = true, items = { id } }
end

local new_group = {
    -- ASSUMED: the length, from the column of the database
    field "name" { required = true, blank = false, max = 256 },
    field "email" { type = "email", required = true, blank = false },
    field "description" {},
    people "members",
    people "admins",
}

local function answer(created)
    return {
        field "id" { type = "id", required = true },
        field "name" { required = true },
        field "email" { required = true },
        field "description" {},
        created,
        field "status" { default = "Active",
                         values = { Active = "active",
                                    Deleted = "deleted" } },
        people "members",
        people "admins",
    }
end

-- a group is created when it is answered, and only then is the time known
local created_now = field "created" { from = "created_at",
                                      type = "timestamp", default = "now" }
local created = field "created" { from = "created_at", type = "timestamp" }

local group = answer(created)

return dialect "vinyldns" {
    media_type = "application/json",
    auth = "sigv4",
    id = "opaque",
    member_id = "opaque",
    base_path = "",
    -- groupNameFilter does not mind the case
    folds = true,
    -- MembershipRouting: maxItems is looked at before the signature
    query_first = true,

    operations = {
        ["group.create"] = {
            "POST", "/groups", scopes = { "groups:write" },
            request = new_group, response = answer(created_now),
        },
        ["group.list"] = {
            "GET", "/groups", scopes = { "groups:read" },
            query = {
                -- MembershipService: an unknown startFrom is a 500, and on
                -- members it reaches SQL unescaped
                field "startFrom" { from = "cursor", type = "token" },
                -- reference.conf: at most 3000
                field "maxItems" { from = "limit", type = "integer",
                                   min = 1, max = 3000, default = 100 },
                field "groupNameFilter" { from = "name_contains" },
                field "ignoreAccess" { from = "all", type = "boolean" },
                field "abridged" { from = "brief", type = "boolean" },
            },
            response = {
                field "groups" { from = "items", type = "array",
                                 required = true, items = group },
                field "groupNameFilter" { from = "name_contains" },
                field "startFrom" { from = "cursor" },
                field "nextId" { from = "next" },
                field "maxItems" { from = "limit", type = "integer",
                                   default = 100 },
                field "ignoreAccess" { from = "all", type = "boolean",
                                       default = false },
            },
        },
        ["group.get"] = {
            "GET", "/groups/{id}", scopes = { "groups:read" },
            response = group,
        },
        ["group.replace"] = {
            "PUT", "/groups/{id}", scopes = { "groups:write" },
            -- MembershipRouting: the id of the body counts, not the path's
            request = {
                field "id" { type = "id", required = true },
                new_group[1], new_group[2], new_group[3], new_group[4],
                new_group[5],
            },
            response = group,
        },
        ["group.delete"] = {
            "DELETE", "/groups/{id}", scopes = { "groups:write" },
            response = group,
        },
        ["member.list"] = {
            "GET", "/groups/{group_id}/members", scopes = { "groups:read" },
            query = {
                field "startFrom" { from = "cursor", type = "token" },
                field "maxItems" { from = "limit", type = "integer",
                                   min = 1, max = 1000 },
            },
            response = {
                field "members" {
                    from = "items", type = "array", required = true,
                    items = {
                        field "id" { from = "member.id", type = "member_id",
                                     required = true },
                        field "userName" { from = "member.name" },
                        field "email" { from = "member.email" },
                        field "created" { from = "created_at",
                                          type = "timestamp" },
                    },
                },
                field "startFrom" { from = "cursor" },
                field "nextId" { from = "next" },
                field "maxItems" { from = "limit", type = "integer",
                                   default = 100 },
            },
        },
    },

    -- what nobody else has; MembershipRouting
    reads = {
        { "GET", "/groups/{id}/admins", scopes = { "groups:read" } },
        { "GET", "/groups/{id}/activity", scopes = { "groups:read" } },
        { "GET", "/groups/change/{id}", scopes = { "groups:read" } },
        { "GET", "/groups/valid/domains", scopes = { "groups:read" } },
        { "GET", "/users/{id}", scopes = { "groups:read" } },
    },

    texts = { "", "errors[]" },
    statuses = { [400] = "invalid" },

    -- Messages.scala, MembershipJsonProtocol.scala
    problems = {
        missing = { detail = "Missing Group.$field" },
        blank = { detail = "Group name and email cannot be empty." },
        email = { detail = "Please enter a valid Email." },
        -- MembershipRouting: the list's has line breaks and a stray quote
        range = { detail = "$field was $value, $field must be between "
                           .. "0 exclusive and $max inclusive" },
        query = { detail = "'$value' is not a valid "
                           .. "32-bit signed integer value" },
        query_boolean = { detail = "'$value' is not a valid Boolean value" },
    },

    -- three families: A a JSON string, B {"errors": [...]}, C plain text
    errors = {
        malformed = {
            { when = { "empty" }, status = 400, format = "text",
              body = "Request entity expected but not supplied" },
            { status = 400, format = "text",
              body = "The request content was malformed:\n$detail" },
        },
        unauthorized = {
            { when = { "missing" }, status = 401, format = "text",
              body = "Authentication Failed: "
                     .. "Authorization header not found" },
            { when = { "malformed" }, status = 401, format = "text",
              body = "Authentication Failed: "
                     .. "Authorization header could not be parsed" },
            -- Aws4Authenticator names an unknown accessKey, which tells
            -- strangers the known ones: here it is one text for both
            { status = 401, format = "text",
              body = "Authentication Failed: "
                     .. "Request signature could not be validated" },
        },
        forbidden = {
            { when = { "scope", "container" }, status = 403,
              body = "Not authorized" },
            { status = 403, body = "$detail" },
        },
        not_found = {
            { when = { "path" }, status = 404, format = "text",
              body = "The requested path [$path] does not exist." },
            { when = { "group" }, status = 404,
              detail = "Group with ID $subject was not found",
              body = "$detail" },
            { status = 404, body = "$detail" },
        },
        method_not_allowed = {
            status = 405, format = "text",
            body = "HTTP method not allowed, supported methods: $allow",
            headers = { ["Allow"] = "$allow" },
        },
        conflict = {
            { when = { "name" }, status = 409,
              detail = "Group with name $subject already exists. "
                       .. "Please try a different name.",
              body = "$detail" },
            { status = 409, body = "$detail" },
        },
        unsupported_media_type = {
            status = 415, format = "text",
            body = "The request's Content-Type [$content_type] is not "
                   .. "supported. Expected:\napplication/json",
        },
        invalid = {
            { when = { "missing", "type", "lost" }, status = 400,
              body = { errors = each "$detail" } },
            -- ASSUMED: the wording of the second line, akka's
            { when = { "query", "query_boolean" }, status = 400,
              format = "text",
              body = "The query parameter '$field' was malformed:\n"
                     .. "$detail" },
            { status = 400, body = "$detail" },
        },
        internal = {
            -- ASSUMED: the wording, akka's default
            status = 500, format = "text",
            body = "There was an internal server error.",
        },
        ["*"] = { body = "$detail" },
    },
}
