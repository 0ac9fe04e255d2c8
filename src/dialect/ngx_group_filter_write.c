
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"
#include "ngx_group_text.h"


/* the same code counts the bytes first, then writes them */

typedef struct {
    ngx_uint_t          syntax;
    ngx_array_t        *names;
    u_char             *pos;          /* NULL: only count */
    size_t              len;
} ngx_group_filter_out_t;


static ngx_int_t ngx_group_filter_write_node(ngx_group_filter_out_t *out,
    ngx_group_value_t *filter, ngx_uint_t nested);
static ngx_int_t ngx_group_filter_write_list(ngx_group_filter_out_t *out,
    ngx_group_filter_node_t *node, ngx_uint_t nested);
static ngx_int_t ngx_group_filter_write_field(ngx_group_filter_out_t *out,
    ngx_group_filter_node_t *node);
static ngx_int_t ngx_group_filter_write_name(ngx_group_filter_out_t *out,
    ngx_str_t *field, ngx_uint_t id);
static ngx_int_t ngx_group_filter_write_value(ngx_group_filter_out_t *out,
    ngx_group_filter_node_t *node);
static ngx_int_t ngx_group_filter_write_json(ngx_group_filter_out_t *out,
    ngx_str_t *text);
static ngx_int_t ngx_group_filter_write_odata(ngx_group_filter_out_t *out,
    ngx_str_t *text);
static void ngx_group_filter_put(ngx_group_filter_out_t *out, void *data,
    size_t len);


#define ngx_group_filter_put_str(out, s)                                      \
    ngx_group_filter_put(out, (s)->data, (s)->len)

#define ngx_group_filter_put_text(out, literal)                               \
    ngx_group_filter_put(out, literal, sizeof(literal) - 1)


