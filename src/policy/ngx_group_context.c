
#include "ngx_group_context.h"
#include "ngx_group_fetch.h"
#include "ngx_group_sandbox.h"
#include "ngx_group_shared.h"
#include "ngx_group_text.h"
#include "ngx_group_tree.h"


/* fields; the trees come first, since they have a bit each */

enum {
    NGX_GROUP_CONTEXT_GROUP = 0,
    NGX_GROUP_CONTEXT_MEMBER,
    NGX_GROUP_CONTEXT_QUERY,
    NGX_GROUP_CONTEXT_TREES,
    NGX_GROUP_CONTEXT_PRINCIPAL = NGX_GROUP_CONTEXT_TREES,
    NGX_GROUP_CONTEXT_PARAMS,
    NGX_GROUP_CONTEXT_OPERATION,
    NGX_GROUP_CONTEXT_DIALECT,
    NGX_GROUP_CONTEXT_UPSTREAM_DIALECT,
    NGX_GROUP_CONTEXT_SHARED,
    NGX_GROUP_CONTEXT_DRY_RUN,
    NGX_GROUP_CONTEXT_FIELDS
};


static int ngx_group_context_index(lua_State *L);
static int ngx_group_context_newindex(lua_State *L);
static void ngx_group_context_field(lua_State *L,
    ngx_group_context_t *context, ngx_uint_t field);
static void ngx_group_context_principal(lua_State *L,
    ngx_group_principal_t *principal);

static int ngx_group_context_var(lua_State *L);
static int ngx_group_context_deny(lua_State *L);
static int ngx_group_context_log(lua_State *L);

static ngx_group_context_t *ngx_group_context_get(lua_State *L);
static ngx_group_value_t **ngx_group_context_tree(ngx_group_context_t *context,
    ngx_uint_t field);
static void ngx_group_context_text(lua_State *L, int arg, const char *name,
    ngx_group_context_t *context, ngx_str_t *text);
static void ngx_group_context_push_str(lua_State *L, ngx_str_t *text);


static const char  *ngx_group_context_names[] = {
    "group", "member", "query", "principal", "params", "operation", "dialect",
    "upstream_dialect", "shared", "dry_run"
};


static const luaL_Reg  ngx_group_context_methods[] = {
    { "var", ngx_group_context_var },
    { "deny", ngx_group_context_deny },
    { "log", ngx_group_context_log },
    { "fetch", ngx_group_fetch },
    { "fetch_all", ngx_group_fetch_all },
    { NULL, NULL }
};


static const char  *ngx_group_context_levels[] = {
    "error", "warn", "notice", "info", "debug", NULL
};


/* the key of the metatable in the registry */

static char  ngx_group_context_key;


