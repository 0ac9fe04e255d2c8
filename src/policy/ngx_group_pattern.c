
/*
 * find, match, gmatch and gsub, as Lua's are.
 */


#include "ngx_group_pattern_internal.h"


static int ngx_group_pattern_find(lua_State *L);
static int ngx_group_pattern_match(lua_State *L);
static int ngx_group_pattern_search(lua_State *L, ngx_uint_t find);
static int ngx_group_pattern_gmatch(lua_State *L);
static int ngx_group_pattern_next(lua_State *L);
static int ngx_group_pattern_gsub(lua_State *L);
static void ngx_group_pattern_replace(ngx_group_pattern_t *m, luaL_Buffer *b,
    u_char *s, u_char *e);
static void ngx_group_pattern_expand(ngx_group_pattern_t *m, luaL_Buffer *b,
    u_char *s, u_char *e);
static u_char *ngx_group_pattern_init(ngx_group_pattern_t *m, lua_State *L,
    int subject, int pattern);
static int ngx_group_pattern_push(ngx_group_pattern_t *m, u_char *s,
    u_char *e);
static void ngx_group_pattern_push_one(ngx_group_pattern_t *m, ngx_uint_t i,
    u_char *s, u_char *e);


static const luaL_Reg  ngx_group_pattern_functions[] = {
    { "find", ngx_group_pattern_find },
    { "match", ngx_group_pattern_match },
    { "gmatch", ngx_group_pattern_gmatch },
    { "gsub", ngx_group_pattern_gsub },
    { NULL, NULL }
};


void
ngx_group_pattern_open(lua_State *L)
{
    luaL_register(L, NULL, ngx_group_pattern_functions);
}


static int
ngx_group_pattern_find(lua_State *L)
{
    return ngx_group_pattern_search(L, 1);
}


static int
ngx_group_pattern_match(lua_State *L)
{
    return ngx_group_pattern_search(L, 0);
}


static int
ngx_group_pattern_search(lua_State *L, ngx_uint_t find)
{
    u_char               *s, *e, *p;
    size_t                len;
    lua_Integer           from;
    ngx_uint_t            anchor;
    ngx_group_pattern_t   m;

    p = ngx_group_pattern_init(&m, L, 1, 2);

    from = luaL_optinteger(L, 3, 1);
    len = m.end - m.start;

    if (from < 0) {
        from += (lua_Integer) len + 1;
    }

    if (from < 1) {
        from = 1;
    }

    s = m.start + ngx_min((size_t) from - 1, len);
    len = m.last - p;

    if (find
        && (lua_toboolean(L, 4)
            || strcspn((char *) p, "^$*+?.([%-") == len))
    {
        ngx_group_pattern_step(&m, (m.end - s) / 64);

        e = memmem(s, m.end - s, p, len);

        if (e == NULL) {
            lua_pushnil(L);
            return 1;
        }

        lua_pushinteger(L, e - m.start + 1);
        lua_pushinteger(L, e - m.start + len);
        return 2;
    }

    anchor = (p < m.last && *p == '^');
    p += anchor;

    do {
        e = ngx_group_pattern_start(&m, s, p);

        if (e == NULL) {
            continue;
        }

        if (!find) {
            return ngx_group_pattern_push(&m, s, e);
        }

        lua_pushinteger(L, s - m.start + 1);
        lua_pushinteger(L, e - m.start);

        return 2 + ngx_group_pattern_push(&m, NULL, NULL);

    } while (s++ < m.end && !anchor);

    lua_pushnil(L);

    return 1;
}


static int
ngx_group_pattern_gmatch(lua_State *L)
{
    (void) luaL_checkstring(L, 1);
    (void) luaL_checkstring(L, 2);

    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, ngx_group_pattern_next, 3);

    return 1;
}


static int
ngx_group_pattern_next(lua_State *L)
{
    u_char               *s, *e, *p;
    ngx_group_pattern_t   m;

    p = ngx_group_pattern_init(&m, L, lua_upvalueindex(1),
                               lua_upvalueindex(2));

    for (s = m.start + lua_tointeger(L, lua_upvalueindex(3));
         s <= m.end;
         s++)
    {
        e = ngx_group_pattern_start(&m, s, p);

        if (e) {
            lua_pushinteger(L, e - m.start + (e == s));
            lua_replace(L, lua_upvalueindex(3));

            return ngx_group_pattern_push(&m, s, e);
        }
    }

    return 0;
}


