
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"


static ngx_int_t ngx_group_order_scim(ngx_pool_t *pool, ngx_array_t *names,
    ngx_str_t *by, ngx_str_t *direction, ngx_group_value_t *order,
    ngx_str_t *why);
static ngx_int_t ngx_group_order_odata(ngx_pool_t *pool, ngx_array_t *names,
    ngx_str_t *by, ngx_group_value_t *order, ngx_str_t *why);
static ngx_int_t ngx_group_order_add(ngx_pool_t *pool,
    ngx_group_value_t *order, ngx_str_t *field, ngx_uint_t descending,
    ngx_uint_t absent_first);
static ngx_int_t ngx_group_order_set(ngx_pool_t *pool,
    ngx_group_value_t *entry, ngx_str_t *key, ngx_uint_t flag);
static void ngx_group_order_space(u_char **p, u_char *last);
static ngx_int_t ngx_group_order_cmp(ngx_group_value_t *order,
    ngx_group_value_t *a, ngx_group_value_t *b);
static ngx_group_value_t *ngx_group_order_value(ngx_group_value_t *group,
    ngx_str_t *field);
static ngx_int_t ngx_group_order_value_cmp(ngx_group_value_t *a,
    ngx_group_value_t *b);
static ngx_uint_t ngx_group_order_flag(ngx_group_value_t *entry,
    ngx_str_t *key);


static ngx_str_t  ngx_group_order_field = ngx_string("field");
static ngx_str_t  ngx_group_order_descending = ngx_string("descending");
static ngx_str_t  ngx_group_order_absent_first = ngx_string("absent_first");

static ngx_str_t  ngx_group_order_words[] = {
    ngx_string("ascending"),
    ngx_string("descending")
};


ngx_int_t
ngx_group_order_parse(ngx_pool_t *pool, ngx_uint_t syntax, ngx_array_t *names,
    ngx_str_t *by, ngx_str_t *direction, ngx_group_value_t **order,
    ngx_str_t *why)
{
    *order = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    if (*order == NULL) {
        return NGX_ERROR;
    }

    if (syntax == NGX_GROUP_FILTER_SCIM) {
        return ngx_group_order_scim(pool, names, by, direction, *order, why);
    }

    return ngx_group_order_odata(pool, names, by, *order, why);
}


static ngx_int_t
ngx_group_order_scim(ngx_pool_t *pool, ngx_array_t *names, ngx_str_t *by,
    ngx_str_t *direction, ngx_group_value_t *order, ngx_str_t *why)
{
    ngx_str_t   word, *field;
    ngx_uint_t  descending;

    descending = 0;

    if (direction && direction->len) {

        for (descending = 0; descending < 2; descending++) {
            if (ngx_group_filter_is(NGX_GROUP_FILTER_SCIM, direction,
                                    &ngx_group_order_words[descending]))
            {
                break;
            }
        }

        if (descending == 2) {
            ngx_str_set(why, "the order is neither \"ascending\" nor "
                             "\"descending\"");
            return NGX_DECLINED;
        }
    }

    if (by->len == 0) {
        return NGX_OK;
    }

    word = *by;

    if (ngx_group_filter_word(word.data, word.data + word.len) != word.len) {
        ngx_str_set(why, "the order is by something that is no attribute");
        return NGX_DECLINED;
    }

    field = ngx_group_filter_name(NGX_GROUP_FILTER_SCIM, names, &word);

    if (field == NULL || ngx_group_str_eq(field, &ngx_group_filter_members)) {
        return ngx_group_filter_fail(pool, why, "the order is by an attribute "
                                     "that cannot be ordered by", &word, 0);
    }

    return ngx_group_order_add(pool, order, field, descending, descending);
}


