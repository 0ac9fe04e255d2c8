
#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include <lauxlib.h>
#include "ngx_group_compile.h"
#include "ngx_group_filter.h"


/* a name and what it stands for */

typedef struct {
    char        *name;
    ngx_uint_t   value;
} ngx_group_compile_enum_t;


typedef ngx_int_t (*ngx_group_compile_pt)(ngx_group_compile_t *c, void *data);


static size_t ngx_group_compile_enter(ngx_group_compile_t *c, char *key,
    ngx_uint_t index);
static ngx_int_t ngx_group_compile_error(ngx_group_compile_t *c, char *key,
    char *fmt, ...);
static ngx_int_t ngx_group_compile_keys(ngx_group_compile_t *c,
    char **allowed, ngx_uint_t list);
static ngx_int_t ngx_group_compile_dup(ngx_group_compile_t *c, int index,
    ngx_str_t *out);
static ngx_int_t ngx_group_compile_string(ngx_group_compile_t *c, char *key,
    ngx_str_t *out);
static ngx_int_t ngx_group_compile_flag(ngx_group_compile_t *c, char *key,
    ngx_uint_t *flag);
static ngx_int_t ngx_group_compile_number(ngx_group_compile_t *c, char *key,
    int64_t *n);
static ngx_int_t ngx_group_compile_enum(ngx_group_compile_t *c, char *key,
    ngx_group_compile_enum_t *list, ngx_uint_t *value);
static ngx_int_t ngx_group_compile_table(ngx_group_compile_t *c, char *key,
    ngx_group_compile_pt handler, void *data);
static ngx_int_t ngx_group_compile_strings(ngx_group_compile_t *c, char *key,
    ngx_array_t *out);
static ngx_int_t ngx_group_compile_statuses(ngx_group_compile_t *c, char *key,
    ngx_array_t *out);