ngx_int_t
ngx_group_filter_write(ngx_pool_t *pool, ngx_uint_t syntax, ngx_array_t *names,
    ngx_group_value_t *filter, ngx_str_t *text)
{
    ngx_int_t                rc;
    ngx_str_t                why;
    ngx_group_filter_out_t   out;

    if (ngx_group_filter_check(filter, &why) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_memzero(&out, sizeof(ngx_group_filter_out_t));

    out.syntax = syntax;
    out.names = names;

    rc = ngx_group_filter_write_node(&out, filter, 0);

    if (rc != NGX_OK) {
        return rc;
    }

    if (out.len > NGX_GROUP_FILTER_MAX_LEN) {
        return NGX_DECLINED;
    }

    text->data = ngx_pnalloc(pool, out.len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = out.len;

    out.pos = text->data;

    return ngx_group_filter_write_node(&out, filter, 0);
}


/* "nested": a list takes parentheses */

static ngx_int_t
ngx_group_filter_write_node(ngx_group_filter_out_t *out,
    ngx_group_value_t *filter, ngx_uint_t nested)
{
    ngx_int_t                 rc;
    ngx_group_filter_node_t   node;

    for ( ;; ) {

        if (ngx_group_filter_node(filter, &node) != NULL) {
            return NGX_DECLINED;
        }

        if (node.op > NGX_GROUP_FILTER_OR || node.args->n > 1) {
            break;
        }

        filter = node.args->u.items.first;
    }

    switch (node.op) {

    case NGX_GROUP_FILTER_AND:
    case NGX_GROUP_FILTER_OR:
        return ngx_group_filter_write_list(out, &node, nested);

    case NGX_GROUP_FILTER_NOT:

        /* read, as OData has it, but no part of what PortSIP documents */

        if (out->syntax == NGX_GROUP_FILTER_ODATA) {
            return NGX_DECLINED;
        }

        ngx_group_filter_put_text(out, "not (");

        rc = ngx_group_filter_write_node(out, node.args->u.items.first, 0);

        ngx_group_filter_put_text(out, ")");

        return rc;

    default:
        return ngx_group_filter_write_field(out, &node);
    }
}


static ngx_int_t
ngx_group_filter_write_list(ngx_group_filter_out_t *out,
    ngx_group_filter_node_t *node, ngx_uint_t nested)
{
    ngx_int_t           rc;
    ngx_group_value_t  *arg;

    if (nested) {
        ngx_group_filter_put_text(out, "(");
    }

    for (arg = node->args->u.items.first; arg; arg = arg->next) {

        rc = ngx_group_filter_write_node(out, arg, 1);

        if (rc != NGX_OK) {
            return rc;
        }

        if (arg->next == NULL) {
            break;
        }

        if (node->op == NGX_GROUP_FILTER_AND) {
            ngx_group_filter_put_text(out, " and ");

        } else {
            ngx_group_filter_put_text(out, " or ");
        }
    }

    if (nested) {
        ngx_group_filter_put_text(out, ")");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_write_field(ngx_group_filter_out_t *out,
    ngx_group_filter_node_t *node)
{
    ngx_str_t   *word, *eq;
    ngx_uint_t   odata;

    odata = (out->syntax == NGX_GROUP_FILTER_ODATA);
    word = ngx_group_filter_spelling(out->syntax, node->op);

    if (node->op == NGX_GROUP_FILTER_MEMBER) {

        if (odata
            || ngx_group_filter_write_name(out, &ngx_group_filter_members, 1)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }

        eq = ngx_group_filter_spelling(out->syntax, NGX_GROUP_FILTER_EQ);

        ngx_group_filter_put_text(out, " ");
        ngx_group_filter_put_str(out, eq);
        ngx_group_filter_put_text(out, " ");

        return ngx_group_filter_write_value(out, node);
    }

    if (word->len == 0) {
        return NGX_DECLINED;
    }

    if (node->op != NGX_GROUP_FILTER_PRESENT) {

        if (ngx_group_str_eq(node->field, &ngx_group_filter_members)) {
            return NGX_DECLINED;
        }

        if (node->value->type == NGX_GROUP_STRING
            && !node->exact
               != !ngx_group_filter_exact(out->syntax, node->field))
        {
            return NGX_DECLINED;
        }
    }

    if (odata && node->op >= NGX_GROUP_FILTER_CONTAINS) {

        ngx_group_filter_put_str(out, word);
        ngx_group_filter_put_text(out, "(");

        if (ngx_group_filter_write_name(out, node->field, 0) != NGX_OK) {
            return NGX_DECLINED;
        }

        ngx_group_filter_put_text(out, ",");

        if (ngx_group_filter_write_value(out, node) != NGX_OK) {
            return NGX_DECLINED;
        }

        ngx_group_filter_put_text(out, ")");

        return NGX_OK;
    }

    if (ngx_group_filter_write_name(out, node->field, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_group_filter_put_text(out, " ");
    ngx_group_filter_put_str(out, word);

    if (node->op == NGX_GROUP_FILTER_PRESENT) {
        return NGX_OK;
    }

    ngx_group_filter_put_text(out, " ");

    return ngx_group_filter_write_value(out, node);
}


/* the first attribute that is read as the field again; "id": its ids */

static ngx_int_t
ngx_group_filter_write_name(ngx_group_filter_out_t *out, ngx_str_t *field,
    ngx_uint_t id)
{
    ngx_str_t     *key, *name, *not;
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    if (out->names == NULL) {
        return NGX_DECLINED;
    }

    not = ngx_group_filter_spelling(out->syntax, NGX_GROUP_FILTER_NOT);

    kv = out->names->elts;

    for (i = 0; i < out->names->nelts; i++) {

        key = &kv[i].key;

        if (!ngx_group_str_eq(&kv[i].value, field) || key->len == 0
            || ngx_group_filter_word(key->data, key->data + key->len)
               != key->len
            || ngx_group_filter_is(out->syntax, key, not))
        {
            continue;
        }

        name = ngx_group_filter_name(out->syntax, out->names, key);

        if (!ngx_group_str_eq(name, field)) {
            continue;
        }

        ngx_group_filter_put_str(out, key);

        if (id && !ngx_group_filter_is_value(key)) {
            ngx_group_filter_put_text(out, ".value");
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_group_filter_write_value(ngx_group_filter_out_t *out,
    ngx_group_filter_node_t *node)
{
    ngx_str_t          *text;
    ngx_group_value_t  *value;

    value = node->value;
    text = &value->u.text;

    switch (value->type) {

    case NGX_GROUP_NULL:
        ngx_group_filter_put_text(out, "null");
        return NGX_OK;

    case NGX_GROUP_BOOLEAN:

        if (value->u.flag) {
            ngx_group_filter_put_text(out, "true");

        } else {
            ngx_group_filter_put_text(out, "false");
        }

        return NGX_OK;

    case NGX_GROUP_NUMBER:
        ngx_group_filter_put_str(out, text);
        return NGX_OK;

    default: /* NGX_GROUP_STRING */
        break;
    }

    if (ngx_group_utf8(text, NULL, NULL) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (out->syntax == NGX_GROUP_FILTER_SCIM) {
        return ngx_group_filter_write_json(out, text);
    }

    if (node->op <= NGX_GROUP_FILTER_LE
        && (ngx_group_str_is(node->field, "created_at")
            || ngx_group_str_is(node->field, "updated_at"))
        && text->len
        && ngx_group_filter_timestamp(text->data, text->data + text->len)
           == text->len)
    {
        ngx_group_filter_put_str(out, text);
        return NGX_OK;
    }

    return ngx_group_filter_write_odata(out, text);
}


static ngx_int_t
ngx_group_filter_write_json(ngx_group_filter_out_t *out, ngx_str_t *text)
{
    u_char  *p, *last, escape[6];

    ngx_group_filter_put_text(out, "\"");

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p == '\0') {
            return NGX_DECLINED;
        }

        if (*p < 0x20) {
            (void) ngx_sprintf(escape, "\\u%04xd", (int) *p);
            ngx_group_filter_put(out, escape, sizeof(escape));
            continue;
        }

        if (*p == '"' || *p == '\\') {
            ngx_group_filter_put_text(out, "\\");
        }

        ngx_group_filter_put(out, p, 1);
    }

    ngx_group_filter_put_text(out, "\"");

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_write_odata(ngx_group_filter_out_t *out, ngx_str_t *text)
{
    u_char  *p, *last;

    ngx_group_filter_put_text(out, "'");

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        /* there are no escapes */

        if (*p < 0x20) {
            return NGX_DECLINED;
        }

        if (*p == '\'') {
            ngx_group_filter_put_text(out, "'");
        }

        ngx_group_filter_put(out, p, 1);
    }

    ngx_group_filter_put_text(out, "'");

    return NGX_OK;
}


static void
ngx_group_filter_put(ngx_group_filter_out_t *out, void *data, size_t len)
{
    if (out->pos) {
        out->pos = ngx_cpymem(out->pos, data, len);

    } else {
        out->len += len;
    }
}
