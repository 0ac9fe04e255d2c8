
/*
 * group_explain: what would be done with a request, told instead of done.  The
 * request goes its way; where it would send something upstream, that is noted
 * here, and the plan goes on with an answer that was made up.
 */


#include "ngx_http_group_explain.h"


static ngx_int_t ngx_http_group_explain_hook(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_policy_ran_t *ran);
static ngx_int_t ngx_http_group_explain_changes(ngx_http_group_ctx_t *ctx,
    ngx_pool_t *pool, ngx_group_policy_t *policy, char *name,
    ngx_group_value_t *was, ngx_group_value_t *now,
    ngx_group_value_t *changed);


static char  *ngx_http_group_explain_trees[] = { "group", "member", "query" };


ngx_int_t
ngx_http_group_explain_begin(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_http_group_explain_t  *ex;

    ex = ngx_pcalloc(r->pool, sizeof(ngx_http_group_explain_t));
    if (ex == NULL) {
        return NGX_ERROR;
    }

    ex->canonical = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    ex->query = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    ex->hooks = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);
    ex->filled = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);
    ex->calls = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);

    if (ex->canonical == NULL || ex->query == NULL || ex->hooks == NULL
        || ex->filled == NULL || ex->calls == NULL)
    {
        return NGX_ERROR;
    }

    ctx->explain = ex;

    return NGX_OK;
}


/* the plan changes what it is made of: what is shown are copies */

ngx_int_t
ngx_http_group_explain_request(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    char                      *when;
    ngx_group_value_t         *doc, *query;
    ngx_http_group_explain_t  *ex;

    static ngx_str_t           member = ngx_string("member");

    ex = ctx->explain;
    when = ex->prepared ? "after" : "before";

    doc = ngx_group_value_copy(r->pool, ctx->doc);
    query = ngx_group_value_copy(r->pool, ctx->query);

    if (doc == NULL || query == NULL
        || ngx_http_group_explain_set(r->pool, ex->canonical, when, doc)
           != NGX_OK
        || ngx_http_group_explain_set(r->pool, ex->query, when, query)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ex->prepared) {
        ex->prepared = 1;

        if (ctx->op->operation >= NGX_GROUP_MEMBER_ADD) {
            ex->seen[1] = ngx_group_value_get(doc, &member);

        } else {
            ex->seen[0] = doc;
        }

        ex->seen[2] = query;
    }

    return NGX_OK;
}


void
ngx_http_group_explain_ran(void *data, ngx_group_policy_ran_t *ran)
{
    ngx_http_request_t *r = data;

    ngx_http_group_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    /* whoever tells us cannot do anything about it */

    if (ngx_http_group_explain_hook(r, ctx, ran) != NGX_OK) {
        ctx->explain->failed = 1;
    }
}


