
/*
 * The module: its tables, and where it enters nginx's phases and filters.
 */


#include "ngx_http_group_conf.h"


/* values are copied and written with bounded recursion */
#define NGX_HTTP_GROUP_DEPTH_BOUND        256

/* each call counts as a reference to the request, and takes its memory */
#define NGX_HTTP_GROUP_CONCURRENCY_BOUND  40
#define NGX_HTTP_GROUP_CALLS_BOUND        10000


static ngx_int_t ngx_http_group_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_group_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_group_add_handlers(ngx_conf_t *cf);
static ngx_int_t ngx_http_group_init_process(ngx_cycle_t *cycle);
static void ngx_http_group_exit_process(ngx_cycle_t *cycle);


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

    { ngx_string("group_plan_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_group_loc_conf_t, plan_timeout),
      &ngx_http_group_limit_time },

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
