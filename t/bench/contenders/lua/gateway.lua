-- What "group_dialect signalwire; group_upstream_dialect vinyldns;" does,
-- written by hand for lua-nginx-module, for speed, and for group.create only:
-- the other operations are matched and answered with 501.
--
-- A request is one content_by_lua and one ngx.location.capture, which this
-- version of the module has no HTTP/2 for: such requests fail. A rewritten
-- request with proxy_pass and a body filter would be a little cheaper, but the
-- header, with its status and length, is gone before the body filter sees that
-- the upstream's answer is of no use. A connection of its own, by
-- ngx.socket.tcp, was measured to cost the same, and lacks all that proxy_pass
-- has.
--
-- It checks less than the module does, because lua-cjson does not: duplicate
-- keys, control characters and, outside "name", invalid UTF-8 and U+0000 are
-- let through, and so are arrays of more than 10000 items, and {} for an empty
-- array in an answer. It also drops fewer headers of the client's (lua.conf
-- names them; the module knows prefixes, too), has no limit on the size of an
-- answer, leaves secrets in the Lua heap, knows no paths with an encoded slash,
-- and has neither log lines nor variables.

local ffi = require "ffi"
local cjson = require "cjson.safe"

local C, cast = ffi.C, ffi.cast
local byte, find, gsub, lower, match, sub = string.byte, string.find,
    string.gsub, string.lower, string.match, string.sub
local concat = table.concat
local type, next, tonumber = type, next, tonumber
local decode, encode, null = cjson.decode, cjson.encode, cjson.null

local ngx = ngx
local var, header, print = ngx.var, ngx.header, ngx.print
local decode_base64, encode_base64 = ngx.decode_base64, ngx.encode_base64
local capture = ngx.location.capture
local get_method = ngx.req.get_method
local read_body = ngx.req.read_body
local get_body_data, get_body_file = ngx.req.get_body_data,
    ngx.req.get_body_file
local re_find = ngx.re.find

cjson.decode_max_depth(32)
cjson.decode_invalid_numbers(false)
cjson.encode_keep_buffer(true)

