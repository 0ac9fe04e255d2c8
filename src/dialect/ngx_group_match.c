
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_field.h"
#include "ngx_group_text.h"


/* no API here has longer paths */
#define NGX_GROUP_MATCH_SEGMENTS  12

#define NGX_GROUP_MATCH_ALLOW     128


static ngx_int_t ngx_group_match_split(ngx_pool_t *pool, ngx_str_t *path,
    ngx_uint_t raw, ngx_str_t *segments, ngx_uint_t *n);
static ngx_uint_t ngx_group_match_path(ngx_group_op_t *op, ngx_str_t *segments,
    ngx_uint_t n);
static ngx_int_t ngx_group_match_params(ngx_pool_t *pool, ngx_group_op_t *op,
    ngx_str_t *segments, ngx_group_value_t *params);
static ngx_int_t ngx_group_match_allow(ngx_pool_t *pool,
    ngx_group_dialect_t *dialect, ngx_str_t *segments, ngx_uint_t n,
    ngx_str_t *allow);
static ngx_int_t ngx_group_match_id(ngx_group_translation_t *t,
    ngx_group_value_t *object, char *name, ngx_uint_t client,
    ngx_uint_t upstream);


static ngx_str_t  ngx_group_match_member = ngx_string("member");

/* in the order that "Allow" has them */

static ngx_str_t  ngx_group_match_methods[] = {
    ngx_string("GET"),
    ngx_string("POST"),
    ngx_string("PUT"),
    ngx_string("PATCH"),
    ngx_string("DELETE"),
    ngx_null_string
};


ngx_group_op_t *
ngx_group_match_search(ngx_group_dialect_t *dialect, ngx_str_t *base_path,
    ngx_str_t *path)
{
    ngx_str_t        rest, *search;
    ngx_uint_t       i, k;
    ngx_group_op_t  *op;

    if (path->len <= base_path->len
        || ngx_strncmp(path->data, base_path->data, base_path->len) != 0)
    {
        return NULL;
    }

    rest.data = path->data + base_path->len;
    rest.len = path->len - base_path->len;

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        op = dialect->ops[i];

        if (op == NULL) {
            continue;
        }

        search = op->searches.elts;

        for (k = 0; k < op->searches.nelts; k++) {
            if (ngx_group_str_eq(&search[k], &rest)) {
                return op;
            }
        }
    }

    return NULL;
}


ngx_group_value_t *
ngx_group_match_document(ngx_group_dialect_t *dialect, ngx_str_t *base_path,
    ngx_str_t *path)
{
    ngx_str_t              rest;
    ngx_uint_t             i;
    ngx_group_document_t  *document;

    if (path->len <= base_path->len
        || ngx_strncmp(path->data, base_path->data, base_path->len) != 0)
    {
        return NULL;
    }

    rest.data = path->data + base_path->len;
    rest.len = path->len - base_path->len;

    document = dialect->documents.elts;

    for (i = 0; i < dialect->documents.nelts; i++) {
        if (ngx_group_str_eq(&document[i].path, &rest)) {
            return document[i].body;
        }
    }

    return NULL;
}


ngx_int_t
ngx_group_match(ngx_pool_t *pool, ngx_group_dialect_t *dialect,
    ngx_str_t *method, ngx_str_t *base_path, ngx_str_t *path, ngx_uint_t raw,
    ngx_group_op_t **op, ngx_group_value_t **params, ngx_group_error_t *error)
{
    ngx_int_t        rc;
    ngx_str_t        rest, allow, segments[NGX_GROUP_MATCH_SEGMENTS];
    ngx_uint_t       i, n;
    ngx_group_op_t  *reads;

    if (path->len <= base_path->len
        || ngx_strncmp(path->data, base_path->data, base_path->len) != 0
        || path->data[base_path->len] != '/')
    {
        goto not_found;
    }

    rest.data = path->data + base_path->len;
    rest.len = path->len - base_path->len;

    rc = ngx_group_match_split(pool, &rest, raw, segments, &n);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        goto not_found;
    }

    reads = dialect->reads.elts;

    for (i = 0; i < NGX_GROUP_OPERATIONS + dialect->reads.nelts; i++) {

        *op = (i < NGX_GROUP_OPERATIONS) ? dialect->ops[i]
                                         : &reads[i - NGX_GROUP_OPERATIONS];

        if (*op == NULL || !ngx_group_match_path(*op, segments, n)) {
            continue;
        }

        if (ngx_group_str_eq(method, &(*op)->method)) {
            *params = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
            if (*params == NULL) {
                return NGX_ERROR;
            }

            return ngx_group_match_params(pool, *op, segments, *params);
        }
    }

    *op = NULL;

    if (ngx_group_match_allow(pool, dialect, segments, n, &allow) != NGX_OK) {
        return NGX_ERROR;
    }

    if (allow.len) {
        ngx_group_error_set(error, NGX_GROUP_METHOD_NOT_ALLOWED, "method",
                            "the method is not allowed here");
        error->allow = allow;
        return NGX_DECLINED;
    }

