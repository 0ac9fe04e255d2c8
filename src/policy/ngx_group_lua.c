
#include "ngx_group_lua.h"
#include <luajit.h>
#include <time.h>


static void *ngx_group_lua_alloc(void *data, void *p, size_t size,
    size_t wanted);
static void ngx_group_lua_hook(lua_State *L, lua_Debug *ar);
static void ngx_group_lua_stop(lua_State *L, ngx_group_lua_t *vm);
static void ngx_group_lua_message(ngx_group_lua_t *vm);
static int ngx_group_lua_traceback(lua_State *L);
static void ngx_group_lua_describe(lua_State *L, lua_State *co, int level);
static int ngx_group_lua_collect(lua_State *L);
static uint64_t ngx_group_lua_now(void);


ngx_group_lua_t *
ngx_group_lua_create(ngx_log_t *log)
{
    ngx_group_lua_t  *vm;

    vm = ngx_calloc(sizeof(ngx_group_lua_t), log);
    if (vm == NULL) {
        return NULL;
    }

    vm->limit = NGX_MAX_SIZE_T_VALUE;

    vm->L = luaL_newstate();

    if (vm->L == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "no Lua VM: out of memory, or a LuaJIT without GC64");
        ngx_free(vm);
        return NULL;
    }

    /* its allocator is quicker than malloc(), but does not know our limit */

    vm->alloc = lua_getallocf(vm->L, &vm->arena);
    vm->used = (size_t) lua_gc(vm->L, LUA_GCCOUNT, 0) * 1024
               + lua_gc(vm->L, LUA_GCCOUNTB, 0);

    lua_setallocf(vm->L, ngx_group_lua_alloc, vm);

    /* compiled loops do not look at hooks */

    luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE|LUAJIT_MODE_OFF);

    lua_sethook(vm->L, ngx_group_lua_hook, LUA_MASKCOUNT, NGX_GROUP_LUA_COUNT);

    return vm;
}


void
ngx_group_lua_close(ngx_group_lua_t *vm)
{
    /* or LuaJIT would free the state with ours, and its arena not at all */

    lua_setallocf(vm->L, vm->alloc, vm->arena);

    lua_close(vm->L);
    ngx_free(vm);
}


ngx_int_t
ngx_group_lua_run(ngx_group_lua_t *vm, ngx_group_lua_run_t *run)
{
    int         rc;
    size_t      used, base;
    uint64_t    start;
    lua_State  *L;

    L = vm->L;

    run->message.len = 0;
    run->message.data = run->buf;

    start = ngx_group_lua_now();
    used = vm->used;

    if (run->memory > NGX_MAX_SIZE_T_VALUE / 2) {
        run->memory = NGX_MAX_SIZE_T_VALUE / 2;
    }

    vm->run = run;
    vm->peak = used;
    vm->stop = NGX_GROUP_LUA_GO;
    vm->limit = used + run->memory - ngx_min(run->held, run->memory);
    vm->collect = used + (vm->limit - used) / 2;
    vm->work = 0;
    vm->stack = (uintptr_t) __builtin_frame_address(0);
    vm->deadline = start + run->timeout;

    rc = lua_cpcall(L, run->handler, run->data);

    if (vm->stop) {
        lua_sethook(L, ngx_group_lua_hook, LUA_MASKCOUNT,
                    NGX_GROUP_LUA_COUNT);
    }

    if (rc != 0 && run->message.len == 0 && !vm->stop) {
        ngx_group_lua_message(vm);
    }

    lua_settop(L, 0);

    vm->limit = NGX_MAX_SIZE_T_VALUE;
    vm->deadline = 0;
    vm->run = NULL;

    /* a stop is one also when the script came to its end nevertheless */

    run->stop = vm->stop;
    run->peak = vm->peak - used;

    base = used - ngx_min(run->held, used);

    if (run->stop || vm->used > used + NGX_GROUP_LUA_SWEEP
        || vm->used > base + run->memory / 2)
    {
        (void) ngx_group_lua_protect(vm, ngx_group_lua_collect, NULL);

        if (vm->used > NGX_GROUP_LUA_LIVE) {
            vm->bloated = 1;
        }
    }

    /* what others left behind may have gone, too */

    run->held = vm->used > base ? vm->used - base : 0;

    run->time = (ngx_uint_t) (ngx_group_lua_now() - start);

    return (rc == 0 && !run->stop) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_group_lua_protect(ngx_group_lua_t *vm, lua_CFunction handler, void *data)
{
    int  rc;

    rc = lua_cpcall(vm->L, handler, data);

    lua_settop(vm->L, 0);

    return rc == 0 ? NGX_OK : NGX_ERROR;
}


ngx_group_lua_t *
ngx_group_lua_vm(lua_State *L)
{
    void  *vm;

    (void) lua_getallocf(L, &vm);

    return vm;
}


void
ngx_group_lua_call(lua_State *L, int nargs, int nresults)
{
    int  base;

    base = lua_gettop(L) - nargs;

    lua_pushcfunction(L, ngx_group_lua_traceback);
    lua_insert(L, base);

    if (lua_pcall(L, nargs, nresults, base) != 0) {
        lua_error(L);
    }

    lua_remove(L, base);
}


lua_State *
ngx_group_lua_thread(lua_State *L, int *ref)
{
    lua_State        *co;
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    if (vm->idle) {
        co = vm->idle;
        *ref = vm->idle_ref;
        vm->idle = NULL;
        return co;
    }

    co = lua_newthread(L);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);

    return co;
}


