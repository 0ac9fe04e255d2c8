
/*
 * Finds a dialect file and runs it, once, when the configuration is read.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <lua.h>
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include "ngx_group_compile.h"


/* instructions that a dialect file may take: it is data */
#define NGX_GROUP_LOAD_STEPS  10000000


static ngx_int_t ngx_group_load_find(ngx_conf_t *cf, ngx_str_t *name,
    ngx_array_t *dirs, ngx_str_t *file);
static const char *ngx_group_load_message(lua_State *L, ngx_str_t *file);
static int ngx_group_load_run(lua_State *L);
static void ngx_group_load_sandbox(lua_State *L);
static void ngx_group_load_overrun(lua_State *L, lua_Debug *ar);
static int ngx_group_load_field(lua_State *L);
static int ngx_group_load_field_body(lua_State *L);
static int ngx_group_load_each(lua_State *L);
static int ngx_group_load_dialect(lua_State *L);
static int ngx_group_load_dialect_body(lua_State *L);


typedef struct {
    ngx_str_t            *file;
    ngx_group_compile_t   compile;
    ngx_int_t             rc;
} ngx_group_load_t;


/* the compiler keeps a few values a level on the Lua stack */
#define NGX_GROUP_LOAD_STACK  (8 * NGX_GROUP_COMPILE_DEPTH)


/* what of Lua's base library a dialect may use */

static const char  *ngx_group_load_globals[] = {
    "assert", "error", "ipairs", "next", "pairs", "select", "tonumber",
    "tostring", "type", "unpack", "string", "table", "math", NULL
};


ngx_group_dialect_t *
ngx_group_dialect_load(ngx_conf_t *cf, ngx_str_t *name, ngx_array_t *dirs)
{
    int                   rc;
    ngx_str_t             file;
    lua_State            *L;
    const char           *message;
    ngx_group_load_t      load;
    ngx_group_compile_t  *c;
    ngx_group_dialect_t  *dialect;

    if (ngx_group_load_find(cf, name, dirs, &file) != NGX_OK) {
        return NULL;
    }

    dialect = ngx_pcalloc(cf->pool, sizeof(ngx_group_dialect_t));
    if (dialect == NULL) {
        return NULL;
    }

    dialect->name = *name;
    dialect->file = file;

    ngx_memzero(&load, sizeof(ngx_group_load_t));

    c = &load.compile;
    c->pool = cf->pool;
    c->dialect = dialect;
    load.file = &file;

    L = luaL_newstate();
    if (L == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no memory to read dialect \"%V\"", name);
        return NULL;
    }

    rc = lua_cpcall(L, ngx_group_load_run, &load);

    if (rc != 0) {
        message = ngx_group_load_message(L, &file);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "dialect \"%V\": %V%s%s",
                           name, &file, *message == ':' ? "" : ": ", message);
        dialect = NULL;

    } else if (load.rc != NGX_OK) {

        if (c->error_len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no memory to read dialect \"%V\"", name);

        } else if (c->line) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dialect \"%V\": %V:%ui: %*s: %*s",
                               name, &file, c->line, c->len, c->path,
                               c->error_len, c->error);
        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "dialect \"%V\": %V: %*s%s%*s",
                               name, &file, c->len, c->path, c->len ? ": " : "",
                               c->error_len, c->error);
        }

        dialect = NULL;
    }

    lua_close(L);

    return dialect;
}


static ngx_int_t
ngx_group_load_find(ngx_conf_t *cf, ngx_str_t *name, ngx_array_t *dirs,
    ngx_str_t *file)
{
    u_char          *p;
    size_t           len;
    ngx_str_t       *dir;
    ngx_uint_t       i;
    ngx_file_info_t  fi;
    u_char           searched[NGX_MAX_CONF_ERRSTR];

    for (i = 0; i < name->len; i++) {
        p = &name->data[i];

        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
              || *p == '_' || *p == '-'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid dialect name \"%V\", expected lower "
                               "case letters, digits, \"_\" and \"-\"", name);
            return NGX_ERROR;
        }
    }

    dir = dirs->elts;

    for (i = 0; i < dirs->nelts; i++) {

        len = dir[i].len + 1 + name->len + sizeof(".lua") - 1;

        file->data = ngx_pnalloc(cf->pool, len + 1);
        if (file->data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_sprintf(file->data, "%V/%V.lua", &dir[i], name);
        *p = '\0';
        file->len = len;

        if (ngx_file_info(file->data, &fi) != NGX_FILE_ERROR
            && ngx_is_file(&fi))
        {
            return NGX_OK;
        }
    }

    p = searched;

    for (i = 0; i < dirs->nelts; i++) {
        p = ngx_slprintf(p, searched + sizeof(searched), "%s\"%V\"",
                         i ? ", " : "", &dir[i]);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown dialect \"%V\": there is no \"%V.lua\" in %*s",
                       name, name, (size_t) (p - searched), searched);

    return NGX_ERROR;
}


