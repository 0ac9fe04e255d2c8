
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"
#include "ngx_group_text.h"


static ngx_int_t ngx_group_filter_list(ngx_group_filter_ctx_t *ctx,
    ngx_uint_t op, ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_unary(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_group(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_not(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_function(ngx_group_filter_ctx_t *ctx,
    ngx_uint_t op, ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_comparison(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_path(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_operand(ngx_group_filter_ctx_t *ctx,
    ngx_uint_t op, ngx_str_t *field, ngx_group_value_t **out);

static ngx_int_t ngx_group_filter_create(ngx_group_filter_ctx_t *ctx,
    ngx_uint_t op, ngx_group_value_t **out);
static ngx_int_t ngx_group_filter_set_args(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t *node, ngx_group_value_t **args);
static ngx_int_t ngx_group_filter_set_field(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t *node, ngx_str_t *field);
static void ngx_group_filter_set(ngx_group_value_t *node, char *key,
    size_t len, ngx_group_value_t *value);

static void ngx_group_filter_space(ngx_group_filter_ctx_t *ctx);
static ngx_uint_t ngx_group_filter_next(ngx_group_filter_ctx_t *ctx, u_char c);
static ngx_uint_t ngx_group_filter_keyword(ngx_group_filter_ctx_t *ctx,
    ngx_uint_t op);


static ngx_str_t  ngx_group_filter_sub = ngx_string("value");


ngx_int_t
ngx_group_filter_parse(ngx_pool_t *pool, ngx_uint_t syntax, ngx_array_t *names,
    ngx_str_t *text, ngx_group_value_t **filter, ngx_str_t *why)
{
    u_char                  *p;
    size_t                   bad;
    ngx_int_t                rc;
    ngx_group_filter_ctx_t   ctx;

    ngx_memzero(&ctx, sizeof(ngx_group_filter_ctx_t));

    ctx.pool = pool;
    ctx.syntax = syntax;
    ctx.names = names;
    ctx.start = text->data;
    ctx.pos = text->data;
    ctx.last = text->data + text->len;
    ctx.why = why;

    if (text->len > NGX_GROUP_FILTER_MAX_LEN) {
        ngx_str_set(why, "the filter is too long");
        return NGX_DECLINED;
    }

    if (ngx_group_utf8(text, NULL, &bad) != NGX_OK) {
        ctx.pos += bad;
        return ngx_group_filter_error(&ctx, "the filter is not UTF-8", NULL);
    }

    for (p = ctx.start; p < ctx.last; p++) {

        if (*p < 0x20) {
            ctx.pos = p;
            return ngx_group_filter_error(&ctx, "the filter has a control "
                                                "character", NULL);
        }
    }

    ngx_group_filter_space(&ctx);

    if (ctx.pos == ctx.last) {
        ngx_str_set(why, "the filter is empty");
        return NGX_DECLINED;
    }

    rc = ngx_group_filter_list(&ctx, NGX_GROUP_FILTER_OR, filter);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx.pos < ctx.last) {
        return ngx_group_filter_error(&ctx, "the filter goes on with neither "
                                            "\"and\" nor \"or\"", NULL);
    }

    /* each parenthesis can hold an "or" of an "and" of a "not" */

    return ngx_group_filter_check(*filter, why);
}


/* "or" of "and", or "and" of what is neither: "and" binds tighter */

static ngx_int_t
ngx_group_filter_list(ngx_group_filter_ctx_t *ctx, ngx_uint_t op,
    ngx_group_value_t **out)
{
    ngx_int_t           rc;
    ngx_group_value_t  *node, *args;

    args = NULL;

    for ( ;; ) {

        if (op == NGX_GROUP_FILTER_OR) {
            rc = ngx_group_filter_list(ctx, NGX_GROUP_FILTER_AND, &node);

        } else {
            rc = ngx_group_filter_unary(ctx, &node);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        if (args) {
            ngx_group_value_push(args, node);
        }

        ngx_group_filter_space(ctx);

        if (!ngx_group_filter_keyword(ctx, op)) {
            break;
        }

        if (args == NULL) {
            rc = ngx_group_filter_create(ctx, op, out);

            if (rc != NGX_OK) {
                return rc;
            }

            if (ngx_group_filter_set_args(ctx, *out, &args) != NGX_OK) {
                return NGX_ERROR;
            }

            ngx_group_value_push(args, node);
        }
    }

    if (args == NULL) {
        *out = node;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_unary(ngx_group_filter_ctx_t *ctx, ngx_group_value_t **out)
{
    ngx_str_t   word;
    ngx_uint_t  op;

    ngx_group_filter_space(ctx);

    if (ngx_group_filter_next(ctx, '(')) {
        return ngx_group_filter_group(ctx, out);
    }

    if (ngx_group_filter_keyword(ctx, NGX_GROUP_FILTER_NOT)) {
        return ngx_group_filter_not(ctx, out);
    }

    if (!ngx_group_filter_peek(ctx, &word)) {
        return ngx_group_filter_error(ctx, "the filter has no attribute where "
                                           "one is expected", NULL);
    }

    if (ctx->syntax == NGX_GROUP_FILTER_ODATA
        && word.data + word.len < ctx->last && word.data[word.len] == '(')
    {
        for (op = NGX_GROUP_FILTER_CONTAINS; op <= NGX_GROUP_FILTER_ENDS; op++)
        {
            if (ngx_group_str_eq(&word, &ngx_group_filter_words[op].odata)) {
                ctx->pos += word.len + 1;
                return ngx_group_filter_function(ctx, op, out);
            }
        }

        return ngx_group_filter_error(ctx, "the filter has an unknown function",
                                      &word);
    }

    return ngx_group_filter_comparison(ctx, out);
}


/* what follows "(" */

static ngx_int_t
ngx_group_filter_group(ngx_group_filter_ctx_t *ctx, ngx_group_value_t **out)
{
    ngx_int_t  rc;

    if (++ctx->depth > NGX_GROUP_FILTER_MAX_DEPTH) {
        return ngx_group_filter_error(ctx, "the filter is nested too deeply",
                                      NULL);
    }

    rc = ngx_group_filter_list(ctx, NGX_GROUP_FILTER_OR, out);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_group_filter_next(ctx, ')')) {
        return ngx_group_filter_error(ctx, "the filter has no \")\" where one "
                                           "is expected", NULL);
    }

    ctx->depth--;

    return NGX_OK;
}


/* what follows "not": in SCIM it takes parentheses, in OData anything */

static ngx_int_t
ngx_group_filter_not(ngx_group_filter_ctx_t *ctx, ngx_group_value_t **out)
{
    ngx_int_t           rc;
    ngx_group_value_t  *node, *args;

    ngx_group_filter_space(ctx);

    if (ctx->syntax == NGX_GROUP_FILTER_SCIM
        && (ctx->pos == ctx->last || *ctx->pos != '('))
    {
        return ngx_group_filter_error(ctx, "the filter has no \"(\" after "
                                           "\"not\"", NULL);
    }

    if (ngx_group_filter_next(ctx, '(')) {
        rc = ngx_group_filter_group(ctx, &node);

    } else if (++ctx->depth > NGX_GROUP_FILTER_MAX_DEPTH) {
        return ngx_group_filter_error(ctx, "the filter is nested too deeply",
                                      NULL);

    } else {
        rc = ngx_group_filter_unary(ctx, &node);
        ctx->depth--;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_filter_create(ctx, NGX_GROUP_FILTER_NOT, out);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_group_filter_set_args(ctx, *out, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_group_value_push(args, node);

    return NGX_OK;
}


/* what follows "contains(" */

static ngx_int_t
ngx_group_filter_function(ngx_group_filter_ctx_t *ctx, ngx_uint_t op,
    ngx_group_value_t **out)
{
    ngx_int_t   rc;
    ngx_str_t   word, *field;

    ngx_group_filter_space(ctx);

    if (!ngx_group_filter_peek(ctx, &word)) {
        return ngx_group_filter_error(ctx, "the filter has no attribute where "
                                           "one is expected", NULL);
    }

    field = ngx_group_filter_name(ctx->syntax, ctx->names, &word);

    if (field == NULL || ngx_group_str_eq(field, &ngx_group_filter_members)) {
        return ngx_group_filter_error(ctx, "the filter asks for an attribute "
                                           "that cannot be filtered by", &word);
    }

    ctx->pos += word.len;

    ngx_group_filter_space(ctx);

    if (!ngx_group_filter_next(ctx, ',')) {
        return ngx_group_filter_error(ctx, "the filter has no \",\" where one "
                                           "is expected", NULL);
    }

    rc = ngx_group_filter_operand(ctx, op, field, out);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_group_filter_space(ctx);

    if (!ngx_group_filter_next(ctx, ')')) {
        return ngx_group_filter_error(ctx, "the filter has no \")\" where one "
                                           "is expected", NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_comparison(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t **out)
{
    ngx_int_t    rc;
    ngx_str_t    word, *field, *name;
    ngx_uint_t   op, members;

    (void) ngx_group_filter_peek(ctx, &word);

    field = ngx_group_filter_name(ctx->syntax, ctx->names, &word);

    if (field == NULL) {
        return ngx_group_filter_error(ctx, "the filter asks for an attribute "
                                           "that cannot be filtered by", &word);
    }

    members = ngx_group_str_eq(field, &ngx_group_filter_members);

    if (members && ctx->syntax == NGX_GROUP_FILTER_ODATA) {
        return ngx_group_filter_error(ctx, "the filter cannot compare", &word);
    }

    ctx->pos += word.len;

    if (members && !ngx_group_filter_is_value(&word)
        && ngx_group_filter_next(ctx, '['))
    {
        return ngx_group_filter_path(ctx, out);
    }

    ngx_group_filter_space(ctx);

    if (!ngx_group_filter_peek(ctx, &word)) {
        return ngx_group_filter_error(ctx, "the filter has no operator where "
                                           "one is expected", NULL);
    }

    for (op = NGX_GROUP_FILTER_EQ; op <= NGX_GROUP_FILTER_PRESENT; op++) {

        if (ctx->syntax == NGX_GROUP_FILTER_ODATA
            && op > NGX_GROUP_FILTER_LE)
        {
            op = NGX_GROUP_FILTER_OPS;
            break;
        }

        name = ngx_group_filter_spelling(ctx->syntax, op);

        if (ngx_group_filter_is(ctx->syntax, &word, name)) {
            break;
        }
    }

    if (op > NGX_GROUP_FILTER_PRESENT) {
        return ngx_group_filter_error(ctx, "the filter has an unknown operator",
                                      &word);
    }

    if (members && op != NGX_GROUP_FILTER_EQ && op != NGX_GROUP_FILTER_PRESENT)
    {
        return ngx_group_filter_error(ctx, "the filter can only ask which "
                                           "members there are, not", &word);
    }

    ctx->pos += word.len;

    if (op == NGX_GROUP_FILTER_PRESENT) {
        rc = ngx_group_filter_create(ctx, op, out);

        if (rc != NGX_OK) {
            return rc;
        }

        return ngx_group_filter_set_field(ctx, *out, field);
    }

    if (members) {
        op = NGX_GROUP_FILTER_MEMBER;
    }

    return ngx_group_filter_operand(ctx, op, field, out);
}


/* what follows "members[": only this, value eq "a" or value eq "b" */

static ngx_int_t
ngx_group_filter_path(ngx_group_filter_ctx_t *ctx, ngx_group_value_t **out)
{
    ngx_int_t           rc;
    ngx_str_t           word, *eq;
    ngx_group_value_t  *node, *args;

    eq = &ngx_group_filter_words[NGX_GROUP_FILTER_EQ].scim;
    args = NULL;

    for ( ;; ) {
        ngx_group_filter_space(ctx);

        if (!ngx_group_filter_peek(ctx, &word)
            || !ngx_group_filter_is(ctx->syntax, &word, &ngx_group_filter_sub))
        {
            return ngx_group_filter_error(ctx, "the filter can ask for members "
                                               "by \"value\" only", NULL);
        }

        ctx->pos += word.len;

        ngx_group_filter_space(ctx);

        if (!ngx_group_filter_peek(ctx, &word)
            || !ngx_group_filter_is(ctx->syntax, &word, eq))
        {
            return ngx_group_filter_error(ctx, "the filter can ask for members "
                                               "by \"eq\" only", NULL);
        }

        ctx->pos += word.len;

        rc = ngx_group_filter_operand(ctx, NGX_GROUP_FILTER_MEMBER, NULL,
                                      &node);

        if (rc != NGX_OK) {
            return rc;
        }

        if (args) {
            ngx_group_value_push(args, node);
        }

        ngx_group_filter_space(ctx);

        if (ngx_group_filter_next(ctx, ']')) {
            break;
        }

        if (!ngx_group_filter_keyword(ctx, NGX_GROUP_FILTER_OR)) {
            return ngx_group_filter_error(ctx, "the filter has no \"]\" where "
                                               "one is expected", NULL);
        }

        if (args == NULL) {
            rc = ngx_group_filter_create(ctx, NGX_GROUP_FILTER_OR, out);

            if (rc != NGX_OK) {
                return rc;
            }

            if (ngx_group_filter_set_args(ctx, *out, &args) != NGX_OK) {
                return NGX_ERROR;
            }

            ngx_group_value_push(args, node);
        }
    }

    if (args == NULL) {
        *out = node;
    }

    return NGX_OK;
}


/* the value that a field is compared with */

static ngx_int_t
ngx_group_filter_operand(ngx_group_filter_ctx_t *ctx, ngx_uint_t op,
    ngx_str_t *field, ngx_group_value_t **out)
{
    u_char             *p;
    ngx_int_t           rc;
    ngx_uint_t          exact;
    ngx_group_value_t  *value, *flag;

    ngx_group_filter_space(ctx);

    p = ctx->pos;
    value = NULL;

    rc = ngx_group_filter_literal(ctx, &value);

    if (rc != NGX_OK) {
        return rc;
    }

    if (value->type != NGX_GROUP_STRING && op != NGX_GROUP_FILTER_EQ
        && op != NGX_GROUP_FILTER_NE)
    {
        if (op > NGX_GROUP_FILTER_LE) {
            ctx->pos = p;
            return ngx_group_filter_error(ctx, "the filter has a value that "
                                               "is no text", NULL);
        }

        if (value->type != NGX_GROUP_NUMBER) {
            ctx->pos = p;
            return ngx_group_filter_error(ctx, "the filter has a value that "
                                               "nothing is less or greater "
                                               "than", NULL);
        }
    }

    rc = ngx_group_filter_create(ctx, op, out);

    if (rc != NGX_OK) {
        return rc;
    }

    if (op == NGX_GROUP_FILTER_MEMBER) {
        ngx_group_filter_set(*out, "value", 5, value);
        return NGX_OK;
    }

    if (ngx_group_filter_set_field(ctx, *out, field) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_group_filter_set(*out, "value", 5, value);

    exact = value->type != NGX_GROUP_STRING
            || ngx_group_filter_exact(ctx->syntax, field);

    flag = ngx_group_value_boolean(ctx->pool, exact);
    if (flag == NULL) {
        return NGX_ERROR;
    }

    ngx_group_filter_set(*out, "exact", 5, flag);

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_create(ngx_group_filter_ctx_t *ctx, ngx_uint_t op,
    ngx_group_value_t **out)
{
    ngx_group_value_t  *name;

    if (++ctx->nodes > NGX_GROUP_FILTER_MAX_NODES) {
        return ngx_group_filter_error(ctx, "the filter has too many parts",
                                      NULL);
    }

    *out = ngx_group_value_create(ctx->pool, NGX_GROUP_OBJECT);
    if (*out == NULL) {
        return NGX_ERROR;
    }

    name = ngx_group_value_string(ctx->pool, &ngx_group_filter_words[op].name);
    if (name == NULL) {
        return NGX_ERROR;
    }

    ngx_group_filter_set(*out, "op", 2, name);

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_set_args(ngx_group_filter_ctx_t *ctx, ngx_group_value_t *node,
    ngx_group_value_t **args)
{
    *args = ngx_group_value_create(ctx->pool, NGX_GROUP_ARRAY);
    if (*args == NULL) {
        return NGX_ERROR;
    }

    ngx_group_filter_set(node, "args", 4, *args);

    return NGX_OK;
}


static ngx_int_t
ngx_group_filter_set_field(ngx_group_filter_ctx_t *ctx,
    ngx_group_value_t *node, ngx_str_t *field)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_string(ctx->pool, field);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_group_filter_set(node, "field", 5, value);

    return NGX_OK;
}


static void
ngx_group_filter_set(ngx_group_value_t *node, char *key, size_t len,
    ngx_group_value_t *value)
{
    value->key.data = (u_char *) key;
    value->key.len = len;

    ngx_group_value_push(node, value);
}


static void
ngx_group_filter_space(ngx_group_filter_ctx_t *ctx)
{
    while (ctx->pos < ctx->last && *ctx->pos == ' ') {
        ctx->pos++;
    }
}


static ngx_uint_t
ngx_group_filter_next(ngx_group_filter_ctx_t *ctx, u_char c)
{
    if (ctx->pos == ctx->last || *ctx->pos != c) {
        return 0;
    }

    ctx->pos++;

    return 1;
}


ngx_uint_t
ngx_group_filter_peek(ngx_group_filter_ctx_t *ctx, ngx_str_t *word)
{
    word->data = ctx->pos;
    word->len = ngx_group_filter_word(ctx->pos, ctx->last);

    return word->len != 0;
}


static ngx_uint_t
ngx_group_filter_keyword(ngx_group_filter_ctx_t *ctx, ngx_uint_t op)
{
    ngx_str_t  word;

    if (!ngx_group_filter_peek(ctx, &word)
        || !ngx_group_filter_is(ctx->syntax, &word,
                                ngx_group_filter_spelling(ctx->syntax, op)))
    {
        return 0;
    }

    ctx->pos += word.len;

    return 1;
}


ngx_int_t
ngx_group_filter_error(ngx_group_filter_ctx_t *ctx, char *reason,
    ngx_str_t *word)
{
    return ngx_group_filter_fail(ctx->pool, ctx->why, reason, word,
                                 ctx->pos - ctx->start);
}