static ngx_int_t
ngx_group_order_odata(ngx_pool_t *pool, ngx_array_t *names, ngx_str_t *by,
    ngx_group_value_t *order, ngx_str_t *why)
{
    u_char      *p, *last;
    ngx_str_t    word, *field;
    ngx_uint_t   descending;

    p = by->data;
    last = p + by->len;

    ngx_group_order_space(&p, last);

    if (p == last) {
        return NGX_OK;
    }

    for ( ;; ) {

        if (order->n == NGX_GROUP_ORDER_MAX) {
            ngx_str_set(why, "the order is by too many attributes");
            return NGX_DECLINED;
        }

        ngx_group_order_space(&p, last);

        word.data = p;
        word.len = ngx_group_filter_word(p, last);

        if (word.len == 0) {
            return ngx_group_filter_fail(pool, why, "the order has no "
                                         "attribute where one is expected",
                                         NULL, p - by->data);
        }

        field = ngx_group_filter_name(NGX_GROUP_FILTER_ODATA, names, &word);

        if (field == NULL
            || ngx_group_str_eq(field, &ngx_group_filter_members))
        {
            return ngx_group_filter_fail(pool, why, "the order is by an "
                                         "attribute that cannot be ordered by",
                                         &word, p - by->data);
        }

        p += word.len;

        ngx_group_order_space(&p, last);

        word.data = p;
        word.len = ngx_group_filter_word(p, last);

        descending = ngx_group_str_is(&word, "desc");

        if (descending || ngx_group_str_is(&word, "asc")) {
            p += word.len;
            ngx_group_order_space(&p, last);
        }

        if (ngx_group_order_add(pool, order, field, descending, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        if (p == last) {
            return NGX_OK;
        }

        if (*p++ != ',') {
            return ngx_group_filter_fail(pool, why, "the order has no \",\" "
                                         "where one is expected", NULL,
                                         p - 1 - by->data);
        }
    }
}


static ngx_int_t
ngx_group_order_add(ngx_pool_t *pool, ngx_group_value_t *order,
    ngx_str_t *field, ngx_uint_t descending, ngx_uint_t absent_first)
{
    ngx_group_value_t  *entry, *value;

    entry = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    value = ngx_group_value_string(pool, field);
    if (value == NULL) {
        return NGX_ERROR;
    }

    value->key = ngx_group_order_field;
    ngx_group_value_push(entry, value);

    if (ngx_group_order_set(pool, entry, &ngx_group_order_descending,
                            descending)
        != NGX_OK
        || ngx_group_order_set(pool, entry, &ngx_group_order_absent_first,
                               absent_first)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_group_value_push(order, entry);

    return NGX_OK;
}


static ngx_int_t
ngx_group_order_set(ngx_pool_t *pool, ngx_group_value_t *entry,
    ngx_str_t *key, ngx_uint_t flag)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_boolean(pool, flag);
    if (value == NULL) {
        return NGX_ERROR;
    }

    value->key = *key;
    ngx_group_value_push(entry, value);

    return NGX_OK;
}


static void
ngx_group_order_space(u_char **p, u_char *last)
{
    while (*p < last && **p == ' ') {
        (*p)++;
    }
}


/*
 * Merges runs of 1, 2, 4 and so on of the linked list, until there is one.
 */

void
ngx_group_order_sort(ngx_group_value_t *order, ngx_group_value_t *list)
{
    ngx_uint_t          n, na, nb, runs;
    ngx_group_value_t  *a, *b, *item, *first, **tail;

    if (list == NULL || list->type != NGX_GROUP_ARRAY || order == NULL
        || order->type != NGX_GROUP_ARRAY || order->n == 0
        || list->n < 2)
    {
        return;
    }

    first = list->u.items.first;
    item = NULL;

    for (n = 1; /* void */; n *= 2) {

        a = first;
        tail = &first;
        runs = 0;

        while (a) {
            runs++;

            b = a;

            for (na = 0; na < n && b; na++) {
                b = b->next;
            }

            nb = n;

            while (na || (nb && b)) {

                if (na == 0
                    || (nb && b && ngx_group_order_cmp(order, a, b) > 0))
                {
                    item = b;
                    b = b->next;
                    nb--;

                } else {
                    item = a;
                    a = a->next;
                    na--;
                }

                *tail = item;
                tail = &item->next;
            }

            a = b;
        }

        *tail = NULL;

        if (runs == 1) {
            break;
        }
    }

    list->u.items.first = first;
    list->u.items.last = item;
}


static ngx_int_t
ngx_group_order_cmp(ngx_group_value_t *order, ngx_group_value_t *a,
    ngx_group_value_t *b)
{
    ngx_int_t           rc;
    ngx_group_value_t  *entry, *field, *v, *w;

    for (entry = order->u.items.first; entry; entry = entry->next) {

        field = ngx_group_value_get(entry, &ngx_group_order_field);

        if (field == NULL || field->type != NGX_GROUP_STRING) {
            continue;
        }

        v = ngx_group_order_value(a, &field->u.text);
        w = ngx_group_order_value(b, &field->u.text);

        if (v == NULL || w == NULL) {

            rc = (v == NULL) - (w == NULL);

            if (ngx_group_order_flag(entry, &ngx_group_order_absent_first)) {
                rc = -rc;
            }

        } else {
            rc = ngx_group_order_value_cmp(v, w);

            if (ngx_group_order_flag(entry, &ngx_group_order_descending)) {
                rc = -rc;
            }
        }

        if (rc) {
            return rc;
        }
    }

    return 0;
}


static ngx_group_value_t *
ngx_group_order_value(ngx_group_value_t *group, ngx_str_t *field)
{
    ngx_group_value_t  *value;

    value = ngx_group_filter_field(group, field);

    if (value == NULL || value->type == NGX_GROUP_NULL
        || value->type == NGX_GROUP_ARRAY || value->type == NGX_GROUP_OBJECT)
    {
        return NULL;
    }

    return value;
}


/* booleans, numbers, texts */

static ngx_int_t
ngx_group_order_value_cmp(ngx_group_value_t *a, ngx_group_value_t *b)
{
    if (a->type != b->type) {
        return (a->type < b->type) ? -1 : 1;
    }

    switch (a->type) {

    case NGX_GROUP_BOOLEAN:
        return !b->u.flag - !a->u.flag;

    case NGX_GROUP_NUMBER:
        return ngx_group_filter_number_cmp(&a->u.text, &b->u.text);

    default: /* NGX_GROUP_STRING */
        return ngx_group_filter_text_cmp(&a->u.text, &b->u.text, 0);
    }
}


static ngx_uint_t
ngx_group_order_flag(ngx_group_value_t *entry, ngx_str_t *key)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_get(entry, key);

    return value && value->type == NGX_GROUP_BOOLEAN && value->u.flag;
}
