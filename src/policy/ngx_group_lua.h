
/*
 * A Lua VM whose runs are bounded in time and in memory, whatever the script
 * does: the limits hold through pcall(), callbacks and metamethods.
 */


#ifndef _NGX_GROUP_LUA_H_INCLUDED_
#define _NGX_GROUP_LUA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>


/* instructions between two looks at the clock */
#define NGX_GROUP_LUA_COUNT      100

/* bytes allocated between two looks at the clock */
#define NGX_GROUP_LUA_WORK       (1024 * 1024)

/* of the C stack that calls nested in callbacks may take */
#define NGX_GROUP_LUA_STACK      (512 * 1024)

/* a run that leaves more than this behind is followed by a collection */
#define NGX_GROUP_LUA_SWEEP      (4 * 1024 * 1024)

/* a VM that holds more than this after a collection is to be replaced */
#define NGX_GROUP_LUA_LIVE       (64 * 1024 * 1024)

/* of an error message with its traceback, escaped for the log */
#define NGX_GROUP_LUA_MESSAGE    1024


typedef enum {
    NGX_GROUP_LUA_GO = 0,
    NGX_GROUP_LUA_TIME,
    NGX_GROUP_LUA_MEMORY
} ngx_group_lua_stop_e;


typedef struct {
    lua_CFunction          handler;    /* gets "data" as a light userdata */
    void                  *data;
    ngx_uint_t             timeout;    /* in microseconds */
    size_t                 memory;     /* on top of what the VM holds */
    size_t                 held;       /* of that, by parts that ran before */

    /* set by the run */

    ngx_group_lua_stop_e   stop;
    ngx_uint_t             time;       /* in microseconds */
    size_t                 peak;       /* of what it added, in bytes */
    ngx_str_t              message;    /* of the error; in "buf" */
    u_char                 buf[NGX_GROUP_LUA_MESSAGE];
} ngx_group_lua_run_t;


typedef struct {
    lua_State             *L;
    lua_Alloc              alloc;      /* LuaJIT's own allocator, and */
    void                  *arena;      /* what it allocates from */

    size_t                 used;
    size_t                 peak;       /* of "used" in a run */
    size_t                 limit;
    size_t                 collect;    /* when to collect in a run */
    size_t                 work;
    uint64_t               deadline;   /* in microseconds; 0: no run */
    uintptr_t              stack;
    ngx_group_lua_stop_e   stop;
    ngx_group_lua_run_t   *run;

    lua_State             *idle;       /* a coroutine for the next hook */
    int                    idle_ref;

    void                  *context;    /* what "ctx" stands for, or NULL */
    ngx_uint_t             serial;     /* of the "ctx" that is alive */
    ngx_uint_t             serials;    /* how many there were */

    ngx_uint_t             users;
    unsigned               bloated:1;
    unsigned               retired:1;
} ngx_group_lua_t;


/* an empty VM; NULL after an error was logged */
ngx_group_lua_t *ngx_group_lua_create(ngx_log_t *log);
void ngx_group_lua_close(ngx_group_lua_t *vm);

/* NGX_OK; NGX_ERROR: "stop" or "message" tells why */
ngx_int_t ngx_group_lua_run(ngx_group_lua_t *vm, ngx_group_lua_run_t *run);

/* without limits, for our own functions only; NGX_OK or NGX_ERROR */
ngx_int_t ngx_group_lua_protect(ngx_group_lua_t *vm, lua_CFunction handler,
    void *data);


/* what follows is for functions that run inside of the VM and may throw */

ngx_group_lua_t *ngx_group_lua_vm(lua_State *L);

/* lua_call() that leaves a traceback in the run's message */
void ngx_group_lua_call(lua_State *L, int nargs, int nresults);

/* a coroutine without anything on its stack; *ref keeps it alive */
lua_State *ngx_group_lua_thread(lua_State *L, int *ref);

/* lets one go that has come to its end, for the next who needs one */
void ngx_group_lua_thread_end(lua_State *L, lua_State *co, int ref);

/*
 * Starts or resumes a coroutine.  1: it waits; 0: it has come to its end; an
 * error is thrown on, with a traceback in the run's message.
 */
int ngx_group_lua_resume(lua_State *L, lua_State *co, int nargs);

/* throws when the run is over its limits, or too deep in the C stack */
void ngx_group_lua_check(lua_State *L);

/* bytes that the run may still allocate */
size_t ngx_group_lua_room(lua_State *L);


/* control characters become \xNN; returns the end, at most "last" */
u_char *ngx_group_lua_escape(u_char *p, u_char *last, u_char *text,
    size_t len);


#endif /* _NGX_GROUP_LUA_H_INCLUDED_ */
