
#include "ngx_group_sandbox.h"
#include "ngx_group_pattern.h"
#include "ngx_group_tree.h"


typedef struct {
    const char     *name;
    lua_CFunction   open;
    const char    **stock;     /* what is kept of it */
    const luaL_Reg *own;       /* what is added, or replaced */
} ngx_group_sandbox_library_t;


static void ngx_group_sandbox_library(lua_State *L,
    const ngx_group_sandbox_library_t *library);
static void ngx_group_sandbox_keep(lua_State *L, const char **names);
static void ngx_group_sandbox_own(lua_State *L, const luaL_Reg *functions);
static void ngx_group_sandbox_strings(lua_State *L);
static void ngx_group_sandbox_null(lua_State *L);
static void ngx_group_sandbox_pcall(lua_State *L);
static void ngx_group_sandbox_seed(lua_State *L);

static int ngx_group_sandbox_read_only(lua_State *L);
static int ngx_group_sandbox_null_text(lua_State *L);
static int ngx_group_sandbox_next(lua_State *L);
static int ngx_group_sandbox_pairs(lua_State *L);
static int ngx_group_sandbox_check(lua_State *L);
static int ngx_group_sandbox_tostring(lua_State *L);
static int ngx_group_sandbox_rep(lua_State *L);
static int ngx_group_sandbox_insert(lua_State *L);
static int ngx_group_sandbox_sort(lua_State *L);
static void ngx_group_sandbox_merge(lua_State *L, int from, int to,
    int left, int middle, int right);
static int ngx_group_sandbox_less(lua_State *L, int from, int a, int b);


static const char  *ngx_group_sandbox_base[] = {
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
    "select", "setmetatable", "tonumber", "tostring", "type", "unpack",
    NULL
};


/*
 * The rest of "string" is our own: find(), match(), gmatch() and gsub() of
 * LuaJIT cannot be stopped.
 */

static const char  *ngx_group_sandbox_string[] = {
    "byte", "char", "format", "len", "lower", "rep", "reverse", "sub", "upper",
    NULL
};


static const char  *ngx_group_sandbox_table[] = {
    "concat", "maxn", "move", "remove",
    NULL
};


/* without randomseed(), which would reach into other requests */

static const char  *ngx_group_sandbox_math[] = {
    "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg",
    "exp", "floor", "fmod", "frexp", "huge", "ldexp", "log", "log10", "max",
    "min", "modf", "pi", "pow", "rad", "random", "sin", "sinh", "sqrt", "tan",
    "tanh",
    NULL
};


static const char  *ngx_group_sandbox_os[] = {
    "clock", "date", "time",
    NULL
};


static const char  *ngx_group_sandbox_bit[] = {
    "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror",
    "rshift", "tobit", "tohex",
    NULL
};


static const luaL_Reg  ngx_group_sandbox_own_base[] = {
    { "next", ngx_group_sandbox_next },
    { "pairs", ngx_group_sandbox_pairs },
    { "tostring", ngx_group_sandbox_tostring },
    { NULL, NULL }
};


static const luaL_Reg  ngx_group_sandbox_own_string[] = {
    { "rep", ngx_group_sandbox_rep },
    { NULL, NULL }
};


static const luaL_Reg  ngx_group_sandbox_own_table[] = {
    { "insert", ngx_group_sandbox_insert },
    { "sort", ngx_group_sandbox_sort },
    { NULL, NULL }
};


static const ngx_group_sandbox_library_t  ngx_group_sandbox_libraries[] = {
    { LUA_STRLIBNAME, luaopen_string, ngx_group_sandbox_string,
      ngx_group_sandbox_own_string },
    { LUA_TABLIBNAME, luaopen_table, ngx_group_sandbox_table,
      ngx_group_sandbox_own_table },
    { LUA_MATHLIBNAME, luaopen_math, ngx_group_sandbox_math, NULL },
    { LUA_OSLIBNAME, luaopen_os, ngx_group_sandbox_os, NULL },
    { LUA_BITLIBNAME, luaopen_bit, ngx_group_sandbox_bit, NULL },
    { NULL, NULL, NULL, NULL }
};


/* keys in the registry */

static char  ngx_group_sandbox_globals_key;
static char  ngx_group_sandbox_env_key;