void
ngx_group_lua_thread_end(lua_State *L, lua_State *co, int ref)
{
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    if (vm->idle) {
        luaL_unref(L, LUA_REGISTRYINDEX, ref);
        return;
    }

    lua_settop(co, 0);

    vm->idle = co;
    vm->idle_ref = ref;
}


int
ngx_group_lua_resume(lua_State *L, lua_State *co, int nargs)
{
    int  rc;

    rc = lua_resume(co, nargs);

    if (rc == 0) {
        return 0;
    }

    if (rc == LUA_YIELD) {
        return 1;
    }

    ngx_group_lua_describe(L, co, 0);

    /* the message says it all, and needs no memory */

    lua_pushlightuserdata(L, ngx_group_lua_vm(L));

    return lua_error(L);
}


void
ngx_group_lua_check(lua_State *L)
{
    uintptr_t         stack;
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    if (vm->deadline == 0) {
        return;
    }

    if (vm->stop == NGX_GROUP_LUA_GO && ngx_group_lua_now() >= vm->deadline) {
        vm->stop = NGX_GROUP_LUA_TIME;
    }

    if (vm->stop) {
        ngx_group_lua_stop(L, vm);
    }

    stack = (uintptr_t) __builtin_frame_address(0);

    if ((stack < vm->stack ? vm->stack - stack : stack - vm->stack)
        > NGX_GROUP_LUA_STACK)
    {
        luaL_error(L, "stack overflow");
    }
}


size_t
ngx_group_lua_room(lua_State *L)
{
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    return vm->limit > vm->used ? vm->limit - vm->used : 0;
}


u_char *
ngx_group_lua_escape(u_char *p, u_char *last, u_char *text, size_t len)
{
    u_char  *end;

    for (end = text + len; text < end; text++) {

        if (*text >= 0x20 && *text != 0x7f) {
            if (p == last) {
                break;
            }

            *p++ = *text;
            continue;
        }

        if (last - p < 4) {
            break;
        }

        p = ngx_sprintf(p, "\\x%02Xi", (ngx_uint_t) *text);
    }

    return p;
}


static void *
ngx_group_lua_alloc(void *data, void *p, size_t size, size_t wanted)
{
    ngx_group_lua_t *vm = data;

    void  *new;

    if (wanted == 0) {
        vm->used -= size;
        return vm->alloc(vm->arena, p, size, 0);
    }

    if (wanted > size) {

        if (wanted - size > vm->limit
            || vm->used > vm->limit - (wanted - size))
        {
            if (vm->stop == NGX_GROUP_LUA_GO) {
                vm->stop = NGX_GROUP_LUA_MEMORY;
            }

            return NULL;
        }

        /* few instructions can make much work, and most of it allocates */

        vm->work += wanted - size;

        if (vm->work >= NGX_GROUP_LUA_WORK) {
            vm->work = 0;

            if (vm->deadline && ngx_group_lua_now() >= vm->deadline) {

                if (vm->stop == NGX_GROUP_LUA_GO) {
                    vm->stop = NGX_GROUP_LUA_TIME;
                }

                return NULL;
            }
        }
    }

    new = vm->alloc(vm->arena, p, size, wanted);

    if (new) {
        vm->used += wanted - size;

        if (vm->used > vm->peak && vm->deadline) {
            vm->peak = vm->used;
        }
    }

    return new;
}


