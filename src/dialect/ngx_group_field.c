
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_field.h"
#include "ngx_group_text.h"


/* the digits of an integer that surely fits in 64 bits */
#define NGX_GROUP_INTEGER_DIGITS  18

/* "members[12].id": nobody needs more to find the place */
#define NGX_GROUP_FIELD_PATH      256


static ngx_int_t ngx_group_field_refuse(ngx_group_translation_t *t,
    ngx_group_at_t *at, ngx_group_field_t *field, char *code, int64_t limit,
    ngx_str_t *value);
static ngx_int_t ngx_group_field_number(ngx_pool_t *pool, int64_t n,
    ngx_str_t *text);
static u_char *ngx_group_field_path(u_char *p, u_char *last,
    ngx_group_at_t *at);
static ngx_uint_t ngx_group_is_integer(ngx_str_t *text, int64_t *n);
static ngx_uint_t ngx_group_is_email(ngx_str_t *text);
static ngx_uint_t ngx_group_is_timestamp(ngx_str_t *text);
static ngx_uint_t ngx_group_is_token(ngx_str_t *text);
static ngx_uint_t ngx_group_is_blank(ngx_str_t *text);


ngx_int_t
ngx_group_field_problem(ngx_group_translation_t *t, ngx_group_at_t *at,
    ngx_group_field_t *field, char *code, int64_t limit)
{
    return ngx_group_field_refuse(t, at, field, code, limit, NULL);
}


