
/*
 * group_explain: what would be done with a request, told instead of done.  The
 * request goes its way; where it would send something upstream, that is noted
 * here, and the plan goes on with an answer that was made up.
 */


#include "ngx_http_group_explain.h"
#include "ngx_group_json.h"
#include "ngx_group_text.h"


/* what our own output may be when it is read again */
#define NGX_HTTP_GROUP_EXPLAIN_DEPTH  1024
#define NGX_HTTP_GROUP_EXPLAIN_ITEMS  10000000


static ngx_int_t ngx_http_group_explain_call(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t *object);
static ngx_int_t ngx_http_group_explain_headers(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_http_group_call_t *call,
    ngx_group_value_t *object);
static ngx_uint_t ngx_http_group_explain_secret(ngx_http_group_call_t *call,
    ngx_str_t *name);
static ngx_int_t ngx_http_group_explain_depends(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t *object);
static ngx_uint_t ngx_http_group_explain_mark(ngx_str_t *text, u_char *marks,
    ngx_uint_t n);
static ngx_uint_t ngx_http_group_explain_has(ngx_str_t *text, u_char *what,
    size_t len);
static ngx_int_t ngx_http_group_explain_uri(ngx_pool_t *pool,
    ngx_http_group_call_t *call, ngx_uint_t made, ngx_str_t *uri);
static ngx_int_t ngx_http_group_explain_hook(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_policy_ran_t *ran);
static ngx_int_t ngx_http_group_explain_changes(ngx_http_group_ctx_t *ctx,
    ngx_pool_t *pool, ngx_group_policy_t *policy, char *name,
    ngx_group_value_t *was, ngx_group_value_t *now,
    ngx_group_value_t *changed);
static ngx_int_t ngx_http_group_explain_note(ngx_http_group_ctx_t *ctx,
    ngx_pool_t *pool, ngx_str_t *field, char *by, ngx_str_t *file);
static ngx_int_t ngx_http_group_explain_document(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer,
    ngx_group_value_t *doc);
