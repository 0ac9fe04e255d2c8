
#include "ngx_group_policy.h"
#include "ngx_group_context.h"
#include "ngx_group_fetch.h"
#include "ngx_group_lua.h"
#include "ngx_group_sandbox.h"


/* of a hook file */
#define NGX_GROUP_POLICY_SOURCE   (1024 * 1024)

/* limits of the trial when the configuration is read */
#define NGX_GROUP_POLICY_TIMEOUT  1000
#define NGX_GROUP_POLICY_MEMORY   (16 * 1024 * 1024)


/* one call of one hook, which may have to wait */

typedef struct {
    ngx_group_policy_t       *policy;
    ngx_group_context_t       context;
    const char               *hook;
    int                      *ref;     /* of the table that the file made */
    lua_State                *co;      /* what the hook runs in */
    int                       co_ref;
    int                       ctx_ref; /* of its "ctx" */
    ngx_uint_t                time;    /* in microseconds */
    size_t                    peak;
    size_t                    held;    /* in the VM, while it waits */
    unsigned                  waits:1;
} ngx_group_policy_call_t;


struct ngx_group_policy_run_s {
    ngx_group_policy_ctx_t   *ctx;
    ngx_array_t              *policies;
    ngx_group_lua_t          *vm;
    int                      *refs;    /* of the tables that the files made */
    ngx_uint_t                time;    /* in microseconds */

    const char               *hook;    /* that all the files are asked for */
    ngx_uint_t                next;    /* the file whose turn it is */
    ngx_uint_t                left;    /* of its time, in microseconds */
    ngx_group_policy_call_t   call;
    ngx_group_error_t        *error;
    ngx_group_value_t        *group;   /* before the hooks */
    ngx_group_value_t        *member;
    ngx_group_value_t        *query;
};


static ngx_int_t ngx_group_policy_find(ngx_conf_t *cf,
    ngx_group_policy_t *policy);
static ngx_int_t ngx_group_policy_read(ngx_conf_t *cf,
    ngx_group_policy_t *policy);
static ngx_int_t ngx_group_policy_try(ngx_conf_t *cf,
    ngx_group_policy_t *policy);
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

static int ngx_group_policy_open(lua_State *L);
static int ngx_group_policy_check(lua_State *L);
static int ngx_group_policy_call(lua_State *L);
static int ngx_group_policy_prepare(lua_State *L,
    ngx_group_policy_call_t *call);
static void ngx_group_policy_leave(lua_State *L,
    ngx_group_policy_call_t *call);
static int ngx_group_policy_unref(lua_State *L);
static void ngx_group_policy_chunk(lua_State *L, ngx_group_policy_t *policy);
static void ngx_group_policy_table(lua_State *L, ngx_group_policy_t *policy);


/* of this process */

static ngx_group_lua_t  *ngx_group_policy_worker;

/*
 * No two policies of a process and of its parents share a number, so that a
 * chunk which was compiled before a reload is never taken for another one.
 */

static ngx_uint_t        ngx_group_policy_number;

/* the key of the compiled chunks in the registry */

static char              ngx_group_policy_chunks_key;


ngx_group_policy_t *
ngx_group_policy_load(ngx_conf_t *cf, ngx_str_t *file, ngx_array_t *params)
{
    ngx_group_policy_t  *policy;

    policy = ngx_pcalloc(cf->pool, sizeof(ngx_group_policy_t));
    if (policy == NULL) {
        return NULL;
    }

    policy->file = *file;
    policy->index = ++ngx_group_policy_number;

    if (params) {
        policy->params = *params;
    }

    if (ngx_group_policy_find(cf, policy) != NGX_OK
        || ngx_group_policy_read(cf, policy) != NGX_OK
        || ngx_group_policy_try(cf, policy) != NGX_OK)
    {
        return NULL;
    }

    return policy;
}


/* one's own comes first, then what was installed with the module */

