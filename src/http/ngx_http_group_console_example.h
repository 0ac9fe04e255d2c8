
#ifndef _NGX_HTTP_GROUP_CONSOLE_EXAMPLE_H_INCLUDED_
#define _NGX_HTTP_GROUP_CONSOLE_EXAMPLE_H_INCLUDED_


#include "ngx_http_group_module.h"


/* one operation of a location with group_explain on */

typedef struct {
    ngx_pool_t                 *pool;
    ngx_log_t                  *log;
    ngx_http_group_loc_conf_t  *conf;
    ngx_group_op_t             *op;        /* of the client's dialect */
    ngx_group_value_t          *doc;       /* canonical request */
    ngx_str_t                   base_path;
    ngx_group_error_t           error;
} ngx_http_group_example_t;


/*
 * Adds the example to "object": how it is called, its method, path, scopes and
 * body, and whether there is a plan for it.  All but ex->doc and ex->error is
 * set.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_group_console_operation(ngx_http_group_example_t *ex,
    ngx_group_value_t *object);


#endif /* _NGX_HTTP_GROUP_CONSOLE_EXAMPLE_H_INCLUDED_ */
