
#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include <lauxlib.h>
#include "ngx_group_compile.h"
#include "ngx_group_text.h"


static ngx_int_t ngx_group_compile_list(ngx_group_compile_t *c,
    ngx_group_value_t **value);
static ngx_int_t ngx_group_compile_object(ngx_group_compile_t *c,
    ngx_group_value_t **value);
static int ngx_libc_cdecl ngx_group_compile_cmp(const void *one,
    const void *two);


/* appends a key or an index to the key path; returns its length before */

size_t
ngx_group_compile_enter(ngx_group_compile_t *c, char *key, ngx_uint_t index)
{
    char    *p;
    size_t   len;
    u_char  *end;

    len = c->len;
    end = c->path + NGX_GROUP_COMPILE_PATH;

    if (key == NULL) {
        c->len = ngx_slprintf(c->path + len, end, "[%ui]", index) - c->path;
        return len;
    }

    for (p = key; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || *p == '_'))
        {
            c->len = ngx_slprintf(c->path + len, end, "[\"%s\"]", key)
                     - c->path;
            return len;
        }
    }

    c->len = ngx_slprintf(c->path + len, end, "%s%s", len ? "." : "", key)
             - c->path;

    return len;
}


ngx_int_t
ngx_group_compile_error(ngx_group_compile_t *c, char *key, char *fmt, ...)
{
    va_list  args;

    if (key) {
        (void) ngx_group_compile_enter(c, key, 0);
    }

    va_start(args, fmt);
    c->error_len = ngx_vslprintf(c->error, c->error + sizeof(c->error), fmt,
                                 args)
                   - c->error;
    va_end(args);

    return NGX_ERROR;
}


/* refuses the keys that nobody reads: most are misspelt */

ngx_int_t
ngx_group_compile_keys(ngx_group_compile_t *c, char **allowed, ngx_uint_t list)
{
    char        *key, **name;
    ngx_int_t    rc;
    lua_State   *L;
    u_char      *p;
    u_char       names[NGX_MAX_CONF_ERRSTR / 2];

    L = c->lua;

    lua_pushnil(L);

    while (lua_next(L, -2)) {
        lua_pop(L, 1);

        if (lua_type(L, -1) == LUA_TNUMBER && list) {
            continue;
        }

        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            return ngx_group_compile_error(c, NULL,
                                           "has a key that is no name");
        }

        key = (char *) lua_tostring(L, -1);

        for (name = allowed; *name; name++) {
            if (ngx_strcmp(*name, key) == 0) {
                break;
            }
        }

        if (*name) {
            continue;
        }

        p = names;

        for (name = allowed; *name; name++) {
            if (**name != '$') {
                p = ngx_slprintf(p, names + sizeof(names), "%s%s",
                                 p == names ? "" : ", ", *name);
            }
        }

        rc = ngx_group_compile_error(c, key, "is unknown, expected one of %*s",
                                     (size_t) (p - names), names);
        lua_pop(L, 1);
        return rc;
    }

    return NGX_OK;
}


/* copies a Lua string to the pool, NUL terminated */

ngx_int_t
ngx_group_compile_dup(ngx_group_compile_t *c, int index, ngx_str_t *out)
{
    size_t       len;
    ngx_str_t    text;
    const char  *s;

    s = lua_tolstring(c->lua, index, &len);

    text.data = (u_char *) s;
    text.len = len;

    if (ngx_group_utf8(&text, NULL, NULL) != NGX_OK || ngx_strlen(s) != len) {
        return ngx_group_compile_error(c, NULL, "expected text in UTF-8");
    }

    out->data = ngx_pnalloc(c->pool, len + 1);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(out->data, s, len);
    out->data[len] = '\0';
    out->len = len;

    return NGX_OK;
}


