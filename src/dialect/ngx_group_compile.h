
/*
 * From a Lua table to a dialect.  Only ngx_group_load.c needs this.
 */


#ifndef _NGX_GROUP_COMPILE_H_INCLUDED_
#define _NGX_GROUP_COMPILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include "ngx_group_dialect.h"


#define NGX_GROUP_COMPILE_PATH  256
#define NGX_GROUP_COMPILE_DEPTH 16

/* the keys under which the constructors "field" and "each" leave their mark */
#define NGX_GROUP_LUA_FIELD     "$field"
#define NGX_GROUP_LUA_LINE      "$line"
#define NGX_GROUP_LUA_EACH      "$each"
#define NGX_GROUP_LUA_DIALECT   "$dialect"


typedef struct {
    ngx_pool_t           *pool;
    lua_State            *lua;
    ngx_group_dialect_t  *dialect;
    ngx_uint_t            line;       /* of the field that is read, or 0 */
    ngx_uint_t            depth;
    size_t                len;        /* of the key path below */
    u_char                path[NGX_GROUP_COMPILE_PATH];
    u_char                error[NGX_MAX_CONF_ERRSTR];
    size_t                error_len;  /* 0: no memory */
} ngx_group_compile_t;


/*
 * Compiles the table on top of the Lua stack into c->dialect, and leaves the
 * stack as it was.  NGX_OK; NGX_ERROR with c->error, c->path and c->line set.
 */
ngx_int_t ngx_group_compile(ngx_group_compile_t *c);


#endif /* _NGX_GROUP_COMPILE_H_INCLUDED_ */