void
ngx_group_context_open(lua_State *L)
{
    int  i;

    ngx_group_tree_open(L);
    ngx_group_shared_open(L);

    ngx_group_sandbox_metatable(L);

    /* a method, or the number of a field */

    lua_newtable(L);
    luaL_register(L, NULL, ngx_group_context_methods);

    for (i = 0; i < NGX_GROUP_CONTEXT_FIELDS; i++) {
        lua_pushinteger(L, i);
        lua_setfield(L, -2, ngx_group_context_names[i]);
    }

    lua_pushvalue(L, -1);
    lua_pushcclosure(L, ngx_group_context_index, 1);
    lua_setfield(L, -3, "__index");

    lua_pushcclosure(L, ngx_group_context_newindex, 1);
    lua_setfield(L, -2, "__newindex");

    lua_pushlightuserdata(L, &ngx_group_context_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}


void
ngx_group_context_push(lua_State *L, ngx_group_context_t *context)
{
    ngx_uint_t       *serial;
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    context->serial = ++vm->serials;

    vm->context = context;
    vm->serial = context->serial;

    serial = lua_newuserdata(L, sizeof(ngx_uint_t));
    *serial = vm->serial;

    /* the value of each field at its number, counted from 1 */

    lua_createtable(L, NGX_GROUP_CONTEXT_FIELDS, 0);
    lua_setfenv(L, -2);

    lua_pushlightuserdata(L, &ngx_group_context_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
}


void
ngx_group_context_resume(lua_State *L, ngx_group_context_t *context)
{
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    vm->context = context;
    vm->serial = context->serial;
}


void
ngx_group_context_pull(lua_State *L, ngx_group_context_t *context)
{
    int                       values;
    ngx_uint_t                i;
    ngx_group_value_t        *value, **tree;
    ngx_group_policy_ctx_t   *ctx;

    if (context->used == 0) {
        return;
    }

    ctx = context->ctx;

    lua_getfenv(L, -1);
    values = lua_gettop(L);

    for (i = 0; i < NGX_GROUP_CONTEXT_TREES; i++) {

        if (!(context->used & (1 << i))) {
            continue;
        }

        tree = ngx_group_context_tree(context, i);

        lua_rawgeti(L, values, (int) i + 1);

        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            *tree = NULL;
            continue;
        }

        value = ngx_group_tree_pull(L, ctx->pool, *tree,
                                    ngx_group_context_names[i], ctx->memory);

        if (*tree == NULL || !ngx_group_value_equal(*tree, value)) {
            *tree = value;
        }
    }

    lua_pop(L, 1);
}


static int
ngx_group_context_index(lua_State *L)
{
    ngx_uint_t            field;
    ngx_group_context_t  *context;

    context = ngx_group_context_get(L);

    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));

    if (lua_type(L, -1) != LUA_TNUMBER) {
        return 1;
    }

    field = (ngx_uint_t) lua_tointeger(L, -1);

    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, (int) field + 1);

    if (!lua_isnil(L, -1)) {
        return 1;
    }

    lua_pop(L, 1);

    if (field < NGX_GROUP_CONTEXT_TREES) {

        if (context->used & (1 << field)) {
            lua_pushnil(L);
            return 1;
        }

        context->used |= 1 << field;
    }

    ngx_group_context_field(L, context, field);

    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (int) field + 1);

    return 1;
}


/* pushes the value of a field */

static void
ngx_group_context_field(lua_State *L, ngx_group_context_t *context,
    ngx_uint_t field)
{
    ngx_group_value_t       *tree;
    ngx_group_policy_ctx_t  *ctx;

    ctx = context->ctx;

    switch (field) {

    case NGX_GROUP_CONTEXT_PRINCIPAL:
        ngx_group_context_principal(L, ctx->principal);
        break;

    case NGX_GROUP_CONTEXT_PARAMS:
        ngx_group_context_params(L, &context->policy->params);
        break;

    case NGX_GROUP_CONTEXT_OPERATION:
        ngx_group_context_push_str(L, &ctx->operation);
        break;

    case NGX_GROUP_CONTEXT_DIALECT:
        ngx_group_context_push_str(L, &ctx->dialect);
        break;

    case NGX_GROUP_CONTEXT_UPSTREAM_DIALECT:
        ngx_group_context_push_str(L, &ctx->upstream_dialect);
        break;

    case NGX_GROUP_CONTEXT_SHARED:
        ngx_group_shared_push(L, ctx->zones);
        break;

    case NGX_GROUP_CONTEXT_DRY_RUN:
        lua_pushboolean(L, ctx->dry);
        break;

    default: /* NGX_GROUP_CONTEXT_GROUP, ... */
        tree = *ngx_group_context_tree(context, field);

        if (tree == NULL) {
            lua_pushnil(L);
            break;
        }

        ngx_group_tree_push(L, ctx->pool, tree);
    }
}


static void
ngx_group_context_principal(lua_State *L, ngx_group_principal_t *principal)
{
    ngx_str_t   *scopes;
    ngx_uint_t   i;

    if (principal == NULL) {
        lua_pushnil(L);
        return;
    }

    lua_createtable(L, 0, 2);

    ngx_group_context_push_str(L, &principal->id);
    lua_setfield(L, -2, "id");

    scopes = principal->scopes.elts;

    lua_createtable(L, (int) principal->scopes.nelts, 0);

    for (i = 0; i < principal->scopes.nelts; i++) {
        ngx_group_context_push_str(L, &scopes[i]);
        lua_rawseti(L, -2, (int) i + 1);
    }

    lua_setfield(L, -2, "scopes");
}