static ngx_int_t
ngx_group_field_refuse(ngx_group_translation_t *t, ngx_group_at_t *at,
    ngx_group_field_t *field, char *code, int64_t limit, ngx_str_t *value)
{
    u_char               *p;
    ngx_str_t             name;
    ngx_group_at_t        here;
    ngx_group_problem_t  *problem;
    u_char                path[NGX_GROUP_FIELD_PATH];

    p = path;

    if (field->name.len || !t->client) {
        here.parent = at;
        here.name = t->client ? &field->name : &field->path;
        here.index = 0;

        p = ngx_group_field_path(p, path + sizeof(path), &here);

    } else {
        p = ngx_group_field_path(p, path + sizeof(path), at);
    }

    name.len = p - path;
    name.data = ngx_pnalloc(t->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(name.data, path, name.len);

    problem = ngx_group_error_problem(t->pool, t->error, &name, code);
    if (problem == NULL) {
        return NGX_OK;
    }

    if (value) {
        problem->value = *value;
    }

    if (ngx_group_field_number(t->pool, limit, &problem->limit) != NGX_OK
        || (field->has_max
            && ngx_group_field_number(t->pool, field->max, &problem->max)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    /* the upstream's word for it would tell the client nothing */

    if (!t->client) {
        return ngx_group_field_label(t->pool, &field->path, &problem->label);
    }

    if (field->label.len) {
        problem->label = field->label;
        return NGX_OK;
    }

    return ngx_group_field_label(t->pool, &field->name, &problem->label);
}


/* a number that is none stays empty */

static ngx_int_t
ngx_group_field_number(ngx_pool_t *pool, int64_t n, ngx_str_t *text)
{
    if (n == INT64_MIN || n == INT64_MAX) {
        return NGX_OK;
    }

    text->data = ngx_pnalloc(pool, NGX_INT64_LEN);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_sprintf(text->data, "%L", n) - text->data;

    return NGX_OK;
}


static u_char *
ngx_group_field_path(u_char *p, u_char *last, ngx_group_at_t *at)
{
    u_char  *start;

    if (at == NULL) {
        return p;
    }

    start = p;
    p = ngx_group_field_path(p, last, at->parent);

    if (at->name == NULL) {
        return ngx_slprintf(p, last, "[%ui]", at->index);
    }

    if (at->name->len == 0) {
        return p;
    }

    return ngx_slprintf(p, last, "%s%V", p == start ? "" : ".", at->name);
}


/* "sticky_sender" is "Sticky sender" in prose unless the dialect says so */

ngx_int_t
ngx_group_field_label(ngx_pool_t *pool, ngx_str_t *name, ngx_str_t *label)
{
    size_t  i;

    label->data = ngx_pstrdup(pool, name);
    if (label->data == NULL) {
        return NGX_ERROR;
    }

    label->len = name->len;

    for (i = 0; i < label->len; i++) {
        if (label->data[i] == '_') {
            label->data[i] = ' ';

        } else if (i == 0) {
            label->data[i] = ngx_toupper(label->data[i]);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_field_check(ngx_group_translation_t *t, ngx_group_at_t *at,
    ngx_group_field_t *field, ngx_group_value_t *value)
{
    char       *code;
    size_t      chars, bad;
    int64_t     n, limit;
    ngx_int_t   rc;
    ngx_str_t  *text;

    code = NULL;
    limit = INT64_MIN;
    text = &value->u.text;

    switch (field->type) {

    case NGX_GROUP_FIELD_ANY:
        return NGX_OK;

    case NGX_GROUP_FIELD_BOOLEAN:
        if (value->type != NGX_GROUP_BOOLEAN) {
            code = "type";
        }

        break;

    case NGX_GROUP_FIELD_INTEGER:
        if (value->type != NGX_GROUP_NUMBER
            || !ngx_group_is_integer(text, &n))
        {
            code = "type";

        } else if (t->request && (n < field->min || n > field->max)) {
            code = "range";
            limit = (n < field->min) ? field->min : field->max;
        }

        break;

    default:
        if (value->type != NGX_GROUP_STRING) {
            code = "type";
            break;
        }

        if (!t->request) {
            break;
        }

        if ((field->filled || field->type == NGX_GROUP_FIELD_ID
             || field->type == NGX_GROUP_FIELD_MEMBER_ID)
            && ngx_group_is_blank(text))
        {
            code = "blank";
            break;
        }

        /* what a client sent was read as UTF-8, what is made of it was not */

        chars = 0;

        if (((!t->client || field->has_min || field->has_max)
             && ngx_group_utf8(text, &chars, &bad) != NGX_OK)
            || (t->dialect->format == NGX_GROUP_FORMAT_XML && !t->query
                && ngx_group_xml_text(text) != NGX_OK))
        {
            code = "format";
            break;
        }

        if (field->has_max && chars > (size_t) field->max) {
            code = "too_long";
            limit = field->max;
            break;
        }

        if (field->has_min && chars < (size_t) field->min) {
            code = "too_short";
            limit = field->min;
            break;
        }

        if (field->type == NGX_GROUP_FIELD_EMAIL && text->len
            && !ngx_group_is_email(text))
        {
            code = "email";

        } else if (field->type == NGX_GROUP_FIELD_UUID
                   && !ngx_group_is_uuid(text))
        {
            code = "uuid";

        } else if (field->type == NGX_GROUP_FIELD_TIMESTAMP
                   && !ngx_group_is_timestamp(text))
        {
            code = "timestamp";

        } else if (field->type == NGX_GROUP_FIELD_TOKEN
                   && !ngx_group_is_token(text))
        {
            code = "format";
        }
    }

    if (code == NULL) {
        return NGX_OK;
    }

    if (t->query && ngx_strcmp(code, "type") == 0) {
        code = (field->type == NGX_GROUP_FIELD_BOOLEAN) ? "query_boolean"
                                                        : "query";
    }

    /*
     * Numbers are told as they were written, a text may be anything.  In a
     * query it is told, too; but a hook may have left what is no text at all.
     */

    if (value->type != NGX_GROUP_NUMBER
        && !(t->query && value->type == NGX_GROUP_STRING))
    {
        text = NULL;
    }

    rc = ngx_group_field_refuse(t, at, field, code, limit, text);

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_ERROR;
}


ngx_int_t
ngx_group_field_clamp(ngx_pool_t *pool, ngx_group_field_t *field,
    ngx_group_value_t **value)
{
    int64_t  n;

    if ((*value)->type != NGX_GROUP_NUMBER
        || !ngx_group_is_integer(&(*value)->u.text, &n)
        || (n >= field->min && n <= field->max))
    {
        return NGX_OK;
    }

    *value = ngx_group_value_integer(pool, (n < field->min) ? field->min
                                                            : field->max);

    return (*value == NULL) ? NGX_ERROR : NGX_OK;
}


ngx_group_value_t *
ngx_group_field_shift(ngx_pool_t *pool, ngx_group_value_t *value, int64_t by)
{
    int64_t  n;

    if (value->type != NGX_GROUP_NUMBER
        || !ngx_group_is_integer(&value->u.text, &n))
    {
        return value;
    }

    return ngx_group_value_integer(pool, n + by);
}


ngx_int_t
ngx_group_field_count(ngx_group_translation_t *t, ngx_group_at_t *at,
    ngx_group_field_t *field, ngx_uint_t n)
{
    ngx_int_t  rc;

    if (!t->request) {
        return NGX_OK;
    }

    if (field->has_max && n > (ngx_uint_t) field->max) {
        rc = ngx_group_field_problem(t, at, field, "too_many", field->max);

    } else if (field->has_min && n < (ngx_uint_t) field->min) {
        rc = ngx_group_field_problem(t, at, field, "too_few", field->min);

    } else {
        return NGX_OK;
    }

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_ERROR;
}


ngx_group_value_t *
ngx_group_field_get(ngx_group_field_t *field, ngx_group_value_t *object)
{
    ngx_uint_t  i;

    for (i = 0; i < field->nfrom; i++) {
        object = ngx_group_value_get(object, &field->from[i]);
    }

    if (object && object->type == NGX_GROUP_NULL) {
        return NULL;
    }

    return object;
}


ngx_int_t
ngx_group_field_set(ngx_pool_t *pool, ngx_group_field_t *field,
    ngx_group_value_t *object, ngx_group_value_t *value)
{
    ngx_uint_t          i;
    ngx_group_value_t  *next;

    for (i = 0; i + 1 < field->nfrom; i++) {
        next = ngx_group_value_get(object, &field->from[i]);

        if (next == NULL || next->type != NGX_GROUP_OBJECT) {
            next = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
            if (next == NULL) {
                return NGX_ERROR;
            }

            ngx_group_value_set(object, &field->from[i], next);
        }

        object = next;
    }

    ngx_group_value_set(object, &field->from[i], value);

    return NGX_OK;
}


u_char *
ngx_group_field_owner(ngx_str_t *id)
{
    u_char  *slash;

    slash = ngx_strlchr(id->data, id->data + id->len, '/');

    if (slash == NULL || slash == id->data
        || slash + 1 == id->data + id->len)
    {
        return NULL;
    }

    return slash;
}


ngx_uint_t
ngx_group_is_uuid(ngx_str_t *text)
{
    size_t  i;
    u_char  ch;

    if (text->len != 36) {
        return 0;
    }

    for (i = 0; i < 36; i++) {
        ch = text->data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (ch != '-') {
                return 0;
            }

        } else if (!((ch >= '0' && ch <= '9')
                     || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_group_is_integer(ngx_str_t *text, int64_t *n)
{
    size_t  i;

    i = (text->len && text->data[0] == '-') ? 1 : 0;

    if (text->len == i || text->len - i > NGX_GROUP_INTEGER_DIGITS) {
        return 0;
    }

    for (*n = 0; i < text->len; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (text->data[i] - '0');
    }

    if (text->data[0] == '-') {
        *n = -*n;
    }

    return 1;
}


/* something, one "@", something with a dot inside: MembershipService.scala */

static ngx_uint_t
ngx_group_is_email(ngx_str_t *text)
{
    u_char  *p, *at, *end, *dot;

    end = text->data + text->len;
    at = NULL;
    dot = NULL;

    for (p = text->data; p < end; p++) {

        if (*p <= ' ' || *p == 0x7f || *p == ',' || *p == ';' || *p == '<'
            || *p == '>')
        {
            return 0;
        }

        if (*p == '@') {
            if (at || p == text->data) {
                return 0;
            }

            at = p;

        } else if (*p == '.' && at) {
            if (p == at + 1 || p == end - 1 || p[-1] == '.') {
                return 0;
            }

            dot = p;
        }
    }

    return dot != NULL;
}


/* the beginning of RFC 3339: "2023-01-15T10:30:00" and an offset */

static ngx_uint_t
ngx_group_is_timestamp(ngx_str_t *text)
{
    size_t            i;
    u_char            c, f;
    static const char form[] = "0000-00-00T00:00:00";

    if (text->len < sizeof(form)) {
        return 0;
    }

    for (i = 0; i < sizeof(form) - 1; i++) {
        c = text->data[i];
        f = form[i];

        if ((f == '0') ? (c < '0' || c > '9') : (c != f)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_group_is_token(ngx_str_t *text)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-'))
        {
            return 0;
        }
    }

    return text->len != 0;
}


static ngx_uint_t
ngx_group_is_blank(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] > ' ') {
            return 0;
        }
    }

    return 1;
}
