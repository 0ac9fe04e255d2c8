
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_value.h"


/* values taken at a time; the most are what a pool's block has room for */
#define NGX_GROUP_VALUES_LEAST  4
#define NGX_GROUP_VALUES_MOST   64


static ngx_group_value_t *ngx_group_value_next(ngx_group_value_t *value,
    ngx_str_t *key);
static ngx_uint_t ngx_group_value_equal_items(ngx_group_value_t *a,
    ngx_group_value_t *b);


ngx_group_value_t *
ngx_group_values_get(ngx_group_values_t *values, ngx_group_type_e type)
{
    ngx_group_value_t  *value;

    if (values->left == 0) {
        values->left = ngx_min(values->taken * 2 + NGX_GROUP_VALUES_LEAST,
                               NGX_GROUP_VALUES_MOST);

        value = ngx_palloc(values->pool,
                           values->left * sizeof(ngx_group_value_t));
        if (value == NULL) {
            values->left = 0;
            return NULL;
        }

        values->next = value;
        values->taken = values->left;
    }

    value = values->next++;
    values->left--;

    ngx_memzero(value, sizeof(ngx_group_value_t));
    value->type = type;

    return value;
}


ngx_group_value_t *
ngx_group_value_create(ngx_pool_t *pool, ngx_group_type_e type)
{
    ngx_group_value_t  *value;

    value = ngx_palloc(pool, sizeof(ngx_group_value_t));
    if (value == NULL) {
        return NULL;
    }

    ngx_memzero(value, sizeof(ngx_group_value_t));
    value->type = type;

    return value;
}


ngx_group_value_t *
ngx_group_value_string(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_create(pool, NGX_GROUP_STRING);
    if (value == NULL) {
        return NULL;
    }

    value->u.text = *text;

    return value;
}


ngx_group_value_t *
ngx_group_value_boolean(ngx_pool_t *pool, ngx_uint_t flag)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_create(pool, NGX_GROUP_BOOLEAN);
    if (value == NULL) {
        return NULL;
    }

    value->u.flag = flag ? 1 : 0;

    return value;
}


ngx_group_value_t *
ngx_group_value_integer(ngx_pool_t *pool, int64_t n)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_create(pool, NGX_GROUP_NUMBER);
    if (value == NULL) {
        return NULL;
    }

    value->u.text.data = ngx_pnalloc(pool, NGX_INT64_LEN);
    if (value->u.text.data == NULL) {
        return NULL;
    }

    value->u.text.len = ngx_sprintf(value->u.text.data, "%L", n)
                        - value->u.text.data;

    return value;
}


ngx_group_value_t *
ngx_group_value_copy(ngx_pool_t *pool, ngx_group_value_t *value)
{
    ngx_group_value_t  *copy, *item, *next;

    copy = ngx_palloc(pool, sizeof(ngx_group_value_t));
    if (copy == NULL) {
        return NULL;
    }

    *copy = *value;
    copy->next = NULL;

    if (value->type != NGX_GROUP_ARRAY && value->type != NGX_GROUP_OBJECT) {
        return copy;
    }

    ngx_memzero(&copy->u, sizeof(copy->u));
    copy->n = 0;

    for (item = value->u.items.first; item; item = item->next) {

        next = ngx_group_value_copy(pool, item);
        if (next == NULL) {
            return NULL;
        }

        ngx_group_value_push(copy, next);
    }

    return copy;
}


void
ngx_group_value_push(ngx_group_value_t *parent, ngx_group_value_t *value)
{
    value->next = NULL;

    if (parent->u.items.last) {
        parent->u.items.last->next = value;

    } else {
        parent->u.items.first = value;
    }

    parent->u.items.last = value;
    parent->n++;
}


ngx_group_value_t *
ngx_group_value_get(ngx_group_value_t *object, ngx_str_t *key)
{
    if (object == NULL || object->type != NGX_GROUP_OBJECT) {
        return NULL;
    }

    return ngx_group_value_next(object->u.items.first, key);
}


void
ngx_group_value_set(ngx_group_value_t *object, ngx_str_t *key,
    ngx_group_value_t *value)
{
    ngx_group_value_t  *member, *prev;

    value->key = *key;

    prev = NULL;

    for (member = object->u.items.first; member; member = member->next) {

        if (ngx_group_str_eq(&member->key, &value->key)) {
            break;
        }

        prev = member;
    }

    if (member == NULL) {
        ngx_group_value_push(object, value);
        return;
    }

    value->next = member->next;

    if (prev) {
        prev->next = value;

    } else {
        object->u.items.first = value;
    }

    if (object->u.items.last == member) {
        object->u.items.last = value;
    }

    member->next = NULL;
}


void
ngx_group_value_unset(ngx_group_value_t *object, ngx_str_t *key)
{
    ngx_str_t           name;
    ngx_group_value_t  *member, *next;

    /* "key" may be that of a member which is about to go */

    name = *key;

    next = object->u.items.first;

    ngx_memzero(&object->u.items, sizeof(object->u.items));
    object->n = 0;

    while (next) {
        member = next;
        next = member->next;

        if (ngx_group_str_eq(&member->key, &name)) {
            member->next = NULL;
            continue;
        }

        ngx_group_value_push(object, member);
    }
}


static ngx_group_value_t *
ngx_group_value_next(ngx_group_value_t *value, ngx_str_t *key)
{
    while (value && !ngx_group_str_eq(&value->key, key)) {
        value = value->next;
    }

    return value;
}


ngx_uint_t
ngx_group_value_equal(ngx_group_value_t *a, ngx_group_value_t *b)
{
    if (a->type != b->type) {
        return 0;
    }

    switch (a->type) {

    case NGX_GROUP_NULL:
        return 1;

    case NGX_GROUP_BOOLEAN:
        return !a->u.flag == !b->u.flag;

    case NGX_GROUP_NUMBER:
    case NGX_GROUP_STRING:
        return ngx_group_str_eq(&a->u.text, &b->u.text);

    default: /* NGX_GROUP_ARRAY, NGX_GROUP_OBJECT */
        return a->n == b->n
               && ngx_group_value_equal_items(a, b);
    }
}


static ngx_uint_t
ngx_group_value_equal_items(ngx_group_value_t *a, ngx_group_value_t *b)
{
    ngx_group_value_t  *p, *q, *first;

    p = a->u.items.first;
    q = b->u.items.first;

    /* most often the order is the same, even if it need not be */

    for ( /* void */ ; p; p = p->next, q = q->next) {

        if (a->type == NGX_GROUP_OBJECT
            && !ngx_group_str_eq(&p->key, &q->key))
        {
            break;
        }

        if (!ngx_group_value_equal(p, q)) {
            return 0;
        }
    }

    /*
     * What is left are objects of as many members.  A key may stand there more
     * than once, as it does when they were XML: its values must come in the
     * same order.
     */

    a = p;
    b = q;

    for (first = a; first; first = first->next) {

        if (ngx_group_value_next(a, &first->key) != first) {
            continue;
        }

        p = first;
        q = ngx_group_value_next(b, &first->key);

        while (p && q) {

            if (!ngx_group_value_equal(p, q)) {
                return 0;
            }

            p = ngx_group_value_next(p->next, &first->key);
            q = ngx_group_value_next(q->next, &first->key);
        }

        if (p || q) {
            return 0;
        }
    }

    return 1;
}
