
/*
 * The configuration: what it is before nginx.conf is read, and what a location
 * has of its own and from around it.
 */


#include "ngx_http_group_conf.h"


/* a request's limits unless they are configured: see README, Limits */
#define NGX_HTTP_GROUP_POLICY_TIMEOUT   100
#define NGX_HTTP_GROUP_POLICY_MEMORY    (16 * 1024 * 1024)
#define NGX_HTTP_GROUP_MAX_SKEW         (15 * 60)
#define NGX_HTTP_GROUP_RESPONSE_BUFFER  (8 * 1024 * 1024)
#define NGX_HTTP_GROUP_MAX_DEPTH        32
#define NGX_HTTP_GROUP_MAX_MEMBERS      10000
#define NGX_HTTP_GROUP_CONCURRENCY      8
#define NGX_HTTP_GROUP_MAX_CALLS        256
#define NGX_HTTP_GROUP_PLAN_TIMEOUT     60000


static char *ngx_http_group_merge_dialect(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *conf);
static ngx_group_dialect_t *ngx_http_group_find_dialect(ngx_conf_t *cf,
    ngx_str_t *name);


void *
ngx_http_group_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_group_main_conf_t  *conf;

    /*
     * set by ngx_pcalloc():
     *
     *     conf->used = 0;
     *     conf->policies = 0;
     *     conf->proxy = NULL;
     */

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_group_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->dialect_path, cf->pool, 4, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_array_init(&conf->dialects, cf->pool, 4,
                          sizeof(ngx_group_dialect_t *))
           != NGX_OK
        || ngx_array_init(&conf->pairs, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&conf->rows, cf->pool, 64, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


char *
ngx_http_group_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_group_main_conf_t *gmcf = conf;

    ngx_str_t  *dir;

    dir = ngx_array_push(&gmcf->dialect_path);
    if (dir == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(dir, NGX_HTTP_GROUP_DIALECT_PATH);

    return NGX_CONF_OK;
}


void *
ngx_http_group_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_group_loc_conf_t  *conf;

    /*
     * set by ngx_pcalloc():
     *
     *     conf->dialect_name = { 0, NULL };
     *     conf->upstream_dialect_name = { 0, NULL };
     *     conf->dialect = NULL;
     *     conf->upstream_dialect = NULL;
     *     conf->base_path = { 0, NULL };
     *     conf->upstream_base_path = { 0, NULL };
     *     conf->metrics = NULL;
     */

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_group_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->credentials = NGX_CONF_UNSET_PTR;
    conf->jwt = NGX_CONF_UNSET_PTR;
    conf->replay = NGX_CONF_UNSET_PTR;
    conf->signer = NGX_CONF_UNSET_PTR;
    conf->scopes = NGX_CONF_UNSET_PTR;
    conf->defaults = NGX_CONF_UNSET_PTR;
    conf->policies = NGX_CONF_UNSET_PTR;
    conf->policy_timeout = NGX_CONF_UNSET_MSEC;
    conf->policy_memory = NGX_CONF_UNSET_SIZE;
    conf->max_skew = NGX_CONF_UNSET;
    conf->loss = NGX_CONF_UNSET_UINT;
    conf->mode = NGX_CONF_UNSET_UINT;
    conf->explain = NGX_CONF_UNSET;
    conf->response_buffer_size = NGX_CONF_UNSET_SIZE;
    conf->max_depth = NGX_CONF_UNSET_UINT;
    conf->max_members = NGX_CONF_UNSET_UINT;
    conf->plan_concurrency = NGX_CONF_UNSET_UINT;
    conf->plan_max_calls = NGX_CONF_UNSET_UINT;
    conf->plan_timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


char *
ngx_http_group_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_group_loc_conf_t *prev = parent;
    ngx_http_group_loc_conf_t *conf = child;

    char             *rv;
    ngx_conf_file_t   file, *was;

    if (conf->dialect_name.data == NULL) {
        conf->dialect_place = prev->dialect_place;
    }

    if (conf->upstream_dialect_name.data == NULL) {
        conf->upstream_dialect_place = prev->upstream_dialect_place;
    }

    ngx_conf_merge_str_value(conf->dialect_name, prev->dialect_name, "off");
    ngx_conf_merge_str_value(conf->upstream_dialect_name,
                             prev->upstream_dialect_name, "");
    ngx_conf_merge_ptr_value(conf->credentials, prev->credentials, NULL);
    ngx_conf_merge_ptr_value(conf->jwt, prev->jwt, NULL);
    ngx_conf_merge_ptr_value(conf->replay, prev->replay, NULL);
    ngx_conf_merge_ptr_value(conf->signer, prev->signer, NULL);
    ngx_conf_merge_ptr_value(conf->scopes, prev->scopes, NULL);
    ngx_conf_merge_ptr_value(conf->defaults, prev->defaults, NULL);
    ngx_conf_merge_ptr_value(conf->policies, prev->policies, NULL);
    ngx_conf_merge_msec_value(conf->policy_timeout, prev->policy_timeout,
                              NGX_HTTP_GROUP_POLICY_TIMEOUT);
    ngx_conf_merge_size_value(conf->policy_memory, prev->policy_memory,
                              NGX_HTTP_GROUP_POLICY_MEMORY);
    ngx_conf_merge_sec_value(conf->max_skew, prev->max_skew,
                             NGX_HTTP_GROUP_MAX_SKEW);
    ngx_conf_merge_uint_value(conf->loss, prev->loss,
                              NGX_HTTP_GROUP_LOSS_REPORT);
    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_HTTP_GROUP_MODE_ENFORCE);
    ngx_conf_merge_value(conf->explain, prev->explain, 0);
    ngx_conf_merge_size_value(conf->response_buffer_size,
                              prev->response_buffer_size,
                              NGX_HTTP_GROUP_RESPONSE_BUFFER);
    ngx_conf_merge_uint_value(conf->max_depth, prev->max_depth,
                              NGX_HTTP_GROUP_MAX_DEPTH);
    ngx_conf_merge_uint_value(conf->max_members, prev->max_members,
                              NGX_HTTP_GROUP_MAX_MEMBERS);
    ngx_conf_merge_uint_value(conf->plan_concurrency, prev->plan_concurrency,
                              NGX_HTTP_GROUP_CONCURRENCY);
    ngx_conf_merge_uint_value(conf->plan_max_calls, prev->plan_max_calls,
                              NGX_HTTP_GROUP_MAX_CALLS);
    ngx_conf_merge_msec_value(conf->plan_timeout, prev->plan_timeout,
                              NGX_HTTP_GROUP_PLAN_TIMEOUT);

    if (conf->base_path.data == NULL) {
        conf->base_path = prev->base_path;
    }

    if (conf->upstream_base_path.data == NULL) {
        conf->upstream_base_path = prev->upstream_base_path;
    }

    if (ngx_group_str_is(&conf->dialect_name, "off")) {
        return NGX_CONF_OK;
    }

    /* the block that is merged ended long after the directive */

    was = ngx_http_group_at(cf, &conf->dialect_place, &file);

    rv = ngx_http_group_merge_dialect(cf, conf);

    cf->conf_file = was;

    return rv;
}


