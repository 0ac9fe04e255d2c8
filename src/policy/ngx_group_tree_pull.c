
/*
 * What a script left in a table, to a value tree.
 */


#include "ngx_group_tree_internal.h"
#include "ngx_group_canonical.h"
#include "ngx_group_limits.h"
#include "ngx_group_text.h"
#include <math.h>


/* of a path in an error message */
#define NGX_GROUP_TREE_PATH   256

/* values between two looks at the clock */
#define NGX_GROUP_TREE_STEPS  256


typedef struct {
    ngx_str_t           key;       /* of an object's member; data is NULL: */
    ngx_uint_t          index;     /* of an array's item */
} ngx_group_tree_step_t;


typedef struct {
    lua_State              *L;
    ngx_pool_t             *pool;
    const char             *name;
    size_t                  room;
    ngx_uint_t              pull;
    ngx_uint_t              steps;
    ngx_uint_t              depth;
    ngx_group_tree_step_t   path[NGX_GROUP_TREE_DEPTH];
} ngx_group_tree_t;


static ngx_group_value_t *ngx_group_tree_value(ngx_group_tree_t *tree,
    ngx_group_value_t *old);
static void ngx_group_tree_pull_number(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_group_value_t *old);
static void ngx_group_tree_pull_string(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_group_value_t *old);
static void ngx_group_tree_pull_table(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_group_value_t *old);
static ngx_uint_t ngx_group_tree_type(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_group_value_t *old, uint64_t pending);
static ngx_group_type_e ngx_group_tree_empty(ngx_group_tree_t *tree,
    ngx_group_value_t *old);
static void ngx_group_tree_pull_array(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_group_value_t *old, ngx_uint_t n);
static void ngx_group_tree_pull_object(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_group_value_t *old, ngx_uint_t n,
    ngx_group_tree_root_t *root);
static ngx_group_value_t *ngx_group_tree_copy(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_uint_t again);
static void ngx_group_tree_member(ngx_group_tree_t *tree,
    ngx_group_value_t *value, ngx_str_t *key, ngx_group_value_t *old);
static int ngx_libc_cdecl ngx_group_tree_compare(const void *one,
    const void *two);
static ngx_group_tree_step_t *ngx_group_tree_enter(ngx_group_tree_t *tree);
static void ngx_group_tree_text(ngx_group_tree_t *tree, ngx_str_t *to,
    ngx_str_t *text, ngx_str_t *old);
static const char *ngx_group_tree_bad(ngx_str_t *text);
static void *ngx_group_tree_alloc(ngx_group_tree_t *tree, size_t size);
static int ngx_group_tree_error(ngx_group_tree_t *tree, const char *problem);


/* of this process: how often a tree was pulled */

static ngx_uint_t  ngx_group_tree_pulls;


ngx_group_value_t *
ngx_group_tree_pull(lua_State *L, ngx_pool_t *pool, ngx_group_value_t *old,
    const char *name, size_t memory)
{
    ngx_group_tree_t  tree;

    ngx_memzero(&tree, sizeof(ngx_group_tree_t));

    tree.L = L;
    tree.pool = pool;
    tree.name = name;
    tree.room = memory;
    tree.pull = ++ngx_group_tree_pulls;

    return ngx_group_tree_value(&tree, old);
}


/* takes the value on top of the stack off */

static ngx_group_value_t *
ngx_group_tree_value(ngx_group_tree_t *tree, ngx_group_value_t *old)
{
    lua_State          *L;
    ngx_group_value_t  *value;

    L = tree->L;

    if (++tree->steps % NGX_GROUP_TREE_STEPS == 0) {
        ngx_group_lua_check(L);
    }

    value = ngx_group_tree_alloc(tree, sizeof(ngx_group_value_t));

    ngx_memzero(value, sizeof(ngx_group_value_t));

    switch (lua_type(L, -1)) {

    case LUA_TBOOLEAN:
        value->type = NGX_GROUP_BOOLEAN;
        value->u.flag = lua_toboolean(L, -1);
        break;

    case LUA_TNUMBER:
        ngx_group_tree_pull_number(tree, value, old);
        break;

    case LUA_TSTRING:
        ngx_group_tree_pull_string(tree, value, old);
        break;

    case LUA_TTABLE:
        ngx_group_tree_pull_table(tree, value, old);
        break;

    default:

        if (lua_type(L, -1) == LUA_TLIGHTUSERDATA
            && lua_touserdata(L, -1) == NULL)
        {
            value->type = NGX_GROUP_NULL;
            break;
        }

        lua_pushfstring(L, "is a %s, which no %s can hold",
                        luaL_typename(L, -1), tree->name);
        ngx_group_tree_error(tree, lua_tostring(L, -1));
    }

    lua_pop(L, 1);

    return value;
}


