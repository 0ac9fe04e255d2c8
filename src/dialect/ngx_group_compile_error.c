
#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include <lauxlib.h>
#include "ngx_group_compile.h"


static ngx_int_t ngx_group_compile_variants(ngx_group_compile_t *c,
    ngx_uint_t outcome);
static ngx_int_t ngx_group_compile_variant(ngx_group_compile_t *c,
    ngx_uint_t outcome);


static char  *ngx_group_compile_variant_keys[] = {
    "when", "status", "format", "media_type", "detail", "body", "headers",
    NULL
};


static char  *ngx_group_compile_wording_keys[] = { "code", "detail", NULL };


ngx_int_t
ngx_group_compile_errors(ngx_group_compile_t *c, void *data)
{
    char        *key;
    size_t       len;
    ngx_str_t    name;
    ngx_uint_t   outcome;

    (void) data;

    lua_pushnil(c->lua);

    while (lua_next(c->lua, -2)) {

        if (lua_type(c->lua, -2) != LUA_TSTRING) {
            return ngx_group_compile_error(c, NULL,
                                           "has a key that is no name");
        }

        key = (char *) lua_tostring(c->lua, -2);
        name.data = (u_char *) key;
        name.len = ngx_strlen(key);

        outcome = NGX_GROUP_OUTCOMES;

        if (!ngx_group_str_is(&name, "*")) {
            outcome = ngx_group_outcome_find(&name);

            if (outcome == NGX_GROUP_OUTCOMES || outcome == NGX_GROUP_DONE) {
                return ngx_group_compile_error(c, key, "is no outcome");
            }
        }

        if (!lua_istable(c->lua, -1)) {
            return ngx_group_compile_error(c, key,
                                           "is a %s, expected a table",
                                           luaL_typename(c->lua, -1));
        }

        len = ngx_group_compile_enter(c, key, 0);

        if (ngx_group_compile_variants(c, outcome) != NGX_OK) {
            return NGX_ERROR;
        }

        c->len = len;
        lua_pop(c->lua, 1);
    }

    return NGX_OK;
}


/* one variant, or a list of them: the first that fits is taken */