not_found:

    *op = NULL;
    ngx_group_error_set(error, NGX_GROUP_NOT_FOUND, "path",
                        "there is no such path");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_group_match_split(ngx_pool_t *pool, ngx_str_t *path, ngx_uint_t raw,
    ngx_str_t *segments, ngx_uint_t *n)
{
    u_char     *p, *end;
    ngx_int_t   rc;
    ngx_str_t  *s, in;

    *n = 0;
    p = path->data;
    end = p + path->len;

    while (p < end) {

        if (*n == NGX_GROUP_MATCH_SEGMENTS) {
            return NGX_DECLINED;
        }

        s = &segments[(*n)++];
        s->data = ++p;

        while (p < end && *p != '/') {
            p++;
        }

        s->len = p - s->data;

        if (raw) {
            in = *s;
            rc = ngx_group_percent_decode(pool, &in, s, 0);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        if (!ngx_group_is_segment(s)) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_group_is_segment(ngx_str_t *segment)
{
    u_char      c;
    size_t      i;
    ngx_uint_t  n, dots;

    if (segment->len == 0 || ngx_group_utf8(segment, NULL, &i) != NGX_OK) {
        return 0;
    }

    n = 0;
    dots = 0;

    /* nor a way up for who takes "%2F" or a backslash for a slash */

    for (i = 0; i <= segment->len; i++) {

        c = (i < segment->len) ? segment->data[i] : '/';

        if (c < 0x20 || c == 0x7f) {
            return 0;
        }

        if (c == '/' || c == '\\') {

            if (n == dots && (n == 1 || n == 2)) {
                return 0;
            }

            n = 0;
            dots = 0;
            continue;
        }

        n++;
        dots += (c == '.');
    }

    return 1;
}


static ngx_uint_t
ngx_group_match_path(ngx_group_op_t *op, ngx_str_t *segments, ngx_uint_t n)
{
    ngx_uint_t          i;
    ngx_group_piece_t  *piece;

    if (op->path.nelts != n) {
        return 0;
    }

    piece = op->path.elts;

    for (i = 0; i < n; i++) {
        if (!piece[i].param
            && !ngx_group_str_eq(&piece[i].text, &segments[i]))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_group_match_params(ngx_pool_t *pool, ngx_group_op_t *op,
    ngx_str_t *segments, ngx_group_value_t *params)
{
    ngx_str_t           key;
    ngx_uint_t          i;
    ngx_group_piece_t  *piece;
    ngx_group_value_t  *value, *member;

    piece = op->path.elts;

    for (i = 0; i < op->path.nelts; i++) {

        if (!piece[i].param) {
            continue;
        }

        value = ngx_group_value_string(pool, &segments[i]);
        if (value == NULL) {
            return NGX_ERROR;
        }

        key = piece[i].text;

        if (key.len > sizeof("member.") - 1
            && ngx_strncmp(key.data, "member.", sizeof("member.") - 1) == 0)
        {
            member = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
            if (member == NULL) {
                return NGX_ERROR;
            }

            key.data += sizeof("member.") - 1;
            key.len -= sizeof("member.") - 1;

            ngx_group_value_set(member, &key, value);
            ngx_group_value_set(params, &ngx_group_match_member, member);
            continue;
        }

        ngx_group_value_set(params, &key, value);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_match_allow(ngx_pool_t *pool, ngx_group_dialect_t *dialect,
    ngx_str_t *segments, ngx_uint_t n, ngx_str_t *allow)
{
    u_char          *p;
    ngx_str_t       *method;
    ngx_uint_t       i;
    ngx_group_op_t  *op;

    p = ngx_pnalloc(pool, NGX_GROUP_MATCH_ALLOW);
    if (p == NULL) {
        return NGX_ERROR;
    }

    allow->data = p;

    for (method = ngx_group_match_methods; method->len; method++) {

        for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
            op = dialect->ops[i];

            if (op && ngx_group_str_eq(&op->method, method)
                && ngx_group_match_path(op, segments, n))
            {
                p = ngx_slprintf(p, allow->data + NGX_GROUP_MATCH_ALLOW,
                                 "%s%V", p == allow->data ? "" : ", ",
                                 method);
                break;
            }
        }
    }

    allow->len = p - allow->data;

    return NGX_OK;
}


ngx_int_t
ngx_group_match_convert(ngx_group_translation_t *t, ngx_group_value_t *params)
{
    ngx_group_value_t    *member;
    ngx_group_dialect_t  *d;

    d = t->dialect;
    member = ngx_group_value_get(params, &ngx_group_match_member);

    if (ngx_group_match_id(t, params, "id", d->id, t->id) != NGX_OK
        || ngx_group_match_id(t, params, "group_id", d->id, t->id) != NGX_OK
        || ngx_group_match_id(t, member, "id", d->member_id, t->member_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_match_id(ngx_group_translation_t *t, ngx_group_value_t *object,
    char *name, ngx_uint_t client, ngx_uint_t upstream)
{
    ngx_str_t           key;
    ngx_group_value_t  *value;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    value = ngx_group_value_get(object, &key);
    if (value == NULL) {
        return NGX_OK;
    }

    return ngx_group_id_decode(t->pool, client, upstream, &value->u.text,
                               &value->u.text);
}


ngx_int_t
ngx_group_match_build(ngx_group_translation_t *t, ngx_group_op_t *op,
    ngx_group_value_t *params, ngx_str_t *path, ngx_str_t *uri)
{
    u_char               *p, *u;
    size_t                i, len, slashes;
    ngx_str_t             key, encoded[NGX_GROUP_MATCH_SEGMENTS],
                         *text[NGX_GROUP_MATCH_SEGMENTS];
    ngx_uint_t            k, failed;
    ngx_group_piece_t    *piece;
    ngx_group_value_t    *value;
    ngx_group_problem_t  *problem;

    if (op->path.nelts > NGX_GROUP_MATCH_SEGMENTS) {
        return NGX_ERROR;
    }

    failed = 0;
    slashes = 0;
    len = t->base_path.len;
    piece = op->path.elts;

    for (k = 0; k < op->path.nelts; k++) {

        text[k] = &piece[k].text;

        if (piece[k].param) {
            key = piece[k].text;
            value = params;

            if (key.len > sizeof("member.") - 1
                && ngx_strncmp(key.data, "member.", sizeof("member.") - 1)
                   == 0)
            {
                value = ngx_group_value_get(params, &ngx_group_match_member);
                key.data += sizeof("member.") - 1;
                key.len -= sizeof("member.") - 1;
            }

            value = ngx_group_value_get(value, &key);

            if (value == NULL || value->type != NGX_GROUP_STRING
                || !ngx_group_is_segment(&value->u.text))
            {
                failed = 1;

                problem = ngx_group_error_problem(t->pool, t->error,
                                                  &piece[k].text,
                                                  value ? "format"
                                                        : "missing");
                if (problem
                    && ngx_group_field_label(t->pool, &piece[k].text,
                                             &problem->label)
                       != NGX_OK)
                {
                    return NGX_ERROR;
                }

                continue;
            }

            text[k] = &value->u.text;

            for (i = 0; i < text[k]->len; i++) {
                slashes += (text[k]->data[i] == '/');
            }
        }

        if (ngx_group_percent_encode(t->pool, text[k], &encoded[k])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        len += 1 + encoded[k].len;
    }

    if (failed) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(t->pool, 2 * len + 2 * slashes);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path->data = p;
    p = ngx_cpymem(p, t->base_path.data, t->base_path.len);

    for (k = 0; k < op->path.nelts; k++) {
        *p++ = '/';
        p = ngx_cpymem(p, encoded[k].data, encoded[k].len);
    }

    path->len = p - path->data;

    /* encoded text is never shorter, and a "/" becomes three bytes */

    u = p;
    uri->data = u;
    u = ngx_cpymem(u, t->base_path.data, t->base_path.len);

    for (k = 0; k < op->path.nelts; k++) {
        *u++ = '/';

        for (i = 0; i < text[k]->len; i++) {
            if (text[k]->data[i] == '/') {
                u = ngx_cpymem(u, "%2F", 3);
                continue;
            }

            *u++ = text[k]->data[i];
        }
    }

    uri->len = u - uri->data;

    return NGX_OK;
}