static char *
ngx_http_group_merge_dialect(ngx_conf_t *cf, ngx_http_group_loc_conf_t *conf)
{
    ngx_conf_file_t  file, *was;

    conf->dialect = ngx_http_group_find_dialect(cf, &conf->dialect_name);
    if (conf->dialect == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->upstream_dialect = conf->dialect;

    if (conf->upstream_dialect_name.len) {
        was = ngx_http_group_at(cf, &conf->upstream_dialect_place, &file);

        conf->upstream_dialect = ngx_http_group_find_dialect(cf,
                                               &conf->upstream_dialect_name);

        cf->conf_file = was;

        if (conf->upstream_dialect == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->credentials && conf->dialect->auth == NGX_GROUP_AUTH_NONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"group_credentials\" is set, but dialect \"%V\" "
                           "has no authentication", &conf->dialect->name);
        return NGX_CONF_ERROR;
    }

    if (conf->jwt && conf->credentials == NULL
        && conf->dialect->auth != NGX_GROUP_AUTH_BEARER)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"group_jwt_keys\" is set, but dialect \"%V\" "
                           "takes no bearer tokens", &conf->dialect->name);
        return NGX_CONF_ERROR;
    }

    if (conf->replay && conf->dialect->auth == NGX_GROUP_AUTH_SIGV4) {

        if (conf->max_skew == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"group_sigv4_replay_zone\" cannot keep "
                               "signatures for ever, as "
                               "\"group_sigv4_max_skew 0\" asks it to");
            return NGX_CONF_ERROR;
        }

        ngx_http_group_replay_skew(conf->replay, conf->max_skew);
    }

    if (conf->explain && ngx_http_group_console_location(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_group_metrics_location(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_group_check(cf, conf);

    return NGX_CONF_OK;
}


/* each dialect is loaded once */

static ngx_group_dialect_t *
ngx_http_group_find_dialect(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_group_dialect_t         **dialect;
    ngx_http_group_main_conf_t   *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    dialect = gmcf->dialects.elts;

    for (i = 0; i < gmcf->dialects.nelts; i++) {
        if (ngx_group_str_eq(&dialect[i]->name, name)) {
            return dialect[i];
        }
    }

    dialect = ngx_array_push(&gmcf->dialects);
    if (dialect == NULL) {
        return NULL;
    }

    *dialect = ngx_group_dialect_load(cf, name, &gmcf->dialect_path);

    if (*dialect == NULL) {
        gmcf->dialects.nelts--;
        return NULL;
    }

    return *dialect;
}


void
ngx_http_group_place(ngx_conf_t *cf, ngx_http_group_place_t *place)
{
    if (cf->conf_file) {
        place->file = cf->conf_file->file.name;
        place->line = cf->conf_file->line;
    }
}


ngx_conf_file_t *
ngx_http_group_at(ngx_conf_t *cf, ngx_http_group_place_t *place,
    ngx_conf_file_t *file)
{
    ngx_conf_file_t  *was;

    was = cf->conf_file;

    if (was == NULL || place->line == 0) {
        return was;
    }

    *file = *was;

    file->file.name = place->file;
    file->line = place->line;

    cf->conf_file = file;

    return was;
}
