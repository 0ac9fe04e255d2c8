
/*
 * "ctx", what a hook is called with.
 */


#ifndef _NGX_GROUP_CONTEXT_H_INCLUDED_
#define _NGX_GROUP_CONTEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_lua.h"
#include "ngx_group_policy.h"


/* lines that one hook may log, and what it may write in each */
#define NGX_GROUP_CONTEXT_LINES   100
#define NGX_GROUP_CONTEXT_LINE    1024

/* of the name of a variable */
#define NGX_GROUP_CONTEXT_NAME    256

/* of the sentence that goes with a refusal, and of the field's name */
#define NGX_GROUP_CONTEXT_DETAIL  1024


/* one call of one hook */

typedef struct {
    ngx_group_policy_ctx_t  *ctx;
    ngx_group_policy_t      *policy;
    ngx_group_error_t       *error;
    ngx_array_t             *fetches;   /* of ngx_group_fetch_t *: the hook */
    ngx_uint_t               all;       /* waits for them; by fetch_all() */
    ngx_uint_t               fetched;   /* how many there were */
    ngx_uint_t               serial;    /* of its "ctx" */
    ngx_uint_t               used;      /* bits: trees the hook asked for */
    ngx_uint_t               lines;
    size_t                   taken;     /* from the pool, by its calls */
    unsigned                 denied:1;
} ngx_group_context_t;


/* all run inside of the VM and may throw */

void ngx_group_context_open(lua_State *L);

/* pushes "ctx", which is of use as long as vm->context is this one */
void ngx_group_context_push(lua_State *L, ngx_group_context_t *context);

/* the hook goes on: its "ctx" is the one that is alive again */
void ngx_group_context_resume(lua_State *L, ngx_group_context_t *context);

/* takes what the hook left in the "ctx" on top of the stack */
void ngx_group_context_pull(lua_State *L, ngx_group_context_t *context);

/*
 * The context of a method, which throws when its hook has returned.  "ctx" is
 * taken off the arguments: ctx:method(...) and ctx.method(...) are the same.
 */
ngx_group_context_t *ngx_group_context_method(lua_State *L);

/* what comes from the request's pool is the hook's memory as well */
void ngx_group_context_take(lua_State *L, ngx_group_context_t *context,
    size_t size);

/* pushes the parameters of a policy */
void ngx_group_context_params(lua_State *L, ngx_array_t *params);


#endif /* _NGX_GROUP_CONTEXT_H_INCLUDED_ */
