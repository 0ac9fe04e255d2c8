
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"


/* what an exponent is cut to: beyond any number of digits */
#define NGX_GROUP_FILTER_EXPONENT  1000000000000

#define NGX_GROUP_FILTER_HASH      16777619


/* 0.digits * 10^exponent */

typedef struct {
    u_char             *digits;       /* from the first that is not 0 */
    u_char             *last;
    int64_t             exponent;
    ngx_uint_t          negative;
} ngx_group_filter_decimal_t;


static ngx_int_t ngx_group_filter_match_node(ngx_group_value_t *filter,
    ngx_group_value_t *group, ngx_uint_t depth);
static ngx_uint_t ngx_group_filter_match_field(ngx_group_filter_node_t *node,
    ngx_group_value_t *value);
static ngx_uint_t ngx_group_filter_match_text(ngx_group_filter_node_t *node,
    ngx_str_t *text);
static ngx_uint_t ngx_group_filter_match_member(ngx_str_t *id,
    ngx_group_value_t *group);
static ngx_uint_t ngx_group_filter_same(u_char *p, u_char *q, size_t n,
    ngx_uint_t exact);
static ngx_uint_t ngx_group_filter_contains(ngx_str_t *text, ngx_str_t *part,
    ngx_uint_t exact);
static void ngx_group_filter_decimal(ngx_str_t *text,
    ngx_group_filter_decimal_t *d);


static ngx_str_t  ngx_group_filter_member_id = ngx_string("id");


ngx_int_t
ngx_group_filter_match(ngx_group_value_t *filter, ngx_group_value_t *group)
{
    return ngx_group_filter_match_node(filter, group, 1);
}


