
/*
 * The worker's VM, and the hooks of a request, one after another.
 */


#include "ngx_group_policy_internal.h"


static ngx_group_lua_t *ngx_group_policy_vm(ngx_log_t *log);
static void ngx_group_policy_retire(ngx_group_lua_t *vm);
static void ngx_group_policy_cleanup(void *data);
static ngx_int_t ngx_group_policy_hooks(ngx_group_policy_run_t *run,
    const char *hook, ngx_group_error_t *error);
static ngx_int_t ngx_group_policy_go_on(ngx_group_policy_run_t *run);
static void ngx_group_policy_enter(ngx_group_policy_run_t *run);
static ngx_uint_t ngx_group_policy_changed(ngx_group_value_t **now,
    ngx_group_value_t *was);
static void ngx_group_policy_failed(ngx_group_lua_run_t *lua,
    ngx_group_policy_t *policy, ngx_group_policy_run_t *run);
static void ngx_group_policy_ran(ngx_group_policy_run_t *run,
    ngx_group_policy_verdict_e verdict);


/* of this process */

static ngx_group_lua_t  *ngx_group_policy_worker;


ngx_int_t
ngx_group_policy_init(ngx_log_t *log)
{
    return ngx_group_policy_vm(log) ? NGX_OK : NGX_ERROR;
}


void
ngx_group_policy_exit(void)
{
    if (ngx_group_policy_worker) {
        ngx_group_policy_retire(ngx_group_policy_worker);
    }
}


static ngx_group_lua_t *
ngx_group_policy_vm(ngx_log_t *log)
{
    ngx_group_lua_t  *vm;

    vm = ngx_group_policy_worker;

    if (vm && !vm->bloated) {
        return vm;
    }

    if (vm) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "the policies' Lua VM holds %uz bytes, making another",
                      vm->used);

        ngx_group_policy_retire(vm);
    }

    vm = ngx_group_lua_create(log);
    if (vm == NULL) {
        return NULL;
    }

    if (ngx_group_lua_protect(vm, ngx_group_policy_open, NULL) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "no memory for a Lua VM");
        ngx_group_lua_close(vm);
        return NULL;
    }

    ngx_group_policy_worker = vm;

    return vm;
}


/* requests that are under way keep their VM */

static void
ngx_group_policy_retire(ngx_group_lua_t *vm)
{
    ngx_group_policy_worker = NULL;

    vm->retired = 1;

    if (vm->users == 0) {
        ngx_group_lua_close(vm);
    }
}