/* what follows the file's name, which Lua shortens when it is long */

static const char *
ngx_group_load_message(lua_State *L, ngx_str_t *file)
{
    const char  *text, *end;

    if (!lua_isstring(L, -1)) {
        return "it raised no message";
    }

    text = lua_tostring(L, -1);

    if (ngx_strcmp(text, "attempt to load chunk with wrong mode") == 0) {
        return "is bytecode, expected Lua source";
    }

    if (ngx_strncmp(text, file->data, file->len) == 0) {
        return text + file->len;
    }

    end = (ngx_strncmp(text, "...", 3) == 0) ? strstr(text, ".lua:") : NULL;

    return end ? end + sizeof(".lua") - 1 : text;
}


static int
ngx_group_load_run(lua_State *L)
{
    ngx_group_load_t  *load;

    load = lua_touserdata(L, 1);
    load->compile.lua = L;
    load->rc = NGX_ERROR;

    ngx_group_load_sandbox(L);

    if (luaL_loadfilex(L, (char *) load->file->data, "t") != 0) {
        return lua_error(L);
    }

    lua_sethook(L, ngx_group_load_overrun, LUA_MASKCOUNT,
                NGX_GROUP_LOAD_STEPS);
    lua_call(L, 0, 1);
    lua_sethook(L, NULL, 0, 0);

    luaL_checkstack(L, NGX_GROUP_LOAD_STACK, NULL);

    load->rc = ngx_group_compile(&load->compile);

    return 0;
}


static void
ngx_group_load_sandbox(lua_State *L)
{
    const char  **name;

    luaL_openlibs(L);

    lua_newtable(L);

    for (name = ngx_group_load_globals; *name; name++) {
        lua_getglobal(L, *name);
        lua_setfield(L, -2, *name);
    }

    lua_getfield(L, -1, "string");
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 1);

    lua_pushcfunction(L, ngx_group_load_field);
    lua_setfield(L, -2, "field");

    lua_pushcfunction(L, ngx_group_load_each);
    lua_setfield(L, -2, "each");

    lua_pushcfunction(L, ngx_group_load_dialect);
    lua_setfield(L, -2, "dialect");

    lua_replace(L, LUA_GLOBALSINDEX);

    /* compiled loops do not look at the count hook */
    (void) luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE|LUAJIT_MODE_OFF);
}


static void
ngx_group_load_overrun(lua_State *L, lua_Debug *ar)
{
    (void) ar;

    luaL_error(L, "it runs too long for a table of data");
}


/* field "name" { ... } */

static int
ngx_group_load_field(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushcclosure(L, ngx_group_load_field_body, 1);

    return 1;
}


static int
ngx_group_load_field_body(lua_State *L)
{
    lua_Debug  ar;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setfield(L, 1, NGX_GROUP_LUA_FIELD);

    if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "l", &ar)) {
        lua_pushinteger(L, ar.currentline);
        lua_setfield(L, 1, NGX_GROUP_LUA_LINE);
    }

    return 1;
}


/* each { ... }: the template once for each problem */

static int
ngx_group_load_each(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);

    lua_newtable(L);
    lua_insert(L, 1);
    lua_setfield(L, 1, NGX_GROUP_LUA_EACH);

    return 1;
}


/* dialect "name" { ... } */

static int
ngx_group_load_dialect(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushcclosure(L, ngx_group_load_dialect_body, 1);

    return 1;
}


static int
ngx_group_load_dialect_body(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setfield(L, 1, NGX_GROUP_LUA_DIALECT);

    return 1;
}
