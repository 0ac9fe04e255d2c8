
#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include <lauxlib.h>
#include "ngx_group_compile.h"
#include "ngx_group_filter.h"


static ngx_int_t ngx_group_compile_ops(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_reads(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_op(ngx_group_compile_t *c, void *data);
static ngx_int_t ngx_group_compile_search(ngx_group_compile_t *c,
    ngx_group_op_t *op);
static ngx_int_t ngx_group_compile_method(ngx_group_compile_t *c,
    ngx_group_op_t *op);
static ngx_int_t ngx_group_compile_unique(ngx_group_compile_t *c,
    ngx_uint_t n);
static ngx_int_t ngx_group_compile_path(ngx_group_compile_t *c,
    ngx_group_op_t *op);
static ngx_int_t ngx_group_compile_documents(ngx_group_compile_t *c,
    void *data);


static char  *ngx_group_compile_dialect_keys[] = {
    NGX_GROUP_LUA_DIALECT, "media_type", "accept", "format", "auth", "id",
    "member_id", "scopes", "base_path", "query_first", "syntax", "names",
    "folds", "documents", "reads", "operations", "texts",
    "statuses", "problems", "errors", NULL
};


static char  *ngx_group_compile_op_keys[] = {
    "query", "request", "response", "status", "accept", "scopes", "location",
    "patch", "search", NULL
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


ngx_group_compile_enum_t  ngx_group_compile_formats[] = {
    { "json", NGX_GROUP_FORMAT_JSON },
    { "xml", NGX_GROUP_FORMAT_XML },
    { "text", NGX_GROUP_FORMAT_TEXT },
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
        || ngx_array_init(&d->reads, c->pool, 4, sizeof(ngx_group_op_t))
           != NGX_OK
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
    ngx_str_set(&d->base_path, "");

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
        || ngx_group_compile_table(c, "reads", ngx_group_compile_reads, NULL)
           != NGX_OK
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
        || ngx_array_init(&op->searches, c->pool, 1, sizeof(ngx_str_t))
           != NGX_OK
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

    if (ngx_group_compile_search(c, op) != NGX_OK
        || ngx_group_compile_string(c, "location", &location) != NGX_OK
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


/* a path, or a list of them, of which the first is the one that is told */

static ngx_int_t
ngx_group_compile_search(ngx_group_compile_t *c, ngx_group_op_t *op)
{
    ngx_str_t   *path;
    ngx_uint_t   list;

    lua_getfield(c->lua, -1, "search");
    list = lua_istable(c->lua, -1);
    lua_pop(c->lua, 1);

    if (list) {

        if (ngx_group_compile_strings(c, "search", &op->searches) != NGX_OK) {
            return NGX_ERROR;
        }

        if (op->searches.nelts) {
            path = op->searches.elts;
            op->search = path[0];
        }

        return NGX_OK;
    }

    if (ngx_group_compile_string(c, "search", &op->search) != NGX_OK) {
        return NGX_ERROR;
    }

    if (op->search.len) {
        path = ngx_array_push(&op->searches);
        if (path == NULL) {
            return NGX_ERROR;
        }

        *path = op->search;
    }

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


/* reads = { { "GET", "/path/{id}", scopes = { ... } }, ... } */

static ngx_int_t
ngx_group_compile_reads(ngx_group_compile_t *c, void *data)
{
    size_t           len;
    ngx_uint_t       i, n;
    ngx_group_op_t  *op;

    (void) data;

    n = lua_objlen(c->lua, -1);

    for (i = 1; i <= n; i++) {
        len = ngx_group_compile_enter(c, NULL, i);

        op = ngx_array_push(&c->dialect->reads);
        if (op == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(op, sizeof(ngx_group_op_t));
        op->operation = NGX_GROUP_VENDOR_READ;

        lua_rawgeti(c->lua, -1, i);

        if (!lua_istable(c->lua, -1)) {
            return ngx_group_compile_error(c, NULL,
                           "expected { \"GET\", \"/path\", ... }");
        }

        if (ngx_group_compile_op(c, op) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!ngx_group_str_is(&op->method, "GET") || op->request
            || op->response || op->query)
        {
            return ngx_group_compile_error(c, NULL,
                           "expected a GET with nothing but scopes: it is "
                           "sent and answered as it is");
        }

        lua_pop(c->lua, 1);
        c->len = len;
    }

    return NGX_OK;
}
