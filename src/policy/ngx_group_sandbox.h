
/*
 * What a script can reach.  Everything that outlives a run is read-only: the
 * libraries are userdata, since table.insert() would write to a table past
 * its __newindex.
 */


#ifndef _NGX_GROUP_SANDBOX_H_INCLUDED_
#define _NGX_GROUP_SANDBOX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_lua.h"


/* the functions that follow run inside of the VM and may throw */

/* makes the shared globals; once in each VM */
void ngx_group_sandbox_open(lua_State *L);

/* pushes a fresh environment, in which the shared globals are seen */
void ngx_group_sandbox_env(lua_State *L);

/* pushes the table of the shared globals, which no script may get */
void ngx_group_sandbox_globals(lua_State *L);

/* pushes a new metatable that scripts can neither get nor replace */
void ngx_group_sandbox_metatable(lua_State *L);


#endif /* _NGX_GROUP_SANDBOX_H_INCLUDED_ */
