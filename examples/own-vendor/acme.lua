-- Acme Teams, a vendor that does not exist: what a dialect of one's own takes.
--
-- A field's name is the vendor's; "from" is the canonical field that it stands
-- for, where the two differ. An object with from = "." is the vendor's nesting
-- and not ours: what is in it belongs to the group all the same.

local function nested(name, fields, required)
    return field(name) { from = ".", type = "object", required = required,
                         fields = fields }
end

local title = field "title" { from = "name", required = true, blank = false,
                              max = 80 }
local about = field "about" { from = "description", max = 500 }
local contact = nested("contact", {
    field "mail" { from = "email", type = "email" },
})
local options = nested("options", {
    field "same_number" { from = "sticky_sender", type = "boolean" },
})

local person = {
    field "person" { from = "id", type = "member_id", required = true },
    field "nick" { from = "name" },
}
local people = field "people" { from = "members", type = "array",
                                items = person }

local new_team = {
    nested("team", { title, about, contact, options, people }, true),
}

local team = {
    field "number" { from = "id", type = "id", required = true },
    title, about, contact, options, people,
    field "headcount" { from = "member_count", type = "integer" },
    -- the vendor's word on the left, the canonical one on the right
    field "state" { from = "status", default = "open",
                    values = { open = "active", closed = "deleted" } },
    field "since" { from = "created_at", type = "timestamp" },
}

local one_team = { nested("team", team, true) }

-- in a membership the person is the member
local membership = {
    field "person" { from = "member.id", type = "member_id", required = true },
    field "nick" { from = "member.name" },
}

return dialect "acme" {
    media_type = "application/json",
    auth = "bearer",
    id = "decimal",
    member_id = "decimal",
    base_path = "/acme/v3",

    operations = {
        ["group.create"] = {
            "POST", "/teams", scopes = { "teams:write" },
            request = new_team, response = one_team, status = 201,
        },
        ["group.list"] = {
            "GET", "/teams", scopes = { "teams:read" },
            query = {
                field "like" { from = "name_contains" },
                field "from" { from = "offset", type = "integer", min = 0 },
                field "size" { from = "limit", type = "integer",
                               min = 1, max = 50 },
            },
            response = {
                nested("page", {
                    field "from" { from = "offset", type = "integer" },
                    field "size" { from = "limit", type = "integer" },
                    field "all" { from = "total", type = "integer" },
                }),
                field "teams" { from = "items", type = "array",
                                required = true, items = team },
            },
        },
        ["group.get"] = {
            "GET", "/teams/{id}", scopes = { "teams:read" },
            response = one_team,
        },
        ["group.replace"] = {
            "PUT", "/teams/{id}", scopes = { "teams:write" },
            request = new_team, response = one_team,
        },
        ["group.delete"] = {
            "DELETE", "/teams/{id}", scopes = { "teams:write" }, status = 204,
        },
        ["member.list"] = {
            "GET", "/teams/{group_id}/people", scopes = { "teams:read" },
            response = {
                field "people" { from = "items", type = "array",
                                 required = true, items = membership },
            },
        },
        ["member.add"] = {
            "PUT", "/teams/{group_id}/people/{member.id}",
            scopes = { "teams:write" }, status = 204,
        },
        ["member.remove"] = {
            "DELETE", "/teams/{group_id}/people/{member.id}",
            scopes = { "teams:write" }, status = 204,
        },
    },

    -- where the text of an error stands, when Acme is the upstream
    texts = { "fault.fields[].why", "fault.says" },

    -- how Acme speaks of a problem; the others have words of our own
    problems = {
        missing = { detail = "$field must be there" },
        blank = { detail = "$field must say something" },
        too_long = { detail = "$field has more than $limit letters" },
    },

    errors = {
        invalid = {
            status = 422,
            body = { fault = { kind = "invalid", says = "$details",
                               fields = each { name = "$field",
                                               why = "$detail" } } },
        },
        unauthorized = {
            status = 401, body = { fault = { kind = "who", says = "$detail" } },
            headers = { ["WWW-Authenticate"] = 'Bearer realm="Acme"' },
        },
        method_not_allowed = {
            status = 405, body = { fault = { kind = "how", says = "$detail" } },
            headers = { ["Allow"] = "$allow" },
        },
        -- every other outcome, each with its usual status
        ["*"] = { body = { fault = { kind = "$outcome", says = "$detail" } } },
    },
}
