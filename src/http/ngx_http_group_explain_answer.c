
/*
 * Answers that no upstream gave: a plan goes on with them when nothing is to
 * be sent.  They have the fields that the upstream's dialect declares for an
 * answer, so that the plan takes the way that it would take.
 */


#include "ngx_http_group_explain.h"
#include "ngx_group_patch.h"


/* objects within objects that a dialect may declare */
#define NGX_HTTP_GROUP_EXPLAIN_DEPTH  8


typedef struct {
    ngx_pool_t               *pool;
    ngx_http_group_explain_t *explain;
    ngx_uint_t                n;       /* number of the call */
    ngx_group_value_t        *named;   /* members that must be there, or NULL */
    unsigned                  read:1;
} ngx_http_group_made_t;


static ngx_int_t ngx_http_group_made_named(ngx_http_group_ctx_t *ctx,
    ngx_http_group_made_t *made);
static ngx_int_t ngx_http_group_made_list(ngx_http_group_made_t *made,
    ngx_group_step_t *step, ngx_group_value_t *answer);
static ngx_int_t ngx_http_group_made_fields(ngx_http_group_made_t *made,
    ngx_array_t *fields, ngx_str_t *prefix, ngx_group_value_t *known,
    ngx_group_value_t *out, ngx_uint_t depth);
static ngx_int_t ngx_http_group_made_value(ngx_http_group_made_t *made,
    ngx_group_field_t *field, ngx_str_t *prefix, ngx_group_value_t *known,
    ngx_uint_t depth, ngx_group_value_t **value);
static ngx_int_t ngx_http_group_made_array(ngx_http_group_made_t *made,
    ngx_group_field_t *field, ngx_group_value_t *array);
static ngx_group_value_t *ngx_http_group_made_text(
    ngx_http_group_made_t *made, ngx_group_field_t *field, ngx_str_t *prefix);


static ngx_str_t  ngx_http_group_made_id = ngx_string("id");
static ngx_str_t  ngx_http_group_made_owner = ngx_string("owner");
static ngx_str_t  ngx_http_group_made_member = ngx_string("member");
static ngx_str_t  ngx_http_group_made_items = ngx_string("items");
static ngx_str_t  ngx_http_group_made_group_id = ngx_string("group_id");


ngx_group_value_t *
ngx_http_group_explain_answer(ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step, ngx_uint_t n)
{
    ngx_str_t               none;
    ngx_array_t            *fields;
    ngx_group_value_t      *answer, *known, *v;
    ngx_http_group_made_t   made;

    ngx_str_null(&none);
    ngx_memzero(&made, sizeof(ngx_http_group_made_t));

    made.pool = ctx->upstream.pool;
    made.explain = ctx->explain;
    made.n = n;

    answer = ngx_group_value_create(made.pool, NGX_GROUP_OBJECT);

    if (answer == NULL || ngx_http_group_made_named(ctx, &made) != NGX_OK) {
        return NULL;
    }

    known = step->doc;

    switch (step->op->operation) {

    case NGX_GROUP_GROUP_LIST:
    case NGX_GROUP_MEMBER_LIST:

        if (step->op->response
            && ngx_http_group_made_list(&made, step, answer) != NGX_OK)
        {
            return NULL;
        }

        return answer;

    case NGX_GROUP_GROUP_CREATE:
    case NGX_GROUP_GROUP_REPLACE:

        /* the plan changes what it has */

        known = ngx_group_value_copy(made.pool, step->doc);
        if (known == NULL) {
            return NULL;
        }

        made.explain->group = known;

        break;

    case NGX_GROUP_GROUP_GET:

        made.read = 1;

        if (made.explain->group) {
            known = made.explain->group;
        }

        break;

    case NGX_GROUP_VENDOR_READ:
        return answer;

    default:
        break;
    }

    fields = ngx_group_shape(step->op->response, 0);

    if (fields
        && ngx_http_group_made_fields(&made, fields, &none, known, answer, 0)
           != NGX_OK)
    {
        return NULL;
    }

    v = ngx_group_value_get(answer, &ngx_http_group_made_id);

    /* a group that is read again is the one that was made */

    if (v && step->op->operation == NGX_GROUP_GROUP_CREATE) {

        v = ngx_group_value_copy(made.pool, v);
        if (v == NULL) {
            return NULL;
        }

        ngx_group_value_set(known, &ngx_http_group_made_id, v);
    }

    return answer;
}


/* whom the request removes or asks for is there */