ngx_group_policy_run_t *
ngx_group_policy_begin(ngx_group_policy_ctx_t *ctx, ngx_array_t *policies)
{
    ngx_uint_t               i;
    ngx_pool_cleanup_t      *cln;
    ngx_group_policy_run_t  *run;

    run = ngx_pcalloc(ctx->pool, sizeof(ngx_group_policy_run_t));
    if (run == NULL) {
        return NULL;
    }

    run->ctx = ctx;
    run->policies = policies;

    run->refs = ngx_palloc(ctx->pool, (policies->nelts + 1) * sizeof(int));
    if (run->refs == NULL) {
        return NULL;
    }

    for (i = 0; i < policies->nelts; i++) {
        run->refs[i] = LUA_NOREF;
    }

    cln = ngx_pool_cleanup_add(ctx->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_group_policy_cleanup;
    cln->data = run;

    run->call.co_ref = LUA_NOREF;
    run->call.ctx_ref = LUA_NOREF;

    run->vm = ngx_group_policy_vm(ctx->log);
    if (run->vm == NULL) {
        return NULL;
    }

    run->vm->users++;

    return run;
}


static void
ngx_group_policy_cleanup(void *data)
{
    ngx_group_policy_end(data);
}


ngx_int_t
ngx_group_policy_request(ngx_group_policy_run_t *run, ngx_group_error_t *error)
{
    return ngx_group_policy_hooks(run, "request", error);
}


ngx_int_t
ngx_group_policy_response(ngx_group_policy_run_t *run,
    ngx_group_error_t *error)
{
    return ngx_group_policy_hooks(run, "response", error);
}


static ngx_int_t
ngx_group_policy_hooks(ngx_group_policy_run_t *run, const char *hook,
    ngx_group_error_t *error)
{
    if (run->vm == NULL) {
        return NGX_ERROR;
    }

    run->hook = hook;
    run->error = error;
    run->next = 0;
    run->group = run->ctx->group;
    run->member = run->ctx->member;
    run->query = run->ctx->query;

    return ngx_group_policy_go_on(run);
}


ngx_int_t
ngx_group_policy_resume(ngx_group_policy_run_t *run)
{
    if (run->vm == NULL || !run->call.waits) {
        return NGX_ERROR;
    }

    return ngx_group_policy_go_on(run);
}


ngx_array_t *
ngx_group_policy_fetches(ngx_group_policy_run_t *run)
{
    return run->call.context.fetches;
}


static ngx_int_t
ngx_group_policy_go_on(ngx_group_policy_run_t *run)
{
    ngx_int_t                rc;
    ngx_group_lua_run_t      lua;
    ngx_group_policy_ctx_t  *ctx;

    ctx = run->ctx;

    for ( /* void */ ; run->next < run->policies->nelts; run->next++) {

        /* it has hooks for the request only */

        if (run->refs[run->next] == LUA_REFNIL) {
            continue;
        }

        if (!run->call.waits) {
            ngx_group_policy_enter(run);
        }

        lua.handler = ngx_group_policy_call;
        lua.data = &run->call;
        lua.timeout = run->left;
        lua.memory = ctx->memory;
        lua.held = run->call.held;

        rc = ngx_group_lua_run(run->vm, &lua);

        run->vm->context = NULL;
        run->time += lua.time;
        run->left -= ngx_min(run->left, lua.time);
        run->call.time += lua.time;
        run->call.peak = ngx_max(run->call.peak, run->call.held + lua.peak);
        run->call.held = lua.held;

        ngx_log_debug4(NGX_LOG_DEBUG_CORE, ctx->log, 0,
                       "group policy \"%V\" %s: %i, %ui us",
                       &run->call.policy->file, run->hook, rc, lua.time);

        if (rc != NGX_OK) {
            run->call.waits = 0;
            ngx_group_policy_failed(&lua, run->call.policy, run);
            return NGX_ERROR;
        }

        if (run->call.waits) {
            return NGX_AGAIN;
        }

        if (run->call.context.denied) {
            ngx_group_policy_ran(run, NGX_GROUP_VERDICT_DENIED);
            return NGX_DECLINED;
        }

        /* a file without this hook did not run it */

        if (run->call.co) {
            ngx_group_policy_ran(run, NGX_GROUP_VERDICT_PASSED);
        }
    }

    ctx->group_changed = ngx_group_policy_changed(&ctx->group, run->group);
    ctx->member_changed = ngx_group_policy_changed(&ctx->member, run->member);
    ctx->query_changed = ngx_group_policy_changed(&ctx->query, run->query);

    return NGX_OK;
}


static void
ngx_group_policy_enter(ngx_group_policy_run_t *run)
{
    ngx_group_policy_t       **policies;
    ngx_group_policy_call_t   *call;

    policies = run->policies->elts;
    call = &run->call;

    ngx_memzero(call, sizeof(ngx_group_policy_call_t));

    call->policy = policies[run->next];
    call->hook = run->hook;
    call->ref = &run->refs[run->next];
    call->co_ref = LUA_NOREF;
    call->ctx_ref = LUA_NOREF;

    call->context.ctx = run->ctx;
    call->context.policy = call->policy;
    call->context.error = run->error;

    run->left = run->ctx->timeout * 1000;
}


/* what one hook changed another one may have put right */

static ngx_uint_t
ngx_group_policy_changed(ngx_group_value_t **now, ngx_group_value_t *was)
{
    if (*now == was) {
        return 0;
    }

    if (*now == NULL || was == NULL || !ngx_group_value_equal(*now, was)) {
        return 1;
    }

    *now = was;

    return 0;
}


static void
ngx_group_policy_failed(ngx_group_lua_run_t *lua, ngx_group_policy_t *policy,
    ngx_group_policy_run_t *run)
{
    ngx_log_t   *log;
    const char  *hook;

    log = run->ctx->log;
    hook = run->hook;

    switch (lua->stop) {

    case NGX_GROUP_LUA_TIME:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "policy \"%V\" exceeded the time limit of %ui ms in "
                      "its %s hook%s%V", &policy->file,
                      (ngx_uint_t) run->ctx->timeout, hook,
                      lua->message.len ? ", " : "", &lua->message);
        ngx_group_policy_ran(run, NGX_GROUP_VERDICT_TIMEOUT);
        break;

    case NGX_GROUP_LUA_MEMORY:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "policy \"%V\" exceeded the memory limit of %uz bytes "
                      "in its %s hook", &policy->file, lua->memory, hook);
        ngx_group_policy_ran(run, NGX_GROUP_VERDICT_MEMORY);
        break;

    default:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "policy \"%V\" failed in its %s hook: %V",
                      &policy->file, hook, &lua->message);
        ngx_group_policy_ran(run, NGX_GROUP_VERDICT_FAILED);
    }
}


static void
ngx_group_policy_ran(ngx_group_policy_run_t *run,
    ngx_group_policy_verdict_e verdict)
{
    ngx_group_policy_ran_t  ran;

    if (run->ctx->ran == NULL) {
        return;
    }

    ran.policy = run->call.policy;
    ran.hook = run->hook;
    ran.verdict = verdict;
    ran.time = run->call.time;
    ran.peak = run->call.peak;

    run->ctx->ran(run->ctx->data, &ran);
}


ngx_uint_t
ngx_group_policy_time(ngx_group_policy_run_t *run)
{
    return run->time;
}


void
ngx_group_policy_end(ngx_group_policy_run_t *run)
{
    ngx_group_lua_t  *vm;

    vm = run->vm;

    if (vm == NULL) {
        return;
    }

    run->vm = NULL;

    (void) ngx_group_lua_protect(vm, ngx_group_policy_unref, run);

    if (--vm->users == 0 && vm->retired) {
        ngx_group_lua_close(vm);
    }
}
