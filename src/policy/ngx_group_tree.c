
/*
 * A value tree to tables; those within an object when they are asked for.
 */


#include "ngx_group_sandbox.h"
#include "ngx_group_tree_internal.h"


static void ngx_group_tree_push_root(lua_State *L,
    ngx_group_tree_root_t *root);
static int ngx_group_tree_index(lua_State *L);
static int ngx_group_tree_newindex(lua_State *L);
static ngx_group_value_t *ngx_group_tree_pending(lua_State *L, int key,
    ngx_group_tree_root_t *root, uint64_t *bit);
static void ngx_group_tree_origins(lua_State *L);
static void ngx_group_tree_push_value(lua_State *L, ngx_group_value_t *value,
    int origins);
static void ngx_group_tree_push_table(lua_State *L, ngx_group_value_t *value,
    int origins);


/* the keys in the registry */

static char  ngx_group_tree_origins_key;
static char  ngx_group_tree_root_key;


void
ngx_group_tree_open(lua_State *L)
{
    /* what each table was made of, as long as somebody has the table */

    lua_pushlightuserdata(L, &ngx_group_tree_origins_key);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);

    lua_pushlightuserdata(L, &ngx_group_tree_root_key);
    ngx_group_sandbox_metatable(L);
    lua_pushcfunction(L, ngx_group_tree_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, ngx_group_tree_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_rawset(L, LUA_REGISTRYINDEX);
}


void
ngx_group_tree_push(lua_State *L, ngx_pool_t *pool, ngx_group_value_t *value)
{
    ngx_group_tree_root_t  *root;

    if (value->type == NGX_GROUP_OBJECT) {
        root = ngx_palloc(pool, sizeof(ngx_group_tree_root_t));
        if (root == NULL) {
            luaL_error(L, "no memory for a table");
        }

        root->value = value;
        root->pending = 0;
        root->pull = 0;

        ngx_group_tree_push_root(L, root);
        return;
    }

    ngx_group_tree_origins(L);
    ngx_group_tree_push_value(L, value, lua_gettop(L));
    lua_remove(L, -2);
}


static void
ngx_group_tree_push_root(lua_State *L, ngx_group_tree_root_t *root)
{
    int                 origins, table;
    ngx_uint_t          i;
    ngx_group_value_t  *item;

    luaL_checkstack(L, 5, "too many levels");

    ngx_group_tree_origins(L);
    origins = lua_gettop(L);

    lua_createtable(L, 0, (int) ngx_min(root->value->n,
                                        NGX_MAX_INT32_VALUE / 2));
    table = origins + 1;

    lua_pushvalue(L, table);
    lua_pushlightuserdata(L, root);
    lua_rawset(L, origins);

    i = 0;

    for (item = root->value->u.items.first; item; item = item->next, i++) {

        if ((item->type == NGX_GROUP_ARRAY || item->type == NGX_GROUP_OBJECT)
            && i < NGX_GROUP_TREE_LAZY)
        {
            root->pending |= (uint64_t) 1 << i;
            continue;
        }

        lua_pushlstring(L, (char *) item->key.data, item->key.len);
        ngx_group_tree_push_value(L, item, origins);
        lua_rawset(L, table);
    }

    lua_pushlightuserdata(L, &ngx_group_tree_root_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, table);

    lua_remove(L, origins);
}


static int
ngx_group_tree_index(lua_State *L)
{
    uint64_t                bit;
    ngx_group_value_t      *item;
    ngx_group_tree_root_t  *root;

    root = ngx_group_tree_root(L, 1);
    item = root ? ngx_group_tree_pending(L, 2, root, &bit) : NULL;

    if (item == NULL) {
        lua_pushnil(L);
        return 1;
    }

    lua_settop(L, 2);

    ngx_group_tree_origins(L);
    ngx_group_tree_push_value(L, item, 3);

    lua_pushvalue(L, 2);
    lua_pushvalue(L, 4);
    lua_rawset(L, 1);

    root->pending &= ~bit;

    return 1;
}


static int
ngx_group_tree_newindex(lua_State *L)
{
    uint64_t                bit;
    ngx_group_tree_root_t  *root;

    root = ngx_group_tree_root(L, 1);

    /* what is written is not read any more */

    if (root && ngx_group_tree_pending(L, 2, root, &bit)) {
        root->pending &= ~bit;
    }

    lua_settop(L, 3);
    lua_rawset(L, 1);

    return 0;
}


/* what the key stands for when no table was made of it yet, or NULL */