void
ngx_group_context_params(lua_State *L, ngx_array_t *params)
{
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    kv = params->elts;

    lua_createtable(L, 0, (int) params->nelts);

    for (i = 0; i < params->nelts; i++) {
        ngx_group_context_push_str(L, &kv[i].key);
        ngx_group_context_push_str(L, &kv[i].value);
        lua_rawset(L, -3);
    }
}


static int
ngx_group_context_newindex(lua_State *L)
{
    lua_Integer           field;
    const char           *name;
    ngx_group_context_t  *context;

    context = ngx_group_context_get(L);

    name = (lua_type(L, 2) == LUA_TSTRING) ? lua_tostring(L, 2) : "that key";

    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));

    field = (lua_type(L, -1) == LUA_TNUMBER) ? lua_tointeger(L, -1)
                                             : NGX_GROUP_CONTEXT_FIELDS;

    if (field >= NGX_GROUP_CONTEXT_TREES) {
        return luaL_error(L, "ctx.%s cannot be assigned", name);
    }

    if (!lua_istable(L, 3) && !lua_isnil(L, 3)) {
        return luaL_error(L, "ctx.%s must be a table or nil, not a %s", name,
                          luaL_typename(L, 3));
    }

    context->used |= 1 << field;

    lua_getfenv(L, 1);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, (int) field + 1);

    return 0;
}


static int
ngx_group_context_var(lua_State *L)
{
    u_char                   buf[NGX_GROUP_CONTEXT_NAME];
    ngx_int_t                rc;
    ngx_str_t                name, value;
    ngx_group_context_t     *context;
    ngx_group_policy_ctx_t  *ctx;

    context = ngx_group_context_method(L);
    ctx = context->ctx;

    name.data = (u_char *) luaL_checklstring(L, 1, &name.len);

    if (name.len > NGX_GROUP_CONTEXT_NAME) {
        return luaL_error(L, "the name of a variable is too long");
    }

    if (ctx->var == NULL) {
        lua_pushnil(L);
        return 1;
    }

    ngx_group_context_take(L, context, sizeof(ngx_variable_value_t));

    /* nginx makes names lower case in their place */

    name.data = ngx_cpymem(buf, name.data, name.len) - name.len;

    rc = ctx->var(ctx->data, &name, &value);

    if (rc == NGX_ERROR) {
        return luaL_error(L, "could not get a variable");
    }

    if (rc == NGX_OK) {
        ngx_group_context_take(L, context, value.len);
        ngx_group_context_push_str(L, &value);

    } else {
        lua_pushnil(L);
    }

    return 1;
}


static int
ngx_group_context_deny(lua_State *L)
{
    ngx_str_t             name, detail, field;
    ngx_group_error_t     error;
    ngx_group_context_t  *context;
    ngx_group_outcome_e   outcome;
    ngx_group_problem_t  *problem;

    context = ngx_group_context_method(L);

    name.data = (u_char *) luaL_checklstring(L, 1, &name.len);

    outcome = ngx_group_outcome_find(&name);

    if (outcome == NGX_GROUP_OUTCOMES || outcome == NGX_GROUP_DONE) {
        return luaL_error(L, "ctx:deny() does not know the outcome \"%s\"",
                          name.data);
    }

    /* the first one holds, also when the hook does not return at once */

    if (context->denied) {
        lua_pushboolean(L, 1);
        return 1;
    }

    ngx_group_error_set(&error, outcome, "policy",
                        "refused by a policy of this gateway");

    if (!lua_isnoneornil(L, 2)) {
        ngx_group_context_text(L, 2, "detail", context, &detail);
        error.detail = detail;
    }

    if (!lua_isnoneornil(L, 3)) {
        ngx_group_context_text(L, 3, "field", context, &field);

        problem = ngx_group_error_problem(context->ctx->pool, &error, &field,
                                          "policy");
        if (problem == NULL) {
            return luaL_error(L, "no memory for ctx:deny()");
        }

        problem->detail = error.detail;
    }

    context->denied = 1;
    *context->error = error;

    lua_pushboolean(L, 1);

    return 1;
}


