
/*
 * Hook files, when the configuration is read.
 */


#include "ngx_group_policy_internal.h"


/* of a hook file */
#define NGX_GROUP_POLICY_SOURCE   (1024 * 1024)

/* limits of the trial when the configuration is read */
#define NGX_GROUP_POLICY_TIMEOUT  1000
#define NGX_GROUP_POLICY_MEMORY   (16 * 1024 * 1024)


static ngx_int_t ngx_group_policy_find(ngx_conf_t *cf,
    ngx_group_policy_t *policy);
static ngx_int_t ngx_group_policy_read(ngx_conf_t *cf,
    ngx_group_policy_t *policy);
static ngx_int_t ngx_group_policy_try(ngx_conf_t *cf,
    ngx_group_policy_t *policy);
static int ngx_group_policy_check(lua_State *L);


/*
 * No two policies of a process and of its parents share a number, so that a
 * chunk which was compiled before a reload is never taken for another one.
 */

static ngx_uint_t  ngx_group_policy_number;


ngx_group_policy_t *
ngx_group_policy_load(ngx_conf_t *cf, ngx_str_t *file, ngx_array_t *params)
{
    ngx_group_policy_t  *policy;

    policy = ngx_pcalloc(cf->pool, sizeof(ngx_group_policy_t));
    if (policy == NULL) {
        return NULL;
    }

    policy->file = *file;
    policy->index = ++ngx_group_policy_number;

    if (params) {
        policy->params = *params;
    }

    if (ngx_group_policy_find(cf, policy) != NGX_OK
        || ngx_group_policy_read(cf, policy) != NGX_OK
        || ngx_group_policy_try(cf, policy) != NGX_OK)
    {
        return NULL;
    }

    return policy;
}


/* one's own comes first, then what was installed with the module */

static ngx_int_t
ngx_group_policy_find(ngx_conf_t *cf, ngx_group_policy_t *policy)
{
    u_char           *p;
    ngx_str_t         name, installed;
    ngx_file_info_t   fi;

    static ngx_str_t  dir = ngx_string(NGX_HTTP_GROUP_POLICY_PATH);

    name = policy->file;

    if (ngx_conf_full_name(cf->cycle, &policy->file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_strlchr(name.data, name.data + name.len, '/')
        || ngx_file_info(policy->file.data, &fi) != NGX_FILE_ERROR
        || ngx_errno != NGX_ENOENT)
    {
        return NGX_OK;
    }

    installed.len = dir.len + 1 + name.len;
    installed.data = ngx_pnalloc(cf->pool, installed.len + 1);

    if (installed.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(installed.data, dir.data, dir.len);
    *p++ = '/';
    (void) ngx_cpystrn(p, name.data, name.len + 1);

    if (ngx_file_info(installed.data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "policy \"%V\" is not in \"%V\", and "
                           ngx_open_file_n " \"%V\" failed", &name, &dir,
                           &policy->file);
        return NGX_ERROR;
    }

    policy->file = installed;

    return NGX_OK;
}


static ngx_int_t
ngx_group_policy_read(ngx_conf_t *cf, ngx_group_policy_t *policy)
{
    ssize_t     n;
    ngx_int_t   rc;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = policy->file;
    file.log = cf->log;
    file.fd = ngx_open_file(policy->file.data, NGX_FILE_RDONLY,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &policy->file);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(file.fd, &file.info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &policy->file);
        goto done;
    }

    if (!ngx_is_file(&file.info)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "policy \"%V\" is not a file", &policy->file);
        goto done;
    }

    if (ngx_file_size(&file.info) > NGX_GROUP_POLICY_SOURCE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "policy \"%V\" is larger than %d bytes",
                           &policy->file, NGX_GROUP_POLICY_SOURCE);
        goto done;
    }

    policy->source.len = (size_t) ngx_file_size(&file.info);
    policy->source.data = ngx_pnalloc(cf->pool, policy->source.len + 1);

    if (policy->source.data == NULL) {
        goto done;
    }

    n = ngx_read_file(&file, policy->source.data, policy->source.len, 0);

    if (n == NGX_ERROR || (size_t) n != policy->source.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == NGX_ERROR) ? ngx_errno : 0,
                           "policy \"%V\" could not be read", &policy->file);
        goto done;
    }

    /* LuaJIT would not load it either, but says less */

    if (policy->source.len && policy->source.data[0] == '\x1b') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "policy \"%V\" is bytecode, expected Lua source",
                           &policy->file);
        goto done;
    }

    rc = NGX_OK;

done:

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &policy->file);
    }

    return rc;
}


/* runs the file in a VM of its own, for what compiling does not show */

static ngx_int_t
ngx_group_policy_try(ngx_conf_t *cf, ngx_group_policy_t *policy)
{
    ngx_int_t             rc;
    ngx_group_lua_t      *vm;
    ngx_group_lua_run_t   lua;

    vm = ngx_group_lua_create(cf->log);
    if (vm == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_group_lua_protect(vm, ngx_group_policy_open, NULL);

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no memory for a Lua VM");
        goto done;
    }

    lua.handler = ngx_group_policy_check;
    lua.data = policy;
    lua.timeout = NGX_GROUP_POLICY_TIMEOUT * 1000;
    lua.memory = NGX_GROUP_POLICY_MEMORY;
    lua.held = 0;

    rc = ngx_group_lua_run(vm, &lua);

    if (rc != NGX_OK) {

        switch (lua.stop) {

        case NGX_GROUP_LUA_TIME:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "policy \"%V\" takes more than %d ms to "
                               "load, %V", &policy->file,
                               NGX_GROUP_POLICY_TIMEOUT, &lua.message);
            break;

        case NGX_GROUP_LUA_MEMORY:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "policy \"%V\" takes more than %d bytes to "
                               "load", &policy->file, NGX_GROUP_POLICY_MEMORY);
            break;

        default:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "policy \"%V\": %V",
                               &policy->file, &lua.message);
        }
    }

done:

    ngx_group_lua_close(vm);

    return rc;
}


/* inside of the VM */

static int
ngx_group_policy_check(lua_State *L)
{
    ngx_group_policy_table(L, lua_touserdata(L, 1));

    return 0;
}


void
ngx_group_policy_name(ngx_group_policy_t *policy, ngx_str_t *name)
{
    u_char  *last;

    last = policy->file.data + policy->file.len;

    name->data = last;

    while (name->data > policy->file.data && name->data[-1] != '/') {
        name->data--;
    }

    name->len = last - name->data;
}
