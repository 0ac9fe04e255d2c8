
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"
#include "ngx_group_id.h"


typedef struct {
    ngx_uint_t          client_id;
    ngx_uint_t          upstream_id;
    ngx_uint_t          client_member_id;
    ngx_uint_t          upstream_member_id;
    ngx_str_t          *why;
} ngx_group_filter_forms_t;


static char *ngx_group_filter_check_node(ngx_group_value_t *filter,
    ngx_uint_t depth, ngx_uint_t *nodes);
static ngx_int_t ngx_group_filter_ids_node(ngx_pool_t *pool,
    ngx_group_value_t *filter, ngx_group_filter_forms_t *forms,
    ngx_uint_t depth);
static ngx_uint_t ngx_group_filter_uses_node(ngx_group_value_t *filter,
    ngx_str_t *field, ngx_uint_t depth);
static void ngx_group_filter_hint_node(ngx_group_value_t *filter,
    ngx_str_t *field, ngx_str_t *text, ngx_uint_t *exact, ngx_uint_t depth);


static ngx_str_t  ngx_group_filter_id = ngx_string("id");
static ngx_str_t  ngx_group_filter_op = ngx_string("op");
static ngx_str_t  ngx_group_filter_args = ngx_string("args");
static ngx_str_t  ngx_group_filter_key = ngx_string("field");
static ngx_str_t  ngx_group_filter_value = ngx_string("value");
static ngx_str_t  ngx_group_filter_flag = ngx_string("exact");

/* what a hook has left out is null */

static ngx_group_value_t  ngx_group_filter_null;


ngx_int_t
ngx_group_filter_check(ngx_group_value_t *filter, ngx_str_t *why)
{
    char        *reason;
    ngx_uint_t   nodes;

    nodes = 0;

    reason = ngx_group_filter_check_node(filter, 1, &nodes);

    if (reason == NULL) {
        return NGX_OK;
    }

    why->len = ngx_strlen(reason);
    why->data = (u_char *) reason;

    return NGX_DECLINED;
}


static char *
ngx_group_filter_check_node(ngx_group_value_t *filter, ngx_uint_t depth,
    ngx_uint_t *nodes)
{
    char                     *reason;
    ngx_group_value_t        *arg;
    ngx_group_filter_node_t   node;

    if (depth > NGX_GROUP_FILTER_MAX_DEPTH) {
        return "the filter is nested too deeply";
    }

    if (++*nodes > NGX_GROUP_FILTER_MAX_NODES) {
        return "the filter has too many parts";
    }

    reason = ngx_group_filter_node(filter, &node);

    if (reason || node.args == NULL) {
        return reason;
    }

    for (arg = node.args->u.items.first; arg; arg = arg->next) {

        reason = ngx_group_filter_check_node(arg, depth + 1, nodes);

        if (reason) {
            return reason;
        }
    }

    return NULL;
}


char *
ngx_group_filter_node(ngx_group_value_t *value, ngx_group_filter_node_t *node)
{
    ngx_uint_t          op;
    ngx_str_t          *text;
    ngx_group_value_t  *v;

    ngx_memzero(node, sizeof(ngx_group_filter_node_t));

    v = ngx_group_value_get(value, &ngx_group_filter_op);

    if (v == NULL || v->type != NGX_GROUP_STRING) {
        return "a part of the filter is no object with an \"op\"";
    }

    for (op = 0; op < NGX_GROUP_FILTER_OPS; op++) {
        if (ngx_group_str_eq(&v->u.text, &ngx_group_filter_words[op].name)) {
            break;
        }
    }

    node->op = op;

    switch (node->op) {

    case NGX_GROUP_FILTER_OPS:
        return "an \"op\" of the filter is not known";

    case NGX_GROUP_FILTER_AND:
    case NGX_GROUP_FILTER_OR:
    case NGX_GROUP_FILTER_NOT:
        v = ngx_group_value_get(value, &ngx_group_filter_args);

        if (v == NULL || v->type != NGX_GROUP_ARRAY || v->n == 0
            || (node->op == NGX_GROUP_FILTER_NOT && v->n != 1))
        {
            return "\"args\" of the filter are not as many as \"op\" takes";
        }

        node->args = v;

        return NULL;

    case NGX_GROUP_FILTER_MEMBER:
        break;

    default:
        v = ngx_group_value_get(value, &ngx_group_filter_key);

        if (v == NULL || v->type != NGX_GROUP_STRING || v->u.text.len == 0) {
            return "a \"field\" of the filter is no name";
        }

        node->field = &v->u.text;
    }

    if (node->op == NGX_GROUP_FILTER_PRESENT) {
        return NULL;
    }

    v = ngx_group_value_get(value, &ngx_group_filter_value);

    node->value = v ? v : &ngx_group_filter_null;
    node->exact = 1;

    text = &node->value->u.text;

    switch (node->value->type) {

    case NGX_GROUP_STRING:
        break;

    case NGX_GROUP_NUMBER:
        if (text->len == 0
            || ngx_group_filter_number(text->data, text->data + text->len)
               != text->len)
        {
            return "a \"value\" of the filter is no number";
        }

        /* fall through */

    case NGX_GROUP_BOOLEAN:
    case NGX_GROUP_NULL:

        if (node->op == NGX_GROUP_FILTER_EQ || node->op == NGX_GROUP_FILTER_NE
            || (node->value->type == NGX_GROUP_NUMBER
                && node->op <= NGX_GROUP_FILTER_LE))
        {
            return NULL;
        }

        /* fall through */

    default: /* NGX_GROUP_ARRAY, NGX_GROUP_OBJECT */
        return "a \"value\" of the filter is not of a type that \"op\" takes";
    }

    v = ngx_group_value_get(value, &ngx_group_filter_flag);

    if (v == NULL || v->type == NGX_GROUP_NULL) {
        return NULL;
    }

    if (v->type != NGX_GROUP_BOOLEAN) {
        return "an \"exact\" of the filter is no boolean";
    }

    node->exact = v->u.flag;

    return NULL;
}