static int
ngx_group_context_log(lua_State *L)
{
    u_char               *p, buf[NGX_GROUP_CONTEXT_LINE];
    ngx_str_t             text;
    ngx_uint_t            level;
    ngx_group_context_t  *context;

    context = ngx_group_context_method(L);

    level = luaL_checkoption(L, 1, NULL, ngx_group_context_levels);
    level += NGX_LOG_ERR;
    text.data = (u_char *) luaL_checklstring(L, 2, &text.len);

    if (context->lines == NGX_GROUP_CONTEXT_LINES) {
        return 0;
    }

    if (++context->lines == NGX_GROUP_CONTEXT_LINES) {
        ngx_str_set(&text, "too many lines are logged, the rest is left out");
        level = NGX_LOG_WARN;
    }

    p = ngx_group_lua_escape(buf, buf + NGX_GROUP_CONTEXT_LINE, text.data,
                             text.len);

    text.data = buf;
    text.len = p - buf;

    ngx_log_error(level, context->ctx->log, 0, "policy \"%V\": %V",
                  &context->policy->file, &text);

    return 0;
}


/* of __index and __newindex, which have "ctx" as their first argument */

static ngx_group_context_t *
ngx_group_context_get(lua_State *L)
{
    ngx_uint_t       *serial;
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    serial = lua_touserdata(L, 1);

    if (vm->context == NULL || *serial != vm->serial) {
        luaL_error(L, "ctx is of no use after its hook has returned");
    }

    return vm->context;
}


ngx_group_context_t *
ngx_group_context_method(lua_State *L)
{
    ngx_group_lua_t  *vm;

    vm = ngx_group_lua_vm(L);

    if (vm->context == NULL) {
        luaL_error(L, "ctx is of no use after its hook has returned");
    }

    if (lua_type(L, 1) == LUA_TUSERDATA) {
        lua_remove(L, 1);
    }

    return vm->context;
}


static ngx_group_value_t **
ngx_group_context_tree(ngx_group_context_t *context, ngx_uint_t field)
{
    switch (field) {

    case NGX_GROUP_CONTEXT_GROUP:
        return &context->ctx->group;

    case NGX_GROUP_CONTEXT_MEMBER:
        return &context->ctx->member;

    default: /* NGX_GROUP_CONTEXT_QUERY */
        return &context->ctx->query;
    }
}


static void
ngx_group_context_text(lua_State *L, int arg, const char *name,
    ngx_group_context_t *context, ngx_str_t *text)
{
    size_t   bad;
    u_char  *p;

    text->data = (u_char *) luaL_checklstring(L, arg, &text->len);

    if (text->len > NGX_GROUP_CONTEXT_DETAIL) {
        luaL_error(L, "the %s of ctx:deny() is too long", name);
    }

    if (memchr(text->data, '\0', text->len)
        || ngx_group_utf8(text, NULL, &bad) != NGX_OK)
    {
        luaL_error(L, "the %s of ctx:deny() is not valid UTF-8", name);
    }

    ngx_group_context_take(L, context, text->len + 1);

    p = ngx_pnalloc(context->ctx->pool, text->len + 1);

    if (p == NULL) {
        luaL_error(L, "no memory for ctx:deny()");
    }

    ngx_memcpy(p, text->data, text->len);
    text->data = p;
}


void
ngx_group_context_take(lua_State *L, ngx_group_context_t *context, size_t size)
{
    if (size > context->ctx->memory - context->taken) {
        context->taken = context->ctx->memory;

        luaL_error(L, "ctx gave more than the memory limit");
    }

    context->taken += size;
}


static void
ngx_group_context_push_str(lua_State *L, ngx_str_t *text)
{
    lua_pushlstring(L, (char *) text->data, text->len);
}