static ngx_int_t
ngx_group_policy_find(ngx_conf_t *cf, ngx_group_policy_t *policy)
{
    u_char           *p;
    ngx_str_t         name, installed;
    ngx_file_info_t   fi;

    static ngx_str_t  dir = ngx_string(NGX_HTTP_GROUP_POLICY_PATH);

    name = policy->file;

    if (ngx_conf_full_name(cf->cycle, &policy->file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_strlchr(name.data, name.data + name.len, '/')
        || ngx_file_info(policy->file.data, &fi) != NGX_FILE_ERROR
        || ngx_errno != NGX_ENOENT)
    {
        return NGX_OK;
    }

    installed.len = dir.len + 1 + name.len;
    installed.data = ngx_pnalloc(cf->pool, installed.len + 1);

    if (installed.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(installed.data, dir.data, dir.len);
    *p++ = '/';
    (void) ngx_cpystrn(p, name.data, name.len + 1);

    if (ngx_file_info(installed.data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "policy \"%V\" is not in \"%V\", and "
                           ngx_open_file_n " \"%V\" failed", &name, &dir,
                           &policy->file);
        return NGX_ERROR;
    }

    policy->file = installed;

    return NGX_OK;
}


static ngx_int_t
ngx_group_policy_read(ngx_conf_t *cf, ngx_group_policy_t *policy)
{
    ssize_t     n;
    ngx_int_t   rc;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = policy->file;
    file.log = cf->log;
    file.fd = ngx_open_file(policy->file.data, NGX_FILE_RDONLY,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &policy->file);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(file.fd, &file.info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &policy->file);
        goto done;
    }

    if (!ngx_is_file(&file.info)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "policy \"%V\" is not a file", &policy->file);
        goto done;
    }

    if (ngx_file_size(&file.info) > NGX_GROUP_POLICY_SOURCE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "policy \"%V\" is larger than %d bytes",
                           &policy->file, NGX_GROUP_POLICY_SOURCE);
        goto done;
    }

    policy->source.len = (size_t) ngx_file_size(&file.info);
    policy->source.data = ngx_pnalloc(cf->pool, policy->source.len + 1);

    if (policy->source.data == NULL) {
        goto done;
    }

    n = ngx_read_file(&file, policy->source.data, policy->source.len, 0);

    if (n == NGX_ERROR || (size_t) n != policy->source.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == NGX_ERROR) ? ngx_errno : 0,
                           "policy \"%V\" could not be read", &policy->file);
        goto done;
    }

    /* LuaJIT would not load it either, but says less */

    if (policy->source.len && policy->source.data[0] == '\x1b') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "policy \"%V\" is bytecode, expected Lua source",
                           &policy->file);
        goto done;
    }

    rc = NGX_OK;

done:

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &policy->file);
    }

    return rc;
}


/* runs the file in a VM of its own, for what compiling does not show */

static ngx_int_t
ngx_group_policy_try(ngx_conf_t *cf, ngx_group_policy_t *policy)
{
    ngx_int_t             rc;
    ngx_group_lua_t      *vm;
    ngx_group_lua_run_t   lua;

    vm = ngx_group_lua_create(cf->log);
    if (vm == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_group_lua_protect(vm, ngx_group_policy_open, NULL);

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no memory for a Lua VM");
        goto done;
    }

    lua.handler = ngx_group_policy_check;
    lua.data = policy;
    lua.timeout = NGX_GROUP_POLICY_TIMEOUT * 1000;
    lua.memory = NGX_GROUP_POLICY_MEMORY;
    lua.held = 0;

    rc = ngx_group_lua_run(vm, &lua);

    if (rc != NGX_OK) {

        switch (lua.stop) {

        case NGX_GROUP_LUA_TIME:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "policy \"%V\" takes more than %d ms to "
                               "load, %V", &policy->file,
                               NGX_GROUP_POLICY_TIMEOUT, &lua.message);
            break;

        case NGX_GROUP_LUA_MEMORY:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "policy \"%V\" takes more than %d bytes to "
                               "load", &policy->file, NGX_GROUP_POLICY_MEMORY);
            break;

        default:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "policy \"%V\": %V",
                               &policy->file, &lua.message);
        }
    }

done:

    ngx_group_lua_close(vm);

    return rc;
}


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


/* what follows runs inside of the VM */


static int
ngx_group_policy_open(lua_State *L)
{
    ngx_group_sandbox_open(L);
    ngx_group_context_open(L);

    lua_pushlightuserdata(L, &ngx_group_policy_chunks_key);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);

    return 0;
}


static int
ngx_group_policy_check(lua_State *L)
{
    ngx_group_policy_table(L, lua_touserdata(L, 1));

    return 0;
}


static int
ngx_group_policy_call(lua_State *L)
{
    int                       nargs;
    ngx_group_policy_call_t  *call;

    call = lua_touserdata(L, 1);

    if (call->waits) {
        call->waits = 0;

        ngx_group_context_resume(L, &call->context);

        nargs = ngx_group_fetch_results(L, &call->context);

        if (!lua_checkstack(call->co, nargs)) {
            return luaL_error(L, "stack overflow");
        }

        lua_xmove(L, call->co, nargs);

    } else {
        nargs = ngx_group_policy_prepare(L, call);
    }

    if (call->co) {

        if (ngx_group_lua_resume(L, call->co, nargs)) {
            lua_settop(call->co, 0);
            call->waits = 1;
            return 0;
        }

        ngx_group_lua_thread_end(L, call->co, call->co_ref);
        call->co_ref = LUA_NOREF;

        if (!call->context.denied) {
            lua_rawgeti(L, LUA_REGISTRYINDEX, call->ctx_ref);
            ngx_group_context_pull(L, &call->context);
        }
    }

    ngx_group_policy_leave(L, call);

    return 0;
}


