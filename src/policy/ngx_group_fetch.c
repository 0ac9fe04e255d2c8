
#include "ngx_group_fetch.h"
#include "ngx_group_json.h"
#include "ngx_group_limits.h"
#include "ngx_group_text.h"
#include "ngx_group_tree.h"


static ngx_group_fetch_t *ngx_group_fetch_read(lua_State *L,
    ngx_group_context_t *context, int index);
static void ngx_group_fetch_body(lua_State *L, ngx_group_context_t *context,
    ngx_group_fetch_t *fetch, int index);
static void ngx_group_fetch_headers(lua_State *L, ngx_pool_t *pool,
    ngx_group_fetch_t *fetch, int index);
static void ngx_group_fetch_text(lua_State *L, ngx_pool_t *pool,
    const char *name, ngx_str_t *text);
static ngx_uint_t ngx_group_fetch_token(ngx_str_t *text);
static ngx_uint_t ngx_group_fetch_number(lua_State *L, int index,
    const char *name, lua_Number most, ngx_uint_t fallback);
static void ngx_group_fetch_result(lua_State *L, ngx_pool_t *pool,
    ngx_group_fetch_t *fetch);
static void ngx_group_fetch_json(lua_State *L, ngx_pool_t *pool,
    ngx_group_fetch_t *fetch);
static void ngx_group_fetch_push_str(lua_State *L, ngx_str_t *text);


static ngx_str_t  ngx_group_fetch_methods[] = {
    ngx_string("GET"),
    ngx_string("POST"),
    ngx_string("PUT"),
    ngx_string("PATCH"),
    ngx_string("DELETE"),
    ngx_null_string
};


/* what a request may be told: a name that is none of them is a mistake */

static const char  *ngx_group_fetch_names[] = {
    "uri", "method", "json", "body", "headers", "timeout", "max_size", NULL
};


/* headers that are ours to write, or say something of the connection */

static ngx_str_t  ngx_group_fetch_own[] = {
    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("expect"),
    ngx_string("host"),
    ngx_string("keep-alive"),
    ngx_string("te"),
    ngx_string("trailer"),
    ngx_string("transfer-encoding"),
    ngx_string("upgrade"),
    ngx_null_string
};


int
ngx_group_fetch(lua_State *L)
{
    ngx_array_t           *fetches;
    ngx_group_fetch_t    **fetch;
    ngx_group_context_t   *context;

    context = ngx_group_context_method(L);

    luaL_checktype(L, 1, LUA_TTABLE);

    fetches = ngx_array_create(context->ctx->pool, 1,
                               sizeof(ngx_group_fetch_t *));
    if (fetches == NULL) {
        return luaL_error(L, "no memory for ctx:fetch()");
    }

    fetch = ngx_array_push(fetches);
    *fetch = ngx_group_fetch_read(L, context, 1);

    /* not before: a metamethod of what was read may have come here, too */

    context->all = 0;
    context->fetches = fetches;

    return lua_yield(L, 0);
}


int
ngx_group_fetch_all(lua_State *L)
{
    size_t                 i, n;
    ngx_array_t           *fetches;
    ngx_group_fetch_t    **fetch;
    ngx_group_context_t   *context;

    context = ngx_group_context_method(L);

    luaL_checktype(L, 1, LUA_TTABLE);

    n = lua_objlen(L, 1);

    if (n > NGX_GROUP_FETCH_MAX) {
        return luaL_error(L, "ctx:fetch_all() takes at most %d requests",
                          NGX_GROUP_FETCH_MAX);
    }

    if (n == 0) {
        lua_newtable(L);
        return 1;
    }

    fetches = ngx_array_create(context->ctx->pool, n,
                               sizeof(ngx_group_fetch_t *));
    if (fetches == NULL) {
        return luaL_error(L, "no memory for ctx:fetch_all()");
    }

    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, (int) i);

        if (!lua_istable(L, -1)) {
            return luaL_error(L, "request %d of ctx:fetch_all() must be a "
                              "table, not a %s", (int) i,
                              luaL_typename(L, -1));
        }

        fetch = ngx_array_push(fetches);
        *fetch = ngx_group_fetch_read(L, context, lua_gettop(L));

        lua_pop(L, 1);
    }

    context->all = 1;
    context->fetches = fetches;

    return lua_yield(L, 0);
}


