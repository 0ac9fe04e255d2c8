
/*
 * What the module's tables name: the configuration and its directives.
 */


#ifndef _NGX_HTTP_GROUP_CONF_H_INCLUDED_
#define _NGX_HTTP_GROUP_CONF_H_INCLUDED_


#include "ngx_http_group_module.h"


/* http/ngx_http_group_conf.c: as ngx_http_module_t has them */

void *ngx_http_group_create_main_conf(ngx_conf_t *cf);
char *ngx_http_group_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_group_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_group_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);


/* http/ngx_http_group_directives.c: as ngx_command_t has them */

char *ngx_http_group_dialect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_group_upstream_dialect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_group_dialect_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_group_base_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_group_credentials(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_group_jwt_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_group_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_group_shared_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_group_sigv4_replay_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_group_upstream_credentials(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_group_default(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_group_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_group_metrics_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* as ngx_conf_post_t has them: a limit must not be 0 */

char *ngx_http_group_check_time(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_group_check_size(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_HTTP_GROUP_CONF_H_INCLUDED_ */