ngx_int_t
ngx_group_filter_ids(ngx_pool_t *pool, ngx_group_value_t *filter,
    ngx_uint_t client_id, ngx_uint_t upstream_id, ngx_uint_t client_member_id,
    ngx_uint_t upstream_member_id, ngx_str_t *why)
{
    ngx_group_filter_forms_t  forms;

    forms.client_id = client_id;
    forms.upstream_id = upstream_id;
    forms.client_member_id = client_member_id;
    forms.upstream_member_id = upstream_member_id;
    forms.why = why;

    return ngx_group_filter_ids_node(pool, filter, &forms, 1);
}


static ngx_int_t
ngx_group_filter_ids_node(ngx_pool_t *pool, ngx_group_value_t *filter,
    ngx_group_filter_forms_t *forms, ngx_uint_t depth)
{
    ngx_int_t                 rc;
    ngx_str_t                *text, id;
    ngx_group_value_t        *arg;
    ngx_group_filter_node_t   node;

    if (depth > NGX_GROUP_FILTER_MAX_DEPTH
        || ngx_group_filter_node(filter, &node) != NULL)
    {
        return NGX_ERROR;
    }

    if (node.args) {

        for (arg = node.args->u.items.first; arg; arg = arg->next) {

            rc = ngx_group_filter_ids_node(pool, arg, forms, depth + 1);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        return NGX_OK;
    }

    if (node.value == NULL || node.value->type != NGX_GROUP_STRING) {
        return NGX_OK;
    }

    text = &node.value->u.text;

    if (node.op == NGX_GROUP_FILTER_MEMBER) {

        if (ngx_group_id_decode(pool, forms->client_member_id,
                                forms->upstream_member_id, text, &id)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        *text = id;

        return NGX_OK;
    }

    if (!ngx_group_str_eq(node.field, &ngx_group_filter_id)) {
        return NGX_OK;
    }

    if (node.op != NGX_GROUP_FILTER_EQ && node.op != NGX_GROUP_FILTER_NE) {

        if (forms->client_id == NGX_GROUP_ID_OPAQUE
            || forms->client_id == forms->upstream_id)
        {
            return NGX_OK;
        }

        ngx_str_set(forms->why, "the filter may ask of an id only whether it "
                                "is the same");
        return NGX_DECLINED;
    }

    if (ngx_group_id_decode(pool, forms->client_id, forms->upstream_id, text,
                            &id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *text = id;

    return NGX_OK;
}


ngx_uint_t
ngx_group_filter_uses(ngx_group_value_t *filter, ngx_str_t *field)
{
    return ngx_group_filter_uses_node(filter, field, 1);
}


static ngx_uint_t
ngx_group_filter_uses_node(ngx_group_value_t *filter, ngx_str_t *field,
    ngx_uint_t depth)
{
    ngx_group_value_t        *arg;
    ngx_group_filter_node_t   node;

    if (depth > NGX_GROUP_FILTER_MAX_DEPTH
        || ngx_group_filter_node(filter, &node) != NULL)
    {
        return 0;
    }

    if (node.op == NGX_GROUP_FILTER_MEMBER) {
        return ngx_group_str_eq(field, &ngx_group_filter_members);
    }

    if (node.args == NULL) {
        return ngx_group_str_eq(field, node.field);
    }

    for (arg = node.args->u.items.first; arg; arg = arg->next) {
        if (ngx_group_filter_uses_node(arg, field, depth + 1)) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_group_filter_hint(ngx_group_value_t *filter, ngx_str_t *field,
    ngx_str_t *text, ngx_uint_t *exact)
{
    ngx_str_null(text);
    *exact = 0;

    ngx_group_filter_hint_node(filter, field, text, exact, 1);

    return text->len ? NGX_OK : NGX_DECLINED;
}


static void
ngx_group_filter_hint_node(ngx_group_value_t *filter, ngx_str_t *field,
    ngx_str_t *text, ngx_uint_t *exact, ngx_uint_t depth)
{
    size_t                    len;
    ngx_group_value_t        *arg;
    ngx_group_filter_node_t   node;

    if (depth > NGX_GROUP_FILTER_MAX_DEPTH
        || ngx_group_filter_node(filter, &node) != NULL)
    {
        return;
    }

    switch (node.op) {

    case NGX_GROUP_FILTER_OR:

        if (node.args->n != 1) {
            return;
        }

        /* fall through */

    case NGX_GROUP_FILTER_AND:

        for (arg = node.args->u.items.first; arg; arg = arg->next) {
            ngx_group_filter_hint_node(arg, field, text, exact, depth + 1);
        }

        return;

    case NGX_GROUP_FILTER_EQ:
    case NGX_GROUP_FILTER_CONTAINS:
    case NGX_GROUP_FILTER_STARTS:
    case NGX_GROUP_FILTER_ENDS:
        break;

    default:
        return;
    }

    if (node.value->type != NGX_GROUP_STRING
        || !ngx_group_str_eq(node.field, field))
    {
        return;
    }

    len = node.value->u.text.len;

    if (len > text->len || (len == text->len && node.exact > *exact)) {
        *text = node.value->u.text;
        *exact = node.exact;
    }
}
