
#include "ngx_http_group_module.h"
#include "ngx_group_jwt.h"


/* a request's limits unless they are configured: see README, Limits */
#define NGX_HTTP_GROUP_POLICY_TIMEOUT   100
#define NGX_HTTP_GROUP_POLICY_MEMORY    (16 * 1024 * 1024)
#define NGX_HTTP_GROUP_MAX_SKEW         (15 * 60)
#define NGX_HTTP_GROUP_RESPONSE_BUFFER  (8 * 1024 * 1024)
#define NGX_HTTP_GROUP_MAX_DEPTH        32
#define NGX_HTTP_GROUP_MAX_MEMBERS      10000
#define NGX_HTTP_GROUP_CONCURRENCY      8
#define NGX_HTTP_GROUP_MAX_CALLS        256

/* values are copied and written with bounded recursion */
#define NGX_HTTP_GROUP_DEPTH_BOUND      256

/* each call counts as a reference to the request, and takes its memory */
#define NGX_HTTP_GROUP_CONCURRENCY_BOUND  40
#define NGX_HTTP_GROUP_CALLS_BOUND        10000


static ngx_int_t ngx_http_group_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_group_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);

static ngx_int_t ngx_http_group_add_handlers(ngx_conf_t *cf);
static void *ngx_http_group_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_group_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_group_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_group_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_group_merge_dialect(ngx_conf_t *cf,
    ngx_http_group_loc_conf_t *conf);
static ngx_group_dialect_t *ngx_http_group_find_dialect(ngx_conf_t *cf,
    ngx_str_t *name);
static ngx_int_t ngx_http_group_init_process(ngx_cycle_t *cycle);
static void ngx_http_group_exit_process(ngx_cycle_t *cycle);

