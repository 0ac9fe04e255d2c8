
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_field.h"
#include "ngx_group_filter.h"
#include "ngx_group_text.h"


static ngx_int_t ngx_group_decode_fields(ngx_group_translation_t *t,
    ngx_array_t *fields, ngx_group_value_t *in, ngx_group_value_t *out,
    ngx_group_at_t *at);
static ngx_int_t ngx_group_decode_find(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in, ngx_group_at_t *at,
    ngx_group_value_t **found);
static ngx_int_t ngx_group_decode_value(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in,
    ngx_group_value_t *object, ngx_group_value_t *into, ngx_group_at_t *at,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_decode_array(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in, ngx_group_at_t *at,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_decode_scalar(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in,
    ngx_group_value_t *object, ngx_group_at_t *at, ngx_group_value_t **out);
static ngx_int_t ngx_group_decode_filter(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_at_t *at, ngx_str_t *text,
    ngx_group_value_t *object, ngx_group_value_t **out);
static ngx_group_value_t *ngx_group_decode_text(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_value_t *in);
static ngx_int_t ngx_group_decode_id(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_at_t *at, ngx_str_t *id);
static ngx_int_t ngx_group_decode_ref(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_str_t *url, ngx_str_t *id,
    ngx_str_t *owner);
static ngx_uint_t ngx_group_decode_is_text(ngx_str_t *id);
static ngx_int_t ngx_group_decode_enum(ngx_group_translation_t *t,
    ngx_group_field_t *field, ngx_group_at_t *at, ngx_str_t *text);


ngx_int_t
ngx_group_decode(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_group_value_t *out)
{
    ngx_memzero(&t->values, sizeof(ngx_group_values_t));
    t->values.pool = t->pool;

    return ngx_group_decode_fields(t, fields, in, out, NULL);
}


static ngx_int_t
ngx_group_decode_fields(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in, ngx_group_value_t *out, ngx_group_at_t *at)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_group_field_t  *field;
    ngx_group_value_t  *value, *result;

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].constant
            || (t->request ? field[i].read_only : field[i].write_only))
        {
            continue;
        }

        rc = ngx_group_decode_find(t, &field[i], in, at, &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        /* what a vendor takes a query to ask for when it does not say */

        if (value == NULL && t->query && t->request && field[i].preset) {
            result = ngx_group_value_copy(t->pool, field[i].preset);

            if (result == NULL
                || ngx_group_field_set(t->pool, &field[i], out, result)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        if (value == NULL) {

            if (field[i].required
                && ngx_group_field_problem(t, at, &field[i], "missing",
                                           INT64_MIN)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        rc = ngx_group_decode_value(t, &field[i], value, in, out, at,
                                    &result);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && result && field[i].nfrom
            && ngx_group_field_set(t->pool, &field[i], out, result) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The value of a field; JSON null is no value.  Where the format knows no
 * arrays the elements of that name are gathered, and one that may stand once
 * must not stand twice.
 */

static ngx_int_t
ngx_group_decode_find(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_at_t *at, ngx_group_value_t **found)
{
    ngx_group_value_t  *value, *item, *list;

    *found = NULL;

    value = ngx_group_value_get(in, &field->name);

    /* an answer without any of the elements is an empty list of them */

    if (value == NULL && !t->request && field->type == NGX_GROUP_FIELD_ARRAY
        && (t->text || field->preset))
    {
        *found = field->preset
                 ? ngx_group_value_copy(t->pool, field->preset)
                 : ngx_group_value_create(t->pool, NGX_GROUP_ARRAY);
        return (*found == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (value == NULL || value->type == NGX_GROUP_NULL) {
        return NGX_OK;
    }

    if (!t->text) {
        *found = value;
        return NGX_OK;
    }

    if (field->type != NGX_GROUP_FIELD_ARRAY) {

        for (item = value->next; item; item = item->next) {
            if (ngx_group_str_eq(&item->key, &field->name)) {
                if (ngx_group_field_problem(t, at, field, "duplicate",
                                            INT64_MIN)
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }

                return NGX_DECLINED;
            }
        }

        *found = value;
        return NGX_OK;
    }

    list = ngx_group_value_create(t->pool, NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    for ( /* void */ ; value; value = value->next) {

        if (!ngx_group_str_eq(&value->key, &field->name)) {
            continue;
        }

        item = ngx_group_values_get(&t->values, value->type);
        if (item == NULL) {
            return NGX_ERROR;
        }

        *item = *value;
        ngx_group_value_push(list, item);
    }

    *found = list;

    return NGX_OK;
}


static ngx_int_t
ngx_group_decode_value(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_value_t *object, ngx_group_value_t *into,
    ngx_group_at_t *at, ngx_group_value_t **out)
{
    ngx_group_at_t  here, *below;

    *out = NULL;

    switch (field->type) {

    case NGX_GROUP_FIELD_OBJECT:

        /* an empty element is an object without members */

        if (in->type != NGX_GROUP_OBJECT
            && !(t->text && in->type == NGX_GROUP_STRING
                 && in->u.text.len == 0))
        {
            if (ngx_group_field_problem(t, at, field, "type", INT64_MIN)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            return NGX_DECLINED;
        }

        below = at;

        if (field->nfrom) {
            here.parent = at;
            here.name = &field->name;
            here.index = 0;
            below = &here;

            into = ngx_group_values_get(&t->values, NGX_GROUP_OBJECT);
            if (into == NULL) {
                return NGX_ERROR;
            }

            *out = into;
        }

        return ngx_group_decode_fields(t, field->fields, in, into, below);

    case NGX_GROUP_FIELD_ARRAY:

        here.parent = at;
        here.name = &field->name;
        here.index = 0;

        return ngx_group_decode_array(t, field, in, &here, out);

    default:
        return ngx_group_decode_scalar(t, field, in, object, at, out);
    }
}


static ngx_int_t
ngx_group_decode_array(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_at_t *at, ngx_group_value_t **out)
{
    ngx_int_t           rc;
    ngx_group_at_t      here;
    ngx_group_field_t   object;
    ngx_group_value_t  *item, *list, *result, *holder;

    if (in->type != NGX_GROUP_ARRAY) {
        rc = ngx_group_field_problem(t, at->parent, field,
                                     t->query ? "query" : "type", INT64_MIN);
        return (rc == NGX_OK) ? NGX_DECLINED : NGX_ERROR;
    }

    rc = ngx_group_field_count(t, at->parent, field, in->n);

    if (rc != NGX_OK) {
        return rc;
    }

    list = ngx_group_value_create(t->pool, NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&object, sizeof(ngx_group_field_t));

    here.parent = at;
    here.name = NULL;
    here.index = 0;

    for (item = in->u.items.first; item; item = item->next, here.index++) {

        if (field->item == NULL) {

            if (item->type != NGX_GROUP_OBJECT
                && !(t->text && item->type == NGX_GROUP_STRING
                     && item->u.text.len == 0))
            {
                if (ngx_group_field_problem(t, &here, &object, "type",
                                            INT64_MIN)
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }

                continue;
            }

            result = ngx_group_values_get(&t->values, NGX_GROUP_OBJECT);

            if (result == NULL
                || ngx_group_decode_fields(t, field->fields, item, result,
                                           &here)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            ngx_group_value_push(list, result);
            continue;
        }

        rc = ngx_group_decode_value(t, field->item, item, NULL, NULL, &here,
                                    &result);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (field->item->nfrom) {
            holder = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);

            if (holder == NULL
                || ngx_group_field_set(t->pool, field->item, holder, result)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            result = holder;
        }

        ngx_group_value_push(list, result);
    }

    *out = list;

    return NGX_OK;
}


static ngx_int_t
ngx_group_decode_scalar(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in, ngx_group_value_t *object, ngx_group_at_t *at,
    ngx_group_value_t **out)
{
    ngx_int_t           rc;
    ngx_group_value_t  *value;

    value = t->text ? ngx_group_decode_text(t, field, in) : in;
    if (value == NULL) {
        return NGX_ERROR;
    }

    if (field->clamp && ngx_group_field_clamp(t->pool, field, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_group_field_check(t, at, field, value);
    if (rc != NGX_OK) {
        return rc;
    }

    if (field->base) {
        *out = ngx_group_field_shift(t->pool, value, -field->base);
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (field->type == NGX_GROUP_FIELD_ANY) {
        *out = ngx_group_value_copy(t->pool, value);
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    *out = ngx_group_values_get(&t->values, value->type);
    if (*out == NULL) {
        return NGX_ERROR;
    }

    **out = *value;
    (*out)->next = NULL;
    ngx_str_null(&(*out)->key);

    if (field->type == NGX_GROUP_FIELD_ID
        || field->type == NGX_GROUP_FIELD_MEMBER_ID)
    {
        return ngx_group_decode_id(t, field, at, &(*out)->u.text);
    }

    if (field->type == NGX_GROUP_FIELD_FILTER
        || field->type == NGX_GROUP_FIELD_ORDER)
    {
        return ngx_group_decode_filter(t, field, at, &value->u.text, object,
                                       out);
    }

    if (field->values && value->type == NGX_GROUP_STRING) {
        return ngx_group_decode_enum(t, field, at, &(*out)->u.text);
    }

    return NGX_OK;
}


/* which groups are asked for, and in which order */

static ngx_int_t
ngx_group_decode_filter(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_at_t *at, ngx_str_t *text, ngx_group_value_t *object,
    ngx_group_value_t **out)
{
    ngx_int_t             rc;
    ngx_str_t             why, *direction;
    ngx_group_value_t    *v;
    ngx_group_problem_t  *problem;
    ngx_group_dialect_t  *d;

    d = t->dialect;

    if (field->type == NGX_GROUP_FIELD_ORDER) {
        v = ngx_group_value_get(object, &field->direction);
        direction = (v && v->type == NGX_GROUP_STRING) ? &v->u.text : NULL;

        rc = ngx_group_order_parse(t->pool, d->syntax, d->names, text,
                                   direction, out, &why);
    } else {
        rc = ngx_group_filter_parse(t->pool, d->syntax, d->names, text, out,
                                    &why);

        if (rc == NGX_OK && t->client) {
            rc = ngx_group_filter_ids(t->pool, *out, d->id, t->id,
                                      d->member_id, t->member_id, &why);
        }
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* the vendor may know more of its own syntax than its documents say */

    if (t->same) {
        *out = ngx_group_value_string(t->pool, text);
        return (*out == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (ngx_group_field_problem(t, at, field, "filter", INT64_MIN) != NGX_OK) {
        return NGX_ERROR;
    }

    problem = t->error->problems ? t->error->problems->elts : NULL;

    if (problem) {
        problem[t->error->problems->nelts - 1].detail = why;
    }

    return NGX_DECLINED;
}


/* text to what the field says; what is none stays text, and a wrong type */

static ngx_group_value_t *
ngx_group_decode_text(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_value_t *in)
{
    ngx_str_t          *s;
    ngx_uint_t          i;
    ngx_group_value_t  *value;

    /* akka's PredefinedFromStringUnmarshallers, which VinylDNS reads with */
    static ngx_str_t    words[] = {
        ngx_string("false"), ngx_string("true"), ngx_string("no"),
        ngx_string("yes"), ngx_string("off"), ngx_string("on"),
        ngx_string("0"), ngx_string("1")
    };

    if (in->type != NGX_GROUP_STRING) {
        return in;
    }

    s = &in->u.text;

    if (field->type == NGX_GROUP_FIELD_BOOLEAN) {
        for (i = 0; i < sizeof(words) / sizeof(ngx_str_t); i++) {
            if (s->len == words[i].len
                && ngx_strncasecmp(s->data, words[i].data, s->len) == 0)
            {
                return ngx_group_value_boolean(t->pool, i & 1);
            }
        }

        return in;
    }

    if (field->type == NGX_GROUP_FIELD_INTEGER) {
        value = ngx_group_value_string(t->pool, s);
        if (value) {
            value->type = NGX_GROUP_NUMBER;
        }

        return value;
    }

    return in;
}


static ngx_int_t
ngx_group_decode_id(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_at_t *at, ngx_str_t *id)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t    bare, owner, local;
    ngx_uint_t   form, upstream;

    if (field->type == NGX_GROUP_FIELD_MEMBER_ID) {
        form = t->dialect->member_id;
        upstream = t->member_id;

    } else {
        form = t->dialect->id;
        upstream = t->id;
    }

    ngx_str_null(&owner);

    if (field->ref) {
        rc = ngx_group_decode_ref(t, field, id, &bare, &owner);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {

            if (!t->request) {
                return NGX_OK;
            }

            if (ngx_group_field_problem(t, at, field, "ref", INT64_MIN)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            return NGX_DECLINED;
        }

        *id = bare;
    }

    if (t->client) {

        if (t->request && form == NGX_GROUP_ID_UUID && !field->ref
            && !ngx_group_is_uuid(id)
            && (id->len == 0 || id->data[0] != '~'))
        {
            if (ngx_group_field_problem(t, at, field, "uuid", INT64_MIN)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            return NGX_DECLINED;
        }

        local = *id;

        if (ngx_group_id_decode(t->pool, form, upstream, &local, id)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* bytes that a client has put into a form: no upstream has said it */

        if ((id->data != local.data || t->query)
            && !ngx_group_decode_is_text(id))
        {
            if (ngx_group_field_problem(t, at, field, "format", INT64_MIN)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            return NGX_DECLINED;
        }
    }

    /*
     * An id of another container keeps its name before it, and so does one that
     * would be taken for such.
     */

    if (owner.len && field->type == NGX_GROUP_FIELD_MEMBER_ID
        && (!ngx_group_str_eq(&owner, &t->owner)
            || ngx_group_field_owner(id)))
    {
        p = ngx_pnalloc(t->pool, owner.len + 1 + id->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        local.len = ngx_sprintf(p, "%V/%V", &owner, id) - p;
        local.data = p;
        *id = local;
    }

    return NGX_OK;
}


/*
 * Takes a URL apart.  Any origin will do: the vendor's own, or the gateway's
 * under whatever name the client knows it by.
 */

static ngx_int_t
ngx_group_decode_ref(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_str_t *url, ngx_str_t *id, ngx_str_t *owner)
{
    u_char             *p, *end, *start;
    ngx_int_t           rc;
    ngx_str_t           text, *literal;
    ngx_uint_t          i;
    ngx_group_piece_t  *piece;

    p = url->data;
    end = p + url->len;

    piece = field->ref->elts;

    for (i = 0; i < field->ref->nelts; i++) {

        if (piece[i].param && ngx_group_str_is(&piece[i].text, "origin")) {

            while (p < end && *p != ':') {
                p++;
            }

            if (end - p < 3 || p == url->data
                || ngx_strncmp(p, "://", 3) != 0)
            {
                return NGX_DECLINED;
            }

            for (p += 3; p < end && *p != '/'; p++) { /* void */ }
            continue;
        }

        if (!piece[i].param || ngx_group_str_is(&piece[i].text, "base")) {
            literal = piece[i].param ? &t->base_path : &piece[i].text;

            if ((size_t) (end - p) < literal->len
                || ngx_memcmp(p, literal->data, literal->len) != 0)
            {
                return NGX_DECLINED;
            }

            p += literal->len;
            continue;
        }

        for (start = p; p < end && *p != '/' && *p != '?' && *p != '#'; p++) {
            /* void */
        }

        text.data = start;
        text.len = p - start;

        if (text.len == 0) {
            return NGX_DECLINED;
        }

        rc = ngx_group_percent_decode(t->pool, &text,
                     ngx_group_str_is(&piece[i].text, "owner") ? owner : id,
                     0);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_strlchr(owner->data, owner->data + owner->len, '/')
        || !ngx_group_decode_is_text(id) || !ngx_group_decode_is_text(owner)
        || (t->request
            && (!ngx_group_is_segment(id)
                || (owner->len && !ngx_group_is_segment(owner)))))
    {
        return NGX_DECLINED;
    }

    return (p == end) ? NGX_OK : NGX_DECLINED;
}


/* what bodies can hold: an escape or a form of ids may hold any bytes */

static ngx_uint_t
ngx_group_decode_is_text(ngx_str_t *id)
{
    return ngx_group_utf8(id, NULL, NULL) == NGX_OK
           && ngx_strlchr(id->data, id->data + id->len, '\0') == NULL;
}


static ngx_int_t
ngx_group_decode_enum(ngx_group_translation_t *t, ngx_group_field_t *field,
    ngx_group_at_t *at, ngx_str_t *text)
{
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    kv = field->values->elts;

    for (i = 0; i < field->values->nelts; i++) {
        if (ngx_group_str_eq(text, &kv[i].key)) {
            *text = kv[i].value;
            return NGX_OK;
        }
    }

    /* an answer may have a value that was not known when we were written */

    if (!t->request) {
        return NGX_OK;
    }

    if (ngx_group_field_problem(t, at, field, "enum", INT64_MIN) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_group_query_parse(ngx_group_translation_t *t, ngx_str_t *args,
    ngx_group_value_t **out)
{
    u_char               *p, *end, *start, *eq;
    size_t                bad;
    ngx_int_t             rc;
    ngx_str_t             in, key;
    ngx_group_value_t    *value;

    *out = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);
    if (*out == NULL) {
        return NGX_ERROR;
    }

    p = args->data;
    end = p + args->len;
    value = NULL;

    while (p < end) {

        for (start = p, eq = NULL; p < end && *p != '&'; p++) {
            if (*p == '=' && eq == NULL) {
                eq = p;
            }
        }

        if (p == start) {
            p++;
            continue;
        }

        in.data = start;
        in.len = (eq ? eq : p) - start;

        rc = ngx_group_percent_decode(t->pool, &in, &key, 1);

        if (rc == NGX_OK) {
            in.data = eq ? eq + 1 : p;
            in.len = p - in.data;

            value = ngx_group_value_create(t->pool, NGX_GROUP_STRING);
            if (value == NULL) {
                return NGX_ERROR;
            }

            rc = ngx_group_percent_decode(t->pool, &in, &value->u.text, 1);

            if (rc == NGX_OK
                && (ngx_group_utf8(&key, NULL, &bad) != NGX_OK
                    || ngx_group_utf8(&value->u.text, NULL, &bad) != NGX_OK
                    || (*out)->n == NGX_GROUP_MAX_KEYS))
            {
                rc = NGX_DECLINED;
            }
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            ngx_group_error_set(t->error, NGX_GROUP_MALFORMED, "query",
                                "the query string is malformed");
            return NGX_DECLINED;
        }

        value->key = key;
        ngx_group_value_push(*out, value);

        p++;
    }

    return NGX_OK;
}