static void
ngx_group_tree_pull_number(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_group_value_t *old)
{
    size_t       len;
    lua_State   *L;
    ngx_str_t    text;
    lua_Number   n, was;
    u_char       buf[NGX_INT64_LEN];

    L = tree->L;
    n = lua_tonumber(L, -1);

    value->type = NGX_GROUP_NUMBER;

    if (old && old->type == NGX_GROUP_NUMBER
        && ngx_group_tree_number(L, old, &was) && was == n)
    {
        value->u.text = old->u.text;
        return;
    }

    if (!isfinite(n)) {
        ngx_group_tree_error(tree, "is not a finite number");
    }

    if (fabs(n) < 9.2e18 && n == (lua_Number) (int64_t) n) {
        text.data = buf;
        text.len = ngx_sprintf(buf, "%L", (int64_t) n) - buf;

        ngx_group_tree_text(tree, &value->u.text, &text, NULL);
        return;
    }

    lua_pushnumber(L, n);
    text.data = (u_char *) lua_tolstring(L, -1, &len);
    text.len = len;

    ngx_group_tree_text(tree, &value->u.text, &text, NULL);

    lua_pop(L, 1);
}


static void
ngx_group_tree_pull_string(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_group_value_t *old)
{
    ngx_str_t  text;

    text.data = (u_char *) lua_tolstring(tree->L, -1, &text.len);

    if (ngx_group_tree_bad(&text)) {
        ngx_group_tree_error(tree, ngx_group_tree_bad(&text));
    }

    value->type = NGX_GROUP_STRING;

    ngx_group_tree_text(tree, &value->u.text, &text,
                        (old && old->type == NGX_GROUP_STRING) ? &old->u.text
                                                               : NULL);
}


static void
ngx_group_tree_pull_table(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_group_value_t *old)
{
    lua_State              *L;
    ngx_uint_t              n;
    ngx_group_value_t      *origin;
    ngx_group_tree_root_t  *root;

    L = tree->L;

    luaL_checkstack(L, 6, "too many levels");

    /* a table that was moved is still made of the same values */

    root = ngx_group_tree_root(L, lua_gettop(L));

    if (root) {
        old = root->value;

    } else {
        origin = ngx_group_tree_origin(L, lua_gettop(L));
        old = origin ? origin : old;
    }

    n = ngx_group_tree_type(tree, value, old, root ? root->pending : 0);

    if (old && old->type != value->type) {
        old = NULL;
    }

    if (value->type == NGX_GROUP_ARRAY) {
        ngx_group_tree_pull_array(tree, value, old, n);

    } else {
        ngx_group_tree_pull_object(tree, value, old, n, root);
    }
}


/* sets the type and returns the number of items */

static ngx_uint_t
ngx_group_tree_type(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_group_value_t *old, uint64_t pending)
{
    lua_State   *L;
    lua_Number   key, max;
    ngx_uint_t   names, items;

    L = tree->L;
    max = 0;
    names = __builtin_popcountll(pending);
    items = 0;

    lua_pushnil(L);

    while (lua_next(L, -2)) {
        lua_pop(L, 1);

        switch (lua_type(L, -1)) {

        case LUA_TSTRING:
            names++;
            break;

        case LUA_TNUMBER:
            key = lua_tonumber(L, -1);

            if (key < 1 || key > NGX_MAX_INT32_VALUE
                || key != (lua_Number) (ngx_int_t) key)
            {
                ngx_group_tree_error(tree,
                                     "has a number that is no index as a key");
            }

            max = ngx_max(max, key);
            items++;
            break;

        default:
            lua_pushfstring(L, "has a %s as a key", luaL_typename(L, -1));
            ngx_group_tree_error(tree, lua_tostring(L, -1));
        }

        if ((names + items) % NGX_GROUP_TREE_STEPS == 0) {
            ngx_group_lua_check(L);
        }
    }

    if (names && items) {
        ngx_group_tree_error(tree, "mixes items and named fields");
    }

    if (max != (lua_Number) items) {
        ngx_group_tree_error(tree, "is a list with holes");
    }

    if (names > NGX_GROUP_MAX_KEYS) {
        ngx_group_tree_error(tree, "has too many fields");
    }

    if (names) {
        value->type = NGX_GROUP_OBJECT;

    } else if (items) {
        value->type = NGX_GROUP_ARRAY;

    } else {
        value->type = ngx_group_tree_empty(tree, old);
    }

    if (tree->depth == 0 && value->type == NGX_GROUP_ARRAY
        && (old == NULL || old->type != NGX_GROUP_ARRAY))
    {
        ngx_group_tree_error(tree, "is a list");
    }

    return names + items;
}