/*
 * Makes a coroutine with the hook and "ctx" on its stack, unless the file has
 * no such hook, and returns the number of arguments.
 */

static int
ngx_group_policy_prepare(lua_State *L, ngx_group_policy_call_t *call)
{
    int  table;

    if (*call->ref == LUA_NOREF) {
        ngx_group_policy_table(L, call->policy);
        lua_pushvalue(L, -1);
        *call->ref = luaL_ref(L, LUA_REGISTRYINDEX);

    } else {
        lua_rawgeti(L, LUA_REGISTRYINDEX, *call->ref);
    }

    table = lua_gettop(L);

    lua_pushstring(L, call->hook);
    lua_rawget(L, table);

    if (lua_isnil(L, -1)) {
        return 0;
    }

    ngx_group_context_push(L, &call->context);

    lua_pushvalue(L, -1);
    call->ctx_ref = luaL_ref(L, LUA_REGISTRYINDEX);

    call->co = ngx_group_lua_thread(L, &call->co_ref);

    lua_xmove(L, call->co, 2);

    return 1;
}


static void
ngx_group_policy_leave(lua_State *L, ngx_group_policy_call_t *call)
{
    luaL_unref(L, LUA_REGISTRYINDEX, call->ctx_ref);
    call->ctx_ref = LUA_NOREF;

    /* a file with hooks for requests only is not asked again */

    lua_rawgeti(L, LUA_REGISTRYINDEX, *call->ref);
    lua_pushliteral(L, "response");
    lua_rawget(L, -2);

    if (lua_isnil(L, -1)) {
        luaL_unref(L, LUA_REGISTRYINDEX, *call->ref);
        *call->ref = LUA_REFNIL;
    }

    lua_pop(L, 2);
}


static int
ngx_group_policy_unref(lua_State *L)
{
    ngx_uint_t               i;
    ngx_group_policy_run_t  *run;

    run = lua_touserdata(L, 1);

    for (i = 0; i < run->policies->nelts; i++) {
        luaL_unref(L, LUA_REGISTRYINDEX, run->refs[i]);
    }

    /* of a hook that failed, or that waits still */

    luaL_unref(L, LUA_REGISTRYINDEX, run->call.co_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, run->call.ctx_ref);

    return 0;
}


/* pushes the compiled file */

static void
ngx_group_policy_chunk(lua_State *L, ngx_group_policy_t *policy)
{
    u_char  *name;

    lua_pushlightuserdata(L, &ngx_group_policy_chunks_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, -1, (int) policy->index);

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);

        /* messages have the full name already */

        name = policy->file.data + policy->file.len;

        while (name > policy->file.data && name[-1] != '/') {
            name--;
        }

        lua_pushfstring(L, "@%s", name);

        if (luaL_loadbufferx(L, (char *) policy->source.data,
                             policy->source.len, lua_tostring(L, -1), "t")
            != 0)
        {
            lua_error(L);
        }

        lua_remove(L, -2);

        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (int) policy->index);
    }

    lua_remove(L, -2);
}


/* runs the file in an environment of its own and pushes its hooks */

static void
ngx_group_policy_table(lua_State *L, ngx_group_policy_t *policy)
{
    int          hooks;
    const char  *key;

    ngx_group_policy_chunk(L, policy);

    /* functions that the chunk makes inherit what is its environment now */

    lua_pushvalue(L, -1);
    ngx_group_sandbox_env(L);
    lua_setfenv(L, -2);

    /* a file may look at its parameters at once: "local params = ..." */

    ngx_group_context_params(L, &policy->params);

    ngx_group_lua_call(L, 1, 1);

    hooks = lua_gettop(L);

    /* the chunk outlives the request, its environment shall not */

    ngx_group_sandbox_globals(L);
    lua_setfenv(L, hooks - 1);
    lua_remove(L, hooks - 1);
    hooks--;

    if (!lua_istable(L, hooks)) {
        luaL_error(L, "a table of hooks must be returned, not a %s",
                   luaL_typename(L, hooks));
    }

    lua_pushnil(L);

    while (lua_next(L, hooks)) {

        key = (lua_type(L, -2) == LUA_TSTRING) ? lua_tostring(L, -2) : "?";

        if (ngx_strcmp(key, "request") != 0
            && ngx_strcmp(key, "response") != 0)
        {
            luaL_error(L, "there is no hook \"%s\", only \"request\" and "
                       "\"response\"", key);
        }

        if (!lua_isfunction(L, -1)) {
            luaL_error(L, "the hook \"%s\" must be a function, not a %s", key,
                       luaL_typename(L, -1));
        }

        lua_pop(L, 1);
    }
}