static ngx_int_t
ngx_group_compile_variants(ngx_group_compile_t *c, ngx_uint_t outcome)
{
    size_t      len;
    ngx_uint_t  i, n;

    n = lua_objlen(c->lua, -1);

    if (n == 0) {
        return ngx_group_compile_variant(c, outcome);
    }

    for (i = 1; i <= n; i++) {
        len = ngx_group_compile_enter(c, NULL, i);
        lua_rawgeti(c->lua, -1, i);

        if (!lua_istable(c->lua, -1)) {
            return ngx_group_compile_error(c, NULL,
                                           "is a %s, expected a table",
                                           luaL_typename(c->lua, -1));
        }

        if (ngx_group_compile_variant(c, outcome) != NGX_OK) {
            return NGX_ERROR;
        }

        lua_pop(c->lua, 1);
        c->len = len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_compile_variant(ngx_group_compile_t *c, ngx_uint_t outcome)
{
    size_t                len;
    int64_t               status;
    ngx_uint_t            format;
    ngx_array_t           when;
    ngx_group_variant_t  *v;

    v = ngx_array_push(&c->dialect->variants);

    if (v == NULL
        || ngx_array_init(&when, c->pool, 2, sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(v, sizeof(ngx_group_variant_t));

    v->outcome = outcome;

    status = 0;
    format = c->dialect->format;

    if (ngx_group_compile_keys(c, ngx_group_compile_variant_keys, 0) != NGX_OK
        || ngx_group_compile_strings(c, "when", &when) != NGX_OK
        || ngx_group_compile_number(c, "status", &status) != NGX_OK
        || ngx_group_compile_enum(c, "format", ngx_group_compile_formats,
                                  &format) != NGX_OK
        || ngx_group_compile_string(c, "media_type", &v->media_type) != NGX_OK
        || ngx_group_compile_string(c, "detail", &v->detail) != NGX_OK
        || ngx_group_compile_table(c, "headers", ngx_group_compile_pairs,
                                   &v->headers) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (status != 0 && (status < 400 || status > 599)) {
        return ngx_group_compile_error(c, "status",
                                       "expected a status from 400 to 599");
    }

    v->status = status;
    v->format = format;

    if (when.nelts) {
        v->when = ngx_palloc(c->pool, sizeof(ngx_array_t));
        if (v->when == NULL) {
            return NGX_ERROR;
        }

        *v->when = when;
    }

    if (v->media_type.len == 0) {
        if (format == c->dialect->format) {
            v->media_type = c->dialect->media_type;

        } else if (format == NGX_GROUP_FORMAT_JSON) {
            ngx_str_set(&v->media_type, "application/json");

        } else if (format == NGX_GROUP_FORMAT_XML) {
            ngx_str_set(&v->media_type, "application/xml");

        } else {
            ngx_str_set(&v->media_type, "text/plain; charset=UTF-8");
        }
    }

    len = ngx_group_compile_enter(c, "body", 0);
    lua_getfield(c->lua, -1, "body");

    if (!lua_isnil(c->lua, -1)
        && ngx_group_compile_value(c, &v->body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (format == NGX_GROUP_FORMAT_TEXT && v->body
        && v->body->type != NGX_GROUP_STRING)
    {
        return ngx_group_compile_error(c, NULL,
                                       "expected a string for plain text");
    }

    if (format == NGX_GROUP_FORMAT_XML && v->body
        && (v->body->type != NGX_GROUP_OBJECT || v->body->n != 1))
    {
        return ngx_group_compile_error(c, NULL,
                                       "expected one root element");
    }

    lua_pop(c->lua, 1);
    c->len = len;

    return NGX_OK;
}


ngx_int_t
ngx_group_compile_problems(ngx_group_compile_t *c, void *data)
{
    size_t                len;
    ngx_group_wording_t  *w;

    (void) data;

    lua_pushnil(c->lua);

    while (lua_next(c->lua, -2)) {

        if (lua_type(c->lua, -2) != LUA_TSTRING || !lua_istable(c->lua, -1)) {
            return ngx_group_compile_error(c, NULL,
                           "expected codes with tables: "
                           "missing = { code = ..., detail = ... }");
        }

        w = ngx_array_push(&c->dialect->wordings);
        if (w == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(w, sizeof(ngx_group_wording_t));

        if (ngx_group_compile_dup(c, -2, &w->code) != NGX_OK) {
            return NGX_ERROR;
        }

        len = ngx_group_compile_enter(c, (char *) w->code.data, 0);

        if (ngx_group_compile_keys(c, ngx_group_compile_wording_keys, 0)
            != NGX_OK
            || ngx_group_compile_string(c, "code", &w->name) != NGX_OK
            || ngx_group_compile_string(c, "detail", &w->detail) != NGX_OK)
        {
            return NGX_ERROR;
        }

        c->len = len;
        lua_pop(c->lua, 1);
    }

    return NGX_OK;
}


/* statuses = { [400] = "malformed" } */

ngx_int_t
ngx_group_compile_readings(ngx_group_compile_t *c, void *data)
{
    ngx_str_t             name;
    lua_Number            status;
    ngx_group_reading_t  *reading;

    (void) data;

    lua_pushnil(c->lua);

    while (lua_next(c->lua, -2)) {

        if (lua_type(c->lua, -2) != LUA_TNUMBER
            || lua_type(c->lua, -1) != LUA_TSTRING)
        {
            return ngx_group_compile_error(c, NULL,
                           "expected statuses with outcomes: "
                           "[400] = \"malformed\"");
        }

        status = lua_tonumber(c->lua, -2);
        name.data = (u_char *) lua_tostring(c->lua, -1);
        name.len = ngx_strlen(name.data);

        if (!(status >= 400 && status <= 599)) {
            return ngx_group_compile_error(c, NULL,
                           "expected statuses from 400 to 599");
        }

        reading = ngx_array_push(&c->dialect->readings);
        if (reading == NULL) {
            return NGX_ERROR;
        }

        reading->status = (ngx_uint_t) status;
        reading->outcome = ngx_group_outcome_find(&name);

        if (reading->outcome == NGX_GROUP_OUTCOMES
            || reading->outcome == NGX_GROUP_DONE)
        {
            return ngx_group_compile_error(c, NULL, "\"%V\" is no outcome",
                                           &name);
        }

        lua_pop(c->lua, 1);
    }

    return NGX_OK;
}