static ngx_group_value_t *
ngx_group_tree_pending(lua_State *L, int key, ngx_group_tree_root_t *root,
    uint64_t *bit)
{
    ngx_str_t           name;
    ngx_uint_t          i;
    ngx_group_value_t  *item;

    if (root->pending == 0 || lua_type(L, key) != LUA_TSTRING) {
        return NULL;
    }

    name.data = (u_char *) lua_tolstring(L, key, &name.len);

    item = root->value->u.items.first;

    for (i = 0; item && i < NGX_GROUP_TREE_LAZY; item = item->next, i++) {
        *bit = (uint64_t) 1 << i;

        if ((root->pending & *bit) && ngx_group_str_eq(&item->key, &name)) {
            return item;
        }
    }

    return NULL;
}


void
ngx_group_tree_fill(lua_State *L, int index)
{
    uint64_t                bit;
    ngx_uint_t              i;
    ngx_group_value_t      *item;
    ngx_group_tree_root_t  *root;

    root = ngx_group_tree_root(L, index);

    if (root == NULL || root->pending == 0) {
        return;
    }

    ngx_group_tree_origins(L);

    item = root->value->u.items.first;

    for (i = 0; item && i < NGX_GROUP_TREE_LAZY; item = item->next, i++) {
        bit = (uint64_t) 1 << i;

        if (root->pending & bit) {
            lua_pushlstring(L, (char *) item->key.data, item->key.len);
            ngx_group_tree_push_value(L, item, lua_gettop(L) - 1);
            lua_rawset(L, index);

            root->pending &= ~bit;
        }
    }

    lua_pop(L, 1);
}


ngx_group_tree_root_t *
ngx_group_tree_root(lua_State *L, int index)
{
    ngx_uint_t  is;

    if (!lua_istable(L, index) || !lua_getmetatable(L, index)) {
        return NULL;
    }

    lua_pushlightuserdata(L, &ngx_group_tree_root_key);
    lua_rawget(L, LUA_REGISTRYINDEX);

    is = lua_rawequal(L, -1, -2);

    lua_pop(L, 2);

    return is ? ngx_group_tree_origin(L, index) : NULL;
}


void *
ngx_group_tree_origin(lua_State *L, int index)
{
    void  *origin;

    lua_pushvalue(L, index);
    ngx_group_tree_origins(L);
    lua_insert(L, -2);
    lua_rawget(L, -2);

    origin = lua_touserdata(L, -1);

    lua_pop(L, 2);

    return origin;
}


/* pushes the table that knows what each table was made of */

static void
ngx_group_tree_origins(lua_State *L)
{
    lua_pushlightuserdata(L, &ngx_group_tree_origins_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}


static void
ngx_group_tree_push_value(lua_State *L, ngx_group_value_t *value, int origins)
{
    lua_Number  n;

    switch (value->type) {

    case NGX_GROUP_NULL:
        lua_pushlightuserdata(L, NULL);
        break;

    case NGX_GROUP_BOOLEAN:
        lua_pushboolean(L, (int) value->u.flag);
        break;

    case NGX_GROUP_NUMBER:
        if (ngx_group_tree_number(L, value, &n)) {
            lua_pushnumber(L, n);
            break;
        }

        /* fall through */

    case NGX_GROUP_STRING:
        lua_pushlstring(L, (char *) value->u.text.data, value->u.text.len);
        break;

    default: /* NGX_GROUP_ARRAY, NGX_GROUP_OBJECT */
        ngx_group_tree_push_table(L, value, origins);
    }
}


static void
ngx_group_tree_push_table(lua_State *L, ngx_group_value_t *value, int origins)
{
    int                 i, n;
    ngx_group_value_t  *item;

    luaL_checkstack(L, 4, "too many levels");

    n = (int) ngx_min(value->n, NGX_MAX_INT32_VALUE / 2);

    if (value->type == NGX_GROUP_ARRAY) {
        lua_createtable(L, n, 0);

    } else {
        lua_createtable(L, 0, n);
    }

    lua_pushvalue(L, -1);
    lua_pushlightuserdata(L, value);
    lua_rawset(L, origins);

    for (item = value->u.items.first, i = 1; item; item = item->next, i++) {

        if (value->type == NGX_GROUP_ARRAY) {
            ngx_group_tree_push_value(L, item, origins);
            lua_rawseti(L, -2, i);
            continue;
        }

        lua_pushlstring(L, (char *) item->key.data, item->key.len);
        ngx_group_tree_push_value(L, item, origins);
        lua_rawset(L, -3);
    }
}


ngx_uint_t
ngx_group_tree_number(lua_State *L, ngx_group_value_t *value, lua_Number *n)
{
    ngx_uint_t  number;

    lua_pushlstring(L, (char *) value->u.text.data, value->u.text.len);

    number = lua_isnumber(L, -1);
    *n = lua_tonumber(L, -1);

    lua_pop(L, 1);

    return number;
}
