
/*
 * What of the hooks runs inside of the VM.
 */


#include "ngx_group_policy_internal.h"
#include "ngx_group_fetch.h"
#include "ngx_group_sandbox.h"


static int ngx_group_policy_prepare(lua_State *L,
    ngx_group_policy_call_t *call);
static void ngx_group_policy_leave(lua_State *L,
    ngx_group_policy_call_t *call);
static void ngx_group_policy_chunk(lua_State *L, ngx_group_policy_t *policy);


/* the key of the compiled chunks in the registry */

static char  ngx_group_policy_chunks_key;


int
ngx_group_policy_open(lua_State *L)
{
    ngx_group_sandbox_open(L);
    ngx_group_context_open(L);

    lua_pushlightuserdata(L, &ngx_group_policy_chunks_key);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);

    return 0;
}


int
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


int
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
    ngx_str_t  name;

    lua_pushlightuserdata(L, &ngx_group_policy_chunks_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, -1, (int) policy->index);

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);

        /* messages have the full name already */

        ngx_group_policy_name(policy, &name);
        lua_pushfstring(L, "@%s", name.data);

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

void
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
