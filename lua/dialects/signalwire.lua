-- SignalWire number groups and number group memberships.
--
-- Sources: the number groups reference (create-number-group,
-- create-number-group-membership) and the REST specification it is made of.

local group = {
    field "id" { type = "id", required = true, read_only = true },
    -- ASSUMED: the length, from the filter_name parameter of the list call
    field "name" { required = true, blank = false, max = 255 },
    field "sticky_sender" { type = "boolean", required = true,
                            default = false },
    field "phone_number_count" { from = "member_count", type = "integer",
                                 required = true, read_only = true },
}

local new_group = {
    field "name" { required = true, blank = false, max = 255 },
    field "sticky_sender" { type = "boolean" },
}

local number = {
    field "id" { type = "member_id" },
    field "name" {},
    field "number" {},
    field "capabilities" { type = "array", items = field "" {} },
}

local membership = {
    field "id" { type = "id", required = true },
    field "number_group_id" { from = "group_id", type = "id",
                              required = true },
    field "phone_number" { from = "member", type = "object",
                           required = true, fields = number },
    field "created_at" { type = "timestamp", required = true,
                         default = "now" },
    field "updated_at" { type = "timestamp", required = true,
                         default = "now" },
}

local page = {
    field "page_number" { from = "page", type = "integer", min = 0 },
    field "page_size" { from = "limit", type = "integer",
                        min = 1, max = 1000, default = 50 },
    field "page_token" { from = "cursor" },
}

local groups = {
    field "filter_name" { from = "name_contains", max = 255 },
    page[1], page[2], page[3],
}

local unauthorized = {
    status = 401, body = { error = "Unauthorized" },
    headers = { ["WWW-Authenticate"] = 'Basic realm="SignalWire"' },
}

local links = field "links" {
    from = ".", type = "object", required = true,
    -- ASSUMED: their query strings, for which the pages have a placeholder
    fields = {
        field "self" { from = "link_self" },
        field "first" { from = "link_first" },
        field "next" { from = "link_next" },
        field "prev" { from = "link_prev" },
    },
}

return dialect "signalwire" {
    media_type = "application/json",
    auth = "basic",
    id = "uuid",
    member_id = "uuid",
    scopes = { "numbers" },
    base_path = "/api/relay/rest",

    operations = {
        ["group.create"] = {
            "POST", "/number_groups",
            request = new_group, response = group,
            -- the older portal says 201, the specification 200: both are read
            status = 200, accept = { 201 },
        },
        ["group.list"] = {
            "GET", "/number_groups", query = groups,
            response = {
                links,
                field "data" { from = "items", type = "array",
                               required = true, items = group },
            },
        },
        ["group.get"] = { "GET", "/number_groups/{id}", response = group },
        ["group.replace"] = {
            "PUT", "/number_groups/{id}",
            request = new_group, response = group,
        },
        ["group.delete"] = {
            "DELETE", "/number_groups/{id}", status = 204, accept = { 200 },
        },
        ["member.add"] = {
            "POST", "/number_groups/{group_id}/number_group_memberships",
            request = {
                field "phone_number_id" { from = "member.id",
                                          type = "member_id",
                                          required = true, blank = false },
            },
            response = membership,
            status = 200, accept = { 201 },
        },
        ["member.list"] = {
            "GET", "/number_groups/{group_id}/number_group_memberships",
            query = page,
            response = {
                links,
                field "data" { from = "items", type = "array",
                               required = true, items = membership },
            },
        },
        ["member.get"] = {
            "GET", "/number_group_memberships/{id}", response = membership,
        },
        ["member.remove"] = {
            "DELETE", "/number_group_memberships/{id}",
            status = 204, accept = { 200 },
        },
    },

    -- where the text of an error stands
    texts = { "errors[].detail", "error" },
    statuses = { [400] = "malformed" },

    problems = {
        missing = { code = "missing_required_parameter",
                    detail = "$label can't be blank" },
        blank = { code = "missing_required_parameter",
                  detail = "$label can't be blank" },
        too_long = { code = "invalid_parameter",
                     detail = "$label is too long "
                              .. "(maximum is $limit characters)" },
        ["*"] = { code = "invalid_parameter" },
    },

    errors = {
        malformed = { status = 400, body = { error = "Bad Request" } },
        unauthorized = unauthorized,
        forbidden = {
            -- the authorization page: a missing scope is 401
            { when = { "scope" }, status = unauthorized.status,
              body = unauthorized.body, headers = unauthorized.headers },
            { status = 403, body = { error = "Forbidden" } },
        },
        not_found = { status = 404, body = { error = "Not Found" } },
        method_not_allowed = {
            status = 405, body = { error = "$reason" },
            headers = { ["Allow"] = "$allow" },
        },
        internal = { status = 500,
                     body = { error = "Internal Server Error" } },
        invalid = {
            status = 422,
            body = { errors = each { detail = "$detail", status = "422",
                                     title = "Invalid Attribute",
                                     code = "$code" } },
        },
        conflict = {
            -- value_not_unique is the code that the error code page gives
            status = 422,
            body = { errors = each { detail = "$detail", status = "422",
                                     title = "Invalid Attribute",
                                     code = "value_not_unique" } },
        },
        not_supported = { status = 501, body = { error = "$detail" } },
        ["*"] = { body = { error = "$reason" } },
    },
}
