-- SCIM 2.0 groups.
--
-- Sources: RFC 7643 (4.2 and 8.7.1, the schema of groups), RFC 7644 (3.4 to
-- 3.6 operations, 3.12 errors, table 9 scimType); what Okta and Microsoft
-- Entra ID send.

local core = "urn:ietf:params:scim:schemas:core:2.0:"
local messages = "urn:ietf:params:scim:api:messages:2.0:"

-- of groups in one answer
local page_max = 1000

local group_url = "{origin}{base}/Groups/{id}"

local member = {
    -- a client's own URL is not looked at: the value is the member
    field "$ref" { from = "id", type = "member_id", read_only = true,
                   ref = "{origin}{base}/Users/{id}" },
    field "value" { from = "id", type = "member_id", required = true,
                    blank = false },
    field "display" { from = "name" },
    field "type" {},
}

-- read-only attributes of a request are ignored, not refused (3.5.1); where
-- an id stands twice, the last one counts when it is read
local group = {
    field "schemas" { const = { core .. "Group" } },
    field "meta" {
        from = ".", type = "object", read_only = true,
        fields = {
            field "resourceType" { const = "Group" },
            field "created" { from = "created_at", type = "timestamp" },
            field "lastModified" { from = "updated_at", type = "timestamp" },
            field "location" { from = "id", type = "id", ref = group_url },
        },
    },
    field "id" { type = "id", required = true, read_only = true },
    field "externalId" { from = "external_id" },
    field "displayName" { from = "name", required = true, blank = false },
    -- RFC 7643, 2.5: what is absent is empty
    field "members" { type = "array", items = member, default = {} },
}

local view = {
    field "attributes" { from = "only" },
    field "excludedAttributes" { from = "without" },
}

local function failure(scim_type)
    return {
        schemas = { messages .. "Error" },
        status = "$status",
        detail = "$details",
        scimType = scim_type,
    }
end

-- RFC 7643, 7: an attribute of a schema; what is not given is the usual
local function attribute(a)
    return {
        name = a.name,
        type = a.type or "string",
        description = a.description,
        multiValued = a.multiValued or false,
        required = a.required or false,
        caseExact = a.caseExact or false,
        mutability = a.mutability or "readWrite",
        returned = "default",
        uniqueness = "none",
        referenceTypes = a.referenceTypes,
        subAttributes = a.subAttributes,
    }
end

local group_schema = {
    schemas = { core .. "Schema" },
    id = core .. "Group",
    name = "Group",
    description = "Group",
    meta = { resourceType = "Schema" },
    attributes = {
        attribute { name = "displayName", required = true,
                    description = "A name for the group" },
        attribute {
            name = "members", type = "complex", multiValued = true,
            description = "The members of the group",
            subAttributes = {
                attribute { name = "value", mutability = "immutable",
                            caseExact = true,
                            description = "The id of the member" },
                attribute { name = "$ref", type = "reference",
                            mutability = "immutable", caseExact = true,
                            referenceTypes = { "User", "Group" },
                            description = "The URI of the member" },
                attribute { name = "type", mutability = "immutable",
                            description = "What the member is" },
                attribute { name = "display", mutability = "readOnly",
                            description = "A name for the member" },
            },
        },
    },
}

-- there are no users here: members are known by their ids alone
local group_type = {
    schemas = { core .. "ResourceType" },
    id = "Group",
    name = "Group",
    description = "Group",
    endpoint = "/Groups",
    schema = core .. "Group",
    meta = { resourceType = "ResourceType" },
}

local function list_of(one)
    return {
        schemas = { messages .. "ListResponse" },
        totalResults = 1,
        startIndex = 1,
        itemsPerPage = 1,
        Resources = { one },
    }
end