void
ngx_group_sandbox_open(lua_State *L)
{
    const ngx_group_sandbox_library_t  *library;

    luaL_checkstack(L, LUA_MINSTACK, "no memory");

    lua_pushcfunction(L, luaopen_base);
    lua_pushliteral(L, "");
    lua_call(L, 1, 0);

    lua_newtable(L);

    lua_pushvalue(L, LUA_GLOBALSINDEX);
    ngx_group_sandbox_keep(L, ngx_group_sandbox_base);
    lua_pop(L, 1);

    ngx_group_sandbox_own(L, ngx_group_sandbox_own_base);
    ngx_group_sandbox_null(L);
    ngx_group_sandbox_pcall(L);

    for (library = ngx_group_sandbox_libraries; library->name; library++) {
        ngx_group_sandbox_library(L, library);
    }

    lua_pushlightuserdata(L, &ngx_group_sandbox_env_key);
    ngx_group_sandbox_metatable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_rawset(L, LUA_REGISTRYINDEX);

    lua_pushlightuserdata(L, &ngx_group_sandbox_globals_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}


void
ngx_group_sandbox_env(lua_State *L)
{
    lua_newtable(L);
    lua_pushlightuserdata(L, &ngx_group_sandbox_env_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
}


void
ngx_group_sandbox_globals(lua_State *L)
{
    lua_pushlightuserdata(L, &ngx_group_sandbox_globals_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}


void
ngx_group_sandbox_metatable(lua_State *L)
{
    lua_newtable(L);
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
}


/* the table of globals is on top of the stack */

static void
ngx_group_sandbox_library(lua_State *L,
    const ngx_group_sandbox_library_t *library)
{
    (void) lua_newuserdata(L, 1);
    ngx_group_sandbox_metatable(L);
    lua_newtable(L);

    lua_pushcfunction(L, library->open);
    lua_pushstring(L, library->name);
    lua_call(L, 1, 0);

    lua_getglobal(L, library->name);
    ngx_group_sandbox_keep(L, library->stock);

    if (library->open == luaopen_math) {
        ngx_group_sandbox_seed(L);
    }

    lua_pop(L, 1);

    if (library->open == luaopen_string) {
        ngx_group_pattern_open(L);
        ngx_group_sandbox_strings(L);
    }

    ngx_group_sandbox_own(L, library->own);

    lua_setfield(L, -2, "__index");

    lua_pushstring(L, library->name);
    lua_pushcclosure(L, ngx_group_sandbox_read_only, 1);
    lua_setfield(L, -2, "__newindex");

    lua_setmetatable(L, -2);
    lua_setfield(L, -2, library->name);
}


/* copies from the table on top of the stack to the one below it */

static void
ngx_group_sandbox_keep(lua_State *L, const char **names)
{
    for ( /* void */ ; *names; names++) {
        lua_getfield(L, -1, *names);
        lua_setfield(L, -3, *names);
    }
}


/* a function that replaces another one has that as its upvalue */

static void
ngx_group_sandbox_own(lua_State *L, const luaL_Reg *functions)
{
    if (functions == NULL) {
        return;
    }

    for ( /* void */ ; functions->name; functions++) {
        lua_getfield(L, -1, functions->name);
        lua_pushcclosure(L, functions->func, 1);
        lua_setfield(L, -2, functions->name);
    }
}


static void
ngx_group_sandbox_strings(lua_State *L)
{
    lua_pushliteral(L, "");
    ngx_group_sandbox_metatable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}


static void
ngx_group_sandbox_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    ngx_group_sandbox_metatable(L);
    lua_pushcfunction(L, ngx_group_sandbox_null_text);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "null");
}


static void
ngx_group_sandbox_seed(lua_State *L)
{
    lua_getfield(L, -1, "randomseed");
    lua_pushnumber(L, (lua_Number) (ngx_random() ^ ngx_pid));
    lua_call(L, 1, 0);
}


static int
ngx_group_sandbox_read_only(lua_State *L)
{
    return luaL_error(L, "\"%s\" is read-only",
                      lua_tostring(L, lua_upvalueindex(1)));
}


static int
ngx_group_sandbox_null_text(lua_State *L)
{
    lua_pushstring(L, lua_touserdata(L, 1) ? "userdata" : "null");

    return 1;
}


/* tables that are made when they are asked for are asked for here */

static int
ngx_group_sandbox_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);

    ngx_group_tree_fill(L, 1);

    if (lua_next(L, 1)) {
        return 2;
    }

    lua_pushnil(L);

    return 1;
}


static int
ngx_group_sandbox_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);

    ngx_group_tree_fill(L, 1);

    /* LuaJIT's own, which its interpreter is quick at */

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 3);

    return 3;
}


/*
 * Does not swallow a stop.  LuaJIT's does, and where the Lua stack is almost
 * full, no hook can be called to throw again what it has swallowed.  It is
 * written in Lua, because what it calls may have to wait.
 */