static ngx_group_fetch_t *
ngx_group_fetch_read(lua_State *L, ngx_group_context_t *context, int index)
{
    ngx_str_t           *method;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_group_fetch_t   *fetch;

    pool = context->ctx->pool;

    if (context->fetched++ >= NGX_GROUP_FETCH_MAX) {
        luaL_error(L, "a hook may fetch at most %d times",
                   NGX_GROUP_FETCH_MAX);
    }

    lua_pushnil(L);

    while (lua_next(L, index)) {

        for (i = 0; ngx_group_fetch_names[i]; i++) {
            if (lua_type(L, -2) == LUA_TSTRING
                && ngx_strcmp(lua_tostring(L, -2), ngx_group_fetch_names[i])
                   == 0)
            {
                break;
            }
        }

        if (ngx_group_fetch_names[i] == NULL) {
            luaL_error(L, "ctx:fetch() does not know \"%s\"",
                       lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
                                                      : "that key");
        }

        lua_pop(L, 1);
    }

    fetch = ngx_pcalloc(pool, sizeof(ngx_group_fetch_t));
    if (fetch == NULL) {
        luaL_error(L, "no memory for ctx:fetch()");
    }

    lua_getfield(L, index, "uri");
    ngx_group_fetch_text(L, pool, "uri", &fetch->uri);

    if (fetch->uri.len == 0 || fetch->uri.data[0] != '/') {
        luaL_error(L, "the uri of ctx:fetch() must begin with \"/\"");
    }

    /* or the rest would be taken for the version of HTTP */

    if (ngx_strlchr(fetch->uri.data, fetch->uri.data + fetch->uri.len, ' ')) {
        luaL_error(L, "the uri of ctx:fetch() holds a space");
    }

    lua_getfield(L, index, "method");

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushliteral(L, "GET");
    }

    ngx_group_fetch_text(L, pool, "method", &fetch->method);

    for (method = ngx_group_fetch_methods; method->len; method++) {
        if (ngx_group_str_eq(method, &fetch->method)) {
            break;
        }
    }

    if (method->len == 0) {
        luaL_error(L, "the method of ctx:fetch() must be GET, POST, PUT, "
                   "PATCH or DELETE");
    }

    fetch->timeout = ngx_group_fetch_number(L, index, "timeout",
                                            NGX_GROUP_FETCH_LONGEST,
                                            NGX_GROUP_FETCH_TIMEOUT);
    fetch->limit = ngx_group_fetch_number(L, index, "max_size",
                                          NGX_GROUP_FETCH_LARGEST,
                                          NGX_GROUP_FETCH_SIZE);

    ngx_group_fetch_headers(L, pool, fetch, index);
    ngx_group_fetch_body(L, context, fetch, index);

    return fetch;
}


static void
ngx_group_fetch_body(lua_State *L, ngx_group_context_t *context,
    ngx_group_fetch_t *fetch, int index)
{
    ngx_pool_t         *pool;
    ngx_group_value_t  *value;

    pool = context->ctx->pool;

    lua_getfield(L, index, "json");
    lua_getfield(L, index, "body");

    if (!lua_isnil(L, -1) && !lua_isnil(L, -2)) {
        luaL_error(L, "ctx:fetch() takes either \"json\" or \"body\"");
    }

    if (!lua_isnil(L, -1)) {
        luaL_checktype(L, -1, LUA_TSTRING);

        fetch->body.data = (u_char *) lua_tolstring(L, -1, &fetch->body.len);
        fetch->body.data = ngx_pstrdup(pool, &fetch->body);

        if (fetch->body.data == NULL) {
            luaL_error(L, "no memory for ctx:fetch()");
        }

        if (fetch->media_type.len == 0) {
            ngx_str_set(&fetch->media_type, "application/octet-stream");
        }

        lua_pop(L, 2);
        return;
    }

    lua_pop(L, 1);

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }

    if (!lua_istable(L, -1)) {
        luaL_error(L, "\"json\" of ctx:fetch() must be a table, not a %s",
                   luaL_typename(L, -1));
    }

    value = ngx_group_tree_pull(L, pool, NULL, "fetch{json}",
                                context->ctx->memory);

    if (ngx_group_json_encode(pool, value, &fetch->body) != NGX_OK) {
        luaL_error(L, "no memory for ctx:fetch()");
    }

    if (fetch->media_type.len == 0) {
        ngx_str_set(&fetch->media_type, "application/json");
    }
}