static int
ngx_group_pattern_gsub(lua_State *L)
{
    int                   type;
    u_char               *s, *e, *p;
    lua_Integer           n, max;
    ngx_uint_t            anchor;
    luaL_Buffer           b;
    ngx_group_pattern_t   m;

    ngx_group_lua_check(L);

    p = ngx_group_pattern_init(&m, L, 1, 2);
    s = m.start;

    type = lua_type(L, 3);

    luaL_argcheck(L, type == LUA_TSTRING || type == LUA_TNUMBER
                     || type == LUA_TTABLE || type == LUA_TFUNCTION,
                  3, "string/function/table expected");

    max = luaL_optinteger(L, 4, m.end - m.start + 1);

    if (type == LUA_TNUMBER) {
        (void) lua_tostring(L, 3);
    }

    anchor = (p < m.last && *p == '^');
    p += anchor;

    luaL_buffinit(L, &b);

    for (n = 0; n < max; /* void */ ) {

        e = ngx_group_pattern_start(&m, s, p);

        if (e) {
            n++;
            ngx_group_pattern_replace(&m, &b, s, e);
        }

        if (e && e > s) {
            s = e;

        } else if (s < m.end) {
            luaL_addchar(&b, *s++);

        } else {
            break;
        }

        if (anchor) {
            break;
        }
    }

    luaL_addlstring(&b, (char *) s, m.end - s);
    luaL_pushresult(&b);

    lua_pushinteger(L, n);

    return 2;
}


static void
ngx_group_pattern_replace(ngx_group_pattern_t *m, luaL_Buffer *b, u_char *s,
    u_char *e)
{
    lua_State  *L;

    L = m->L;

    switch (lua_type(L, 3)) {

    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        lua_call(L, ngx_group_pattern_push(m, s, e), 1);
        break;

    case LUA_TTABLE:
        ngx_group_pattern_push_one(m, 0, s, e);
        lua_gettable(L, 3);
        break;

    default:
        ngx_group_pattern_expand(m, b, s, e);
        return;
    }

    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, (char *) s, e - s);

    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)",
                   luaL_typename(L, -1));
    }

    luaL_addvalue(b);
}


static void
ngx_group_pattern_expand(ngx_group_pattern_t *m, luaL_Buffer *b, u_char *s,
    u_char *e)
{
    u_char  *p, *last;
    size_t   len;

    p = (u_char *) lua_tolstring(m->L, 3, &len);

    for (last = p + len; p < last; p++) {

        if (*p != '%') {
            luaL_addchar(b, *p);
            continue;
        }

        if (++p == last) {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }

        if (*p < '0' || *p > '9') {
            luaL_addchar(b, *p);

        } else if (*p == '0') {
            luaL_addlstring(b, (char *) s, e - s);

        } else {
            ngx_group_pattern_push_one(m, *p - '1', s, e);
            luaL_addvalue(b);
        }
    }
}


static u_char *
ngx_group_pattern_init(ngx_group_pattern_t *m, lua_State *L, int subject,
    int pattern)
{
    u_char  *p;
    size_t   len;

    m->L = L;
    m->steps = NGX_GROUP_PATTERN_STEPS;

    m->start = (u_char *) luaL_checklstring(L, subject, &len);
    m->end = m->start + len;

    p = (u_char *) luaL_checklstring(L, pattern, &len);
    m->last = p + len;

    return p;
}


/* "s" is NULL when the whole match is not wanted */

static int
ngx_group_pattern_push(ngx_group_pattern_t *m, u_char *s, u_char *e)
{
    ngx_uint_t  i, n;

    n = (m->n == 0 && s) ? 1 : m->n;

    luaL_checkstack(m->L, (int) n, "too many captures");

    for (i = 0; i < n; i++) {
        ngx_group_pattern_push_one(m, i, s, e);
    }

    return (int) n;
}


static void
ngx_group_pattern_push_one(ngx_group_pattern_t *m, ngx_uint_t i, u_char *s,
    u_char *e)
{
    ngx_group_pattern_capture_t  *capture;

    if (i >= m->n) {
        if (i != 0) {
            luaL_error(m->L, "invalid capture index");
        }

        lua_pushlstring(m->L, (char *) s, e - s);
        return;
    }

    capture = &m->captures[i];

    switch (capture->len) {

    case NGX_GROUP_PATTERN_OPEN:
        luaL_error(m->L, "unfinished capture");
        break;

    case NGX_GROUP_PATTERN_POSITION:
        lua_pushinteger(m->L, capture->start - m->start + 1);
        break;

    default:
        lua_pushlstring(m->L, (char *) capture->start, capture->len);
    }
}