static void
ngx_group_lua_hook(lua_State *L, lua_Debug *ar)
{
    ngx_group_lua_t  *vm;

    (void) ar;

    ngx_group_lua_check(L);

    /*
     * LuaJIT does not collect when an allocation fails, so a script that makes
     * garbage would meet the limit with little that is alive
     */

    vm = ngx_group_lua_vm(L);

    if (vm->used > vm->collect) {
        lua_gc(L, LUA_GCCOLLECT, 0);

        if (vm->used > vm->collect) {
            vm->collect = vm->used + ngx_group_lua_room(L) / 2;
        }
    }
}


static void
ngx_group_lua_stop(lua_State *L, ngx_group_lua_t *vm)
{
    /* what pcall() swallows is thrown again at the next instruction */

    lua_sethook(L, ngx_group_lua_hook, LUA_MASKLINE|LUA_MASKCOUNT, 1);

    /* needs no memory, unlike a message */

    lua_pushlightuserdata(L, vm);
    lua_error(L);
}


static void
ngx_group_lua_message(ngx_group_lua_t *vm)
{
    size_t                len;
    const char           *text;
    ngx_group_lua_run_t  *run;

    run = vm->run;

    if (lua_type(vm->L, -1) != LUA_TSTRING) {
        return;
    }

    text = lua_tolstring(vm->L, -1, &len);

    run->message.len = ngx_group_lua_escape(run->buf,
                                            run->buf + NGX_GROUP_LUA_MESSAGE,
                                            (u_char *) text, len)
                       - run->buf;
}


static int
ngx_group_lua_traceback(lua_State *L)
{
    ngx_group_lua_describe(L, L, 1);

    lua_settop(L, 1);

    return 1;
}


/* the error on top of the stack of "co", and where it came from */

static void
ngx_group_lua_describe(lua_State *L, lua_State *co, int level)
{
    u_char               *p, *last, *text, *line, *end;
    size_t                len;
    ngx_group_lua_t      *vm;
    ngx_group_lua_run_t  *run;

    vm = ngx_group_lua_vm(L);
    run = vm->run;

    if (run == NULL) {
        return;
    }

    /* the script is over, what follows is ours */

    vm->limit = NGX_MAX_SIZE_T_VALUE;
    vm->deadline = 0;

    /* an error in what follows is not one of "co": nobody would catch it */

    lua_xmove(co, L, 1);

    p = run->buf;
    last = p + NGX_GROUP_LUA_MESSAGE / 2;

    switch (lua_type(L, -1)) {

    case LUA_TSTRING:
    case LUA_TNUMBER:
        text = (u_char *) lua_tolstring(L, -1, &len);
        p = ngx_group_lua_escape(p, last, text, len);
        break;

    default:

        /* __tostring of an error object would be the script's code again */

        if (!vm->stop) {
            p = ngx_slprintf(p, last, "error object is a %s value",
                             luaL_typename(L, -1));
        }
    }

    last = run->buf + NGX_GROUP_LUA_MESSAGE;

    luaL_traceback(L, co, NULL, level);

    text = (u_char *) lua_tolstring(L, -1, &len);
    end = text + len;

    /* the first line is a title, the others begin with a tab */

    line = (u_char *) ngx_strchr(text, '\n');

    while (line && p < last) {
        text = line + 2;

        line = (u_char *) strstr((char *) text, "\n\t");

        /* our own frame */

        if (ngx_strncmp(text, "[C]: at ", 8) == 0) {
            continue;
        }

        p = ngx_slprintf(p, last, "%s", p == run->buf ? "at " : ", at ");
        p = ngx_group_lua_escape(p, last, text,
                                 (line ? line : end) - text);
    }

    run->message.len = p - run->buf;

    lua_pop(L, 1);
}


static int
ngx_group_lua_collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);

    return 0;
}


static uint64_t
ngx_group_lua_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