static void
ngx_group_fetch_headers(lua_State *L, ngx_pool_t *pool,
    ngx_group_fetch_t *fetch, int index)
{
    ngx_str_t            name, value, *own;
    ngx_group_header_t  *h;

    lua_getfield(L, index, "headers");

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }

    if (!lua_istable(L, -1)) {
        luaL_error(L, "\"headers\" of ctx:fetch() must be a table, not a %s",
                   luaL_typename(L, -1));
    }

    fetch->headers = ngx_array_create(pool, 4, sizeof(ngx_group_header_t));
    if (fetch->headers == NULL) {
        luaL_error(L, "no memory for ctx:fetch()");
    }

    lua_pushnil(L);

    while (lua_next(L, -2)) {

        if (lua_type(L, -2) != LUA_TSTRING
            || fetch->headers->nelts >= NGX_GROUP_FETCH_HEADERS)
        {
            luaL_error(L, "\"headers\" of ctx:fetch() are at most %d, by "
                       "their names", NGX_GROUP_FETCH_HEADERS);
        }

        ngx_group_fetch_text(L, pool, "header", &value);

        lua_pushvalue(L, -1);
        ngx_group_fetch_text(L, pool, "header", &name);

        if (!ngx_group_fetch_token(&name)) {
            luaL_error(L, "\"%s\" is no name of a header",
                       lua_tostring(L, -1));
        }

        for (own = ngx_group_fetch_own; own->len; own++) {
            if (ngx_group_str_case_eq(own, &name)) {
                luaL_error(L, "the header \"%s\" is not a hook's to set",
                           lua_tostring(L, -1));
            }
        }

        if (ngx_group_str_case_is(&name, "Content-Type")) {
            fetch->media_type = value;
            continue;
        }

        h = ngx_array_push(fetch->headers);
        if (h == NULL) {
            luaL_error(L, "no memory for ctx:fetch()");
        }

        h->name = name;
        h->value = value;
    }

    lua_pop(L, 1);
}


/* takes a text off that is to stand in one line */

static void
ngx_group_fetch_text(lua_State *L, ngx_pool_t *pool, const char *name,
    ngx_str_t *text)
{
    size_t  i;

    if (lua_type(L, -1) != LUA_TSTRING) {
        luaL_error(L, "the %s of ctx:fetch() must be a string, not a %s",
                   name, luaL_typename(L, -1));
    }

    text->data = (u_char *) lua_tolstring(L, -1, &text->len);

    if (text->len > NGX_GROUP_FETCH_TEXT) {
        luaL_error(L, "the %s of ctx:fetch() is too long", name);
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < 0x20 || text->data[i] == 0x7f) {
            luaL_error(L, "the %s of ctx:fetch() holds a control character",
                       name);
        }
    }

    text->data = ngx_pstrdup(pool, text);
    if (text->data == NULL) {
        luaL_error(L, "no memory for ctx:fetch()");
    }

    lua_pop(L, 1);
}


/* RFC 9110, 5.6.2 */

static ngx_uint_t
ngx_group_fetch_token(ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
            || (c >= 'A' && c <= 'Z'))
        {
            continue;
        }

        if (ngx_strchr("!#$%&'*+-.^_`|~", c) == NULL) {
            return 0;
        }
    }

    return text->len != 0;
}