ngx_int_t
ngx_group_compile_string(ngx_group_compile_t *c, char *key, ngx_str_t *out)
{
    ngx_int_t  rc;

    lua_getfield(c->lua, -1, key);

    switch (lua_type(c->lua, -1)) {

    case LUA_TNIL:
        rc = NGX_OK;
        break;

    case LUA_TSTRING:
        rc = ngx_group_compile_dup(c, -1, out);

        if (rc != NGX_OK && c->error_len) {
            (void) ngx_group_compile_enter(c, key, 0);
        }

        break;

    default:
        rc = ngx_group_compile_error(c, key, "is a %s, expected a string",
                                     luaL_typename(c->lua, -1));
    }

    lua_pop(c->lua, 1);

    return rc;
}


ngx_int_t
ngx_group_compile_flag(ngx_group_compile_t *c, char *key, ngx_uint_t *flag)
{
    ngx_int_t  rc;

    lua_getfield(c->lua, -1, key);

    rc = NGX_OK;

    if (lua_isboolean(c->lua, -1)) {
        *flag = lua_toboolean(c->lua, -1);

    } else if (!lua_isnil(c->lua, -1)) {
        rc = ngx_group_compile_error(c, key,
                                     "is a %s, expected true or false",
                                     luaL_typename(c->lua, -1));
    }

    lua_pop(c->lua, 1);

    return rc;
}


/* leaves *n as it was when the key is absent */

ngx_int_t
ngx_group_compile_number(ngx_group_compile_t *c, char *key, int64_t *n)
{
    ngx_int_t   rc;
    lua_Number  d;

    lua_getfield(c->lua, -1, key);

    rc = NGX_OK;

    if (lua_type(c->lua, -1) == LUA_TNUMBER) {
        d = lua_tonumber(c->lua, -1);

        if (d >= -9007199254740992.0 && d <= 9007199254740992.0
            && d == (lua_Number) (int64_t) d)
        {
            *n = (int64_t) d;

        } else {
            rc = ngx_group_compile_error(c, key, "expected a whole number");
        }

    } else if (!lua_isnil(c->lua, -1)) {
        rc = ngx_group_compile_error(c, key, "is a %s, expected a number",
                                     luaL_typename(c->lua, -1));
    }

    lua_pop(c->lua, 1);

    return rc;
}


