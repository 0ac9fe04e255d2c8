
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_auth_entry.h"
#include "ngx_group_json.h"


/* far more than a list that is kept by hand or made by a script */
#define NGX_GROUP_AUTH_FILE_SIZE   (1024 * 1024)
#define NGX_GROUP_AUTH_FILE_DEPTH  8
#define NGX_GROUP_AUTH_FILE_ITEMS  10000

#define NGX_GROUP_AUTH_FILE_POOL   4096

#define NGX_GROUP_AUTH_FILE_OTHERS  0004


static ngx_int_t ngx_group_auth_load_secret(ngx_conf_t *cf, ngx_str_t *file,
    ngx_group_auth_build_pt build, void *data);
static ngx_int_t ngx_group_auth_read(ngx_conf_t *cf, ngx_str_t *name,
    const char *kind, ngx_str_t *text, ngx_uint_t *shared);
static ngx_int_t ngx_group_auth_read_fd(ngx_conf_t *cf, ngx_str_t *name,
    const char *kind, ngx_fd_t fd, ngx_str_t *text, ngx_uint_t *shared);
static void ngx_group_auth_wipe(ngx_group_value_t *value);


ngx_group_credentials_t *
ngx_group_credentials_load(ngx_conf_t *cf, ngx_str_t *file)
{
    ngx_group_credentials_t  *credentials;

    credentials = ngx_pcalloc(cf->pool, sizeof(ngx_group_credentials_t));
    if (credentials == NULL) {
        return NULL;
    }

    credentials->file = *file;

    if (ngx_group_auth_load_secret(cf, &credentials->file,
                                   ngx_group_credentials_build, credentials)
        != NGX_OK)
    {
        return NULL;
    }

    return credentials;
}


ngx_group_signer_t *
ngx_group_signer_load(ngx_conf_t *cf, ngx_str_t *file)
{
    ngx_str_t            name;
    ngx_group_signer_t  *signer;

    signer = ngx_pcalloc(cf->pool, sizeof(ngx_group_signer_t));
    if (signer == NULL) {
        return NULL;
    }

    name = *file;

    if (ngx_group_auth_load_secret(cf, &name, ngx_group_signer_build, signer)
        != NGX_OK)
    {
        return NULL;
    }

    return signer;
}


static ngx_int_t
ngx_group_auth_load_secret(ngx_conf_t *cf, ngx_str_t *file,
    ngx_group_auth_build_pt build, void *data)
{
    ngx_uint_t  shared;

    if (ngx_group_auth_load(cf, file, "credentials", build, data, &shared)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (shared) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "credentials file \"%V\" can be read by everyone",
                           file);
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_auth_load(ngx_conf_t *cf, ngx_str_t *file, const char *kind,
    ngx_group_auth_build_pt build, void *data, ngx_uint_t *shared)
{
    ngx_int_t  rc;
    ngx_str_t  text, error;

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_group_auth_read(cf, file, kind, &text, shared) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_group_auth_parse(cf->pool, &text, build, data, &error);

    ngx_free(text.data);

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s file \"%V\": %V", kind, file, &error);
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_group_auth_read(ngx_conf_t *cf, ngx_str_t *name, const char *kind,
    ngx_str_t *text, ngx_uint_t *shared)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    /* not to wait for a writer when the name is that of a pipe */

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = ngx_group_auth_read_fd(cf, name, kind, fd, text, shared);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}


static ngx_int_t
ngx_group_auth_read_fd(ngx_conf_t *cf, ngx_str_t *name, const char *kind,
    ngx_fd_t fd, ngx_str_t *text, ngx_uint_t *shared)
{
    ssize_t          n;
    ngx_file_t       file;
    ngx_file_info_t  info;

    if (ngx_fd_info(fd, &info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&info)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s file \"%V\" is not a regular file", kind,
                           name);
        return NGX_ERROR;
    }

    if (ngx_file_size(&info) > NGX_GROUP_AUTH_FILE_SIZE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s file \"%V\" is larger than %d bytes", kind,
                           name, NGX_GROUP_AUTH_FILE_SIZE);
        return NGX_ERROR;
    }

    *shared = (ngx_file_access(&info) & NGX_GROUP_AUTH_FILE_OTHERS) ? 1 : 0;

    text->len = (size_t) ngx_file_size(&info);

    text->data = ngx_alloc(text->len ? text->len : 1, cf->log);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.fd = fd;
    file.name = *name;
    file.log = cf->log;

    n = ngx_read_file(&file, text->data, text->len, 0);

    if (n == (ssize_t) text->len) {
        return NGX_OK;
    }

    if (n != NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           ngx_read_file_n " \"%V\" returned only %z bytes "
                           "instead of %uz", name, n, text->len);
    }

    ngx_explicit_memzero(text->data, text->len);
    ngx_free(text->data);

    return NGX_ERROR;
}


ngx_int_t
ngx_group_auth_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_group_auth_build_pt build, void *data, ngx_str_t *error)
{
    ngx_int_t            rc;
    ngx_str_t            reason;
    ngx_pool_t          *temp;
    ngx_group_value_t   *value;
    ngx_group_limits_t   limits;

    limits.max_depth = NGX_GROUP_AUTH_FILE_DEPTH;
    limits.max_items = NGX_GROUP_AUTH_FILE_ITEMS;

    temp = ngx_create_pool(NGX_GROUP_AUTH_FILE_POOL, pool->log);

    if (temp == NULL) {
        ngx_group_secret_wipe(text);
        return NGX_ERROR;
    }

    rc = ngx_group_json_decode(temp, &limits, text, &value, &reason);

    if (rc == NGX_OK) {
        rc = build(pool, value, data, error);
        ngx_group_auth_wipe(value);

    } else if (rc == NGX_DECLINED) {

        if (ngx_group_auth_copy(pool, &reason, error) != NGX_OK) {
            rc = NGX_ERROR;
        }
    }

    ngx_group_secret_wipe(text);

    ngx_destroy_pool(temp);

    return rc;
}


/* strings with escapes are copies beside the text; depth is bounded */

static void
ngx_group_auth_wipe(ngx_group_value_t *value)
{
    ngx_group_value_t  *v;

    switch (value->type) {

    case NGX_GROUP_STRING:
        ngx_group_secret_wipe(&value->u.text);
        break;

    case NGX_GROUP_ARRAY:
    case NGX_GROUP_OBJECT:
        for (v = value->u.items.first; v; v = v->next) {
            ngx_group_auth_wipe(v);
        }

        break;

    default:
        break;
    }
}