ffi.cdef [[
typedef struct {
    uint32_t      h[8];
    uint32_t      nl, nh;
    uint32_t      data[16];
    unsigned int  num, md_len;
} gateway_sha256_t;

int SHA256_Init(gateway_sha256_t *c);
int SHA256_Update(gateway_sha256_t *c, const char *data, size_t len);
int SHA256_Final(unsigned char *md, gateway_sha256_t *c);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]

local sha256 = ffi.new("gateway_sha256_t")
local digest = ffi.new("unsigned char[32]")
local number = ffi.typeof("uint64_t")

local _M = {}


-- what is known when nginx starts

local BASE = "/api/relay/rest/"
local BASE_GROUPS = BASE .. "number_groups"
local UPSTREAM = "/vinyldns/groups"
local JSON = "application/json"

-- the VinylDNS request behind the name, and the call that it goes with
local tail
local call = { method = ngx.HTTP_POST, body = "" }

local credentials = {}
local nobody = { digest = ffi.new("unsigned char[32]"), scopes = {},
                 unknown = true }


local function reply(reason)
    return '{"error":"' .. reason .. '"}'
end

local UNAUTHORIZED = reply "Unauthorized"
local BAD_REQUEST = reply "Bad Request"
local BAD_GATEWAY = reply "Bad Gateway"

local function problem(detail, code)
    return '{"detail":' .. encode(detail)
           .. ',"status":"422","title":"Invalid Attribute","code":"'
           .. (code or "invalid_parameter") .. '"}'
end

local NAME_BLANK = problem("Name can't be blank",
                           "missing_required_parameter")
local NAME_TYPE = problem "name is of the wrong type"
local NAME_LONG = problem "Name is too long (maximum is 255 characters)"
local STICKY_TYPE = problem "sticky_sender is of the wrong type"

-- an upstream's status: ours, and its body unless a text of the upstream's
-- goes into it

local STATUSES = {
    [400] = { 422, code = "invalid_parameter" },
    [422] = { 422, code = "invalid_parameter" },
    [409] = { 422, code = "value_not_unique" },
    [403] = { 403, reply "Forbidden" },
    [404] = { 404, reply "Not Found" },
    [410] = { 404, reply "Not Found" },
    [413] = { 413, reply "Payload Too Large" },
    [429] = { 429, reply "Too Many Requests" },
    [500] = { 500, reply "Internal Server Error" },
    [501] = { 501, reply "Not Implemented" },
    [503] = { 503, reply "Service Unavailable" },
    [504] = { 504, reply "Gateway Timeout" },
}

-- texts of an upstream that say no more than its status

local REASONS = {
    ["Bad Request"] = true, ["Unauthorized"] = true, ["Forbidden"] = true,
    ["Not Found"] = true, ["Method Not Allowed"] = true,
    ["Conflict"] = true, ["Payload Too Large"] = true,
    ["Unsupported Media Type"] = true, ["Unprocessable Entity"] = true,
    ["Too Many Requests"] = true, ["Internal Server Error"] = true,
    ["Not Implemented"] = true, ["Bad Gateway"] = true,
    ["Service Unavailable"] = true, ["Gateway Timeout"] = true,
    ["Error"] = true,
}

-- headers of an upstream's answer that go on, as they are usually written

local PASSED = {
    "Retry-After", "retry-after", "X-Request-Id", "X-Request-ID",
    "x-request-id", "traceparent", "tracestate",
}


local function respond(status, body)
    ngx.status = status
    header.content_type = JSON
    header.content_length = #body
    return print(body)
end


local function unauthorized()
    header["WWW-Authenticate"] = 'Basic realm="SignalWire"'
    return respond(401, UNAUTHORIZED)
end


-- the caller, or nil; the time does not tell an unknown id from a wrong secret

local function authenticate()
    local authorization = var.http_authorization
    if not authorization then
        return nil
    end

    local scheme = sub(authorization, 1, 6)
    if scheme ~= "Basic " and lower(scheme) ~= "basic " then
        return nil
    end

    local from = 7
    while byte(authorization, from) == 32 do
        from = from + 1
    end

    local pair = decode_base64(sub(authorization, from))
    local colon = pair and find(pair, ":", 1, true)
    if not colon then
        return nil
    end

    C.SHA256_Init(sha256)
    C.SHA256_Update(sha256, cast("const char *", pair) + colon,
                    #pair - colon)
    C.SHA256_Final(digest, sha256)

    local credential = credentials[sub(pair, 1, colon - 1)] or nobody

    if C.CRYPTO_memcmp(credential.digest, digest, 32) ~= 0
        or credential.unknown
    then
        return nil
    end

    return credential
end


-- "application/json", whatever its parameters are

local function is_json(value)
    return value == JSON
           or lower(match(value, "^[^; \t]*")) == JSON
end


-- Identifiers: SignalWire's are UUIDs. Others are put into one, of version 8
-- and with a mark, or pass with "~" before them.

local MAX = 0xffffffffffffffffULL

local function to_number(text)
    local n = number(0)

    if #text > 20 or not find(text, "^[1-9]%d*$") and text ~= "0" then
        return nil
    end

    for i = 1, #text do
        local digit = byte(text, i) - 48
        if n > (MAX - digit) / 10 then
            return nil
        end
        n = n * 10 + digit
    end

    return n
end


local function base64_number(text)
    local inner = #text <= 28 and decode_base64(text)

    if inner and encode_base64(inner) == text then
        return to_number(inner)
    end
end


local function uuid_bytes(kind, len, payload)
    local text = ("6e677267%02x%02x80%02x80"):format(kind, len,
                                                     byte(payload, 1))

    for i = 2, 8 do
        text = text .. ("%02x"):format(byte(payload, i))
    end

    return (gsub(text, "^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)",
                 "%1-%2-%3-%4-"))
end


local function number_payload(n)
    local bytes = {}

    for i = 8, 1, -1 do
        bytes[i] = string.char(tonumber(n % 256))
        n = n / 256
    end

    return concat(bytes)
end


-- whether a UUID is one of ours, so that it would not come back as it is

local function is_ours(id)
    local kind, len, first, rest = match(lower(id), "^6e677267%-0([123])"
                                         .. "(%x%x)%-80(%x%x)%-80(%x%x%-%x+)$")

    if not kind or #id ~= 36 then
        return false
    end

    if kind ~= "3" then
        return len == "00"
    end

    len = tonumber(len, 16)

    if len == 0 or len > 8 then
        return false
    end

    local payload = gsub(first .. gsub(rest, "%-", ""), "%x%x", function(hex)
        return string.char(tonumber(hex, 16))
    end)
    local text = sub(payload, 1, len)

    return not find(payload, "[^%z]", len + 1)
           and not to_number(text) and not base64_number(text)
end


local function odd_id(id)
    local n = to_number(id)
    if n then
        return uuid_bytes(1, 0, number_payload(n))
    end

    n = base64_number(id)
    if n then
        return uuid_bytes(2, 0, number_payload(n))
    end

    if id == "" then
        return id
    end

    if #id <= 8 then
        return uuid_bytes(3, #id, id .. ("\0"):rep(8 - #id))
    end

    return (byte(id) == 126 or is_ours(id)) and "~" .. id or id
end


local function client_id(id)
    local first = byte(id)

    -- nearly always: a UUID that is none of ours

    if #id > 28 and first ~= 54 and first ~= 126 then
        return id
    end

    return odd_id(id)
end


-- the group of VinylDNS's answer, or nil

local function read_people(list)
    if type(list) ~= "table" then
        return nil
    end

    local n = #list

    if n == 0 and next(list) ~= nil then
        return nil
    end

    for i = 1, n do
        local one = list[i]
        if type(one) ~= "table" or type(one.id) ~= "string" then
            return nil
        end
    end

    return n
end


local function is_text(value)
    return value == nil or value == null or type(value) == "string"
end


local function read_group(answer)
    local body = answer.body
    local headers = answer.header

    if answer.truncated or body == "" then
        return nil
    end

    local content_type = headers["Content-Type"]
    if not content_type or not is_json(content_type) then
        return nil
    end

    local encoding = headers["Content-Encoding"]
    if encoding and lower(encoding) ~= "identity" then
        return nil
    end

    local group = decode(body)

    if type(group) ~= "table" or type(group.id) ~= "string"
        or type(group.name) ~= "string" or type(group.email) ~= "string"
        or not is_text(group.description) or not is_text(group.created)
        or not is_text(group.status)
    then
        return nil
    end

    local count = read_people(group.members)

    if not count or not read_people(group.admins) then
        return nil
    end

    return group, count
end


-- what the upstream says of its error: a JSON string or {"errors": [...]}

local function error_text(answer)
    local content_type = answer.header["Content-Type"]

    if not content_type or answer.body == "" then
        return nil
    end

    local text

    if is_json(content_type) then
        text = decode(answer.body)

        if type(text) == "table" then
            local list = text.errors
            local texts = {}

            for i = 1, type(list) == "table" and #list or 0 do
                if type(list[i]) == "string" and list[i] ~= "" then
                    texts[#texts + 1] = list[i]
                end
            end

            text = concat(texts, "; ")
        end

    elseif lower(sub(content_type, 1, 10)) == "text/plain" then
        text = answer.body
    end

    if type(text) ~= "string" or text == "" or REASONS[text] then
        return nil
    end

    if #text > 512 then
        local last = 512
        while byte(text, last) >= 128 and byte(text, last) < 192 do
            last = last - 1
        end
        text = sub(text, 1, last - 1)
    end

    return text
end


local function upstream_error(answer)
    local mapped = STATUSES[answer.status]

    if not mapped then
        return respond(502, BAD_GATEWAY)
    end

    if mapped[2] then
        return respond(mapped[1], mapped[2])
    end

    local text = error_text(answer) or "Unprocessable Entity"

    return respond(422, '{"errors":[' .. problem(text, mapped.code) .. ']}')
end


-- group.create

local function name_problem(name)
    if name == nil or name == null then
        return NAME_BLANK
    end

    if type(name) ~= "string" then
        return NAME_TYPE
    end

    if (byte(name) or 0) <= 32 and not find(name, "[\33-\255]") then
        return NAME_BLANK
    end

    if #name <= 255 then
        return nil
    end

    local _, inner = gsub(name, "[\128-\191]", "")

    if #name - inner > 255 then
        return NAME_LONG
    end
end


-- larger than client_body_buffer_size

local function body_of_file()
    local name = get_body_file()
    local file = name and io.open(name, "rb")
    if not file then
        return nil
    end

    local body = file:read("*a")
    file:close()

    return body
end


local function create()
    local content_type = var.content_type
    local encoding = var.http_content_encoding

    read_body()

    local body = get_body_data() or body_of_file()
    if not body then
        return respond(400, BAD_REQUEST)
    end

    if content_type and content_type ~= "" and not is_json(content_type)
        or encoding and lower(encoding) ~= "identity"
    then
        return respond(415, reply "Unsupported Media Type")
    end

    local group = decode(body)

    if type(group) ~= "table"
        or byte(body) ~= 123 and not find(body, "^[ \t\r\n]*{")
    then
        return respond(400, BAD_REQUEST)
    end

    local name = group.name
    local sticky = group.sticky_sender

    if type(name) == "string" and find(name, "[%z\128-\255]")
        and (find(name, "\0", 1, true) or not re_find(name, "\\A", "jou"))
    then
        return respond(400, BAD_REQUEST)
    end

    if sticky == null then
        sticky = nil
    end

    local bad = name_problem(name)

    if sticky ~= nil and type(sticky) ~= "boolean" then
        bad = bad and bad .. "," .. STICKY_TYPE or STICKY_TYPE
    end

    if bad then
        return respond(422, '{"errors":[' .. bad .. ']}')
    end

    -- the table is read before the call begins: one does for all requests

    local text = encode(name)

    call.body = '{"name":' .. text .. tail

    local answer = capture(UPSTREAM, call)

    if sticky ~= nil then
        header["Group-Lost"] = "sticky_sender"
    end

    local headers = answer.header

    for i = 1, #PASSED do
        local value = headers[PASSED[i]]
        if value then
            header[PASSED[i]] = value
        end
    end

    if answer.status ~= 200 then
        return upstream_error(answer)
    end

    local made, count = read_group(answer)

    if not made then
        return respond(502, BAD_GATEWAY)
    end

    return respond(200, '{"id":' .. encode(client_id(made.id))
                        .. ',"name":'
                        .. (made.name == name and text or encode(made.name))
                        .. (sticky and ',"sticky_sender":true'
                                   or ',"sticky_sender":false')
                        .. ',"phone_number_count":' .. count .. '}')
end


local function not_written()
    return respond(501, reply "Not Implemented")
end


-- paths: methods; the rest of a path with an id begins with the same segment

local function route(methods)
    local names = {}

    for _, name in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
        if methods[name] then
            names[#names + 1] = name
        end
    end

    methods.allow = concat(names, ", ")

    return methods
end

local GROUPS = route { POST = create, GET = not_written }
local GROUP = route { GET = not_written, PUT = not_written,
                      DELETE = not_written }
local MEMBERS = route { POST = not_written, GET = not_written }
local MEMBER = route { GET = not_written, DELETE = not_written }

local function find_route(path)
    if path == BASE_GROUPS then
        return GROUPS
    end

    if sub(path, 1, #BASE) ~= BASE then
        return nil
    end

    local first, id, last = match(path, "^([^/]+)/([^/]+)(.*)$", #BASE + 1)

    if id == nil or id == "." or id == ".." then
        return nil
    end

    if first == "number_groups" then
        if last == "" then
            return GROUP
        end

        return last == "/number_group_memberships" and MEMBERS or nil
    end

    if first == "number_group_memberships" and last == "" then
        return MEMBER
    end
end


function _M.handle()
    local methods = find_route(var.uri)
    if not methods then
        return respond(404, reply "Not Found")
    end

    local operation = methods[get_method()]
    if not operation then
        header["Allow"] = methods.allow
        return respond(405, reply "Method Not Allowed")
    end

    local caller = authenticate()
    if not caller then
        return unauthorized()
    end

    if not caller.scopes.numbers then
        return respond(401, UNAUTHORIZED)
    end

    return operation()
end


-- { credentials = file, email = text, members = ids, admins = ids }

function _M.init(conf)
    local file = assert(io.open(conf.credentials))
    local list = assert(decode(file:read("*a"))).credentials
    file:close()

    for _, one in ipairs(list) do
        if one.type == "basic" then
            local credential = { digest = ffi.new("unsigned char[32]"),
                                 scopes = {} }

            for i = 0, 31 do
                credential.digest[i] = tonumber(sub(one.secret_sha256,
                                                    2 * i + 1, 2 * i + 2), 16)
            end

            for _, scope in ipairs(one.scopes or {}) do
                credential.scopes[scope] = true
            end

            credentials[one.id] = credential
        end
    end

    local function people(ids)
        local list = {}

        for i, id in ipairs(ids) do
            list[i] = '{"id":' .. encode(id) .. '}'
        end

        return '[' .. concat(list, ",") .. ']'
    end

    tail = ',"email":' .. encode(conf.email)
           .. ',"members":' .. people(conf.members)
           .. ',"admins":' .. people(conf.admins) .. '}'
end


return _M
