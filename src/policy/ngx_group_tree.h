
/*
 * Value trees as Lua tables, and back.
 *
 *   null     the global "null"        number   a Lua number
 *   array    a table with 1..n        object   a table with string keys
 *
 * On the way back a number that was not touched is the text that it was, also
 * when a Lua number cannot hold it.
 *
 * What is nested in the tree's outermost object becomes a table when a script
 * first asks for it, so that a hook that looks at a group's name does not pay
 * for its members.
 */


#ifndef _NGX_GROUP_TREE_H_INCLUDED_
#define _NGX_GROUP_TREE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_lua.h"
#include "ngx_group_value.h"


/* nesting of what a script leaves; it also ends a table that holds itself */
#define NGX_GROUP_TREE_DEPTH  64


/* all run inside of the VM and may throw */

/* once in each VM */
void ngx_group_tree_open(lua_State *L);

/* "pool" must live as long as scripts can reach the table */
void ngx_group_tree_push(lua_State *L, ngx_pool_t *pool,
    ngx_group_value_t *value);

/* makes all tables that are not made yet of the one at "index", if any */
void ngx_group_tree_fill(lua_State *L, int index);

/*
 * Takes the table on top of the stack off.  "old" is the tree that stood in
 * its place, or NULL, and "name" is "group" for ctx.group; at most "memory"
 * bytes come from the pool.
 */
ngx_group_value_t *ngx_group_tree_pull(lua_State *L, ngx_pool_t *pool,
    ngx_group_value_t *old, const char *name, size_t memory);


#endif /* _NGX_GROUP_TREE_H_INCLUDED_ */
