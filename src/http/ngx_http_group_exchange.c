
/*
 * The way of one request from its body to its answer.  Each step either goes
 * on to the next, waits (the phases are run again when there is something to go
 * on with), or ends with an answer.
 */


#include "ngx_http_group_module.h"


/* bytes that are given back when there is no memory to undo what was begun */
#define NGX_HTTP_GROUP_SPARE  65536


static ngx_int_t ngx_http_group_go_on(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_begin_call(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step);
static ngx_int_t ngx_http_group_gather(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_no_memory(ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step);
static ngx_uint_t ngx_http_group_spare(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static void ngx_http_group_undone(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_http_group_finish(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer);
static ngx_int_t ngx_http_group_policy_request(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_policy_begin(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_policy_response(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_policy_wait(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_group_policy_result(ngx_http_group_ctx_t *ctx,
    ngx_group_value_t **doc, ngx_uint_t member);
static ngx_int_t ngx_http_group_policy_var(void *data, ngx_str_t *name,
    ngx_str_t *value);


static ngx_str_t  ngx_http_group_member = ngx_string("member");


ngx_int_t
ngx_http_group_exchange_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   filter;
    ngx_group_answer_t          answer;
    ngx_http_group_ctx_t       *ctx;
    ngx_http_group_call_t      *call;
    ngx_http_group_loc_conf_t  *glcf;

    /* a call starts behind this phase: the upstream redirected it here */

    call = ngx_http_group_call_of(r);

    if (call && call->fetch == NULL) {
        return ngx_http_group_call_redirected(r);
    }

    /* the same call once more: its path is encoded, and must not be twice */

    if (ngx_http_group_call_cloned(r)) {
        r->internal = 0;
        return NGX_OK;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (glcf->dialect == NULL) {
        return NGX_DECLINED;
    }

    /* the access phase, where we look who calls, is not for subrequests */

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "group location reached by a subrequest");
        return NGX_HTTP_FORBIDDEN;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_group_module);

    rc = NGX_OK;

    /* "satisfy any" may have let the client in before we were asked */

    if (ctx == NULL) {
        rc = ngx_http_group_match(r, &ctx);

        if (rc != NGX_OK && (rc == NGX_ERROR || !glcf->explain)) {
            goto failed;
        }
    }

    if (glcf->explain && ctx->explain == NULL) {

        if (ngx_http_group_explain_begin(r, ctx) != NGX_OK) {
            return ngx_http_group_fail(r);
        }

        /* what was found before is told where everybody was asked */

        if (ctx->error.outcome != NGX_GROUP_DONE) {
            rc = NGX_DECLINED;
            goto failed;
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "group exchange state:%d waiting:%d", (int) ctx->state,
                   (int) ctx->waiting);

    if (ctx->waiting) {

        if (ctx->pending
            || (ctx->state != NGX_HTTP_GROUP_CALL
                && ctx->state != NGX_HTTP_GROUP_POLICY
                && ctx->state != NGX_HTTP_GROUP_ANSWER))
        {
            return NGX_DONE;
        }

        ctx->waiting = 0;
    }

    if (ctx->let) {
        return ngx_http_group_let(r, ctx);
    }

    if (ctx->document) {

        /* RFC 7644, 4: nobody is to think that a filter was looked at */

        if (ngx_http_arg(r, (u_char *) "filter", 6, &filter) == NGX_OK) {
            ngx_group_error_set(&ctx->error, NGX_GROUP_FORBIDDEN, "query",
                                "this cannot be filtered");
            rc = NGX_DECLINED;
            goto failed;
        }

        rc = ngx_http_group_answer_document(r, ctx, &answer);

        return (rc == NGX_OK) ? ngx_http_group_respond(r, ctx, &answer)
                              : ngx_http_group_fail(r);
    }

    switch (ctx->state) {

    case NGX_HTTP_GROUP_MATCH:

        ctx->state = NGX_HTTP_GROUP_READ;

        /* fall through */

    case NGX_HTTP_GROUP_READ:

        rc = ngx_http_group_read_body(r, ctx);

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }

        if (rc != NGX_OK) {
            break;
        }

        ctx->state = NGX_HTTP_GROUP_PREPARE;

        /* fall through */

    case NGX_HTTP_GROUP_PREPARE:

        ngx_http_group_phase_begin(ctx);

        rc = ngx_http_group_decode_request(r, ctx);

        ngx_http_group_phase_end(ctx, NGX_HTTP_GROUP_PHASE_DECODE);

        if (rc != NGX_OK) {
            break;
        }

        if (ctx->explain && ngx_http_group_explain_request(r, ctx) != NGX_OK)
        {
            rc = NGX_ERROR;
            break;
        }

        ctx->state = NGX_HTTP_GROUP_POLICY;

        /* fall through */

    case NGX_HTTP_GROUP_POLICY:

        rc = glcf->policies ? ngx_http_group_policy_request(r, ctx) : NGX_OK;

        if (rc != NGX_OK) {
            break;
        }

        if (ctx->explain && ngx_http_group_explain_request(r, ctx) != NGX_OK)
        {
            rc = NGX_ERROR;
            break;
        }

        ctx->state = NGX_HTTP_GROUP_PLAN;

        /* fall through */

    case NGX_HTTP_GROUP_PLAN:

        rc = ngx_http_group_plan(r, ctx);

        if (rc != NGX_OK) {
            break;
        }

        ctx->state = NGX_HTTP_GROUP_LOCK;

        /* fall through */

    case NGX_HTTP_GROUP_LOCK:

        rc = (ctx->plan->serial && ctx->explain == NULL)
             ? ngx_http_group_lock(r, ctx) : NGX_OK;

        if (rc == NGX_AGAIN) {
            ctx->waiting = 1;
            return NGX_DONE;
        }

        if (rc != NGX_OK) {
            break;
        }

        ctx->state = NGX_HTTP_GROUP_CALL;
        ctx->started = ngx_current_msec;
        ngx_http_group_phase_begin(ctx);

        rc = ngx_http_group_go_on(r, ctx);

        break;

    case NGX_HTTP_GROUP_CALL:

        rc = ngx_http_group_gather(r, ctx);

        if (rc == NGX_OK) {
            rc = ngx_http_group_go_on(r, ctx);
        }

        break;

    case NGX_HTTP_GROUP_ANSWER:

        rc = NGX_OK;
        break;

    default:
        return NGX_DONE;
    }

    if (rc == NGX_DONE) {
        return NGX_DONE;
    }

    if (ctx->state == NGX_HTTP_GROUP_CALL) {
        ngx_http_group_phase_end(ctx, NGX_HTTP_GROUP_PHASE_UPSTREAM);
    }

    ngx_http_group_unlock(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_group_finish(r, ctx, &answer);
    }

    if (rc == NGX_DONE) {
        return NGX_DONE;
    }

    if (rc == NGX_OK) {
        return ngx_http_group_respond(r, ctx, &answer);
    }

failed:

    if (rc == NGX_DECLINED) {
        rc = ngx_http_group_refuse(r, ctx);

        return (rc == NGX_DECLINED) ? ngx_http_group_let(r, ctx) : rc;
    }

    return ngx_http_group_fail(r);
}


/*
 * Rounds of calls until the plan has its result.  NGX_DONE: there are calls to
 * wait for; NGX_OK: ctx->plan->result; NGX_DECLINED: ctx->error; NGX_ERROR.
 */

static ngx_int_t
ngx_http_group_go_on(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_group_plan_t            *plan;
    ngx_group_step_t           **step;
    ngx_http_group_loc_conf_t   *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);
    plan = ctx->plan;

    if (plan->apart && ctx->spare == NULL && ctx->explain == NULL) {
        ctx->spare = ngx_palloc(r->pool, NGX_HTTP_GROUP_SPARE);
        if (ctx->spare == NULL) {
            return NGX_ERROR;
        }
    }

    for ( ;; ) {

        /* the calls that are under way have limits of their own */

        plan->late = (ngx_current_msec - ctx->started > glcf->plan_timeout);

        rc = ngx_group_plan_run(plan);

        if (rc == NGX_ERROR) {
            (void) ngx_http_group_spare(r, ctx);
            rc = ngx_group_plan_abandon(plan);
        }

        if (rc != NGX_AGAIN) {
            break;
        }

        step = plan->round.elts;

        for (i = 0; i < plan->round.nelts; i++) {
            if (ngx_http_group_begin_call(r, ctx, step[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (ctx->explain && ngx_http_group_explain_round(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ctx->pending) {
            ctx->waiting = 1;
            return NGX_DONE;
        }
    }

    if (rc == NGX_DECLINED) {
        ctx->error = plan->error;

        /* the same vendor's own words, when nobody may have changed them */

        ctx->as_is = (plan->upstream == plan->client && ctx->run == NULL
                      && ctx->call && ctx->call->readable
                      && ctx->call->status >= NGX_HTTP_BAD_REQUEST
                      && ctx->call->status < NGX_HTTP_INTERNAL_SERVER_ERROR
                      && ctx->call->status != NGX_HTTP_UNAUTHORIZED);
    }

    if (plan->undoing) {
        ngx_http_group_undone(r, ctx, rc);
    }

    return rc;
}


/* a step that cannot be written fails, and the plan is told so */

static ngx_int_t
ngx_http_group_begin_call(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step)
{
    ngx_int_t               rc;
    ngx_http_group_call_t  *call;

    rc = ngx_http_group_step_encode(r, ctx, step);

    if (rc == NGX_DECLINED) {
        step->call = NULL;
        return NGX_OK;
    }

    if (rc == NGX_OK && ctx->explain) {
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        call = step->call;
        call->pending = &ctx->pending;

        if (ngx_http_group_call_start(r, call) == NGX_OK) {
            ctx->pending++;

            if (step->main) {
                ctx->call = call;
            }

            return NGX_OK;
        }
    }

    step->call = NULL;

    return ngx_http_group_no_memory(ctx, step);
}


/* the answers of the round */

static ngx_int_t
ngx_http_group_gather(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t          i;
    ngx_group_step_t  **step;

    step = ctx->plan->round.elts;

    for (i = 0; i < ctx->plan->round.nelts; i++) {
        if (step[i]->call == NULL
            || ngx_http_group_step_decode(r, ctx, step[i]) == NGX_OK)
        {
            continue;
        }

        /* what was made is known by its answer only, which is still there */

        if (ngx_http_group_spare(r, ctx)) {
            ngx_memzero(&step[i]->error, sizeof(ngx_group_error_t));

            if (ngx_http_group_step_decode(r, ctx, step[i]) == NGX_OK) {
                continue;
            }
        }

        if (ngx_http_group_no_memory(ctx, step[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* where there is something to undo, want of memory is a failure as any other */

static ngx_int_t
ngx_http_group_no_memory(ngx_http_group_ctx_t *ctx, ngx_group_step_t *step)
{
    if (!ctx->plan->begun) {
        return NGX_ERROR;
    }

    ngx_group_error_set(&step->error, NGX_GROUP_INTERNAL, "memory",
                        "there is no memory for this");

    return NGX_OK;
}


/* gives back what was kept for an undo; whether there was something */

static ngx_uint_t
ngx_http_group_spare(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    if (ctx->spare == NULL) {
        return 0;
    }

    (void) ngx_pfree(r->pool, ctx->spare);
    ctx->spare = NULL;

    return 1;
}


/* counts it, and logs once what is left; rc: NGX_ERROR if it was given up */

static void
ngx_http_group_undone(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_int_t rc)
{
    u_char            *id, *left, *last;
    ngx_group_plan_t  *plan;
    u_char             text[2 * NGX_HTTP_GROUP_LOG_TEXT];

    plan = ctx->plan;

    if (rc != NGX_ERROR && plan->orphan.len == 0) {
        ngx_http_group_count_undo(ctx, 0);
        return;
    }

    ngx_http_group_count_undo(ctx, 1);

    id = text;
    last = text + NGX_HTTP_GROUP_LOG_TEXT;
    left = ngx_http_group_log_text(id, last, &plan->group_id);

    if (plan->op->operation == NGX_GROUP_GROUP_CREATE) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "group \"%*s\" was made upstream only in part and could "
                      "not be removed", (size_t) (left - id), id);
        return;
    }

    last = ngx_http_group_log_text(left, text + sizeof(text), &plan->left);

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "group \"%*s\" was changed upstream only in part and could "
                  "not be put back%s%*s", (size_t) (left - id), id,
                  last == left ? "" : ": ", (size_t) (last - left), left);
}


/*
 * The plan's result to the answer.  NGX_DONE: a hook waits, and there will be
 * another try.
 */

static ngx_int_t
ngx_http_group_finish(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_answer_t *answer)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    /* there is no answer that a hook could look at */

    if (ctx->explain) {
        ngx_memzero(answer, sizeof(ngx_group_answer_t));
        answer->status = ctx->op->status;
        return NGX_OK;
    }

    if (ctx->state != NGX_HTTP_GROUP_ANSWER) {
        rc = ngx_http_group_complete(r, ctx, ctx->plan->result);
    }

    if (rc == NGX_OK && ctx->run) {
        rc = ngx_http_group_policy_response(r, ctx);
    }

    if (rc == NGX_OK) {
        ngx_http_group_phase_begin(ctx);
        rc = ngx_http_group_encode_answer(r, ctx, answer);
        ngx_http_group_phase_end(ctx, NGX_HTTP_GROUP_PHASE_ENCODE);
    }

    return rc;
}


/* NGX_OK, NGX_DONE (a hook waits), NGX_DECLINED or NGX_ERROR */

static ngx_int_t
ngx_http_group_policy_request(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               member;
    ngx_group_policy_ctx_t  *pc;

    if (ctx->run) {
        rc = ngx_group_policy_resume(ctx->run);

    } else {

        if (ngx_http_group_policy_begin(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = ngx_group_policy_request(ctx->run, &ctx->error);
    }

    rc = ngx_http_group_policy_wait(r, ctx, rc);

    if (rc != NGX_OK) {
        return rc;
    }

    pc = ctx->policy;
    member = (ctx->op->operation >= NGX_GROUP_MEMBER_ADD);

    ngx_http_group_policy_result(ctx, &ctx->doc, member);

    if (pc->query_changed) {

        /* "ctx.query = nil": nothing is asked for */

        if (pc->query == NULL) {
            pc->query = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
            if (pc->query == NULL) {
                return NGX_ERROR;
            }
        }

        ctx->query = pc->query;
        ctx->changed = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_policy_begin(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t                   member;
    ngx_group_policy_ctx_t      *pc;
    ngx_http_group_loc_conf_t   *glcf;
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_group_module);
    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    pc = ngx_pcalloc(r->pool, sizeof(ngx_group_policy_ctx_t));
    if (pc == NULL) {
        return NGX_ERROR;
    }

    member = (ctx->op->operation >= NGX_GROUP_MEMBER_ADD);

    pc->pool = r->pool;
    pc->log = r->connection->log;
    pc->operation = *ngx_group_operation_name(ctx->op->operation);
    pc->dialect = glcf->dialect->name;
    pc->upstream_dialect = glcf->upstream_dialect->name;
    pc->principal = ctx->principal;
    pc->group = member ? NULL : ctx->doc;
    pc->member = member ? ngx_group_value_get(ctx->doc, &ngx_http_group_member)
                        : NULL;
    pc->query = ctx->query;
    pc->var = ngx_http_group_policy_var;
    pc->data = r;
    pc->dry = (ctx->explain != NULL);
    pc->ran = ctx->explain ? ngx_http_group_explain_ran
              : ctx->metrics ? ngx_http_group_count_policy : NULL;
    pc->zones = gmcf->shared;
    pc->timeout = glcf->policy_timeout;
    pc->memory = glcf->policy_memory;

    ctx->policy = pc;

    ctx->run = ngx_group_policy_begin(pc, glcf->policies);

    return (ctx->run == NULL) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_group_policy_response(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               member;
    ngx_group_policy_ctx_t  *pc;

    pc = ctx->policy;
    member = (ctx->op->operation >= NGX_GROUP_MEMBER_ADD);

    if (ctx->state == NGX_HTTP_GROUP_ANSWER) {
        rc = ngx_group_policy_resume(ctx->run);

    } else {
        ctx->state = NGX_HTTP_GROUP_ANSWER;

        pc->group_changed = 0;
        pc->member_changed = 0;
        pc->group = NULL;
        pc->member = NULL;

        ctx->changed = 0;

        if (ctx->result) {
            pc->group = member ? NULL : ctx->result;
            pc->member = member ? ngx_group_value_get(ctx->result,
                                                      &ngx_http_group_member)
                                : NULL;
        }

        rc = ngx_group_policy_response(ctx->run, &ctx->error);
    }

    rc = ngx_http_group_policy_wait(r, ctx, rc);

    if (rc == NGX_OK && ctx->result) {
        ngx_http_group_policy_result(ctx, &ctx->result, member);
    }

    return rc;
}


/* starts what a hook waits for; NGX_DONE: it waits */

static ngx_int_t
ngx_http_group_policy_wait(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_uint_t           i;
    ngx_array_t         *fetches;
    ngx_group_fetch_t  **fetch;

    while (rc == NGX_AGAIN) {

        fetches = ngx_group_policy_fetches(ctx->run);
        fetch = fetches->elts;

        for (i = 0; i < fetches->nelts; i++) {
            if (ngx_http_group_fetch_start(r, ctx, fetch[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (ctx->pending) {
            ctx->waiting = 1;
            return NGX_DONE;
        }

        rc = ngx_group_policy_resume(ctx->run);
    }

    if (rc == NGX_ERROR) {
        ngx_group_error_set(&ctx->error, NGX_GROUP_INTERNAL, "hook",
                            "a policy failed");
        return NGX_DECLINED;
    }

    return rc;
}


static void
ngx_http_group_policy_result(ngx_http_group_ctx_t *ctx,
    ngx_group_value_t **doc, ngx_uint_t member)
{
    if (!member && ctx->policy->group_changed && ctx->policy->group) {
        *doc = ctx->policy->group;
        ctx->changed = 1;
    }

    if (member && ctx->policy->member_changed && ctx->policy->member) {
        ngx_group_value_set(*doc, &ngx_http_group_member,
                            ctx->policy->member);
        ctx->changed = 1;
    }
}


static ngx_int_t
ngx_http_group_policy_var(void *data, ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_request_t *r = data;

    u_char                     *low;
    ngx_str_t                   key;
    ngx_uint_t                  hash;
    ngx_http_variable_value_t  *vv;

    low = ngx_pnalloc(r->pool, name->len);
    if (low == NULL) {
        return NGX_ERROR;
    }

    hash = ngx_hash_strlow(low, name->data, name->len);
    key.data = low;
    key.len = name->len;

    vv = ngx_http_get_variable(r, &key, hash);

    if (vv == NULL) {
        return NGX_ERROR;
    }

    if (vv->not_found) {
        return NGX_DECLINED;
    }

    value->data = vv->data;
    value->len = vv->len;

    return NGX_OK;
}