static char *ngx_http_group_dialect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_upstream_dialect(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_group_dialect_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_check_time(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_group_check_size(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_group_base_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_credentials(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_jwt_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_jwt_param(ngx_conf_t *cf, ngx_group_jwt_t *jwt,
    ngx_str_t *value);
static char *ngx_http_group_shared_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_sigv4_replay_zone(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_group_upstream_credentials(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_group_scope(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_default(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_group_metrics_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_conf_enum_t  ngx_http_group_mode[] = {
    { ngx_string("enforce"), NGX_HTTP_GROUP_MODE_ENFORCE },
    { ngx_string("log_only"), NGX_HTTP_GROUP_MODE_LOG_ONLY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_group_loss[] = {
    { ngx_string("report"), NGX_HTTP_GROUP_LOSS_REPORT },
    { ngx_string("reject"), NGX_HTTP_GROUP_LOSS_REJECT },
    { ngx_string("ignore"), NGX_HTTP_GROUP_LOSS_IGNORE },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_group_depth_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_GROUP_DEPTH_BOUND
};


static ngx_conf_num_bounds_t  ngx_http_group_members_bounds = {
    ngx_conf_check_num_bounds, 1, -1
};


/* a limit that nothing keeps is a mistake */

static ngx_conf_post_t  ngx_http_group_limit_time = {
    ngx_http_group_check_time
};


static ngx_conf_post_t  ngx_http_group_limit_size = {
    ngx_http_group_check_size
};


static ngx_conf_num_bounds_t  ngx_http_group_plan_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_GROUP_CONCURRENCY_BOUND
};


static ngx_conf_num_bounds_t  ngx_http_group_calls_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_GROUP_CALLS_BOUND
};


static ngx_command_t  ngx_http_group_commands[] = {

    { ngx_string("group_dialect"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_group_dialect,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, dialect_name),
      NULL },

    { ngx_string("group_upstream_dialect"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_group_upstream_dialect,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, upstream_dialect_name),
      NULL },

    { ngx_string("group_base_path"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_group_base_path,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, base_path),
      NULL },

    { ngx_string("group_upstream_base_path"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_group_base_path,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, upstream_base_path),
      NULL },

    { ngx_string("group_dialect_path"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_group_dialect_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_credentials"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_group_credentials,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_jwt_keys"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_group_jwt_keys,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_scope"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_http_group_scope,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_sigv4_max_skew"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, max_skew),
      NULL },

    { ngx_string("group_shared_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_group_shared_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_sigv4_replay_zone"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_group_sigv4_replay_zone,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_upstream_credentials"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_group_upstream_credentials,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_default"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_http_group_default,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_policy"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_group_policy,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_policy_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, policy_timeout),
      &ngx_http_group_limit_time },

    { ngx_string("group_policy_memory"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, policy_memory),
      &ngx_http_group_limit_size },

    { ngx_string("group_loss"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, loss),
      &ngx_http_group_loss },

    { ngx_string("group_mode"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, mode),
      &ngx_http_group_mode },

    { ngx_string("group_explain"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, explain),
      NULL },

    { ngx_string("group_response_buffer_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, response_buffer_size),
      &ngx_http_group_limit_size },

    { ngx_string("group_max_depth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, max_depth),
      &ngx_http_group_depth_bounds },

    { ngx_string("group_max_members"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, max_members),
      &ngx_http_group_members_bounds },

    { ngx_string("group_plan_concurrency"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, plan_concurrency),
      &ngx_http_group_plan_bounds },

    { ngx_string("group_plan_max_calls"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, plan_max_calls),
      &ngx_http_group_calls_bounds },

    { ngx_string("group_console"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_group_console_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("group_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_group_metrics_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_group_module_ctx = {
    ngx_http_group_add_variables,          /* preconfiguration */
    ngx_http_group_add_handlers,           /* postconfiguration */

    ngx_http_group_create_main_conf,       /* create main configuration */
    ngx_http_group_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_group_create_loc_conf,        /* create location configuration */
    ngx_http_group_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_group_module = {
    NGX_MODULE_V1,
    &ngx_http_group_module_ctx,            /* module context */
    ngx_http_group_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_group_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_group_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* an upstream's answer is taken out of the filter chain here */

static ngx_int_t
ngx_http_group_header_filter(ngx_http_request_t *r)
{
    ngx_http_group_call_t  *call;

    call = ngx_http_group_call_of(r);

    if (call == NULL) {

        if (ngx_http_group_special_header(r) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    return ngx_http_group_call_header_filter(r, call);
}


static ngx_int_t
ngx_http_group_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_group_call_t  *call;

    call = ngx_http_group_call_of(r);

    if (call == NULL) {
        return ngx_http_next_body_filter(r,
                                        ngx_http_group_special_body(r, in));
    }

    return ngx_http_group_call_body_filter(r, call, in);
}


/* nothing is installed that no location uses */

static ngx_int_t
ngx_http_group_add_handlers(ngx_conf_t *cf)
{
    ngx_http_handler_pt         *h;
    ngx_uint_t                   i;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);

    if (!gmcf->used) {
        return NGX_OK;
    }

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_http_proxy_module")
            == 0)
        {
            gmcf->proxy = cf->cycle->modules[i];
            break;
        }
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_http_group_lock_zone(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (gmcf->metered) {

        if (ngx_http_group_metrics_zone(cf) != NGX_OK) {
            return NGX_ERROR;
        }

        h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_http_group_metrics_log;
    }

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_group_access_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_group_exchange_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_group_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_group_body_filter;

    return NGX_OK;
}


static void *
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


static char *
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


static void *
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

    return conf;
}


static char *
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


static ngx_int_t
ngx_http_group_init_process(ngx_cycle_t *cycle)
{
    ngx_http_group_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_group_module);

    if (gmcf == NULL || !gmcf->policies) {
        return NGX_OK;
    }

    return ngx_group_policy_init(cycle->log);
}


static void
ngx_http_group_exit_process(ngx_cycle_t *cycle)
{
    ngx_group_policy_exit();
}


static char *
ngx_http_group_dialect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_str_t                   *value;
    ngx_http_group_main_conf_t  *gmcf;

    value = cf->args->elts;

    ngx_http_group_place(cf, &glcf->dialect_place);

    if (!ngx_group_str_is(&value[1], "off")) {
        gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);
        gmcf->used = 1;
    }

    return ngx_conf_set_str_slot(cf, cmd, conf);
}


static char *
ngx_http_group_upstream_dialect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_http_group_place(cf, &glcf->upstream_dialect_place);

    return ngx_conf_set_str_slot(cf, cmd, conf);
}


static char *
ngx_http_group_dialect_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_main_conf_t *gmcf = conf;

    ngx_str_t   *value, *dir;
    ngx_uint_t   i;

    if (gmcf->dialect_path.nelts) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        dir = ngx_array_push(&gmcf->dialect_path);
        if (dir == NULL) {
            return NGX_CONF_ERROR;
        }

        *dir = value[i];

        if (ngx_conf_full_name(cf->cycle, dir, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_group_check_time(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *value = data;

    return (*value == 0) ? "must not be 0" : NGX_CONF_OK;
}


static char *
ngx_http_group_check_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *value = data;

    return (*value == 0) ? "must not be 0" : NGX_CONF_OK;
}


static char *
ngx_http_group_base_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t  *field, *value;

    field = (ngx_str_t *) (p + cmd->offset);

    if (field->data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"%V\" in \"%V\", expected it to "
                           "begin with \"/\"", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    *field = value[1];

    while (field->len && field->data[field->len - 1] == '/') {
        field->len--;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_group_credentials(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_str_t  *value;

    if (glcf->credentials != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_group_str_is(&value[1], "off")) {
        glcf->credentials = NULL;
        return NGX_CONF_OK;
    }

    glcf->credentials = ngx_group_credentials_load(cf, &value[1]);

    return glcf->credentials ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_group_jwt_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (glcf->jwt != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_group_str_is(&value[1], "off")) {
        glcf->jwt = NULL;
        return NGX_CONF_OK;
    }

    glcf->jwt = ngx_group_jwt_load(cf, &value[1]);
    if (glcf->jwt == NULL) {
        return NGX_CONF_ERROR;
    }

    glcf->jwt->leeway = NGX_CONF_UNSET;

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_http_group_jwt_param(cf, glcf->jwt, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    ngx_conf_init_value(glcf->jwt->leeway, 0);

    return NGX_CONF_OK;
}


static char *
ngx_http_group_jwt_param(ngx_conf_t *cf, ngx_group_jwt_t *jwt,
    ngx_str_t *value)
{
    size_t      len;
    ngx_str_t  *param, text;

    param = NULL;
    len = 0;

    if (ngx_strncmp(value->data, "issuer=", 7) == 0) {
        len = 7;
        param = &jwt->issuer;

    } else if (ngx_strncmp(value->data, "audience=", 9) == 0) {
        len = 9;
        param = &jwt->audience;

    } else if (ngx_strncmp(value->data, "leeway=", 7) == 0) {
        len = 7;
    }

    text.data = value->data + len;
    text.len = value->len - len;

    if (len == 0 || text.len == 0) {
        goto invalid;
    }

    if (param ? (param->len != 0) : (jwt->leeway != NGX_CONF_UNSET)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate parameter \"%V\" in \"group_jwt_keys\"",
                           value);
        return NGX_CONF_ERROR;
    }

    if (param) {
        *param = text;
        return NGX_CONF_OK;
    }

    jwt->leeway = ngx_parse_time(&text, 1);

    if (jwt->leeway != (time_t) NGX_ERROR
        && jwt->leeway <= NGX_GROUP_JWT_MAX_LEEWAY)
    {
        return NGX_CONF_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"group_jwt_keys\", "
                       "expected issuer=text, audience=text or leeway=time of "
                       "a day at most", value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_group_shared_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_main_conf_t *gmcf = conf;

    u_char           c;
    size_t           i;
    ssize_t          size;
    ngx_str_t       *value;
    ngx_shm_zone_t  *zone, **slot;

    value = cf->args->elts;

    /* hooks write ctx.shared.<name> */

    for (i = 0; i < value[1].len; i++) {
        c = value[1].data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'
            || (i && c >= '0' && c <= '9'))
        {
            continue;
        }

        break;
    }

    if (value[1].len == 0 || i < value[1].len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\", expected a Lua name",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR || size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\", at least %uz are needed",
                           &value[2], 8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    zone = ngx_group_shared_zone(cf, &value[1], size);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (gmcf->shared == NULL) {
        gmcf->shared = ngx_array_create(cf->pool, 2, sizeof(ngx_shm_zone_t *));
        if (gmcf->shared == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    slot = ngx_array_push(gmcf->shared);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = zone;

    return NGX_CONF_OK;
}


static char *
ngx_http_group_sigv4_replay_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (glcf->replay != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (!ngx_group_str_is(&value[1], "off")) {
            return "needs a name and a size, or \"off\"";
        }

        glcf->replay = NULL;
        return NGX_CONF_OK;
    }

    size = ngx_parse_size(&value[2]);

    if (value[1].len == 0 || size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\" of size \"%V\" in \"%V\", "
                           "expected a name and at least %uz", &value[1],
                           &value[2], &cmd->name, 8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    glcf->replay = ngx_http_group_replay_zone(cf, &value[1], size);

    return glcf->replay ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_group_upstream_credentials(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_str_t  *value;

    if (glcf->signer != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_group_str_is(&value[1], "off")) {
        glcf->signer = NULL;
        return NGX_CONF_OK;
    }

    glcf->signer = ngx_group_signer_load(cf, &value[1]);

    return glcf->signer ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_group_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_str_t               *value, *s;
    ngx_uint_t               i, operation;
    ngx_http_group_scope_t  *scope;

    value = cf->args->elts;

    operation = ngx_group_operation_find(&value[1]);

    if (operation == NGX_GROUP_OPERATIONS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown operation \"%V\" in \"group_scope\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (glcf->scopes == NGX_CONF_UNSET_PTR) {
        glcf->scopes = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_group_scope_t));
        if (glcf->scopes == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    scope = glcf->scopes->elts;

    for (i = 0; i < glcf->scopes->nelts; i++) {
        if (scope[i].operation == operation) {
            return "is duplicate for this operation";
        }
    }

    scope = ngx_array_push(glcf->scopes);

    if (scope == NULL
        || ngx_array_init(&scope->scopes, cf->pool, cf->args->nelts,
                          sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    scope->operation = operation;
    ngx_http_group_place(cf, &scope->place);

    if (cf->args->nelts == 3 && ngx_group_str_is(&value[2], "off")) {
        return NGX_CONF_OK;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        s = ngx_array_push(&scope->scopes);
        if (s == NULL) {
            return NGX_CONF_ERROR;
        }

        *s = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_group_default(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_group_canonical_t             *field;
    ngx_http_complex_value_t          *cv;
    ngx_http_group_default_t          *dflt;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    field = ngx_group_canonical_find(NGX_GROUP_OF_GROUP, &value[1]);

    if (field == NULL || ngx_group_str_is(&value[1], "id")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown field \"%V\" in \"group_default\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (field->type == NGX_GROUP_ARRAY
        ? field->of != NGX_GROUP_OF_MEMBER : cf->args->nelts != 3)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "field \"%V\" in \"group_default\" takes %s",
                           &value[1],
                           field->type == NGX_GROUP_ARRAY ? "no default"
                                                          : "one value");
        return NGX_CONF_ERROR;
    }

    if (glcf->defaults == NGX_CONF_UNSET_PTR) {
        glcf->defaults = ngx_array_create(cf->pool, 4,
                                          sizeof(ngx_http_group_default_t));
        if (glcf->defaults == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    dflt = glcf->defaults->elts;

    for (i = 0; i < glcf->defaults->nelts; i++) {
        if (dflt[i].field == field) {
            return "is duplicate for this field";
        }
    }

    dflt = ngx_array_push(glcf->defaults);

    if (dflt == NULL
        || ngx_array_init(&dflt->values, cf->pool, cf->args->nelts,
                          sizeof(ngx_http_complex_value_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    dflt->field = field;
    ngx_http_group_place(cf, &dflt->place);

    for (i = 2; i < cf->args->nelts; i++) {
        cv = ngx_array_push(&dflt->values);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (cv->lengths) {
            continue;
        }

        if ((field->type == NGX_GROUP_BOOLEAN
             && ngx_http_group_boolean(&value[i]) == NGX_ERROR)
            || (field->type == NGX_GROUP_NUMBER
                && ngx_atoi(value[i].data, value[i].len) == NGX_ERROR))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" of \"%V\" in "
                               "\"group_default\", expected %s", &value[i],
                               &value[1],
                               field->type == NGX_GROUP_NUMBER
                               ? "a number" : "true or false");
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_group_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    u_char                       *eq;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_array_t                  *params;
    ngx_keyval_t                 *kv;
    ngx_group_policy_t          **policy;
    ngx_http_group_main_conf_t   *gmcf;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_group_str_is(&value[1], "off")) {

        if (glcf->policies != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        glcf->policies = NULL;
        return NGX_CONF_OK;
    }

    if (glcf->policies == NULL) {
        return "is off already";
    }

    if (glcf->policies == NGX_CONF_UNSET_PTR) {
        glcf->policies = ngx_array_create(cf->pool, 2,
                                          sizeof(ngx_group_policy_t *));
        if (glcf->policies == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    params = ngx_array_create(cf->pool, 4, sizeof(ngx_keyval_t));
    if (params == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        eq = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

        if (eq == NULL || eq == value[i].data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"group_policy\", "
                               "expected key=value", &value[i]);
            return NGX_CONF_ERROR;
        }

        kv = ngx_array_push(params);
        if (kv == NULL) {
            return NGX_CONF_ERROR;
        }

        kv->key.data = value[i].data;
        kv->key.len = eq - value[i].data;
        kv->value.data = eq + 1;
        kv->value.len = value[i].len - kv->key.len - 1;
    }

    policy = ngx_array_push(glcf->policies);
    if (policy == NULL) {
        return NGX_CONF_ERROR;
    }

    *policy = ngx_group_policy_load(cf, &value[1], params);
    if (*policy == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_group_check_params(cf, *policy);

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);
    gmcf->policies = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_group_metrics_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_group_main_conf_t  *gmcf;

    /* it is no part of the API that is beside it */

    if (glcf->dialect_name.data) {
        return "is not for a location with \"group_dialect\"";
    }

    ngx_str_set(&glcf->dialect_name, "off");

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_group_metrics_handler;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_group_module);
    gmcf->used = 1;
    gmcf->metered = 1;

    return NGX_CONF_OK;
}
