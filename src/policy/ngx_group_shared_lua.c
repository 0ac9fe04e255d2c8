
/*
 * ctx.shared.<zone>: get, set, add, incr, delete.
 */


#include "ngx_group_context.h"
#include "ngx_group_sandbox.h"
#include "ngx_group_shared.h"


static int ngx_group_shared_lua_get(lua_State *L);
static int ngx_group_shared_lua_set(lua_State *L);
static int ngx_group_shared_lua_add(lua_State *L);
static int ngx_group_shared_lua_put(lua_State *L, ngx_uint_t fresh);
static int ngx_group_shared_lua_incr(lua_State *L);
static int ngx_group_shared_lua_delete(lua_State *L);

static ngx_shm_zone_t *ngx_group_shared_lua_zone(lua_State *L,
    ngx_str_t *key);
static ngx_msec_t ngx_group_shared_lua_ttl(lua_State *L, int arg);
static int ngx_group_shared_lua_failed(lua_State *L, const char *why);


static const luaL_Reg  ngx_group_shared_methods[] = {
    { "get", ngx_group_shared_lua_get },
    { "set", ngx_group_shared_lua_set },
    { "add", ngx_group_shared_lua_add },
    { "incr", ngx_group_shared_lua_incr },
    { "delete", ngx_group_shared_lua_delete },
    { NULL, NULL }
};


/* the key of the zones' metatable in the registry */

static char  ngx_group_shared_key;


void
ngx_group_shared_open(lua_State *L)
{
    lua_pushlightuserdata(L, &ngx_group_shared_key);
    ngx_group_sandbox_metatable(L);

    /* methods that only our own lookup can hand out, not a table */

    lua_newtable(L);
    luaL_register(L, NULL, ngx_group_shared_methods);
    lua_setfield(L, -2, "__index");

    lua_rawset(L, LUA_REGISTRYINDEX);
}


void
ngx_group_shared_push(lua_State *L, ngx_array_t *zones)
{
    ngx_uint_t        i;
    ngx_shm_zone_t  **zone, **held;

    lua_newtable(L);

    if (zones == NULL) {
        return;
    }

    zone = zones->elts;

    for (i = 0; i < zones->nelts; i++) {
        lua_pushlstring(L, (char *) zone[i]->shm.name.data,
                        zone[i]->shm.name.len);

        held = lua_newuserdata(L, sizeof(ngx_shm_zone_t *));
        *held = zone[i];

        lua_pushlightuserdata(L, &ngx_group_shared_key);
        lua_rawget(L, LUA_REGISTRYINDEX);
        lua_setmetatable(L, -2);

        lua_rawset(L, -3);
    }
}


static int
ngx_group_shared_lua_get(lua_State *L)
{
    ngx_int_t                  rc;
    ngx_str_t                  key;
    ngx_shm_zone_t            *zone;
    ngx_group_context_t       *context;
    ngx_group_shared_value_t   value;

    zone = ngx_group_shared_lua_zone(L, &key);
    context = ngx_group_lua_vm(L)->context;

    rc = ngx_group_shared_get(zone, context->ctx->pool, &key, &value);

    if (rc == NGX_ERROR) {
        return luaL_error(L, "no memory for a shared value");
    }

    if (rc == NGX_DECLINED) {
        lua_pushnil(L);
        return 1;
    }

    switch (value.type) {

    case NGX_GROUP_SHARED_BOOLEAN:
        lua_pushboolean(L, value.number != 0);
        break;

    case NGX_GROUP_SHARED_NUMBER:
        lua_pushnumber(L, value.number);
        break;

    default: /* NGX_GROUP_SHARED_TEXT */
        ngx_group_context_take(L, context, value.text.len);
        lua_pushlstring(L, (char *) value.text.data, value.text.len);
    }

    return 1;
}


static int
ngx_group_shared_lua_set(lua_State *L)
{
    return ngx_group_shared_lua_put(L, 0);
}


static int
ngx_group_shared_lua_add(lua_State *L)
{
    return ngx_group_shared_lua_put(L, 1);
}