/* nothing in an empty table tells what it is, but its place does */

static ngx_group_type_e
ngx_group_tree_empty(ngx_group_tree_t *tree, ngx_group_value_t *old)
{
    ngx_str_t              *key;
    ngx_uint_t              of;
    ngx_group_canonical_t  *field;

    if (old
        && (old->type == NGX_GROUP_ARRAY || old->type == NGX_GROUP_OBJECT))
    {
        return old->type;
    }

    if (tree->depth == 0) {
        return NGX_GROUP_OBJECT;
    }

    key = &tree->path[tree->depth - 1].key;

    if (key->data) {

        for (of = 0; of < NGX_GROUP_OF_NOTHING; of++) {

            field = ngx_group_canonical_find((ngx_group_of_e) of, key);

            if (field && field->type == NGX_GROUP_ARRAY) {
                return NGX_GROUP_ARRAY;
            }
        }
    }

    return NGX_GROUP_OBJECT;
}


static void
ngx_group_tree_pull_array(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_group_value_t *old, ngx_uint_t n)
{
    ngx_uint_t              i;
    ngx_group_tree_step_t  *step;

    step = ngx_group_tree_enter(tree);
    old = old ? old->u.items.first : NULL;

    for (i = 1; i <= n; i++) {
        step->index = i;

        lua_rawgeti(tree->L, -1, (int) i);
        ngx_group_value_push(value, ngx_group_tree_value(tree, old));

        if (old) {
            old = old->next;
        }
    }

    tree->depth--;
}


static void
ngx_group_tree_pull_object(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_group_value_t *old, ngx_uint_t n, ngx_group_tree_root_t *root)
{
    uint64_t            pending;
    lua_State          *L;
    ngx_str_t           key, *keys;
    ngx_uint_t          i, new, again;
    ngx_group_value_t  *item;

    L = tree->L;

    pending = 0;
    again = 0;

    if (root) {
        pending = root->pending;
        again = (root->pull == tree->pull);
        root->pull = tree->pull;
    }

    (void) ngx_group_tree_enter(tree);

    /* what was there comes in its order, and then what is new */

    item = old ? old->u.items.first : NULL;

    for (i = 0; item; item = item->next, i++) {

        if (i < NGX_GROUP_TREE_LAZY && (pending & (uint64_t) 1 << i)) {

            /* no script has seen it */

            ngx_group_value_push(value,
                                 ngx_group_tree_copy(tree, item, again));

        } else if (ngx_group_value_get(old, &item->key) == item) {
            ngx_group_tree_member(tree, value, &item->key, item);
        }
    }

    n -= value->n;

    if (n) {
        keys = ngx_group_tree_alloc(tree, n * sizeof(ngx_str_t));
        new = 0;

        lua_pushnil(L);

        while (lua_next(L, -2)) {
            lua_pop(L, 1);

            key.data = (u_char *) lua_tolstring(L, -1, &key.len);

            if (ngx_group_value_get(old, &key) == NULL) {
                keys[new++] = key;
            }
        }

        ngx_qsort(keys, new, sizeof(ngx_str_t), ngx_group_tree_compare);

        for (i = 0; i < new; i++) {
            ngx_group_tree_member(tree, value, &keys[i], NULL);
        }
    }

    tree->depth--;
}


/* what a script puts in more than one place it pays for */