ngx_int_t
ngx_group_compile_enum(ngx_group_compile_t *c, char *key,
    ngx_group_compile_enum_t *list, ngx_uint_t *value)
{
    u_char                    *p;
    ngx_str_t                  name;
    ngx_group_compile_enum_t  *e;
    u_char                     names[NGX_MAX_CONF_ERRSTR / 2];

    ngx_str_null(&name);

    if (ngx_group_compile_string(c, key, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    if (name.data == NULL) {
        return NGX_OK;
    }

    p = names;

    for (e = list; e->name; e++) {
        if (ngx_strcmp(e->name, name.data) == 0) {
            *value = e->value;
            return NGX_OK;
        }

        p = ngx_slprintf(p, names + sizeof(names), "%s\"%s\"",
                         e == list ? "" : ", ", e->name);
    }

    return ngx_group_compile_error(c, key, "is \"%V\", expected one of %*s",
                                   &name, (size_t) (p - names), names);
}


/* calls the handler with the table under "key" on top of the stack */

ngx_int_t
ngx_group_compile_table(ngx_group_compile_t *c, char *key,
    ngx_group_compile_pt handler, void *data)
{
    size_t     len;
    ngx_int_t  rc;

    lua_getfield(c->lua, -1, key);

    if (lua_isnil(c->lua, -1)) {
        lua_pop(c->lua, 1);
        return NGX_OK;
    }

    if (!lua_istable(c->lua, -1)) {
        rc = ngx_group_compile_error(c, key, "is a %s, expected a table",
                                     luaL_typename(c->lua, -1));
        lua_pop(c->lua, 1);
        return rc;
    }

    if (c->depth == NGX_GROUP_COMPILE_DEPTH) {
        rc = ngx_group_compile_error(c, key, "is nested too deeply");
        lua_pop(c->lua, 1);
        return rc;
    }

    len = ngx_group_compile_enter(c, key, 0);
    c->depth++;

    rc = handler(c, data);

    if (rc == NGX_OK) {
        c->len = len;
        c->depth--;
    }

    lua_pop(c->lua, 1);

    return rc;
}


ngx_int_t
ngx_group_compile_strings(ngx_group_compile_t *c, char *key, ngx_array_t *out)
{
    ngx_int_t    rc;
    ngx_str_t   *s;
    ngx_uint_t   i, n;

    lua_getfield(c->lua, -1, key);

    if (lua_isnil(c->lua, -1)) {
        lua_pop(c->lua, 1);
        return NGX_OK;
    }

    if (!lua_istable(c->lua, -1)) {
        rc = ngx_group_compile_error(c, key,
                                     "is a %s, expected a list of strings",
                                     luaL_typename(c->lua, -1));
        lua_pop(c->lua, 1);
        return rc;
    }

    n = lua_objlen(c->lua, -1);

    for (i = 1; i <= n; i++) {
        lua_rawgeti(c->lua, -1, i);

        if (lua_type(c->lua, -1) != LUA_TSTRING) {
            (void) ngx_group_compile_enter(c, key, 0);
            (void) ngx_group_compile_enter(c, NULL, i);
            rc = ngx_group_compile_error(c, NULL,
                                         "is a %s, expected a string",
                                         luaL_typename(c->lua, -1));
            lua_pop(c->lua, 2);
            return rc;
        }

        s = ngx_array_push(out);

        if (s == NULL || ngx_group_compile_dup(c, -1, s) != NGX_OK) {
            lua_pop(c->lua, 2);
            return NGX_ERROR;
        }

        lua_pop(c->lua, 1);
    }

    lua_pop(c->lua, 1);

    return NGX_OK;
}


ngx_int_t
ngx_group_compile_statuses(ngx_group_compile_t *c, char *key, ngx_array_t *out)
{
    ngx_int_t    rc;
    ngx_uint_t   i, n, *status;
    lua_Number   d;

    lua_getfield(c->lua, -1, key);

    if (lua_isnil(c->lua, -1)) {
        lua_pop(c->lua, 1);
        return NGX_OK;
    }

    n = lua_istable(c->lua, -1) ? lua_objlen(c->lua, -1) : 0;
    rc = n ? NGX_OK : NGX_DECLINED;

    for (i = 1; rc == NGX_OK && i <= n; i++) {
        lua_rawgeti(c->lua, -1, i);

        d = lua_tonumber(c->lua, -1);
        lua_pop(c->lua, 1);

        if (!(d >= 200 && d < 300)) {
            rc = NGX_DECLINED;
            break;
        }

        status = ngx_array_push(out);
        if (status == NULL) {
            rc = NGX_ERROR;
            break;
        }

        *status = (ngx_uint_t) d;
    }

    lua_pop(c->lua, 1);

    if (rc == NGX_DECLINED) {
        return ngx_group_compile_error(c, key,
                       "expected a list of statuses from 200 to 299");
    }

    return rc;
}


/* { key = "text", ... } to an array of ngx_keyval_t */

ngx_int_t
ngx_group_compile_pairs(ngx_group_compile_t *c, void *data)
{
    ngx_array_t  **out = data;

    ngx_keyval_t  *kv;

    *out = ngx_array_create(c->pool, 4, sizeof(ngx_keyval_t));
    if (*out == NULL) {
        return NGX_ERROR;
    }

    lua_pushnil(c->lua);

    while (lua_next(c->lua, -2)) {

        if (lua_type(c->lua, -2) != LUA_TSTRING
            || lua_type(c->lua, -1) != LUA_TSTRING)
        {
            lua_pop(c->lua, 2);
            return ngx_group_compile_error(c, NULL,
                           "expected names with strings as values");
        }

        kv = ngx_array_push(*out);

        if (kv == NULL || ngx_group_compile_dup(c, -2, &kv->key) != NGX_OK
            || ngx_group_compile_dup(c, -1, &kv->value) != NGX_OK)
        {
            lua_pop(c->lua, 2);
            return NGX_ERROR;
        }

        lua_pop(c->lua, 1);
    }

    return NGX_OK;
}


/*
 * Any Lua value on top of the stack: constants and error templates.  Lua does
 * not keep the order of keys: they are sorted, so that bytes are the same from
 * one start to the next.
 */

ngx_int_t
ngx_group_compile_value(ngx_group_compile_t *c, ngx_group_value_t **value)
{
    ngx_str_t    text;
    lua_State   *L;
    lua_Number   n;

    L = c->lua;

    switch (lua_type(L, -1)) {

    case LUA_TBOOLEAN:
        *value = ngx_group_value_boolean(c->pool, lua_toboolean(L, -1));
        break;

    case LUA_TNUMBER:
        n = lua_tonumber(L, -1);

        if (!(n >= -9007199254740992.0 && n <= 9007199254740992.0
              && n == (lua_Number) (int64_t) n))
        {
            return ngx_group_compile_error(c, NULL, "expected a whole number");
        }

        *value = ngx_group_value_integer(c->pool, (int64_t) n);
        break;

    case LUA_TSTRING:
        if (ngx_group_compile_dup(c, -1, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        *value = ngx_group_value_string(c->pool, &text);
        break;

    case LUA_TTABLE:

        if (c->depth == NGX_GROUP_COMPILE_DEPTH) {
            return ngx_group_compile_error(c, NULL, "is nested too deeply");
        }

        lua_pushnil(L);

        if (lua_next(L, -2)) {
            lua_pop(L, 2);
            return lua_objlen(L, -1) ? ngx_group_compile_list(c, value)
                                     : ngx_group_compile_object(c, value);
        }

        *value = ngx_group_value_create(c->pool, NGX_GROUP_ARRAY);
        break;

    default:
        return ngx_group_compile_error(c, NULL,
                       "is a %s, expected a string, a number, a boolean or a "
                       "table", luaL_typename(L, -1));
    }

    return (*value == NULL) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_group_compile_list(ngx_group_compile_t *c, ngx_group_value_t **value)
{
    size_t              len;
    ngx_uint_t          i, n;
    ngx_group_value_t  *list, *item;

    list = ngx_group_value_create(c->pool, NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    n = lua_objlen(c->lua, -1);
    c->depth++;

    for (i = 1; i <= n; i++) {
        len = ngx_group_compile_enter(c, NULL, i);
        lua_rawgeti(c->lua, -1, i);

        if (ngx_group_compile_value(c, &item) != NGX_OK) {
            return NGX_ERROR;
        }

        lua_pop(c->lua, 1);
        c->len = len;

        ngx_group_value_push(list, item);
    }

    c->depth--;
    *value = list;

    return NGX_OK;
}


static ngx_int_t
ngx_group_compile_object(ngx_group_compile_t *c, ngx_group_value_t **value)
{
    size_t              len;
    ngx_str_t          *key;
    ngx_uint_t          i;
    ngx_array_t         keys;
    ngx_group_value_t  *object, *item;

    object = ngx_group_value_create(c->pool, NGX_GROUP_OBJECT);

    if (object == NULL
        || ngx_array_init(&keys, c->pool, 8, sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    lua_pushnil(c->lua);

    while (lua_next(c->lua, -2)) {
        lua_pop(c->lua, 1);

        if (lua_type(c->lua, -1) != LUA_TSTRING) {
            return ngx_group_compile_error(c, NULL, "mixes names and indices");
        }

        key = ngx_array_push(&keys);

        if (key == NULL || ngx_group_compile_dup(c, -1, key) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_qsort(keys.elts, keys.nelts, sizeof(ngx_str_t),
              ngx_group_compile_cmp);

    key = keys.elts;
    c->depth++;

    for (i = 0; i < keys.nelts; i++) {
        len = ngx_group_compile_enter(c, (char *) key[i].data, 0);
        lua_getfield(c->lua, -1, (char *) key[i].data);

        if (ngx_group_compile_value(c, &item) != NGX_OK) {
            return NGX_ERROR;
        }

        lua_pop(c->lua, 1);
        c->len = len;

        ngx_group_value_set(object, &key[i], item);
    }

    c->depth--;
    *value = object;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_group_compile_cmp(const void *one, const void *two)
{
    const ngx_str_t  *a, *b;

    a = one;
    b = two;

    return ngx_strcmp(a->data, b->data);
}
