-- luacheck knows here what a hook of group_policy and a dialect file may use.
-- For files of one's own: luacheck --config .luacheckrc --std group_hook *.lua

local function names(list)
    local fields = {}
    for name in list:gmatch("%S+") do
        fields[name] = {}
    end
    return { fields = fields }
end

local base = {
    assert = {}, error = {}, ipairs = {}, next = {}, pairs = {}, select = {},
    tonumber = {}, tostring = {}, type = {}, unpack = {},
    string = names("byte char find format gmatch gsub len lower match rep"
        .. " reverse sub upper"),
    table = names("concat insert maxn move remove sort"),
    math = names("abs acos asin atan atan2 ceil cos cosh deg exp floor fmod"
        .. " frexp huge ldexp log log10 max min modf pi pow rad random sin"
        .. " sinh sqrt tan tanh"),
}

local function with(more)
    local globals = {}
    for name, what in pairs(base) do
        globals[name] = what
    end
    for name, what in pairs(more) do
        globals[name] = what
    end
    return { read_globals = globals }
end

stds.group_hook = with({
    getmetatable = {}, setmetatable = {}, pcall = {}, null = {},
    os = names("clock date time"),
    bit = names("arshift band bnot bor bswap bxor lshift rol ror rshift tobit"
        .. " tohex"),
})

stds.group_dialect = with({ field = {}, each = {}, dialect = {} })

std = "group_hook"
max_line_length = 80

files["lua/dialects"] = { std = "group_dialect" }
files["examples/own-vendor"] = { std = "group_dialect" }
files["examples/shared-quota/counter.lua"] = { std = "ngx_lua" }
files[".luacheckrc"] = { std = "+luacheckrc" }