static ngx_group_value_t *
ngx_group_tree_copy(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_uint_t again)
{
    ngx_group_value_t  *copy, *item;

    if (!again) {
        copy = ngx_group_value_copy(tree->pool, value);
        if (copy == NULL) {
            luaL_error(tree->L, "no memory for ctx.%s", tree->name);
        }

        return copy;
    }

    if (++tree->steps % NGX_GROUP_TREE_STEPS == 0) {
        ngx_group_lua_check(tree->L);
    }

    copy = ngx_group_tree_alloc(tree, sizeof(ngx_group_value_t));

    *copy = *value;

    if (value->type != NGX_GROUP_ARRAY && value->type != NGX_GROUP_OBJECT) {
        return copy;
    }

    ngx_memzero(&copy->u, sizeof(copy->u));
    copy->n = 0;

    for (item = value->u.items.first; item; item = item->next) {
        ngx_group_value_push(copy, ngx_group_tree_copy(tree, item, 1));
    }

    return copy;
}


static void
ngx_group_tree_member(ngx_group_tree_t *tree, ngx_group_value_t *value,
    ngx_str_t *key, ngx_group_value_t *old)
{
    lua_State          *L;
    ngx_group_value_t  *item;

    L = tree->L;

    tree->path[tree->depth - 1].key = *key;

    lua_pushlstring(L, (char *) key->data, key->len);
    lua_rawget(L, -2);

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }

    if (old == NULL && ngx_group_tree_bad(key)) {
        tree->depth--;

        lua_pushfstring(L, "has a field whose name %s",
                        ngx_group_tree_bad(key));
        ngx_group_tree_error(tree, lua_tostring(L, -1));
    }

    item = ngx_group_tree_value(tree, old);

    ngx_group_tree_text(tree, &item->key, key, old ? &old->key : NULL);
    ngx_group_value_push(value, item);
}


static int ngx_libc_cdecl
ngx_group_tree_compare(const void *one, const void *two)
{
    int         rc;
    ngx_str_t  *a, *b;

    a = (ngx_str_t *) one;
    b = (ngx_str_t *) two;

    rc = ngx_memcmp(a->data, b->data, ngx_min(a->len, b->len));

    if (rc == 0) {
        rc = (a->len > b->len) - (a->len < b->len);
    }

    return rc;
}


static ngx_group_tree_step_t *
ngx_group_tree_enter(ngx_group_tree_t *tree)
{
    ngx_group_tree_step_t  *step;

    if (tree->depth == NGX_GROUP_TREE_DEPTH) {
        ngx_group_tree_error(tree, "is nested too deep, or holds itself");
    }

    step = &tree->path[tree->depth++];

    ngx_memzero(step, sizeof(ngx_group_tree_step_t));

    return step;
}


/* texts of Lua do not outlive the run; what did not change is not copied */

static void
ngx_group_tree_text(ngx_group_tree_t *tree, ngx_str_t *to, ngx_str_t *text,
    ngx_str_t *old)
{
    if (old && ngx_group_str_eq(old, text)) {
        *to = *old;
        return;
    }

    to->len = text->len;
    to->data = ngx_group_tree_alloc(tree, text->len);

    ngx_memcpy(to->data, text->data, text->len);
}


/* what is wrong with a text, or NULL */

static const char *
ngx_group_tree_bad(ngx_str_t *text)
{
    size_t  bad;

    if (memchr(text->data, '\0', text->len)) {
        return "holds a NUL character";
    }

    return ngx_group_utf8(text, NULL, &bad) == NGX_OK ? NULL
                                                      : "is not valid UTF-8";
}


static void *
ngx_group_tree_alloc(ngx_group_tree_t *tree, size_t size)
{
    void  *p;

    if (size > tree->room) {
        luaL_error(tree->L, "ctx.%s is larger than the memory limit",
                   tree->name);
    }

    tree->room -= size;

    p = ngx_palloc(tree->pool, size ? size : 1);

    if (p == NULL) {
        luaL_error(tree->L, "no memory for ctx.%s", tree->name);
    }

    return p;
}


static int
ngx_group_tree_error(ngx_group_tree_t *tree, const char *problem)
{
    u_char                 *p, *last, path[NGX_GROUP_TREE_PATH + 1];
    ngx_uint_t              i;
    ngx_group_tree_step_t  *step;

    p = path;
    last = path + NGX_GROUP_TREE_PATH;

    for (i = 0; i < tree->depth; i++) {
        step = &tree->path[i];

        if (step->key.data) {
            p = ngx_slprintf(p, last, ".%V", &step->key);

        } else {
            p = ngx_slprintf(p, last, "[%ui]", step->index);
        }
    }

    *p = '\0';

    return luaL_error(tree->L, "ctx.%s%s %s", tree->name, path, problem);
}