static ngx_int_t ngx_group_compile_pairs(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_value(ngx_group_compile_t *c,
    ngx_group_value_t **value);
static ngx_int_t ngx_group_compile_list(ngx_group_compile_t *c,
    ngx_group_value_t **value);
static ngx_int_t ngx_group_compile_object(ngx_group_compile_t *c,
    ngx_group_value_t **value);
static int ngx_libc_cdecl ngx_group_compile_cmp(const void *one,
    const void *two);
static ngx_int_t ngx_group_compile_ops(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_op(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_method(ngx_group_compile_t *c,
    ngx_group_op_t *op);
static ngx_int_t ngx_group_compile_path(ngx_group_compile_t *c,
    ngx_group_op_t *op);
static ngx_int_t ngx_group_compile_unique(ngx_group_compile_t *c,
    ngx_uint_t n);
static ngx_int_t ngx_group_compile_url(ngx_group_compile_t *c, char *key,
    ngx_str_t *url, ngx_array_t **pieces);
static ngx_int_t ngx_group_compile_fields(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_field(ngx_group_compile_t *c,
    ngx_group_of_e of, ngx_group_format_e format, ngx_group_field_t *field);
static ngx_int_t ngx_group_compile_from(ngx_group_compile_t *c,
    ngx_group_of_e of, ngx_group_field_t *field, ngx_group_of_e *inner);
static ngx_int_t ngx_group_compile_preset(ngx_group_compile_t *c,
    ngx_group_field_t *field);
static ngx_int_t ngx_group_compile_typed(ngx_group_compile_t *c,
    ngx_group_field_t *field);
static ngx_int_t ngx_group_compile_errors(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_variants(ngx_group_compile_t *c,
    ngx_uint_t outcome);
static ngx_int_t ngx_group_compile_variant(ngx_group_compile_t *c,
    ngx_uint_t outcome);
static ngx_int_t ngx_group_compile_problems(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_documents(ngx_group_compile_t *c,
    void *data);
static ngx_int_t ngx_group_compile_readings(ngx_group_compile_t *c,
    void *data);


typedef struct {
    ngx_group_of_e       of;
    ngx_group_format_e   format;
    ngx_array_t         *fields;
} ngx_group_compile_shape_t;


static char  *ngx_group_compile_dialect_keys[] = {
    NGX_GROUP_LUA_DIALECT, "media_type", "accept", "format", "auth", "id",
    "member_id", "scopes", "base_path", "query_first", "syntax", "names",
    "folds", "documents", "operations", "texts",
    "statuses", "problems", "errors", NULL
};


static char  *ngx_group_compile_op_keys[] = {
    "query", "request", "response", "status", "accept", "scopes", "location",
    "patch", NULL
};


static char  *ngx_group_compile_field_keys[] = {
    NGX_GROUP_LUA_FIELD, NGX_GROUP_LUA_LINE, "from", "type", "label",
    "required", "read_only", "write_only", "blank", "null", "min", "max",
    "fields", "items", "values", "ref", "default", "const", "base", "clamp",
    "direction", NULL
};


static char  *ngx_group_compile_variant_keys[] = {
    "when", "status", "format", "media_type", "detail", "body", "headers",
    NULL
};


static char  *ngx_group_compile_wording_keys[] = { "code", "detail", NULL };


static ngx_group_compile_enum_t  ngx_group_compile_formats[] = {
    { "json", NGX_GROUP_FORMAT_JSON },
    { "xml", NGX_GROUP_FORMAT_XML },
    { "text", NGX_GROUP_FORMAT_TEXT },
    { NULL, 0 }
};


static ngx_group_compile_enum_t  ngx_group_compile_auths[] = {
    { "none", NGX_GROUP_AUTH_NONE },
    { "basic", NGX_GROUP_AUTH_BASIC },
    { "bearer", NGX_GROUP_AUTH_BEARER },
    { "sigv4", NGX_GROUP_AUTH_SIGV4 },
    { NULL, 0 }
};


static ngx_group_compile_enum_t  ngx_group_compile_ids[] = {
    { "opaque", NGX_GROUP_ID_OPAQUE },
    { "uuid", NGX_GROUP_ID_UUID },
    { "decimal", NGX_GROUP_ID_DECIMAL },
    { "base64", NGX_GROUP_ID_BASE64 },
    { NULL, 0 }
};


static ngx_group_compile_enum_t  ngx_group_compile_syntaxes[] = {
    { "scim", NGX_GROUP_FILTER_SCIM },
    { "odata", NGX_GROUP_FILTER_ODATA },
    { NULL, 0 }
};


static ngx_group_compile_enum_t  ngx_group_compile_types[] = {
    { "string", NGX_GROUP_FIELD_STRING },
    { "boolean", NGX_GROUP_FIELD_BOOLEAN },
    { "integer", NGX_GROUP_FIELD_INTEGER },
    { "timestamp", NGX_GROUP_FIELD_TIMESTAMP },
    { "email", NGX_GROUP_FIELD_EMAIL },
    { "uuid", NGX_GROUP_FIELD_UUID },
    { "token", NGX_GROUP_FIELD_TOKEN },
    { "id", NGX_GROUP_FIELD_ID },
    { "member_id", NGX_GROUP_FIELD_MEMBER_ID },
    { "filter", NGX_GROUP_FIELD_FILTER },
    { "order", NGX_GROUP_FIELD_ORDER },
    { "object", NGX_GROUP_FIELD_OBJECT },
    { "array", NGX_GROUP_FIELD_ARRAY },
    { "any", NGX_GROUP_FIELD_ANY },
    { NULL, 0 }
};


ngx_int_t
ngx_group_compile(ngx_group_compile_t *c)
{
    ngx_int_t             rc;
    ngx_uint_t            i, flag, form;
    ngx_str_t            *accept;
    ngx_array_t           scopes;
    ngx_group_dialect_t  *d;

    d = c->dialect;

    if (!lua_istable(c->lua, -1)) {
        return ngx_group_compile_error(c, NULL,
                       "the file must return dialect \"name\" { ... }");
    }

    if (ngx_array_init(&d->accept, c->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&scopes, c->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&d->variants, c->pool, 16,
                          sizeof(ngx_group_variant_t)) != NGX_OK
        || ngx_array_init(&d->wordings, c->pool, 8,
                          sizeof(ngx_group_wording_t)) != NGX_OK
        || ngx_array_init(&d->readings, c->pool, 4,
                          sizeof(ngx_group_reading_t)) != NGX_OK
        || ngx_array_init(&d->documents, c->pool, 4,
                          sizeof(ngx_group_document_t)) != NGX_OK
        || ngx_array_init(&d->texts, c->pool, 4, sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    lua_getfield(c->lua, -1, NGX_GROUP_LUA_DIALECT);

    if (!lua_isstring(c->lua, -1)
        || ngx_strcmp(lua_tostring(c->lua, -1), d->name.data) != 0)
    {
        rc = ngx_group_compile_error(c, NULL,
                       "the file must return dialect \"%V\" { ... }, "
                       "as it is named", &d->name);
        lua_pop(c->lua, 1);
        return rc;
    }

    lua_pop(c->lua, 1);

    if (ngx_group_compile_keys(c, ngx_group_compile_dialect_keys, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    flag = 0;
    form = NGX_GROUP_FORMAT_JSON;

    if (ngx_group_compile_string(c, "media_type", &d->media_type) != NGX_OK
        || ngx_group_compile_strings(c, "accept", &d->accept) != NGX_OK
        || ngx_group_compile_enum(c, "format", ngx_group_compile_formats,
                                  &form) != NGX_OK
        || ngx_group_compile_string(c, "base_path", &d->base_path) != NGX_OK
        || ngx_group_compile_strings(c, "scopes", &scopes) != NGX_OK
        || ngx_group_compile_flag(c, "query_first", &flag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    d->format = form;
    d->query_first = flag;

    if (d->format == NGX_GROUP_FORMAT_TEXT) {
        return ngx_group_compile_error(c, "format",
                                       "expected \"json\" or \"xml\"");
    }

    if (d->media_type.len == 0) {
        return ngx_group_compile_error(c, "media_type",
                                       "is missing, expected a media type");
    }

    if (d->base_path.len
        && (d->base_path.data[0] != '/'
            || d->base_path.data[d->base_path.len - 1] == '/'))
    {
        return ngx_group_compile_error(c, "base_path",
                       "is \"%V\", expected \"\" or a path that begins with "
                       "\"/\" and does not end with it", &d->base_path);
    }

    if (d->accept.nelts == 0) {
        accept = ngx_array_push(&d->accept);
        if (accept == NULL) {
            return NGX_ERROR;
        }

        *accept = d->media_type;
    }

    form = NGX_GROUP_AUTH_NONE;
    if (ngx_group_compile_enum(c, "auth", ngx_group_compile_auths, &form)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    d->auth = form;

    flag = 0;

    if (ngx_group_compile_enum(c, "syntax", ngx_group_compile_syntaxes,
                               &d->syntax) != NGX_OK
        || ngx_group_compile_table(c, "names", ngx_group_compile_pairs,
                                   &d->names) != NGX_OK
        || ngx_group_compile_flag(c, "folds", &flag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    d->folds = flag;

    d->id = NGX_GROUP_ID_OPAQUE;
    d->member_id = NGX_GROUP_ID_OPAQUE;

    if (ngx_group_compile_enum(c, "id", ngx_group_compile_ids, &d->id)
        != NGX_OK
        || ngx_group_compile_enum(c, "member_id", ngx_group_compile_ids,
                                  &d->member_id) != NGX_OK
        || ngx_group_compile_table(c, "operations", ngx_group_compile_ops,
                                   NULL) != NGX_OK
        || ngx_group_compile_table(c, "documents",
                                   ngx_group_compile_documents, NULL)
           != NGX_OK
        || ngx_group_compile_strings(c, "texts", &d->texts) != NGX_OK
        || ngx_group_compile_table(c, "statuses", ngx_group_compile_readings,
                                   NULL) != NGX_OK
        || ngx_group_compile_table(c, "problems", ngx_group_compile_problems,
                                   NULL) != NGX_OK
        || ngx_group_compile_table(c, "errors", ngx_group_compile_errors,
                                   NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        if (d->ops[i]) {
            break;
        }
    }

    if (i == NGX_GROUP_OPERATIONS) {
        return ngx_group_compile_error(c, "operations",
                       "expected at least one operation");
    }

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        if (d->ops[i] == NULL) {
            continue;
        }

        if (ngx_group_compile_unique(c, i) != NGX_OK) {
            return NGX_ERROR;
        }

        if (d->ops[i]->scopes.nelts == 0) {
            d->ops[i]->scopes = scopes;
        }
    }

    return NGX_OK;
}


/* appends a key or an index to the key path; returns its length before */

static size_t
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


static ngx_int_t
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

static ngx_int_t
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

static ngx_int_t
ngx_group_compile_dup(ngx_group_compile_t *c, int index, ngx_str_t *out)
{
    size_t       len;
    const char  *s;

    s = lua_tolstring(c->lua, index, &len);

    out->data = ngx_pnalloc(c->pool, len + 1);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(out->data, s, len);
    out->data[len] = '\0';
    out->len = len;

    return NGX_OK;
}


static ngx_int_t
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
        break;

    default:
        rc = ngx_group_compile_error(c, key, "is a %s, expected a string",
                                     luaL_typename(c->lua, -1));
    }

    lua_pop(c->lua, 1);

    return rc;
}


static ngx_int_t
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

static ngx_int_t
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


static ngx_int_t
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

static ngx_int_t
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


static ngx_int_t
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


static ngx_int_t
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

static ngx_int_t
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

static ngx_int_t
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


static ngx_int_t
ngx_group_compile_ops(ngx_group_compile_t *c, void *data)
{
    char            *key;
    ngx_str_t        name;
    ngx_uint_t       n;
    ngx_group_op_t  *op;

    (void) data;

    lua_pushnil(c->lua);

    while (lua_next(c->lua, -2)) {
        lua_pop(c->lua, 1);

        if (lua_type(c->lua, -1) != LUA_TSTRING) {
            return ngx_group_compile_error(c, NULL,
                                           "has a key that is no name");
        }

        key = (char *) lua_tostring(c->lua, -1);
        name.data = (u_char *) key;
        name.len = ngx_strlen(key);

        if (ngx_group_operation_find(&name) == NGX_GROUP_OPERATIONS) {
            return ngx_group_compile_error(c, key,
                           "is no operation, expected group.create, list, "
                           "get, replace, modify or delete, or member.add, "
                           "list, get or remove");
        }
    }

    /* in an order of ours: a mistake is told alike each time */

    for (n = 0; n < NGX_GROUP_OPERATIONS; n++) {
        key = (char *) ngx_group_operation_name(n)->data;

        lua_getfield(c->lua, -1, key);

        if (lua_isnil(c->lua, -1)) {
            lua_pop(c->lua, 1);
            continue;
        }

        lua_pop(c->lua, 1);

        op = ngx_pcalloc(c->pool, sizeof(ngx_group_op_t));
        if (op == NULL) {
            return NGX_ERROR;
        }

        op->operation = n;

        if (ngx_group_compile_table(c, key, ngx_group_compile_op, op)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        c->dialect->ops[n] = op;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_compile_op(ngx_group_compile_t *c, void *data)
{
    ngx_group_op_t *op = data;

    int64_t                    status;
    ngx_str_t                  location;
    ngx_uint_t                 patch;
    ngx_group_compile_shape_t  shape;

    if (ngx_array_init(&op->accept, c->pool, 2, sizeof(ngx_uint_t)) != NGX_OK
        || ngx_array_init(&op->scopes, c->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&op->path, c->pool, 4, sizeof(ngx_group_piece_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_group_compile_keys(c, ngx_group_compile_op_keys, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    lua_rawgeti(c->lua, -1, 1);
    lua_rawgeti(c->lua, -2, 2);

    if (lua_type(c->lua, -2) != LUA_TSTRING
        || lua_type(c->lua, -1) != LUA_TSTRING)
    {
        return ngx_group_compile_error(c, NULL,
                       "expected a method and a path first: "
                       "{ \"POST\", \"/groups\", ... }");
    }

    if (ngx_group_compile_dup(c, -2, &op->method) != NGX_OK
        || ngx_group_compile_dup(c, -1, &op->pattern) != NGX_OK)
    {
        return NGX_ERROR;
    }

    lua_pop(c->lua, 2);

    if (ngx_group_compile_method(c, op) != NGX_OK
        || ngx_group_compile_path(c, op) != NGX_OK)
    {
        return NGX_ERROR;
    }

    status = 200;

    if (ngx_group_compile_number(c, "status", &status) != NGX_OK
        || ngx_group_compile_statuses(c, "accept", &op->accept) != NGX_OK
        || ngx_group_compile_strings(c, "scopes", &op->scopes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (status < 200 || status > 299) {
        return ngx_group_compile_error(c, "status",
                                       "expected a status from 200 to 299");
    }

    op->status = status;

    ngx_str_null(&location);
    patch = 0;

    if (ngx_group_compile_string(c, "location", &location) != NGX_OK
        || ngx_group_compile_flag(c, "patch", &patch) != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->patch = patch;

    if (location.data
        && ngx_group_compile_url(c, "location", &location, &op->location)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    shape.of = NGX_GROUP_OF_QUERY;
    shape.format = NGX_GROUP_FORMAT_TEXT;
    shape.fields = NULL;

    if (ngx_group_compile_table(c, "query", ngx_group_compile_fields, &shape)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->query = shape.fields;

    shape.of = ngx_group_operation_request_of(op->operation);
    shape.format = c->dialect->format;
    shape.fields = NULL;

    if (ngx_group_compile_table(c, "request", ngx_group_compile_fields,
                                &shape)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->request = shape.fields;

    shape.of = ngx_group_operation_response_of(op->operation);
    shape.fields = NULL;

    if (ngx_group_compile_table(c, "response", ngx_group_compile_fields,
                                &shape)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->response = shape.fields;

    return NGX_OK;
}


static ngx_int_t
ngx_group_compile_method(ngx_group_compile_t *c, ngx_group_op_t *op)
{
    size_t  i;

    for (i = 0; i < op->method.len; i++) {
        if (op->method.data[i] < 'A' || op->method.data[i] > 'Z') {
            break;
        }
    }

    if (op->method.len && i == op->method.len) {
        return NGX_OK;
    }

    return ngx_group_compile_error(c, NULL,
                                   "method \"%V\" is none, expected one in "
                                   "upper case: \"POST\"", &op->method);
}


/* a request is of one operation */

static ngx_int_t
ngx_group_compile_unique(ngx_group_compile_t *c, ngx_uint_t n)
{
    ngx_uint_t           i, k;
    ngx_group_op_t      *op, *other;
    ngx_group_piece_t   *a, *b;

    op = c->dialect->ops[n];

    for (i = 0; i < n; i++) {
        other = c->dialect->ops[i];

        if (other == NULL || other->path.nelts != op->path.nelts
            || !ngx_group_str_eq(&other->method, &op->method))
        {
            continue;
        }

        a = op->path.elts;
        b = other->path.elts;

        for (k = 0; k < op->path.nelts; k++) {
            if (a[k].param != b[k].param
                || (!a[k].param && !ngx_group_str_eq(&a[k].text, &b[k].text)))
            {
                break;
            }
        }

        if (k < op->path.nelts) {
            continue;
        }

        (void) ngx_group_compile_enter(c, "operations", 0);

        return ngx_group_compile_error(c,
                              (char *) ngx_group_operation_name(n)->data,
                              "\"%V %V\" is that of \"%V\", too",
                              &op->method, &op->pattern,
                              ngx_group_operation_name(i));
    }

    return NGX_OK;
}


/* "/groups/{id}/members" to segments */

static ngx_int_t
ngx_group_compile_path(ngx_group_compile_t *c, ngx_group_op_t *op)
{
    u_char             *p, *end, *start;
    ngx_str_t           head;
    ngx_group_of_e      of;
    ngx_group_piece_t  *piece;

    of = ngx_group_operation_request_of(op->operation);

    p = op->pattern.data;
    end = p + op->pattern.len;

    if (p == end || *p != '/') {
        return ngx_group_compile_error(c, NULL,
                       "path \"%V\" does not begin with \"/\"", &op->pattern);
    }

    while (p < end) {
        start = ++p;

        while (p < end && *p != '/') {
            p++;
        }

        piece = ngx_array_push(&op->path);
        if (piece == NULL) {
            return NGX_ERROR;
        }

        piece->text.data = start;
        piece->text.len = p - start;
        piece->param = 0;

        if (piece->text.len == 0) {
            return ngx_group_compile_error(c, NULL,
                           "path \"%V\" has an empty segment", &op->pattern);
        }

        if (*start != '{') {
            continue;
        }

        if (piece->text.len < 3 || p[-1] != '}') {
            return ngx_group_compile_error(c, NULL,
                           "path \"%V\": expected a parameter to be a whole "
                           "segment \"{name}\"", &op->pattern);
        }

        piece->param = 1;
        piece->text.data++;
        piece->text.len -= 2;

        head = piece->text;

        if (head.len > sizeof("member.") - 1
            && ngx_strncmp(head.data, "member.", sizeof("member.") - 1) == 0)
        {
            head.len = sizeof("member") - 1;
        }

        if (ngx_group_canonical_find(of, &head) == NULL) {
            return ngx_group_compile_error(c, NULL,
                           "path \"%V\": \"%V\" is no canonical field",
                           &op->pattern, &piece->text);
        }
    }

    return NGX_OK;
}


/* "{origin}{base}/contacts/{owner}/{id}" to pieces */

static ngx_int_t
ngx_group_compile_url(ngx_group_compile_t *c, char *key, ngx_str_t *url,
    ngx_array_t **pieces)
{
    u_char             *p, *end, *start;
    ngx_group_piece_t  *piece;

    *pieces = ngx_array_create(c->pool, 8, sizeof(ngx_group_piece_t));
    if (*pieces == NULL) {
        return NGX_ERROR;
    }

    p = url->data;
    end = p + url->len;

    while (p < end) {
        start = p;

        piece = ngx_array_push(*pieces);
        if (piece == NULL) {
            return NGX_ERROR;
        }

        if (*p != '{') {
            while (p < end && *p != '{') {
                p++;
            }

            piece->param = 0;
            piece->text.data = start;
            piece->text.len = p - start;
            continue;
        }

        while (p < end && *p != '}') {
            p++;
        }

        piece->param = 1;
        piece->text.data = start + 1;
        piece->text.len = p - start - 1;

        if (p == end
            || !(ngx_group_str_is(&piece->text, "origin")
                 || ngx_group_str_is(&piece->text, "base")
                 || ngx_group_str_is(&piece->text, "owner")
                 || ngx_group_str_is(&piece->text, "id")))
        {
            return ngx_group_compile_error(c, key,
                           "is \"%V\", expected text with {origin}, {base}, "
                           "{owner} and {id}", url);
        }

        p++;
    }

    piece = (*pieces)->elts;

    if ((*pieces)->nelts == 0
        || !ngx_group_str_is(&piece[(*pieces)->nelts - 1].text, "id"))
    {
        return ngx_group_compile_error(c, key,
                                       "is \"%V\", expected {id} at its end",
                                       url);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_compile_fields(ngx_group_compile_t *c, void *data)
{
    ngx_group_compile_shape_t *shape = data;

    size_t              len;
    ngx_uint_t          i, n, line;
    ngx_group_field_t  *field;

    n = lua_objlen(c->lua, -1);

    shape->fields = ngx_array_create(c->pool, n ? n : 1,
                                     sizeof(ngx_group_field_t));
    if (shape->fields == NULL) {
        return NGX_ERROR;
    }

    line = c->line;

    for (i = 1; i <= n; i++) {
        len = ngx_group_compile_enter(c, NULL, i);

        field = ngx_array_push(shape->fields);
        if (field == NULL) {
            return NGX_ERROR;
        }

        lua_rawgeti(c->lua, -1, i);

        if (ngx_group_compile_field(c, shape->of, shape->format, field)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        lua_pop(c->lua, 1);

        c->len = len;
        c->line = line;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_compile_field(ngx_group_compile_t *c, ngx_group_of_e of,
    ngx_group_format_e format, ngx_group_field_t *field)
{
    size_t                      len;
    int64_t                     line;
    ngx_str_t                   ref;
    ngx_uint_t                  type, required, read_only, write_only, blank,
                                null, clamp;
    ngx_group_of_e              inner;
    ngx_group_compile_shape_t   shape;

    ngx_memzero(field, sizeof(ngx_group_field_t));

    if (!lua_istable(c->lua, -1)) {
        return ngx_group_compile_error(c, NULL,
                       "is a %s, expected field \"name\" { ... }",
                       luaL_typename(c->lua, -1));
    }

    line = 0;

    if (ngx_group_compile_string(c, NGX_GROUP_LUA_FIELD, &field->name)
        != NGX_OK
        || ngx_group_compile_number(c, NGX_GROUP_LUA_LINE, &line) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (field->name.data == NULL) {
        return ngx_group_compile_error(c, NULL,
                                       "expected field \"name\" { ... }");
    }

    c->line = line;

    if (ngx_group_compile_keys(c, ngx_group_compile_field_keys, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    type = NGX_GROUP_FIELD_STRING;
    required = 0;
    read_only = 0;
    write_only = 0;
    blank = 1;
    null = 0;
    clamp = 0;
    ngx_str_null(&ref);
    field->min = INT64_MIN;
    field->max = INT64_MAX;

    if (ngx_group_compile_enum(c, "type", ngx_group_compile_types, &type)
        != NGX_OK
        || ngx_group_compile_string(c, "label", &field->label) != NGX_OK
        || ngx_group_compile_flag(c, "required", &required) != NGX_OK
        || ngx_group_compile_flag(c, "read_only", &read_only) != NGX_OK
        || ngx_group_compile_flag(c, "write_only", &write_only) != NGX_OK
        || ngx_group_compile_flag(c, "blank", &blank) != NGX_OK
        || ngx_group_compile_flag(c, "null", &null) != NGX_OK
        || ngx_group_compile_number(c, "min", &field->min) != NGX_OK
        || ngx_group_compile_number(c, "max", &field->max) != NGX_OK
        || ngx_group_compile_number(c, "base", &field->base) != NGX_OK
        || ngx_group_compile_flag(c, "clamp", &clamp) != NGX_OK
        || ngx_group_compile_string(c, "direction", &field->direction)
           != NGX_OK
        || ngx_group_compile_string(c, "ref", &ref) != NGX_OK
        || ngx_group_compile_table(c, "values", ngx_group_compile_pairs,
                                   &field->values) != NGX_OK)
    {
        return NGX_ERROR;
    }

    field->type = type;
    field->required = required;
    field->read_only = read_only;
    field->write_only = write_only;
    field->filled = !blank;
    field->null = null;
    field->clamp = clamp;
    field->has_min = (field->min != INT64_MIN);
    field->has_max = (field->max != INT64_MAX);

    if (field->min > field->max) {
        return ngx_group_compile_error(c, "min", "is over \"max\"");
    }

    if (ref.data) {

        if (type != NGX_GROUP_FIELD_ID && type != NGX_GROUP_FIELD_MEMBER_ID) {
            return ngx_group_compile_error(c, "ref",
                           "is only for the types \"id\" and \"member_id\"");
        }

        if (ngx_group_compile_url(c, "ref", &ref, &field->ref) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_group_compile_preset(c, field) != NGX_OK
        || ngx_group_compile_from(c, of, field, &inner) != NGX_OK)
    {
        return NGX_ERROR;
    }

    shape.of = inner;
    shape.format = format;
    shape.fields = NULL;

    if (field->type == NGX_GROUP_FIELD_OBJECT) {

        if (ngx_group_compile_table(c, "fields", ngx_group_compile_fields,
                                    &shape)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (shape.fields == NULL) {
            return ngx_group_compile_error(c, "fields",
                           "is missing, an object has fields");
        }

        field->fields = shape.fields;
        return NGX_OK;
    }

    if (field->type != NGX_GROUP_FIELD_ARRAY) {
        return NGX_OK;
    }

    lua_getfield(c->lua, -1, "items");

    if (!lua_istable(c->lua, -1)) {
        return ngx_group_compile_error(c, "items",
                       "is missing, expected a field, or a list of fields");
    }

    len = ngx_group_compile_enter(c, "items", 0);
    lua_getfield(c->lua, -1, NGX_GROUP_LUA_FIELD);

    if (lua_isnil(c->lua, -1)) {
        lua_pop(c->lua, 1);

        if (ngx_group_compile_fields(c, &shape) != NGX_OK) {
            return NGX_ERROR;
        }

        field->fields = shape.fields;

    } else {
        lua_pop(c->lua, 1);

        field->item = ngx_palloc(c->pool, sizeof(ngx_group_field_t));

        if (field->item == NULL
            || ngx_group_compile_field(c, inner, format, field->item)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    lua_pop(c->lua, 1);
    c->len = len;

    return NGX_OK;
}


/* which canonical field it is, and what that is of */

static ngx_int_t
ngx_group_compile_from(ngx_group_compile_t *c, ngx_group_of_e of,
    ngx_group_field_t *field, ngx_group_of_e *inner)
{
    u_char                 *p, *end;
    ngx_str_t               from, *name;
    ngx_group_canonical_t  *canonical;

    ngx_str_null(&from);
    *inner = of;

    if (ngx_group_compile_string(c, "from", &from) != NGX_OK) {
        return NGX_ERROR;
    }

    if (from.data == NULL) {
        from = field->name;
    }

    field->path = from;

    /* a constant is of no field; a scalar item may be the item itself */

    if (field->constant || from.len == 0 || ngx_group_str_is(&from, ".")) {
        return NGX_OK;
    }

    p = from.data;
    end = p + from.len;

    if (from.len > 4 && ngx_strncmp(p, "ext.", 4) == 0) {
        field->from[0].data = p;
        field->from[0].len = 3;
        field->from[1].data = p + 4;
        field->from[1].len = from.len - 4;
        field->nfrom = 2;
        *inner = NGX_GROUP_OF_NOTHING;

        return NGX_OK;
    }

    if (of == NGX_GROUP_OF_NOTHING) {
        field->from[0] = from;
        field->nfrom = 1;

        return NGX_OK;
    }

    for ( ;; ) {

        if (field->nfrom == NGX_GROUP_MAX_PATH) {
            return ngx_group_compile_error(c, "from",
                                           "\"%V\" is too long a path", &from);
        }

        name = &field->from[field->nfrom++];
        name->data = p;

        while (p < end && *p != '.') {
            p++;
        }

        name->len = p - name->data;

        canonical = ngx_group_canonical_find(of, name);

        if (canonical == NULL) {
            return ngx_group_compile_error(c, "from",
                           "\"%V\" is no canonical field; a field of the "
                           "vendor's own is \"ext.%V.%V\"",
                           &from, &c->dialect->name, &field->name);
        }

        *inner = canonical->of;

        if (p == end) {
            break;
        }

        of = canonical->of;
        p++;
    }

    if (field->type != NGX_GROUP_FIELD_ORDER
        && (field->type == NGX_GROUP_FIELD_ARRAY)
           != (canonical->type == NGX_GROUP_ARRAY))
    {
        return ngx_group_compile_error(c, "type",
                       "the canonical field \"%V\" is %s array", &from,
                       canonical->type == NGX_GROUP_ARRAY ? "an" : "no");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_compile_preset(ngx_group_compile_t *c, ngx_group_field_t *field)
{
    size_t  len;

    len = ngx_group_compile_enter(c, "default", 0);
    lua_getfield(c->lua, -1, "default");

    if (!lua_isnil(c->lua, -1)) {

        if (ngx_group_compile_value(c, &field->preset) != NGX_OK
            || ngx_group_compile_typed(c, field) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (field->type == NGX_GROUP_FIELD_TIMESTAMP
            && field->preset->type == NGX_GROUP_STRING
            && ngx_group_str_is(&field->preset->u.text, "now"))
        {
            field->now = 1;
        }
    }

    lua_pop(c->lua, 1);
    c->len = len;

    len = ngx_group_compile_enter(c, "const", 0);
    lua_getfield(c->lua, -1, "const");

    if (!lua_isnil(c->lua, -1)
        && ngx_group_compile_value(c, &field->constant) != NGX_OK)
    {
        return NGX_ERROR;
    }

    lua_pop(c->lua, 1);
    c->len = len;

    return NGX_OK;
}


/* whether a default is of the field's type */

static ngx_int_t
ngx_group_compile_typed(ngx_group_compile_t *c, ngx_group_field_t *field)
{
    char              *wanted;
    ngx_group_type_e   type;

    switch (field->type) {

    case NGX_GROUP_FIELD_ANY:
        return NGX_OK;

    case NGX_GROUP_FIELD_BOOLEAN:
        type = NGX_GROUP_BOOLEAN;
        wanted = "a boolean";
        break;

    case NGX_GROUP_FIELD_INTEGER:
        type = NGX_GROUP_NUMBER;
        wanted = "a number";
        break;

    case NGX_GROUP_FIELD_OBJECT:
        type = NGX_GROUP_OBJECT;
        wanted = "a table of names";
        break;

    case NGX_GROUP_FIELD_ARRAY:
        type = NGX_GROUP_ARRAY;
        wanted = "a list";
        break;

    default:
        type = NGX_GROUP_STRING;
        wanted = "a string";
    }

    if (field->preset->type == type) {
        return NGX_OK;
    }

    return ngx_group_compile_error(c, NULL,
                                   "is not of the field's type, expected %s",
                                   wanted);
}


static ngx_int_t
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
        && (v->body->type != NGX_GROUP_OBJECT || v->body->u.items.n != 1))
    {
        return ngx_group_compile_error(c, NULL,
                                       "expected one root element");
    }

    lua_pop(c->lua, 1);
    c->len = len;

    return NGX_OK;
}


static ngx_int_t
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

static ngx_int_t
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


/* documents = { ["/path"] = { ... } } */

static ngx_int_t
ngx_group_compile_documents(ngx_group_compile_t *c, void *data)
{
    size_t                 len;
    ngx_group_document_t  *document;

    (void) data;

    lua_pushnil(c->lua);

    while (lua_next(c->lua, -2)) {

        if (lua_type(c->lua, -2) != LUA_TSTRING || !lua_istable(c->lua, -1)
            || *lua_tostring(c->lua, -2) != '/')
        {
            return ngx_group_compile_error(c, NULL,
                           "expected paths with tables: "
                           "[\"/path\"] = { ... }");
        }

        document = ngx_array_push(&c->dialect->documents);

        if (document == NULL
            || ngx_group_compile_dup(c, -2, &document->path) != NGX_OK)
        {
            return NGX_ERROR;
        }

        len = ngx_group_compile_enter(c, (char *) document->path.data, 0);

        if (ngx_group_compile_value(c, &document->body) != NGX_OK) {
            return NGX_ERROR;
        }

        c->len = len;
        lua_pop(c->lua, 1);
    }

    return NGX_OK;
}