static ngx_int_t ngx_http_group_explain_client(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *doc);
static ngx_int_t ngx_http_group_explain_constants(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_explain_refused(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *refused);
static char *ngx_http_group_explain_stage(ngx_http_group_ctx_t *ctx);
static ngx_int_t ngx_http_group_explain_failures(ngx_http_request_t *r,
    ngx_group_value_t *doc);
static ngx_int_t ngx_http_group_explain_written(ngx_pool_t *pool,
    ngx_group_answer_t *answer, ngx_group_value_t *object);
static ngx_int_t ngx_http_group_explain_body(ngx_pool_t *pool,
    ngx_str_t *media_type, ngx_str_t *body, ngx_group_value_t *object);
static ngx_int_t ngx_http_group_explain_utf8(ngx_pool_t *pool,
    ngx_str_t *text);

static ngx_str_t *ngx_http_group_explain_file(ngx_pool_t *pool,
    ngx_group_policy_t *policy);
static ngx_int_t ngx_http_group_explain_set(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_group_value_t *value);
static ngx_int_t ngx_http_group_explain_number(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, int64_t n);
static ngx_int_t ngx_http_group_explain_push(ngx_pool_t *pool,
    ngx_group_value_t *list, ngx_str_t *text);


/* how an upstream may refuse, whatever it was asked */

static ngx_uint_t  ngx_http_group_explain_outcomes[] = {
    NGX_GROUP_NOT_FOUND,
    NGX_GROUP_CONFLICT,
    NGX_GROUP_INVALID,
    NGX_GROUP_FORBIDDEN,
    NGX_GROUP_RATE_LIMITED,
    NGX_GROUP_INTERNAL,
    NGX_GROUP_BAD_GATEWAY,
    NGX_GROUP_UNAVAILABLE,
    NGX_GROUP_TIMEOUT
};


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

    if (ngx_http_group_explain_text(r->pool, hook, "file",
                           ngx_http_group_explain_file(r->pool, ran->policy))
        != NGX_OK
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
    file = *ngx_http_group_explain_file(pool, policy);

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


static ngx_int_t
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


ngx_int_t
ngx_http_group_explain_round(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_group_step_t          **step;
    ngx_group_value_t          *object, *copy;
    ngx_http_group_explain_t   *ex;

    ex = ctx->explain;
    ex->round++;

    step = ctx->plan->round.elts;

    for (i = 0; i < ctx->plan->round.nelts; i++) {

        if (step[i]->call == NULL) {
            continue;
        }

        ex->ncalls++;

        object = ngx_http_group_explain_add(r->pool, ex->calls, NULL,
                                            NGX_GROUP_OBJECT);

        if (object == NULL
            || ngx_http_group_explain_call(r, ctx, step[i], object) != NGX_OK)
        {
            return NGX_ERROR;
        }

        step[i]->answer = ngx_http_group_explain_answer(ctx, step[i],
                                                        ex->ncalls);
        if (step[i]->answer == NULL) {
            return NGX_ERROR;
        }

        copy = ngx_group_value_copy(r->pool, step[i]->answer);

        if (copy == NULL
            || ngx_http_group_explain_set(r->pool, object, "assumed", copy)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_explain_call(ngx_http_request_t *r, ngx_http_group_ctx_t *ctx,
    ngx_group_step_t *step, ngx_group_value_t *object)
{
    ngx_int_t                  depends;
    ngx_str_t                  uri;
    ngx_pool_t                *pool;
    ngx_http_group_call_t     *call;
    ngx_http_group_explain_t  *ex;

    pool = r->pool;
    ex = ctx->explain;
    call = step->call;

    if (ngx_http_group_explain_number(pool, object, "call", ex->ncalls)
        != NGX_OK
        || ngx_http_group_explain_number(pool, object, "round", ex->round)
           != NGX_OK
        || (step->op->operation < NGX_GROUP_OPERATIONS
            && ngx_http_group_explain_text(pool, object, "operation",
                             ngx_group_operation_name(step->op->operation))
               != NGX_OK)
        || ngx_http_group_explain_text(pool, object, "method", &call->method)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    depends = ngx_http_group_explain_depends(r, ctx, step, object);

    if (depends == NGX_ERROR
        || ngx_http_group_explain_uri(pool, call, depends == NGX_OK, &uri)
           != NGX_OK
        || ngx_http_group_explain_text(pool, object, "uri", &uri) != NGX_OK
        || ngx_http_group_explain_headers(r, ctx, call, object) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_group_explain_body(pool, &call->media_type, &call->body,
                                       object);
}


/* what proxy_pass is given; its own, such as Connection, come on top */

static ngx_int_t
ngx_http_group_explain_headers(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_http_group_call_t *call,
    ngx_group_value_t *object)
{
    u_char              *p;
    ngx_str_t            value;
    ngx_uint_t           i;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_group_value_t   *headers, *v;
    ngx_http_request_t  *sr;

    static ngx_str_t     masked = ngx_string("***");

    sr = ngx_pcalloc(r->pool, sizeof(ngx_http_request_t));
    headers = ngx_http_group_explain_add(r->pool, object, "headers",
                                         NGX_GROUP_OBJECT);

    if (sr == NULL || headers == NULL) {
        return NGX_ERROR;
    }

    sr->pool = r->pool;
    call->request = r;

    if (ngx_http_group_call_headers(sr, call) != NGX_OK) {
        return NGX_ERROR;
    }

    part = &sr->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NGX_OK;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        value = ngx_http_group_explain_secret(call, &h[i].key)
                ? masked
                : ngx_http_group_header_is(&h[i], "host")
                  ? ctx->upstream_host : h[i].value;

        /* RFC 9110, 5.2: the same name again is the same as a list */

        v = ngx_group_value_get(headers, &h[i].key);

        if (v) {
            p = ngx_pnalloc(r->pool, v->u.text.len + 2 + value.len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            v->u.text.len = ngx_sprintf(p, "%V, %V", &v->u.text, &value) - p;
            v->u.text.data = p;

            continue;
        }

        v = ngx_group_value_string(r->pool, &value);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(headers, &h[i].key, v);
    }
}


/* all that signs a call in, but for the date of a signature */

static ngx_uint_t
ngx_http_group_explain_secret(ngx_http_group_call_t *call, ngx_str_t *name)
{
    ngx_uint_t           i;
    ngx_group_header_t  *header;

    if (name->len == sizeof("Authorization") - 1
        && ngx_strncasecmp(name->data, (u_char *) "Authorization", name->len)
           == 0)
    {
        return 1;
    }

    if (call->headers == NULL
        || (name->len == sizeof("X-Amz-Date") - 1
            && ngx_strncasecmp(name->data, (u_char *) "X-Amz-Date", name->len)
               == 0))
    {
        return 0;
    }

    header = call->headers->elts;

    for (i = 0; i < call->headers->nelts; i++) {
        if (header[i].name.len == name->len
            && ngx_strncasecmp(header[i].name.data, name->data, name->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* NGX_OK: it does; NGX_DECLINED; NGX_ERROR */

static ngx_int_t
ngx_http_group_explain_depends(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_step_t *step,
    ngx_group_value_t *object)
{
    ngx_uint_t                 i, n, found;
    ngx_group_value_t         *list, *number;
    ngx_http_group_call_t     *call;
    ngx_http_group_explain_t  *ex;

    ex = ctx->explain;
    call = step->call;
    n = ex->ncalls;

    if (ex->marks == NULL) {
        ex->marks = ngx_pcalloc(r->pool, ctx->plan->max_calls + 1);
        if (ex->marks == NULL) {
            return NGX_ERROR;
        }
    }

    found = ngx_http_group_explain_mark(&call->path, ex->marks, n)
            + ngx_http_group_explain_mark(&call->args, ex->marks, n)
            + ngx_http_group_explain_mark(&call->body, ex->marks, n);

    if (ex->vague && ex->vague < n
        && step->op->operation == NGX_GROUP_GROUP_REPLACE)
    {
        ex->marks[ex->vague] = 1;
        found++;
    }

    if (found == 0) {
        return NGX_DECLINED;
    }

    list = ngx_http_group_explain_add(r->pool, object, "depends_on",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    for (i = 1; i < n; i++) {

        if (!ex->marks[i]) {
            continue;
        }

        ex->marks[i] = 0;

        number = ngx_group_value_integer(r->pool, i);
        if (number == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_push(list, number);
    }

    return NGX_OK;
}


/*
 * Marks the calls below "n" whose made-up answers a text has something of:
 * "{id of call 1}", as it is, percent-encoded, or in an e-mail address.
 */

static ngx_uint_t
ngx_http_group_explain_mark(ngx_str_t *text, u_char *marks, ngx_uint_t n)
{
    u_char      *p, *last;
    ngx_uint_t   i, k, found;

    static ngx_str_t  begins[] = {
        ngx_string(" of call "),
        ngx_string("-of-call-"),
        ngx_string("%20of%20call%20")
    };

    found = 0;
    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p != ' ' && *p != '-' && *p != '%') {
            continue;
        }

        for (k = 0; k < sizeof(begins) / sizeof(begins[0]); k++) {

            if ((size_t) (last - p) <= begins[k].len
                || ngx_memcmp(p, begins[k].data, begins[k].len) != 0)
            {
                continue;
            }

            p += begins[k].len;

            for (i = 0; p < last && *p >= '0' && *p <= '9' && i < n; p++) {
                i = i * 10 + (*p - '0');
            }

            if (i && i < n && p < last && (*p == '}' || *p == '%')) {
                marks[i] = 1;
                found++;
            }

            /* what stands here may begin another one */

            p--;

            break;
        }
    }

    return found;
}


static ngx_uint_t
ngx_http_group_explain_has(ngx_str_t *text, u_char *what, size_t len)
{
    size_t  i;

    for (i = 0; i + len <= text->len; i++) {
        if (ngx_memcmp(text->data + i, what, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* what stands for an answer's text is to be read by people */

static ngx_int_t
ngx_http_group_explain_uri(ngx_pool_t *pool, ngx_http_group_call_t *call,
    ngx_uint_t made, ngx_str_t *uri)
{
    u_char     *p, *last, *to, *end;
    size_t      n;
    ngx_str_t   in, out;

    uri->data = ngx_pnalloc(pool, call->path.len + 1 + call->args.len);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    uri->len = ngx_sprintf(uri->data, "%V%s%V", &call->path,
                           call->args.len ? "?" : "", &call->args)
               - uri->data;

    if (!made) {
        return NGX_OK;
    }

    to = uri->data;
    last = uri->data + uri->len;

    for (p = uri->data; p < last; /* void */ ) {

        n = last - p;
        end = (n > 6 && ngx_strncmp(p, "%7B", 3) == 0)
              ? ngx_strnstr(p, "%7D", n) : NULL;

        if (end == NULL) {
            *to++ = *p++;
            continue;
        }

        in.data = p;
        in.len = end + 3 - p;

        if (ngx_group_percent_decode(pool, &in, &out, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        to = ngx_cpymem(to, out.data, out.len);
        p = end + 3;
    }

    uri->len = to - uri->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_group_explain_respond(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer)
{
    ngx_keyval_t        *header;
    ngx_group_value_t   *doc;
    ngx_group_answer_t   told;

    ctx->explain->told = 1;

    ngx_memzero(&told, sizeof(ngx_group_answer_t));

    told.status = NGX_HTTP_OK;
    ngx_str_set(&told.media_type, "application/json");

    doc = ngx_group_value_create(r->pool, NGX_GROUP_OBJECT);
    told.headers = ngx_array_create(r->pool, 1, sizeof(ngx_keyval_t));

    if (doc == NULL || told.headers == NULL || ctx->explain->failed) {
        return ngx_http_group_fail(r);
    }

    header = ngx_array_push(told.headers);
    if (header == NULL) {
        return ngx_http_group_fail(r);
    }

    ngx_str_set(&header->key, "Cache-Control");
    ngx_str_set(&header->value, "no-store");

    if (ngx_http_group_explain_document(r, ctx, answer, doc) != NGX_OK
        || ngx_http_group_explain_clean(r->pool, doc) != NGX_OK
        || ngx_group_json_encode(r->pool, doc, &told.body) != NGX_OK)
    {
        return ngx_http_group_fail(r);
    }

    return ngx_http_group_respond(r, ctx, &told);
}


/* the marks of an explanation that was given already */

ngx_uint_t
ngx_http_group_explains(ngx_http_group_ctx_t *ctx)
{
    return ctx->explain && !ctx->explain->told;
}


static ngx_int_t
ngx_http_group_explain_document(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_answer_t *answer,
    ngx_group_value_t *doc)
{
    ngx_uint_t                 refused;
    ngx_pool_t                *pool;
    ngx_group_value_t         *v;
    ngx_http_group_explain_t  *ex;

    pool = r->pool;
    ex = ctx->explain;
    refused = (ctx->error.outcome != NGX_GROUP_DONE);

    if (ngx_http_group_explain_client(r, ctx, doc) != NGX_OK
        || ngx_http_group_explain_constants(r, ctx) != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "canonical", ex->canonical)
           != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "query", ex->query) != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "hooks", ex->hooks) != NGX_OK
        || ngx_http_group_explain_list(pool, doc, "lost", &ctx->lost)
           != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "filled", ex->filled)
           != NGX_OK
        || ngx_http_group_explain_set(pool, doc, "calls", ex->calls) != NGX_OK)
    {
        return NGX_ERROR;
    }

    v = ngx_http_group_explain_add(pool, doc, refused ? "refused" : "answer",
                                   NGX_GROUP_OBJECT);
    if (v == NULL) {
        return NGX_ERROR;
    }

    if (refused && ngx_http_group_explain_refused(r, ctx, v) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_group_explain_written(pool, answer, v) != NGX_OK) {
        return NGX_ERROR;
    }

    return (ex->ncalls && !refused)
           ? ngx_http_group_explain_failures(r, doc) : NGX_OK;
}


/* who asks, and for what */

static ngx_int_t
ngx_http_group_explain_client(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *doc)
{
    u_char                     *p;
    ngx_str_t                   path;
    ngx_pool_t                 *pool;
    ngx_group_value_t          *v, *scopes;
    ngx_group_principal_t      *principal;
    ngx_http_group_loc_conf_t  *glcf;

    pool = r->pool;
    principal = ctx->principal;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    v = ngx_http_group_explain_add(pool, doc, "request", NGX_GROUP_OBJECT);

    if (v == NULL
        || ngx_http_group_explain_text(pool, v, "method", &r->method_name)
           != NGX_OK
        || ngx_http_group_explain_text(pool, v, "uri", &r->unparsed_uri)
           != NGX_OK
        || ngx_http_group_explain_text(pool, doc, "dialect",
                                       &glcf->dialect->name)
           != NGX_OK
        || ngx_http_group_explain_text(pool, doc, "upstream_dialect",
                                       &glcf->upstream_dialect->name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->op) {

        if (ctx->op->operation < NGX_GROUP_OPERATIONS
            && ngx_http_group_explain_text(pool, doc, "operation",
                              ngx_group_operation_name(ctx->op->operation))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_pnalloc(pool, ctx->client.base_path.len
                              + ctx->op->search.len + ctx->op->pattern.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        path.data = p;
        path.len = ngx_sprintf(p, "%V%V", &ctx->client.base_path,
                               ctx->search ? &ctx->op->search
                                           : &ctx->op->pattern)
                   - p;

        if (ngx_http_group_explain_text(pool, doc, "template", &path)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* nobody was asked where this is null */

    v = ngx_http_group_explain_add(pool, doc, "principal",
                                   principal ? NGX_GROUP_STRING
                                             : NGX_GROUP_NULL);
    scopes = ngx_http_group_explain_add(pool, doc, "scopes",
                                        NGX_GROUP_OBJECT);

    if (v == NULL || scopes == NULL) {
        return NGX_ERROR;
    }

    if (principal) {
        v->u.text = principal->id;
    }

    if (ngx_http_group_explain_list(pool, scopes, "required",
                  ctx->op ? ngx_http_group_required_scopes(glcf, ctx->op)
                          : NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_group_explain_list(pool, scopes, "held",
                                       principal ? &principal->scopes : NULL);
}


/* what the upstream's dialect always writes, whatever was asked */

static ngx_int_t
ngx_http_group_explain_constants(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_group_op_t             *op;
    ngx_group_field_t          *field;
    ngx_http_group_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_group_module);

    if (ctx->explain->ncalls == 0 || glcf->dialect == glcf->upstream_dialect
        || ctx->op->operation >= NGX_GROUP_OPERATIONS)
    {
        return NGX_OK;
    }

    op = glcf->upstream_dialect->ops[ctx->op->operation];

    if (op == NULL || op->request == NULL) {
        return NGX_OK;
    }

    field = op->request->elts;

    for (i = 0; i < op->request->nelts; i++) {
        if (field[i].constant && !field[i].read_only
            && ngx_http_group_explain_note(ctx, r->pool, &field[i].name,
                                           "dialect", NULL)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_explain_refused(ngx_http_request_t *r,
    ngx_http_group_ctx_t *ctx, ngx_group_value_t *refused)
{
    ngx_uint_t            i;
    ngx_pool_t           *pool;
    ngx_group_value_t    *list, *item;
    ngx_group_problem_t  *problem;

    pool = r->pool;

    if (ngx_http_group_explain_literal(pool, refused, "stage",
                                       ngx_http_group_explain_stage(ctx))
        != NGX_OK
        || ngx_http_group_explain_text(pool, refused, "outcome",
                                 ngx_group_outcome_name(ctx->error.outcome))
           != NGX_OK
        || ngx_http_group_explain_text(pool, refused, "code",
                                       &ctx->error.code)
           != NGX_OK
        || ngx_http_group_explain_text(pool, refused, "detail",
                                       &ctx->error.detail)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->error.problems == NULL) {
        return NGX_OK;
    }

    list = ngx_http_group_explain_add(pool, refused, "problems",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    problem = ctx->error.problems->elts;

    for (i = 0; i < ctx->error.problems->nelts; i++) {

        item = ngx_http_group_explain_add(pool, list, NULL, NGX_GROUP_OBJECT);

        if (item == NULL
            || ngx_http_group_explain_text(pool, item, "field",
                                           &problem[i].field)
               != NGX_OK
            || ngx_http_group_explain_text(pool, item, "code",
                                           &problem[i].code)
               != NGX_OK
            || (problem[i].detail.len
                && ngx_http_group_explain_text(pool, item, "detail",
                                               &problem[i].detail)
                   != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static char *
ngx_http_group_explain_stage(ngx_http_group_ctx_t *ctx)
{
    switch (ctx->state) {

    case NGX_HTTP_GROUP_MATCH:

        switch (ctx->error.outcome) {

        case NGX_GROUP_FORBIDDEN:
            return ctx->document ? "match" : "authorize";

        case NGX_GROUP_NOT_FOUND:
        case NGX_GROUP_METHOD_NOT_ALLOWED:
            return "match";

        case NGX_GROUP_INVALID:
            return "validate";

        default:
            return "decode";
        }

    case NGX_HTTP_GROUP_READ:
        return "read";

    case NGX_HTTP_GROUP_PREPARE:
        return (ctx->error.outcome == NGX_GROUP_INVALID) ? "validate"
                                                         : "decode";

    case NGX_HTTP_GROUP_POLICY:
        return "policy";

    case NGX_HTTP_GROUP_PLAN:
        return "plan";

    default:
        return "encode";
    }
}


/* the words are the client's dialect's; an upstream may have more to say */

static ngx_int_t
ngx_http_group_explain_failures(ngx_http_request_t *r, ngx_group_value_t *doc)
{
    ngx_uint_t           i, *outcome;
    ngx_group_error_t    error;
    ngx_group_value_t   *list, *item;
    ngx_group_answer_t   answer;

    list = ngx_http_group_explain_add(r->pool, doc, "failures",
                                      NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    outcome = ngx_http_group_explain_outcomes;

    for (i = 0; i < sizeof(ngx_http_group_explain_outcomes)
                    / sizeof(ngx_http_group_explain_outcomes[0]); i++)
    {
        ngx_group_error_set(&error, outcome[i], "upstream",
                            "{what the upstream says}");
        error.upstream = 1;

        item = ngx_http_group_explain_add(r->pool, list, NULL,
                                          NGX_GROUP_OBJECT);

        if (item == NULL
            || ngx_http_group_explain_text(r->pool, item, "outcome",
                                        ngx_group_outcome_name(outcome[i]))
               != NGX_OK
            || ngx_http_group_render(r, &error, &answer) != NGX_OK
            || ngx_http_group_explain_written(r->pool, &answer, item)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* an answer as the client would get it */

static ngx_int_t
ngx_http_group_explain_written(ngx_pool_t *pool, ngx_group_answer_t *answer,
    ngx_group_value_t *object)
{
    ngx_str_t           name;
    ngx_uint_t          i;
    ngx_keyval_t       *header;
    ngx_group_value_t  *headers, *v;

    if (ngx_http_group_explain_number(pool, object, "status", answer->status)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->media_type.len
        && ngx_http_group_explain_text(pool, object, "media_type",
                                       &answer->media_type)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->headers && answer->headers->nelts) {

        headers = ngx_http_group_explain_add(pool, object, "headers",
                                             NGX_GROUP_OBJECT);
        if (headers == NULL) {
            return NGX_ERROR;
        }

        header = answer->headers->elts;

        for (i = 0; i < answer->headers->nelts; i++) {
            v = ngx_group_value_string(pool, &header[i].value);
            if (v == NULL) {
                return NGX_ERROR;
            }

            name = header[i].key;
            ngx_group_value_set(headers, &name, v);
        }
    }

    return ngx_http_group_explain_body(pool, &answer->media_type,
                                       &answer->body, object);
}


/* JSON as the value that it is, all else as text */

static ngx_int_t
ngx_http_group_explain_body(ngx_pool_t *pool, ngx_str_t *media_type,
    ngx_str_t *body, ngx_group_value_t *object)
{
    ngx_int_t            rc;
    ngx_str_t            type, why;
    ngx_group_value_t   *value;
    ngx_group_limits_t   limits;

    if (body->len == 0) {
        return NGX_OK;
    }

    type.data = (u_char *) "json";
    type.len = 4;

    if (ngx_http_group_explain_has(media_type, type.data, type.len)) {

        limits.max_depth = NGX_HTTP_GROUP_EXPLAIN_DEPTH;
        limits.max_items = NGX_HTTP_GROUP_EXPLAIN_ITEMS;

        rc = ngx_group_json_decode(pool, &limits, body, &value, &why);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            return ngx_http_group_explain_set(pool, object, "body", value);
        }
    }

    return ngx_http_group_explain_text(pool, object, "body", body);
}


/* a path or a header may be of any bytes, JSON is of characters */

ngx_int_t
ngx_http_group_explain_clean(ngx_pool_t *pool, ngx_group_value_t *value)
{
    ngx_group_value_t  *v;

    if (value->type == NGX_GROUP_STRING) {
        return ngx_http_group_explain_utf8(pool, &value->u.text);
    }

    if (value->type != NGX_GROUP_ARRAY && value->type != NGX_GROUP_OBJECT) {
        return NGX_OK;
    }

    for (v = value->u.items.first; v; v = v->next) {
        if (ngx_http_group_explain_utf8(pool, &v->key) != NGX_OK
            || ngx_http_group_explain_clean(pool, v) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_explain_utf8(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char     *p;
    size_t      bad;
    ngx_str_t   rest;

    rest = *text;

    if (ngx_group_utf8(&rest, NULL, &bad) == NGX_OK) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);
    text->data = p;

    rest = *text;

    while (ngx_group_utf8(&rest, NULL, &bad) != NGX_OK) {
        rest.data[bad] = '?';
        rest.data += bad + 1;
        rest.len -= bad + 1;
    }

    return NGX_OK;
}


/* where a file is, is nobody's business */

static ngx_str_t *
ngx_http_group_explain_file(ngx_pool_t *pool, ngx_group_policy_t *policy)
{
    ngx_str_t  *name;

    static ngx_str_t  unknown = ngx_string("?");

    name = ngx_palloc(pool, sizeof(ngx_str_t));
    if (name == NULL) {
        return &unknown;
    }

    name->data = policy->file.data + policy->file.len;

    while (name->data > policy->file.data && name->data[-1] != '/') {
        name->data--;
    }

    name->len = policy->file.data + policy->file.len - name->data;

    return name;
}


/* a new value, in an object by its name or in an array; NULL: no memory */

ngx_group_value_t *
ngx_http_group_explain_add(ngx_pool_t *pool, ngx_group_value_t *parent,
    char *name, ngx_group_type_e type)
{
    ngx_group_value_t  *value;

    value = ngx_group_value_create(pool, type);
    if (value == NULL) {
        return NULL;
    }

    if (name) {
        value->key.data = (u_char *) name;
        value->key.len = ngx_strlen(name);
    }

    ngx_group_value_push(parent, value);

    return value;
}


static ngx_int_t
ngx_http_group_explain_set(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, ngx_group_value_t *value)
{
    if (value == NULL) {
        return NGX_ERROR;
    }

    value->next = NULL;
    value->key.data = (u_char *) name;
    value->key.len = ngx_strlen(name);

    ngx_group_value_push(object, value);

    return NGX_OK;
}


ngx_int_t
ngx_http_group_explain_text(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, ngx_str_t *text)
{
    return ngx_http_group_explain_set(pool, object, name,
                                      ngx_group_value_string(pool, text));
}


ngx_int_t
ngx_http_group_explain_literal(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    return ngx_http_group_explain_text(pool, object, name, &s);
}


static ngx_int_t
ngx_http_group_explain_number(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, int64_t n)
{
    return ngx_http_group_explain_set(pool, object, name,
                                      ngx_group_value_integer(pool, n));
}


ngx_int_t
ngx_http_group_explain_list(ngx_pool_t *pool, ngx_group_value_t *object,
    char *name, ngx_array_t *texts)
{
    ngx_str_t          *text;
    ngx_uint_t          i;
    ngx_group_value_t  *list;

    list = ngx_http_group_explain_add(pool, object, name, NGX_GROUP_ARRAY);
    if (list == NULL) {
        return NGX_ERROR;
    }

    text = texts ? texts->elts : NULL;

    for (i = 0; text && i < texts->nelts; i++) {
        if (ngx_http_group_explain_push(pool, list, &text[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_group_explain_push(ngx_pool_t *pool, ngx_group_value_t *list,
    ngx_str_t *text)
{
    ngx_group_value_t  *v;

    v = ngx_group_value_string(pool, text);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_push(list, v);

    return NGX_OK;
}