static ngx_int_t
ngx_http_group_explain_hook(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_policy_ran_t *ran)
{
    ngx_str_t                  file;
    ngx_uint_t                 i;
    ngx_group_value_t         *hook, *changed, *now[3];
    ngx_group_policy_ctx_t    *pc;
    ngx_http_group_explain_t  *ex;

    static const char         *verdicts[] = {
        "passed", "denied", "failed", "timeout", "memory"
    };

    ex = ctx->explain;
    pc = ctx->policy;

    hook = ngx_http_group_explain_add(r->pool, ex->hooks, NULL,
                                      NGX_GROUP_OBJECT);
    changed = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);

    if (hook == NULL || changed == NULL) {
        return NGX_ERROR;
    }

    now[0] = pc->group;
    now[1] = pc->member;
    now[2] = pc->query;

    for (i = 0; i < 3 && ran->verdict == NGX_GROUP_VERDICT_PASSED; i++) {

        if (ngx_http_group_explain_changes(ctx, r->pool, ran->policy,
                                           ngx_http_group_explain_trees[i],
                                           ex->seen[i], now[i], changed)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ex->seen[i] = now[i];
    }

    /* where a file is, is nobody's business */

    ngx_group_policy_name(ran->policy, &file);

    if (ngx_http_group_explain_text(r->pool, hook, "file", &file) != NGX_OK
        || ngx_http_group_explain_literal(r->pool, hook, "hook", ran->hook)
           != NGX_OK
        || ngx_http_group_explain_literal(r->pool, hook, "verdict",
                                          changed->n ? "changed"
                                                     : verdicts[ran->verdict])
           != NGX_OK
        || ngx_http_group_explain_number(r->pool, hook, "microseconds",
                                         ran->time)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ran->verdict == NGX_GROUP_VERDICT_DENIED) {

        if (ngx_http_group_explain_text(r->pool, hook, "outcome",
                                ngx_group_outcome_name(ctx->error.outcome))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_group_explain_text(r->pool, hook, "detail",
                                           &ctx->error.detail);
    }

    return changed->n ? ngx_http_group_explain_set(r->pool, hook, "changed",
                                                   changed)
                      : NGX_OK;
}


/* fields that a hook changed, and those that were not there before */

static ngx_int_t
ngx_http_group_explain_changes(ngx_http_group_ctx_t *ctx, ngx_pool_t *pool,
    ngx_group_policy_t *policy, char *name, ngx_group_value_t *was,
    ngx_group_value_t *now, ngx_group_value_t *changed)
{
    size_t              len, n;
    ngx_str_t           text, file;
    ngx_uint_t          i;
    ngx_group_value_t  *v, *other, *trees[2];

    if (now == was || (now && was && ngx_group_value_equal(now, was))) {
        return NGX_OK;
    }

    trees[0] = now;
    trees[1] = was;

    len = ngx_strlen(name);
    ngx_group_policy_name(policy, &file);

    for (i = 0; i < 2; i++) {

        if (trees[i] == NULL || trees[i]->type != NGX_GROUP_OBJECT) {
            continue;
        }

        for (v = trees[i]->u.items.first; v; v = v->next) {

            other = ngx_group_value_get(trees[!i], &v->key);

            if (other && (i == 1 || ngx_group_value_equal(v, other))) {
                continue;
            }

            /* "name" of a group, "member.id", "query.limit" */

            n = (name[0] == 'g') ? 0 : len + 1;

            text.len = n + v->key.len;
            text.data = ngx_pnalloc(pool, text.len);
            if (text.data == NULL) {
                return NGX_ERROR;
            }

            if (n) {
                ngx_memcpy(text.data, name, len);
                text.data[len] = '.';
            }

            ngx_memcpy(text.data + n, v->key.data, v->key.len);

            if (ngx_http_group_explain_push(pool, changed, &text) != NGX_OK) {
                return NGX_ERROR;
            }

            if (i == 0 && (other == NULL || other->type == NGX_GROUP_NULL)
                && ngx_http_group_explain_note(ctx, pool, &text, "hook", &file)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_group_explain_filled(ngx_http_request_t *r, ngx_str_t *field)
{
    ngx_http_group_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    if (ctx == NULL || ctx->explain == NULL) {
        return NGX_OK;
    }

    return ngx_http_group_explain_note(ctx, r->pool, field, "group_default",
                                       NULL);
}


ngx_int_t
ngx_http_group_explain_note(ngx_http_group_ctx_t *ctx, ngx_pool_t *pool,
    ngx_str_t *field, char *by, ngx_str_t *file)
{
    ngx_group_value_t  *note;

    note = ngx_http_group_explain_add(pool, ctx->explain->filled, NULL,
                                      NGX_GROUP_OBJECT);

    if (note == NULL
        || ngx_http_group_explain_text(pool, note, "field", field) != NGX_OK
        || ngx_http_group_explain_literal(pool, note, "by", by) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return file ? ngx_http_group_explain_text(pool, note, "file", file)
                : NGX_OK;
}


/* the marks of an explanation that was given already */

ngx_uint_t
ngx_http_group_explains(ngx_http_group_ctx_t *ctx)
{
    return ctx->explain && !ctx->explain->told;
}