static ngx_uint_t
ngx_group_fetch_number(lua_State *L, int index, const char *name,
    lua_Number most, ngx_uint_t fallback)
{
    lua_Number  n;

    lua_getfield(L, index, name);

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return fallback;
    }

    n = lua_tonumber(L, -1);

    if (lua_type(L, -1) != LUA_TNUMBER || !(n >= 1 && n <= most)) {
        luaL_error(L, "\"%s\" of ctx:fetch() must be a number from 1 to %d",
                   name, (int) most);
    }

    lua_pop(L, 1);

    return (ngx_uint_t) n;
}


int
ngx_group_fetch_results(lua_State *L, ngx_group_context_t *context)
{
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_group_fetch_t  **fetch;

    luaL_checkstack(L, 8, "too many results");

    pool = context->ctx->pool;
    fetch = context->fetches->elts;

    if (!context->all) {

        if (fetch[0]->failed) {
            lua_pushnil(L);
            lua_pushstring(L, fetch[0]->failed);
            return 2;
        }

        ngx_group_context_take(L, context, fetch[0]->answer.len);
        ngx_group_fetch_result(L, pool, fetch[0]);
        return 1;
    }

    lua_createtable(L, (int) context->fetches->nelts, 0);

    for (i = 0; i < context->fetches->nelts; i++) {
        ngx_group_lua_check(L);

        if (fetch[i]->failed) {
            lua_createtable(L, 0, 1);
            lua_pushstring(L, fetch[i]->failed);
            lua_setfield(L, -2, "error");

        } else {
            ngx_group_context_take(L, context, fetch[i]->answer.len);
            ngx_group_fetch_result(L, pool, fetch[i]);
        }

        lua_rawseti(L, -2, (int) i + 1);
    }

    return 1;
}


static void
ngx_group_fetch_result(lua_State *L, ngx_pool_t *pool,
    ngx_group_fetch_t *fetch)
{
    ngx_uint_t           i;
    ngx_group_header_t  *h;

    lua_createtable(L, 0, 4);

    lua_pushinteger(L, (lua_Integer) fetch->status);
    lua_setfield(L, -2, "status");

    ngx_group_fetch_push_str(L, &fetch->answer);
    lua_setfield(L, -2, "body");

    lua_newtable(L);

    if (fetch->answer_headers) {
        h = fetch->answer_headers->elts;

        for (i = 0; i < fetch->answer_headers->nelts; i++) {
            ngx_group_fetch_push_str(L, &h[i].name);
            ngx_group_fetch_push_str(L, &h[i].value);
            lua_rawset(L, -3);
        }
    }

    lua_setfield(L, -2, "headers");

    ngx_group_fetch_json(L, pool, fetch);
}


/* res.json, when the answer is JSON and can be read */

static void
ngx_group_fetch_json(lua_State *L, ngx_pool_t *pool,
    ngx_group_fetch_t *fetch)
{
    ngx_str_t            type, why;
    ngx_uint_t           i;
    ngx_group_value_t   *value;
    ngx_group_header_t  *h;
    ngx_group_limits_t   limits;

    if (fetch->answer_headers == NULL) {
        return;
    }

    h = fetch->answer_headers->elts;
    ngx_str_null(&type);

    for (i = 0; i < fetch->answer_headers->nelts; i++) {
        if (ngx_group_str_is(&h[i].name, "content-type")) {
            type = h[i].value;
        }
    }

    for (i = 0; i < type.len && type.data[i] != ';'; i++) { /* void */ }

    type.len = i;

    if (type.len < sizeof("application/json") - 1
        || (ngx_strncasecmp(type.data, (u_char *) "application/json", type.len)
            != 0
            && ngx_strncasecmp(type.data + type.len - 5, (u_char *) "+json", 5)
               != 0))
    {
        return;
    }

    limits.max_depth = NGX_GROUP_TREE_DEPTH;
    limits.max_items = NGX_GROUP_FETCH_LARGEST;

    if (ngx_group_json_decode(pool, &limits, &fetch->answer, &value, &why)
        != NGX_OK)
    {
        return;
    }

    ngx_group_tree_push(L, pool, value);
    lua_setfield(L, -2, "json");
}


static void
ngx_group_fetch_push_str(lua_State *L, ngx_str_t *text)
{
    lua_pushlstring(L, text->len ? (char *) text->data : "", text->len);
}