static void
ngx_group_sandbox_pcall(lua_State *L)
{
    static const char  source[] =
        "local pcall, check = ...\n"
        "local function results(...) check() return ... end\n"
        "return function(...) check() return results(pcall(...)) end";

    if (luaL_loadbufferx(L, source, sizeof(source) - 1, "=pcall", "t") != 0) {
        lua_error(L);
    }

    lua_getfield(L, -2, "pcall");
    lua_pushcfunction(L, ngx_group_sandbox_check);
    lua_call(L, 2, 1);

    lua_setfield(L, -2, "pcall");
}


static int
ngx_group_sandbox_check(lua_State *L)
{
    ngx_group_lua_check(L);

    return 0;
}


/* that of LuaJIT never returns when __tostring is tostring() itself */

static int
ngx_group_sandbox_tostring(lua_State *L)
{
    ngx_group_lua_check(L);

    luaL_checkany(L, 1);

    if (luaL_callmeta(L, 1, "__tostring")) {

        if (lua_type(L, -1) != LUA_TSTRING) {
            return luaL_error(L, "\"__tostring\" must return a string");
        }

        return 1;
    }

    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);

    return 1;
}


static int
ngx_group_sandbox_rep(lua_State *L)
{
    size_t       len, separator, room;
    lua_Integer  n;

    (void) luaL_checklstring(L, 1, &len);
    n = luaL_checkinteger(L, 2);
    (void) luaL_optlstring(L, 3, "", &separator);

    len += separator;
    room = ngx_group_lua_room(L);

    if (n > 0 && len && (size_t) n > room / len) {
        return luaL_error(L, "string is longer than the memory that is left");
    }

    lua_settop(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 3, 1);

    return 1;
}


/* that of LuaJIT moves 2^31 items when it is asked for a negative position */

static int
ngx_group_sandbox_insert(lua_State *L)
{
    int          n, i;
    lua_Integer  position;

    luaL_checktype(L, 1, LUA_TTABLE);

    n = (int) lua_objlen(L, 1) + 1;

    switch (lua_gettop(L)) {

    case 2:
        position = n;
        break;

    case 3:
        position = luaL_checkinteger(L, 2);
        luaL_argcheck(L, position >= 1 && position <= n, 2,
                      "position out of bounds");

        for (i = n; i > position; i--) {
            lua_rawgeti(L, 1, i - 1);
            lua_rawseti(L, 1, i);
        }

        break;

    default:
        return luaL_error(L, "wrong number of arguments to \"insert\"");
    }

    lua_rawseti(L, 1, (int) position);

    return 0;
}


/*
 * A merge sort: no input makes it slow, and the table is left alone when the
 * comparator fails.
 */

static int
ngx_group_sandbox_sort(lua_State *L)
{
    int  i, n, left, width, from, to;

    ngx_group_lua_check(L);

    luaL_checktype(L, 1, LUA_TTABLE);

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
    }

    lua_settop(L, 2);

    n = (int) lua_objlen(L, 1);

    lua_createtable(L, n, 0);
    lua_createtable(L, n, 0);

    from = 3;
    to = 4;

    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, from, i);
    }

    for (width = 1; width < n; width *= 2) {

        for (left = 1; left <= n; left += 2 * width) {
            ngx_group_sandbox_merge(L, from, to, left,
                                    ngx_min(left + width, n + 1),
                                    ngx_min(left + 2 * width, n + 1));
        }

        from = 7 - from;
        to = 7 - to;
    }

    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, from, i);
        lua_rawseti(L, 1, i);
    }

    return 0;
}


static void
ngx_group_sandbox_merge(lua_State *L, int from, int to, int left, int middle,
    int right)
{
    int  i, a, b;

    a = left;
    b = middle;

    for (i = left; i < right; i++) {

        if (i % 64 == 0) {
            ngx_group_lua_check(L);
        }

        if (a < middle
            && (b == right || !ngx_group_sandbox_less(L, from, b, a)))
        {
            lua_rawgeti(L, from, a++);

        } else {
            lua_rawgeti(L, from, b++);
        }

        lua_rawseti(L, to, i);
    }
}


static int
ngx_group_sandbox_less(lua_State *L, int from, int a, int b)
{
    int  less;

    if (lua_isnil(L, 2)) {
        lua_rawgeti(L, from, a);
        lua_rawgeti(L, from, b);
        less = lua_lessthan(L, -2, -1);
        lua_pop(L, 2);

        return less;
    }

    lua_pushvalue(L, 2);
    lua_rawgeti(L, from, a);
    lua_rawgeti(L, from, b);
    lua_call(L, 2, 1);
    less = lua_toboolean(L, -1);
    lua_pop(L, 1);

    return less;
}
