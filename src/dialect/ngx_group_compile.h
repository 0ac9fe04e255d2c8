
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


/* a name and what it stands for */

typedef struct {
    char        *name;
    ngx_uint_t   value;
} ngx_group_compile_enum_t;


typedef ngx_int_t (*ngx_group_compile_pt)(ngx_group_compile_t *c, void *data);


/* a list of fields: what they are of, and where they end up */

typedef struct {
    ngx_group_of_e       of;
    ngx_group_format_e   format;
    ngx_array_t         *fields;
} ngx_group_compile_shape_t;


extern ngx_group_compile_enum_t  ngx_group_compile_formats[];


/* these return NGX_OK, or NGX_ERROR with c->error set unless memory is out */

/*
 * Compiles the table on top of the Lua stack into c->dialect, and leaves the
 * stack as it was.  NGX_OK; NGX_ERROR with c->error, c->path and c->line set.
 */
ngx_int_t ngx_group_compile(ngx_group_compile_t *c);

/* ngx_group_compile_lua.c: values of the table on top of the stack */

size_t ngx_group_compile_enter(ngx_group_compile_t *c, char *key,
    ngx_uint_t index);
ngx_int_t ngx_group_compile_error(ngx_group_compile_t *c, char *key, char *fmt,
    ...);
ngx_int_t ngx_group_compile_keys(ngx_group_compile_t *c, char **allowed,
    ngx_uint_t list);
ngx_int_t ngx_group_compile_dup(ngx_group_compile_t *c, int index,
    ngx_str_t *out);
ngx_int_t ngx_group_compile_string(ngx_group_compile_t *c, char *key,
    ngx_str_t *out);
ngx_int_t ngx_group_compile_flag(ngx_group_compile_t *c, char *key,
    ngx_uint_t *flag);
ngx_int_t ngx_group_compile_number(ngx_group_compile_t *c, char *key,
    int64_t *n);
ngx_int_t ngx_group_compile_enum(ngx_group_compile_t *c, char *key,
    ngx_group_compile_enum_t *list, ngx_uint_t *value);
ngx_int_t ngx_group_compile_table(ngx_group_compile_t *c, char *key,
    ngx_group_compile_pt handler, void *data);
ngx_int_t ngx_group_compile_strings(ngx_group_compile_t *c, char *key,
    ngx_array_t *out);
ngx_int_t ngx_group_compile_statuses(ngx_group_compile_t *c, char *key,
    ngx_array_t *out);
ngx_int_t ngx_group_compile_pairs(ngx_group_compile_t *c, void *data);
ngx_int_t ngx_group_compile_value(ngx_group_compile_t *c,
    ngx_group_value_t **value);

/* ngx_group_compile_field.c: fields, and URLs with parameters in them */

ngx_int_t ngx_group_compile_url(ngx_group_compile_t *c, char *key,
    ngx_str_t *url, ngx_array_t **pieces);
ngx_int_t ngx_group_compile_fields(ngx_group_compile_t *c, void *data);

/* ngx_group_compile_error.c: what goes wrong, and in which words */

ngx_int_t ngx_group_compile_errors(ngx_group_compile_t *c, void *data);
ngx_int_t ngx_group_compile_problems(ngx_group_compile_t *c, void *data);
ngx_int_t ngx_group_compile_readings(ngx_group_compile_t *c, void *data);


#endif /* _NGX_GROUP_COMPILE_H_INCLUDED_ */
