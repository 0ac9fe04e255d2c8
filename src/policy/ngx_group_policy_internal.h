
/*
 * What the files of policies share; nothing else includes this.
 */


#ifndef _NGX_GROUP_POLICY_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_POLICY_INTERNAL_H_INCLUDED_


#include "ngx_group_policy.h"
#include "ngx_group_context.h"
#include "ngx_group_lua.h"


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


/*
 * ngx_group_policy_lua.c: all run inside of the VM and may throw.  The first
 * three are for ngx_group_lua_run() and ngx_group_lua_protect().
 */

/* once in each VM */
int ngx_group_policy_open(lua_State *L);

/* begins a ngx_group_policy_call_t, or goes on with one that waits */
int ngx_group_policy_call(lua_State *L);

/* lets go of what the VM holds for a ngx_group_policy_run_t */
int ngx_group_policy_unref(lua_State *L);

/* runs the file in an environment of its own and pushes its hooks */
void ngx_group_policy_table(lua_State *L, ngx_group_policy_t *policy);


#endif /* _NGX_GROUP_POLICY_INTERNAL_H_INCLUDED_ */
