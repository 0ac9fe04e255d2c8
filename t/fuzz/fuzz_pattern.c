
/*
 * Our matcher of Lua's patterns against LuaJIT's own.  Both give the same, or
 * both raise an error; when ours runs out of time or is too deep, there is
 * nothing to compare.
 *
 * The first byte of an input chooses a function, the second one a number; then
 * come a pattern, a subject and a replacement, a line each.
 */


#include "fuzz.h"
#include "ngx_group_lua.h"
#include "ngx_group_pattern.h"


#define MAX_PATTERN  40
#define MAX_SUBJECT  200


typedef struct {
    const char  *library;
    ngx_uint_t   what;
    ngx_int_t    number;
    ngx_str_t    subject;
    ngx_str_t    pattern;
    ngx_str_t    replacement;
    ngx_str_t    result;
    ngx_uint_t   failed;
    u_char       buf[65536];
} call_t;


static int start(lua_State *L);
static int call(lua_State *L);
static ngx_uint_t run(call_t *c, const char *library, ngx_msec_t timeout);


static ngx_group_lua_t  *vm;
static call_t            ours, theirs;

static const char  driver[] =
    "local what, number, s, p, r = ...\n"
    "local function show(...)\n"
    "    local t = {}\n"
    "    for i = 1, select('#', ...) do\n"
    "        local v = select(i, ...)\n"
    "        t[i] = type(v) .. ':' .. tostring(v)\n"
    "    end\n"
    "    return table.concat(t, '|')\n"
    "end\n"
    "if what == 0 then return show(lib.find(s, p, number)) end\n"
    "if what == 1 then return show(lib.match(s, p, number)) end\n"
    "if what == 2 then return show(lib.gsub(s, p, r)) end\n"
    "if what == 3 then return show(lib.gsub(s, p, r, number)) end\n"
    "if what == 4 then return show(lib.gsub(s, p, show)) end\n"
    "if what == 5 then\n"
    "    return show(lib.gsub(s, p, { a = 'x', [1] = 2, [''] = false }))\n"
    "end\n"
    "if what == 6 then return show(lib.find(s, p, number, true)) end\n"
    "local t = {}\n"
    "for a, b, c in lib.gmatch(s, p) do t[#t + 1] = show(a, b, c) end\n"
    "return table.concat(t, ';')\n";


void
fuzz_start(void)
{
    vm = ngx_group_lua_create(&unit_log);
    check(vm != NULL, "no VM");

    if (ngx_group_lua_protect(vm, start, NULL) != NGX_OK) {
        check(0, "no driver");
    }
}


static int
start(lua_State *L)
{
    luaL_openlibs(L);

    lua_getglobal(L, "string");
    lua_setfield(L, LUA_REGISTRYINDEX, "theirs");

    lua_newtable(L);
    ngx_group_pattern_open(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "ours");

    if (luaL_loadstring(L, driver) != 0) {
        lua_error(L);
    }

    lua_setfield(L, LUA_REGISTRYINDEX, "driver");

    return 0;
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    ours.what = fuzz_choice(in, 8);
    ours.number = (ngx_int_t) fuzz_choice(in, 9) - 4;
    ours.pattern = fuzz_until(in, '\n');
    ours.subject = fuzz_until(in, '\n');
    ours.replacement = *in;

    /* to LuaJIT a NUL is the end of a pattern */

    if (ours.pattern.len > MAX_PATTERN || ours.subject.len > MAX_SUBJECT
        || ours.replacement.len > MAX_PATTERN
        || memchr(ours.pattern.data, '\0', ours.pattern.len))
    {
        return;
    }

    theirs = ours;

    if (!run(&ours, "ours", 10) || !run(&theirs, "theirs", 1000)) {
        return;
    }

    check(ours.failed == theirs.failed
          && (ours.failed || fuzz_equal(&ours.result, &theirs.result)),
          "%lu %ld \"%s\" \"%s\" \"%s\":\nours: %s%s\nLuaJIT's: %s%s",
          (unsigned long) ours.what, (long) ours.number,
          unit_show(&ours.pattern), unit_show(&ours.subject),
          unit_show(&ours.replacement), ours.failed ? "error: " : "",
          unit_show(&ours.result), theirs.failed ? "error: " : "",
          unit_show(&theirs.result));
}


static ngx_uint_t
run(call_t *c, const char *library, ngx_msec_t timeout)
{
    ngx_group_lua_run_t  r;

    c->library = library;
    c->result.len = 0;
    c->result.data = c->buf;

    memset(&r, 0, sizeof(ngx_group_lua_run_t));

    r.handler = call;
    r.data = c;
    r.timeout = timeout;
    r.memory = 16 * 1024 * 1024;

    if (ngx_group_lua_run(vm, &r) != NGX_OK) {
        check(r.stop != NGX_GROUP_LUA_GO, "%s", unit_show(&r.message));
        return 0;
    }

    /* LuaJIT takes "%" at the end for a NUL that stands after it */

    return !(c->failed && (strstr((char *) c->buf, "too complex")
                           || strstr((char *) c->buf, "overflow")
                           || strstr((char *) c->buf, "invalid use of '%'")));
}


static int
call(lua_State *L)
{
    size_t       len;
    call_t      *c;
    const char  *text;

    c = lua_touserdata(L, 1);

    lua_getfield(L, LUA_REGISTRYINDEX, c->library);
    lua_setglobal(L, "lib");

    lua_getfield(L, LUA_REGISTRYINDEX, "driver");
    lua_pushinteger(L, (lua_Integer) c->what);
    lua_pushinteger(L, (lua_Integer) c->number);
    lua_pushlstring(L, (char *) c->subject.data, c->subject.len);
    lua_pushlstring(L, (char *) c->pattern.data, c->pattern.len);
    lua_pushlstring(L, (char *) c->replacement.data, c->replacement.len);

    c->failed = (lua_pcall(L, 5, 1, 0) != 0);

    text = lua_tolstring(L, -1, &len);

    if (text == NULL) {
        text = "";
        len = 0;
    }

    c->result.len = ngx_min(len, sizeof(c->buf) - 1);
    memcpy(c->buf, text, c->result.len);
    c->buf[c->result.len] = '\0';

    return 0;
}
