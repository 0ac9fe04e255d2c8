
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_field.h"
#include "ngx_group_filter.h"
#include "ngx_group_text.h"


static ngx_int_t ngx_group_encode_fields(ngx_group_translation_t *t,
    ngx_array_t *fields, ngx_group_value_t *in, ngx_group_value_t *out,
    ngx_group_at_t *at);
static ngx_int_t ngx_group_encode_absent(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_at_t *at, ngx_group_value_t **out);
static ngx_int_t ngx_group_encode_value(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in, ngx_group_at_t *at,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_encode_array(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in, ngx_group_at_t *at,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_encode_scalar(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in, ngx_group_at_t *at,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_encode_filter(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in, ngx_group_at_t *at,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_encode_order(ngx_pool_t *pool,
    ngx_group_dialect_t *d, ngx_group_value_t *order, ngx_str_t *text);
static ngx_int_t ngx_group_encode_id(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_str_t *id);
static ngx_int_t ngx_group_encode_ref(ngx_group_translation_t *t,
    ngx_array_t *ref, ngx_str_t *owner, ngx_str_t *id);
static ngx_int_t ngx_group_encode_ref_start(ngx_group_translation_t *t,
    ngx_array_t *ref, ngx_str_t *owner);


ngx_int_t
ngx_group_encode(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_group_value_t *out)
{
    ngx_memzero(&t->values, sizeof(ngx_group_values_t));
    t->values.pool = t->pool;

    return ngx_group_encode_fields(t, fields, in, out, NULL);
}


static ngx_int_t
ngx_group_encode_fields(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_group_value_t *out, ngx_group_at_t *at)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_group_field_t  *field;
    ngx_group_value_t  *value, *result;

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (t->request ? field[i].read_only : field[i].write_only) {
            continue;
        }

        if (field[i].constant) {
            result = ngx_group_value_copy(t->pool, field[i].constant);
            if (result == NULL) {
                return NGX_ERROR;
            }

        } else if (field[i].nfrom == 0
                   && field[i].type == NGX_GROUP_FIELD_OBJECT)
        {
            /* a wrapper: the vendor's nesting, not ours */

            result = ngx_group_values_get(&t->values, NGX_GROUP_OBJECT);

            if (result == NULL
                || ngx_group_encode_fields(t, field[i].fields, in, result, at)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (result->n == 0 && !field[i].required) {
                continue;
            }

        } else {
            value = ngx_group_field_get(&field[i], in);

            rc = value ? ngx_group_encode_value(t, &field[i], value, at,
                                                &result)
                       : ngx_group_encode_absent(t, &field[i], at, &result);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_DECLINED) {
                continue;
            }
        }

        result->key = field[i].name;
        ngx_group_value_push(out, result);
    }

    return NGX_OK;
}


/*
 * What is absent: a request must say so when the upstream requires it, an
 * answer has the vendor's default.
 */

static ngx_int_t
ngx_group_encode_absent(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_at_t *at, ngx_group_value_t **out)
{
    u_char     *p;
    ngx_tm_t    tm;
    ngx_str_t   text;

    if (!t->request && field->now) {

        p = ngx_pnalloc(t->pool, sizeof("1970-01-01T00:00:00Z") - 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_gmtime(t->now, &tm);

        text.data = p;
        text.len = ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                               tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                               tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec)
                   - p;

        *out = ngx_group_value_string(t->pool, &text);
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (!t->request && field->preset) {
        *out = ngx_group_value_copy(t->pool, field->preset);
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (!t->request && field->null) {
        *out = ngx_group_value_create(t->pool, NGX_GROUP_NULL);
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (field->required
        && ngx_group_field_problem(t, at, field, "missing", INT64_MIN)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_group_encode_value(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_at_t *at, ngx_group_value_t **out)
{
    ngx_group_at_t  here;

    here.parent = at;
    here.name = &field->path;
    here.index = 0;

    switch (field->type) {

    case NGX_GROUP_FIELD_OBJECT:

        if (in->type != NGX_GROUP_OBJECT) {
            break;
        }

        *out = ngx_group_values_get(&t->values, NGX_GROUP_OBJECT);
        if (*out == NULL) {
            return NGX_ERROR;
        }

        return ngx_group_encode_fields(t, field->fields, in, *out, &here);

    case NGX_GROUP_FIELD_ARRAY:

        if (in->type != NGX_GROUP_ARRAY) {
            break;
        }

        return ngx_group_encode_array(t, field, in, &here, out);

    default:
        return ngx_group_encode_scalar(t, field, in, at, out);
    }

    if (ngx_group_field_problem(t, at, field, "type", INT64_MIN) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_group_encode_array(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_at_t *at, ngx_group_value_t **out)
{
    ngx_int_t           rc;
    ngx_group_at_t      here;
    ngx_group_value_t  *item, *value, *result;

    rc = ngx_group_field_count(t, at->parent, field, in->n);

    if (rc != NGX_OK) {
        return rc;
    }

    *out = ngx_group_value_create(t->pool, NGX_GROUP_ARRAY);
    if (*out == NULL) {
        return NGX_ERROR;
    }

    here.parent = at;
    here.name = NULL;
    here.index = 0;

    for (item = in->u.items.first; item; item = item->next, here.index++) {

        if (field->item) {
            value = ngx_group_field_get(field->item, item);

            rc = value ? ngx_group_encode_value(t, field->item, value, &here,
                                                &result)
                       : NGX_DECLINED;

            if (value == NULL
                && ngx_group_field_problem(t, &here, field->item, "missing",
                                           INT64_MIN)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_DECLINED) {
                continue;
            }

        } else {
            result = ngx_group_values_get(&t->values, NGX_GROUP_OBJECT);

            if (result == NULL
                || ngx_group_encode_fields(t, field->fields, item, result,
                                           &here)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        ngx_group_value_push(*out, result);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_encode_scalar(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_at_t *at, ngx_group_value_t **out)
{
    ngx_int_t      rc;
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    if (field->type == NGX_GROUP_FIELD_FILTER
        || field->type == NGX_GROUP_FIELD_ORDER)
    {
        return ngx_group_encode_filter(t, field, in, at, out);
    }

    if (field->base) {
        in = ngx_group_field_shift(t->pool, in, field->base);
        if (in == NULL) {
            return NGX_ERROR;
        }
    }

    rc = ngx_group_field_check(t, at, field, in);
    if (rc != NGX_OK) {
        return rc;
    }

    if (field->type == NGX_GROUP_FIELD_ANY) {
        *out = ngx_group_value_copy(t->pool, in);
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    *out = ngx_group_values_get(&t->values, in->type);
    if (*out == NULL) {
        return NGX_ERROR;
    }

    **out = *in;
    (*out)->next = NULL;

    if (field->type == NGX_GROUP_FIELD_ID
        || field->type == NGX_GROUP_FIELD_MEMBER_ID)
    {
        return ngx_group_encode_id(t, field, &(*out)->u.text);
    }

    if (field->values && in->type == NGX_GROUP_STRING) {
        kv = field->values->elts;

        for (i = 0; i < field->values->nelts; i++) {
            if (ngx_group_str_eq(&in->u.text, &kv[i].value)) {
                (*out)->u.text = kv[i].key;
                break;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_encode_filter(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_at_t *at, ngx_group_value_t **out)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_group_dialect_t  *d;

    d = t->dialect;

    if (field->type == NGX_GROUP_FIELD_ORDER) {
        rc = (field->direction.len || in->type != NGX_GROUP_ARRAY)
             ? NGX_DECLINED : ngx_group_encode_order(t->pool, d, in, &text);
    } else {
        rc = ngx_group_filter_write(t->pool, d->syntax, d->names, in, &text);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        if (ngx_group_field_problem(t, at, field, "filter", INT64_MIN)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return NGX_DECLINED;
    }

    *out = ngx_group_value_string(t->pool, &text);

    return (*out == NULL) ? NGX_ERROR : NGX_OK;
}


/* "name asc, description desc" */

static ngx_int_t
ngx_group_encode_order(ngx_pool_t *pool, ngx_group_dialect_t *d,
    ngx_group_value_t *order, ngx_str_t *text)
{
    u_char             *p;
    size_t              len;
    ngx_str_t          *name;
    ngx_uint_t          i;
    ngx_keyval_t       *kv;
    ngx_group_value_t  *v, *field, *descending;

    static ngx_str_t    field_key = ngx_string("field");
    static ngx_str_t    descending_key = ngx_string("descending");

    len = 0;

    for (i = 0; d->names && i < d->names->nelts; i++) {
        kv = d->names->elts;
        len = ngx_max(len, kv[i].key.len);
    }

    len = order->n * (len + sizeof(", ") + sizeof(" desc"));

    p = ngx_pnalloc(pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (v = order->u.items.first; v; v = v->next) {
        field = ngx_group_value_get(v, &field_key);
        descending = ngx_group_value_get(v, &descending_key);
        name = NULL;

        for (i = 0; field && d->names && i < d->names->nelts; i++) {
            kv = d->names->elts;

            if (field->type == NGX_GROUP_STRING
                && ngx_group_str_eq(&kv[i].value, &field->u.text))
            {
                name = &kv[i].key;
                break;
            }
        }

        if (name == NULL) {
            return NGX_DECLINED;
        }

        p = ngx_sprintf(p, "%s%V%s", p == text->data ? "" : ", ", name,
                        (descending && descending->type == NGX_GROUP_BOOLEAN
                         && descending->u.flag) ? " desc" : " asc");
    }

    text->len = p - text->data;

    return NGX_OK;
}


static ngx_int_t
ngx_group_encode_id(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_str_t *id)
{
    u_char      *slash;
    ngx_str_t    owner, bare;
    ngx_uint_t   form, upstream;

    if (field->type == NGX_GROUP_FIELD_MEMBER_ID) {
        form = t->dialect->member_id;
        upstream = t->member_id;

    } else {
        form = t->dialect->id;
        upstream = t->id;
    }

    owner = t->owner;
    bare = *id;

    if (field->ref && field->type == NGX_GROUP_FIELD_MEMBER_ID) {
        slash = ngx_group_field_owner(&bare);

        if (slash) {
            owner.data = bare.data;
            owner.len = slash - bare.data;

            bare.len -= owner.len + 1;
            bare.data = slash + 1;
        }
    }

    if (t->client
        && ngx_group_id_encode(t->pool, form, upstream, &bare, &bare)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    *id = bare;

    /* of no id there is no URL: it would be another text when it comes back */

    if (field->ref && id->len) {
        return ngx_group_encode_ref(t, field->ref, &owner, id);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_encode_ref(ngx_group_translation_t *t, ngx_array_t *ref,
    ngx_str_t *owner, ngx_str_t *id)
{
    u_char     *p;
    ngx_str_t   text;

    if ((t->ref != ref || !ngx_group_str_eq(&t->ref_owner, owner))
        && ngx_group_encode_ref_start(t, ref, owner) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_group_percent_encode(t->pool, id, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(t->pool, t->ref_start.len + text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    id->data = p;
    id->len = t->ref_start.len + text.len;

    p = ngx_cpymem(p, t->ref_start.data, t->ref_start.len);
    ngx_memcpy(p, text.data, text.len);

    return NGX_OK;
}


/* what stands before the id: the same for all ids of one owner */

static ngx_int_t
ngx_group_encode_ref_start(ngx_group_translation_t *t, ngx_array_t *ref,
    ngx_str_t *owner)
{
    u_char             *p;
    size_t              len;
    ngx_str_t           owner_text, *text;
    ngx_uint_t          i, n;
    ngx_group_piece_t  *piece;

    t->ref = NULL;

    if (ngx_group_percent_encode(t->pool, owner, &owner_text) != NGX_OK) {
        return NGX_ERROR;
    }

    piece = ref->elts;
    n = ref->nelts - 1;
    len = 0;
    p = (u_char *) "";

    t->ref_start.data = p;

    /* first the length, then the text */

    for (i = 0; i < 2 * n; i++) {

        text = &piece[i % n].text;

        if (piece[i % n].param) {
            text = ngx_group_str_is(text, "origin") ? &t->origin
                   : ngx_group_str_is(text, "base") ? &t->base_path
                   : &owner_text;
        }

        if (i < n) {
            len += text->len;
            continue;
        }

        if (i == n) {
            p = ngx_pnalloc(t->pool, len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            t->ref_start.data = p;
        }

        p = ngx_cpymem(p, text->data, text->len);
    }

    t->ref = ref;
    t->ref_owner = *owner;
    t->ref_start.len = len;

    return NGX_OK;
}


ngx_int_t
ngx_group_encode_location(ngx_group_translation_t *t, ngx_array_t *ref,
    ngx_str_t *id, ngx_str_t *url)
{
    if (ngx_group_id_encode(t->pool, t->dialect->id, t->id, id, url)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_group_encode_ref(t, ref, &t->owner, url);
}


ngx_int_t
ngx_group_query_write(ngx_pool_t *pool, ngx_group_value_t *query,
    ngx_str_t *args)
{
    u_char             *p;
    size_t              len;
    ngx_str_t           key, text, *s;
    ngx_uint_t          n;
    ngx_array_t         parts;
    ngx_group_value_t  *v;

    if (ngx_array_init(&parts, pool, 8, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    len = 0;

    for (v = query->u.items.first; v; v = v->next) {

        switch (v->type) {

        case NGX_GROUP_STRING:
        case NGX_GROUP_NUMBER:
            text = v->u.text;
            break;

        case NGX_GROUP_BOOLEAN:
            ngx_str_set(&text, "false");
            if (v->u.flag) {
                ngx_str_set(&text, "true");
            }

            break;

        default:
            continue;
        }

        key = v->key;

        s = ngx_array_push_n(&parts, 2);

        if (s == NULL || ngx_group_percent_encode(pool, &key, &s[0]) != NGX_OK
            || ngx_group_percent_encode(pool, &text, &s[1]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        len += s[0].len + s[1].len + 2;
    }

    ngx_str_null(args);

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args->data = p;
    s = parts.elts;

    for (n = 0; n < parts.nelts; n += 2) {
        p = ngx_sprintf(p, "%s%V=%V", n ? "&" : "", &s[n], &s[n + 1]);
    }

    args->len = p - args->data;

    return NGX_OK;
}
