
/*
 * The directives that are more than a value to keep, as they are read.
 */


#include "ngx_http_group_conf.h"
#include "ngx_group_jwt.h"


static char *ngx_http_group_jwt_param(ngx_conf_t *cf, ngx_group_jwt_t *jwt,
    ngx_str_t *value);


char *
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


char *
ngx_http_group_upstream_dialect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_group_loc_conf_t *glcf = conf;

    ngx_http_group_place(cf, &glcf->upstream_dialect_place);

    return ngx_conf_set_str_slot(cf, cmd, conf);
}


char *
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


char *
ngx_http_group_check_time(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *value = data;

    return (*value == 0) ? "must not be 0" : NGX_CONF_OK;
}


char *
ngx_http_group_check_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *value = data;

    return (*value == 0) ? "must not be 0" : NGX_CONF_OK;
}


char *
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


char *
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


char *
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


char *
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


char *
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


char *
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


char *
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


char *
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


char *
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


char *
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