static int
ngx_group_shared_lua_put(lua_State *L, ngx_uint_t fresh)
{
    ngx_int_t                  rc;
    ngx_str_t                  key;
    ngx_msec_t                 ttl;
    ngx_shm_zone_t            *zone;
    ngx_group_shared_value_t   value;

    zone = ngx_group_shared_lua_zone(L, &key);
    ttl = ngx_group_shared_lua_ttl(L, 4);

    ngx_memzero(&value, sizeof(ngx_group_shared_value_t));

    switch (lua_type(L, 3)) {

    case LUA_TBOOLEAN:
        value.type = NGX_GROUP_SHARED_BOOLEAN;
        value.number = lua_toboolean(L, 3);
        break;

    case LUA_TNUMBER:
        value.type = NGX_GROUP_SHARED_NUMBER;
        value.number = lua_tonumber(L, 3);
        break;

    case LUA_TSTRING:
        value.type = NGX_GROUP_SHARED_TEXT;
        value.text.data = (u_char *) lua_tolstring(L, 3, &value.text.len);

        if (value.text.len > NGX_GROUP_SHARED_VALUE) {
            return luaL_error(L, "a shared value may have at most %d bytes",
                              NGX_GROUP_SHARED_VALUE);
        }

        break;

    case LUA_TNIL:
        if (!fresh) {
            ngx_group_shared_delete(zone, &key);
            lua_pushboolean(L, 1);
            return 1;
        }

        /* fall through */

    default:
        return luaL_error(L, "a shared value must be a string, a number or a "
                          "boolean, not a %s", luaL_typename(L, 3));
    }

    rc = ngx_group_shared_set(zone, &key, &value, ttl, fresh);

    if (rc != NGX_OK) {
        return ngx_group_shared_lua_failed(L, (rc == NGX_DECLINED) ? "exists"
                                                                   : "full");
    }

    lua_pushboolean(L, 1);

    return 1;
}


static int
ngx_group_shared_lua_incr(lua_State *L)
{
    double           number;
    ngx_int_t        rc;
    ngx_str_t        key;
    lua_Number       by, init;
    ngx_msec_t       ttl;
    ngx_shm_zone_t  *zone;

    zone = ngx_group_shared_lua_zone(L, &key);
    by = luaL_optnumber(L, 3, 1);
    init = luaL_optnumber(L, 4, 0);
    ttl = ngx_group_shared_lua_ttl(L, 5);

    rc = ngx_group_shared_add(zone, &key, by, init, ttl, &number);

    if (rc != NGX_OK) {
        return ngx_group_shared_lua_failed(L, (rc == NGX_DECLINED)
                                              ? "not a number" : "full");
    }

    lua_pushnumber(L, number);

    return 1;
}


static int
ngx_group_shared_lua_delete(lua_State *L)
{
    ngx_str_t  key;

    ngx_group_shared_delete(ngx_group_shared_lua_zone(L, &key), &key);

    return 0;
}


/* zone:method(key, ...) */

static ngx_shm_zone_t *
ngx_group_shared_lua_zone(lua_State *L, ngx_str_t *key)
{
    ngx_shm_zone_t  **zone;

    if (ngx_group_lua_vm(L)->context == NULL) {
        luaL_error(L, "ctx is of no use after its hook has returned");
    }

    zone = lua_touserdata(L, 1);

    lua_settop(L, 5);

    lua_pushlightuserdata(L, &ngx_group_shared_key);
    lua_rawget(L, LUA_REGISTRYINDEX);

    if (zone == NULL || lua_type(L, 1) != LUA_TUSERDATA
        || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, -2))
    {
        luaL_error(L, "a method of a shared zone is called with \":\"");
    }

    lua_settop(L, 5);

    if (lua_type(L, 2) != LUA_TSTRING) {
        luaL_error(L, "the key of a shared value must be a string, not a %s",
                   luaL_typename(L, 2));
    }

    key->data = (u_char *) lua_tolstring(L, 2, &key->len);

    if (key->len > NGX_GROUP_SHARED_KEY) {
        luaL_error(L, "the key of a shared value may have at most %d bytes",
                   NGX_GROUP_SHARED_KEY);
    }

    return *zone;
}


/* seconds, or none, to ms */

static ngx_msec_t
ngx_group_shared_lua_ttl(lua_State *L, int arg)
{
    lua_Number  ttl;

    if (lua_isnil(L, arg)) {
        return 0;
    }

    ttl = lua_tonumber(L, arg);

    if (lua_type(L, arg) != LUA_TNUMBER
        || !(ttl > 0 && ttl <= NGX_GROUP_SHARED_TTL))
    {
        luaL_error(L, "a shared value is kept for more than 0 and at most %d "
                   "seconds", NGX_GROUP_SHARED_TTL);
    }

    return (ngx_msec_t) (ttl * 1000) + 1;
}


static int
ngx_group_shared_lua_failed(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);

    return 2;
}