return dialect "scim" {
    media_type = "application/scim+json",
    accept = { "application/scim+json", "application/json" },
    auth = "bearer",
    id = "opaque",
    member_id = "opaque",
    base_path = "/scim/v2",

    syntax = "scim",
    names = {
        id = "id",
        externalId = "external_id",
        displayName = "name",
        members = "members",
        ["meta.created"] = "created_at",
        ["meta.lastModified"] = "updated_at",
    },

    operations = {
        ["group.create"] = {
            "POST", "/Groups", scopes = { "groups:write" },
            request = group, response = group, status = 201,
            location = group_url,
        },
        ["group.list"] = {
            "GET", "/Groups", scopes = { "groups:read" },
            -- 3.4.3: of groups, or of all there is, which are groups alone
            search = { "/Groups/.search", "/.search" },
            query = {
                field "filter" { type = "filter" },
                -- 3.4.2.4: less than 1 is 1, a count less than 0 is 0
                field "startIndex" { from = "offset", type = "integer",
                                     base = 1, min = 1, clamp = true },
                field "count" { from = "limit", type = "integer",
                                min = 0, max = page_max, clamp = true,
                                default = 100 },
                field "sortBy" { from = "order", type = "order",
                                 direction = "sortOrder" },
                view[1], view[2],
            },
            response = {
                field "schemas" { const = { messages .. "ListResponse" } },
                field "totalResults" { from = "total", type = "integer",
                                       required = true },
                field "startIndex" { from = "offset", type = "integer",
                                     base = 1, default = 1 },
                field "itemsPerPage" { from = "count", type = "integer" },
                field "Resources" { from = "items", type = "array",
                                    items = group },
            },
        },
        ["group.get"] = {
            "GET", "/Groups/{id}", scopes = { "groups:read" },
            query = view, response = group,
        },
        ["group.replace"] = {
            "PUT", "/Groups/{id}", scopes = { "groups:write" },
            request = group, response = group,
        },
        -- Entra ID wants 204, Okta takes it
        ["group.modify"] = {
            "PATCH", "/Groups/{id}", scopes = { "groups:write" },
            patch = true, response = group, status = 204, accept = { 200 },
        },
        ["group.delete"] = {
            "DELETE", "/Groups/{id}", scopes = { "groups:write" },
            status = 204,
        },
    },

    documents = {
        ["/ServiceProviderConfig"] = {
            schemas = { core .. "ServiceProviderConfig" },
            patch = { supported = true },
            bulk = { supported = false, maxOperations = 0,
                     maxPayloadSize = 0 },
            filter = { supported = true, maxResults = page_max },
            changePassword = { supported = false },
            sort = { supported = true },
            etag = { supported = false },
            authenticationSchemes = {
                { type = "oauthbearertoken", name = "OAuth Bearer Token",
                  description = "A bearer token in Authorization",
                  specUri = "https://www.rfc-editor.org/info/rfc6750" },
            },
            meta = { resourceType = "ServiceProviderConfig" },
        },
        ["/ResourceTypes"] = list_of(group_type),
        ["/ResourceTypes/Group"] = group_type,
        ["/Schemas"] = list_of(group_schema),
        ["/Schemas/" .. core .. "Group"] = group_schema,
    },

    texts = { "detail" },

    -- status is a string; scimType is for 400 and 409 alone
    errors = {
        malformed = { status = 400, body = failure "invalidSyntax" },
        unauthorized = {
            -- RFC 6750, 3.1
            { when = { "credentials" }, status = 401, body = failure(),
              headers = { ["WWW-Authenticate"] =
                          'Bearer realm="SCIM", error="invalid_token"' } },
            { status = 401, body = failure(),
              headers = { ["WWW-Authenticate"] = 'Bearer realm="SCIM"' } },
        },
        method_not_allowed = {
            status = 405, body = failure(),
            headers = { ["Allow"] = "$allow" },
        },
        conflict = {
            { when = { "name", "upstream" }, status = 409,
              body = failure "uniqueness" },
            { status = 409, body = failure() },
        },
        invalid = {
            { when = { "invalidSyntax", "invalidPath", "invalidFilter",
                       "noTarget", "mutability" },
              status = 400, body = failure "$code" },
            { when = { "filter" }, status = 400,
              body = failure "invalidFilter" },
            { status = 400, body = failure "invalidValue" },
        },
        ["*"] = { body = failure() },
    },
}