static ngx_int_t
ngx_http_group_made_named(ngx_http_group_ctx_t *ctx,
    ngx_http_group_made_t *made)
{
    ngx_group_value_t  *member, *change, *add;

    static ngx_str_t    key = ngx_string("change");

    switch (ctx->op->operation) {

    case NGX_GROUP_MEMBER_GET:
    case NGX_GROUP_MEMBER_REMOVE:

        member = ngx_group_value_get(ctx->plan->doc,
                                     &ngx_http_group_made_member);

        if (member == NULL || member->type != NGX_GROUP_OBJECT) {
            return NGX_OK;
        }

        member = ngx_group_value_copy(made->pool, member);
        made->named = ngx_group_value_create(made->pool, NGX_GROUP_ARRAY);

        if (member == NULL || made->named == NULL) {
            return NGX_ERROR;
        }

        ngx_str_null(&member->key);
        ngx_group_value_push(made->named, member);

        return NGX_OK;

    case NGX_GROUP_GROUP_MODIFY:

        change = ngx_group_value_get(ctx->plan->doc, &key);

        return change ? ngx_group_patch_members(made->pool, change, NULL, &add,
                                                &made->named)
                      : NGX_OK;

    default:
        return NGX_OK;
    }
}


/* one item that stands for whatever is there, and those that must be */

