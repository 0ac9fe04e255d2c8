
#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include <lauxlib.h>
#include "ngx_group_compile.h"


static ngx_int_t ngx_group_compile_field(ngx_group_compile_t *c,
    ngx_group_of_e of, ngx_group_format_e format, ngx_group_field_t *field);
static ngx_int_t ngx_group_compile_from(ngx_group_compile_t *c,
    ngx_group_of_e of, ngx_group_field_t *field, ngx_group_of_e *inner);
static ngx_uint_t ngx_group_compile_again(ngx_array_t *fields,
    ngx_group_field_t *field);
static ngx_int_t ngx_group_compile_preset(ngx_group_compile_t *c,
    ngx_group_field_t *field);
static ngx_int_t ngx_group_compile_typed(ngx_group_compile_t *c,
    ngx_group_field_t *field);


static char  *ngx_group_compile_field_keys[] = {
    NGX_GROUP_LUA_FIELD, NGX_GROUP_LUA_LINE, "from", "type", "label",
    "required", "read_only", "write_only", "blank", "null", "min", "max",
    "fields", "items", "values", "ref", "default", "const", "base", "clamp",
    "direction", NULL
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


/* "{origin}{base}/contacts/{owner}/{id}" to pieces */

ngx_int_t
ngx_group_compile_url(ngx_group_compile_t *c, char *key, ngx_str_t *url,
    ngx_array_t **pieces)
{
    u_char             *p, *end, *start;
    ngx_uint_t          i, n;
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

    /* all that stands before the id is the same for all ids of an owner */

    piece = (*pieces)->elts;
    n = (*pieces)->nelts;

    for (i = 0; i < n; i++) {
        if ((piece[i].param && ngx_group_str_is(&piece[i].text, "id"))
            != (i == n - 1))
        {
            break;
        }
    }

    if (n == 0 || i < n) {
        return ngx_group_compile_error(c, key,
                                       "is \"%V\", expected {id} at its end "
                                       "and nowhere else", url);
    }

    return NGX_OK;
}


ngx_int_t
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

        if (ngx_group_compile_again(shape->fields, field)) {
            return ngx_group_compile_error(c, NULL,
                                           "there is a field \"%V\" already",
                                           &field->name);
        }

        lua_pop(c->lua, 1);

        c->len = len;
        c->line = line;
    }

    return NGX_OK;
}


/* one that is only read and one that is only written do not meet */

static ngx_uint_t
ngx_group_compile_again(ngx_array_t *fields, ngx_group_field_t *field)
{
    ngx_group_field_t  *other;

    for (other = fields->elts; other < field; other++) {

        if (ngx_group_str_eq(&other->name, &field->name)
            && !(other->read_only && field->write_only)
            && !(other->write_only && field->read_only))
        {
            return 1;
        }
    }

    return 0;
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

    /* a table may hold itself */

    if (c->depth == NGX_GROUP_COMPILE_DEPTH) {
        return ngx_group_compile_error(c, "items", "is nested too deeply");
    }

    len = ngx_group_compile_enter(c, "items", 0);
    c->depth++;

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
    c->depth--;

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