static ngx_int_t
ngx_group_filter_match_node(ngx_group_value_t *filter,
    ngx_group_value_t *group, ngx_uint_t depth)
{
    ngx_int_t                 rc, until;
    ngx_uint_t                matches;
    ngx_group_value_t        *arg;
    ngx_group_filter_node_t   node;

    if (depth > NGX_GROUP_FILTER_MAX_DEPTH
        || ngx_group_filter_node(filter, &node) != NULL)
    {
        return NGX_ERROR;
    }

    switch (node.op) {

    case NGX_GROUP_FILTER_AND:
    case NGX_GROUP_FILTER_OR:
        until = (node.op == NGX_GROUP_FILTER_AND) ? NGX_DECLINED : NGX_OK;

        arg = node.args->u.items.first;

        do {
            rc = ngx_group_filter_match_node(arg, group, depth + 1);
            arg = arg->next;

        } while (arg && rc != until && rc != NGX_ERROR);

        return rc;

    case NGX_GROUP_FILTER_NOT:
        rc = ngx_group_filter_match_node(node.args->u.items.first, group,
                                         depth + 1);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        return (rc == NGX_OK) ? NGX_DECLINED : NGX_OK;

    case NGX_GROUP_FILTER_MEMBER:
        matches = ngx_group_filter_match_member(&node.value->u.text, group);
        break;

    default:
        matches = ngx_group_filter_match_field(&node,
                                  ngx_group_filter_field(group, node.field));
    }

    return matches ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_group_filter_match_field(ngx_group_filter_node_t *node,
    ngx_group_value_t *value)
{
    ngx_int_t  order;

    if (value && value->type == NGX_GROUP_NULL) {
        value = NULL;
    }

    if (node->op == NGX_GROUP_FILTER_PRESENT) {

        if (value == NULL) {
            return 0;
        }

        switch (value->type) {

        case NGX_GROUP_STRING:
            return value->u.text.len != 0;

        case NGX_GROUP_ARRAY:
        case NGX_GROUP_OBJECT:
            return value->n != 0;

        default:
            return 1;
        }
    }

    if (value == NULL || node->value->type == NGX_GROUP_NULL) {

        if (node->op == NGX_GROUP_FILTER_EQ) {
            return value == NULL && node->value->type == NGX_GROUP_NULL;
        }

        return node->op == NGX_GROUP_FILTER_NE
               && (value != NULL || node->value->type != NGX_GROUP_NULL);
    }

    if (value->type != node->value->type) {
        return node->op == NGX_GROUP_FILTER_NE;
    }

    switch (value->type) {

    case NGX_GROUP_STRING:

        if (node->op >= NGX_GROUP_FILTER_CONTAINS) {
            return ngx_group_filter_match_text(node, &value->u.text);
        }

        order = ngx_group_filter_text_cmp(&value->u.text,
                                          &node->value->u.text, node->exact);
        break;

    case NGX_GROUP_NUMBER:
        order = ngx_group_filter_number_cmp(&value->u.text,
                                            &node->value->u.text);
        break;

    default: /* NGX_GROUP_BOOLEAN */
        order = (!value->u.flag != !node->value->u.flag);
    }

    switch (node->op) {

    case NGX_GROUP_FILTER_EQ:
        return order == 0;

    case NGX_GROUP_FILTER_NE:
        return order != 0;

    case NGX_GROUP_FILTER_GT:
        return order > 0;

    case NGX_GROUP_FILTER_GE:
        return order >= 0;

    case NGX_GROUP_FILTER_LT:
        return order < 0;

    default: /* NGX_GROUP_FILTER_LE */
        return order <= 0;
    }
}


static ngx_uint_t
ngx_group_filter_match_text(ngx_group_filter_node_t *node, ngx_str_t *text)
{
    u_char     *p;
    ngx_str_t  *part;

    part = &node->value->u.text;

    if (part->len == 0) {
        return 1;
    }

    if (part->len > text->len) {
        return 0;
    }

    if (node->op == NGX_GROUP_FILTER_CONTAINS) {
        return ngx_group_filter_contains(text, part, node->exact);
    }

    p = text->data;

    if (node->op == NGX_GROUP_FILTER_ENDS) {
        p += text->len - part->len;
    }

    return ngx_group_filter_same(p, part->data, part->len, node->exact);
}


static ngx_uint_t
ngx_group_filter_match_member(ngx_str_t *id, ngx_group_value_t *group)
{
    ngx_group_value_t  *members, *member, *value;

    members = ngx_group_value_get(group, &ngx_group_filter_members);

    if (members == NULL || members->type != NGX_GROUP_ARRAY) {
        return 0;
    }

    for (member = members->u.items.first; member; member = member->next) {

        value = ngx_group_value_get(member, &ngx_group_filter_member_id);

        if (value && value->type == NGX_GROUP_STRING
            && ngx_group_str_eq(&value->u.text, id))
        {
            return 1;
        }
    }

    return 0;
}


ngx_group_value_t *
ngx_group_filter_field(ngx_group_value_t *group, ngx_str_t *name)
{
    u_char             *dot;
    ngx_str_t           key, rest;
    ngx_group_value_t  *value;

    rest = *name;

    for ( ;; ) {
        value = ngx_group_value_get(group, &rest);

        if (value) {
            return value;
        }

        dot = ngx_strlchr(rest.data, rest.data + rest.len, '.');

        if (dot == NULL) {
            return NULL;
        }

        key.data = rest.data;
        key.len = dot - rest.data;

        group = ngx_group_value_get(group, &key);

        if (group == NULL) {
            return NULL;
        }

        rest.len -= key.len + 1;
        rest.data = dot + 1;
    }
}


ngx_int_t
ngx_group_filter_text_cmp(ngx_str_t *a, ngx_str_t *b, ngx_uint_t exact)
{
    size_t      i, n;
    ngx_uint_t  c, d;

    n = ngx_min(a->len, b->len);

    for (i = 0; i < n; i++) {
        c = ngx_group_filter_fold(a->data[i], exact);
        d = ngx_group_filter_fold(b->data[i], exact);

        if (c != d) {
            return (c < d) ? -1 : 1;
        }
    }

    return (a->len > b->len) - (a->len < b->len);
}


static ngx_uint_t
ngx_group_filter_same(u_char *p, u_char *q, size_t n, ngx_uint_t exact)
{
    while (n--) {
        if (ngx_group_filter_fold(*p, exact)
            != ngx_group_filter_fold(*q, exact))
        {
            return 0;
        }

        p++;
        q++;
    }

    return 1;
}


/*
 * A rolling hash: clients send what is looked for, and a long text of one
 * letter must not take the product of both lengths.
 */

static ngx_uint_t
ngx_group_filter_contains(ngx_str_t *text, ngx_str_t *part, ngx_uint_t exact)
{
    size_t    i, n;
    u_char   *p;
    uint64_t  wanted, hash, power;

    n = part->len;
    p = text->data;

    wanted = 0;
    hash = 0;
    power = 1;

    for (i = 0; i < n; i++) {
        wanted = wanted * NGX_GROUP_FILTER_HASH
                 + ngx_group_filter_fold(part->data[i], exact);
        hash = hash * NGX_GROUP_FILTER_HASH
               + ngx_group_filter_fold(p[i], exact);

        if (i) {
            power *= NGX_GROUP_FILTER_HASH;
        }
    }

    for (i = 0; /* void */; i++) {

        if (hash == wanted
            && ngx_group_filter_same(p + i, part->data, n, exact))
        {
            return 1;
        }

        if (i + n == text->len) {
            return 0;
        }

        hash -= power * ngx_group_filter_fold(p[i], exact);
        hash = hash * NGX_GROUP_FILTER_HASH
               + ngx_group_filter_fold(p[i + n], exact);
    }
}


ngx_int_t
ngx_group_filter_number_cmp(ngx_str_t *a, ngx_str_t *b)
{
    u_char                      *p, *q, c, d;
    ngx_int_t                    more;
    ngx_group_filter_decimal_t   x, y;

    ngx_group_filter_decimal(a, &x);
    ngx_group_filter_decimal(b, &y);

    if (x.negative != y.negative) {
        return x.negative ? -1 : 1;
    }

    more = x.negative ? -1 : 1;

    if (x.exponent != y.exponent) {
        return (x.exponent > y.exponent) ? more : -more;
    }

    p = x.digits;
    q = y.digits;

    while (p < x.last || q < y.last) {

        if (p < x.last && *p == '.') {
            p++;
            continue;
        }

        if (q < y.last && *q == '.') {
            q++;
            continue;
        }

        c = (p < x.last) ? *p++ : '0';
        d = (q < y.last) ? *q++ : '0';

        if (c != d) {
            return (c > d) ? more : -more;
        }
    }

    return 0;
}


static void
ngx_group_filter_decimal(ngx_str_t *text, ngx_group_filter_decimal_t *d)
{
    u_char      *p, *last;
    int64_t      n;
    ngx_uint_t   point, minus;

    p = text->data;
    last = p + text->len;

    ngx_memzero(d, sizeof(ngx_group_filter_decimal_t));

    if (p < last && *p == '-') {
        d->negative = 1;
        p++;
    }

    point = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '.') {
            point = 1;
            continue;
        }

        if (*p < '0' || *p > '9') {
            break;
        }

        if (d->digits == NULL && *p != '0') {
            d->digits = p;
        }

        if (d->digits) {
            d->exponent += !point;

        } else {
            d->exponent -= point;
        }
    }

    if (d->digits == NULL) {

        /* zero has no sign, and is less than what has the least exponent */

        d->digits = p;
        d->last = p;
        d->exponent = INT64_MIN;
        d->negative = 0;
        return;
    }

    d->last = p;

    if (p == last) {
        return;
    }

    p++;

    minus = (p < last && *p == '-');

    if (p < last && (*p == '-' || *p == '+')) {
        p++;
    }

    n = 0;

    for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {
        if (n < NGX_GROUP_FILTER_EXPONENT) {
            n = n * 10 + (*p - '0');
        }
    }

    d->exponent += minus ? -n : n;
}