static ngx_int_t
ngx_http_group_made_list(ngx_http_group_made_t *made, ngx_group_step_t *step,
    ngx_group_value_t *answer)
{
    ngx_str_t           none;
    ngx_uint_t          members;
    ngx_array_t        *fields;
    ngx_group_value_t  *items, *item, *known, *named, *v;

    ngx_str_null(&none);

    members = (step->op->operation == NGX_GROUP_MEMBER_LIST);
    fields = ngx_group_shape(step->op->response, 1);
    items = ngx_group_value_create(made->pool, NGX_GROUP_ARRAY);

    if (items == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_set(answer, &ngx_http_group_made_items, items);

    if (fields == NULL) {
        return NGX_OK;
    }

    made->read = 1;
    named = (members && made->named) ? made->named->u.items.first : NULL;

    for ( ;; ) {
        known = ngx_group_value_create(made->pool, NGX_GROUP_OBJECT);
        item = ngx_group_value_create(made->pool, NGX_GROUP_OBJECT);

        if (known == NULL || item == NULL) {
            return NGX_ERROR;
        }

        v = ngx_group_value_get(step->doc, members
                                           ? &ngx_http_group_made_group_id
                                           : &ngx_http_group_made_owner);

        if (v && v->type == NGX_GROUP_STRING) {
            v = ngx_group_value_string(made->pool, &v->u.text);
            if (v == NULL) {
                return NGX_ERROR;
            }

            ngx_group_value_set(known, members ? &ngx_http_group_made_group_id
                                               : &ngx_http_group_made_owner,
                                v);
        }

        if (named) {
            v = ngx_group_value_copy(made->pool, named);
            if (v == NULL) {
                return NGX_ERROR;
            }

            ngx_group_value_set(known, &ngx_http_group_made_member, v);
        }

        if (ngx_http_group_made_fields(made, fields, &none, known, item, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* who is named is known by the name, and not by a made-up one */

        ngx_group_value_push(items, item);

        if (named == NULL) {
            return NGX_OK;
        }

        named = named->next;
    }
}


static ngx_int_t
ngx_http_group_made_fields(ngx_http_group_made_t *made, ngx_array_t *fields,
    ngx_str_t *prefix, ngx_group_value_t *known, ngx_group_value_t *out,
    ngx_uint_t depth)
{
    ngx_int_t           rc;
    ngx_str_t           key;
    ngx_uint_t          i, k;
    ngx_group_field_t  *field;
    ngx_group_value_t  *to, *from, *inner, *value;

    if (depth == NGX_HTTP_GROUP_EXPLAIN_DEPTH) {
        return NGX_OK;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].constant || field[i].write_only) {
            continue;
        }

        if (field[i].nfrom == 0) {
            if (field[i].fields
                && ngx_http_group_made_fields(made, field[i].fields, prefix,
                                              known, out, depth + 1)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        to = out;
        from = known;

        for (k = 0; k + 1 < field[i].nfrom; k++) {
            key = field[i].from[k];
            inner = ngx_group_value_get(to, &key);

            if (inner == NULL || inner->type != NGX_GROUP_OBJECT) {
                inner = ngx_group_value_create(made->pool, NGX_GROUP_OBJECT);
                if (inner == NULL) {
                    return NGX_ERROR;
                }

                ngx_group_value_set(to, &key, inner);
            }

            to = inner;
            from = ngx_group_value_get(from, &key);
        }

        key = field[i].from[k];

        /* a dialect may write one thing twice */

        if (ngx_group_value_get(to, &key)) {
            continue;
        }

        rc = ngx_http_group_made_value(made, &field[i], prefix,
                                       ngx_group_value_get(from, &key), depth,
                                       &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            ngx_group_value_set(to, &key, value);
        }
    }

    return NGX_OK;
}


/* NGX_DECLINED: it is left out */

static ngx_int_t
ngx_http_group_made_value(ngx_http_group_made_t *made,
    ngx_group_field_t *field, ngx_str_t *prefix, ngx_group_value_t *known,
    ngx_uint_t depth, ngx_group_value_t **value)
{
    ngx_str_t  text;

    if (known && known->type != NGX_GROUP_NULL) {
        *value = ngx_group_value_copy(made->pool, known);
        return (*value == NULL) ? NGX_ERROR : NGX_OK;
    }

    switch (field->type) {

    case NGX_GROUP_FIELD_BOOLEAN:
        *value = ngx_group_value_boolean(made->pool, 0);
        break;

    case NGX_GROUP_FIELD_INTEGER:
        *value = ngx_group_value_integer(made->pool, 0);
        break;

    case NGX_GROUP_FIELD_OBJECT:
        *value = ngx_group_value_create(made->pool, NGX_GROUP_OBJECT);

        if (*value == NULL || field->fields == NULL) {
            break;
        }

        return ngx_http_group_made_fields(made, field->fields, &field->path,
                                          known, *value, depth + 1);

    case NGX_GROUP_FIELD_ARRAY:
        *value = ngx_group_value_create(made->pool, NGX_GROUP_ARRAY);

        if (*value == NULL) {
            break;
        }

        return ngx_http_group_made_array(made, field, *value);

    default:

        if (ngx_group_str_is(&field->path, "status")) {
            ngx_str_set(&text, "active");
            *value = ngx_group_value_string(made->pool, &text);
            break;
        }

        *value = ngx_http_group_made_text(made, field, prefix);

        return (*value == NULL) ? NGX_ERROR : NGX_OK;
    }

    if (*value == NULL) {
        return NGX_ERROR;
    }

    if (made->read && !ngx_group_str_is(&field->path, "member_count")) {
        made->explain->vague = made->n;
    }

    return NGX_OK;
}


/* members are not known, and told to be so; nothing else is in a list */

static ngx_int_t
ngx_http_group_made_array(ngx_http_group_made_t *made,
    ngx_group_field_t *field, ngx_group_value_t *array)
{
    ngx_int_t           rc;
    ngx_str_t           key;
    ngx_array_t         one;
    ngx_group_value_t  *item, *v;

    if (!ngx_group_str_is(&field->path, "members")
        && !ngx_group_str_is(&field->path, "admins"))
    {
        if (made->read) {
            made->explain->vague = made->n;
        }

        return NGX_OK;
    }

    /* what was just written has those that it was written with */

    if (!made->read) {
        return NGX_OK;
    }

    item = ngx_group_value_create(made->pool, NGX_GROUP_OBJECT);
    if (item == NULL) {
        return NGX_ERROR;
    }

    if (field->item) {
        ngx_memzero(&one, sizeof(ngx_array_t));
        one.elts = field->item;
        one.nelts = 1;
        one.size = sizeof(ngx_group_field_t);
    }

    rc = ngx_http_group_made_fields(made, field->item ? &one : field->fields,
                                    &ngx_http_group_made_member, NULL, item,
                                    1);
    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_group_value_push(array, item);

    ngx_str_set(&key, "members");

    if (made->named == NULL || !ngx_group_str_eq(&field->path, &key)) {
        return NGX_OK;
    }

    for (v = made->named->u.items.first; v; v = v->next) {
        item = ngx_group_value_copy(made->pool, v);
        if (item == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_push(array, item);
    }

    return NGX_OK;
}


/* "{member id of call 2}"; "{email-of-call-2}@...", to look like an address */

static ngx_group_value_t *
ngx_http_group_made_text(ngx_http_group_made_t *made,
    ngx_group_field_t *field, ngx_str_t *prefix)
{
    u_char     *p;
    size_t      i;
    ngx_str_t   text;

    text.data = ngx_pnalloc(made->pool,
                            sizeof("{  of call }@example.invalid")
                            + prefix->len + field->path.len + NGX_INT_T_LEN);
    if (text.data == NULL) {
        return NULL;
    }

    p = ngx_sprintf(text.data, "{%V%s%V of call %ui}", prefix,
                    prefix->len ? " " : "", &field->path, made->n);

    for (i = 0; text.data + i < p; i++) {
        if (text.data[i] == '.') {
            text.data[i] = ' ';
        }
    }

    if (ngx_group_str_is(&field->path, "email")) {

        for (i = 0; text.data + i < p; i++) {
            if (text.data[i] == ' ') {
                text.data[i] = '-';
            }
        }

        p = ngx_cpymem(p, "@example.invalid", sizeof("@example.invalid") - 1);
    }

    text.len = p - text.data;

    return ngx_group_value_string(made->pool, &text);
}
