
#include "ngx_group_pattern.h"


#define NGX_GROUP_PATTERN_CAPTURES  32
#define NGX_GROUP_PATTERN_DEPTH     200

/* steps between two looks at the clock */
#define NGX_GROUP_PATTERN_STEPS     4096

#define NGX_GROUP_PATTERN_OPEN      -1
#define NGX_GROUP_PATTERN_POSITION  -2


typedef struct {
    u_char                     *start;
    ssize_t                     len;
} ngx_group_pattern_capture_t;


typedef struct {
    lua_State                   *L;

    u_char                      *start;    /* of the subject */
    u_char                      *end;
    u_char                      *last;     /* of the pattern */

    ngx_uint_t                   depth;
    ssize_t                      steps;    /* left */

    ngx_uint_t                   n;
    ngx_group_pattern_capture_t  captures[NGX_GROUP_PATTERN_CAPTURES];
} ngx_group_pattern_t;


static int ngx_group_pattern_find(lua_State *L);
static int ngx_group_pattern_match(lua_State *L);
static int ngx_group_pattern_search(lua_State *L, ngx_uint_t find);
static int ngx_group_pattern_gmatch(lua_State *L);
static int ngx_group_pattern_next(lua_State *L);
static int ngx_group_pattern_gsub(lua_State *L);
static void ngx_group_pattern_replace(ngx_group_pattern_t *m, luaL_Buffer *b,
    u_char *s, u_char *e);
static void ngx_group_pattern_expand(ngx_group_pattern_t *m, luaL_Buffer *b,
    u_char *s, u_char *e);

static u_char *ngx_group_pattern_init(ngx_group_pattern_t *m, lua_State *L,
    int subject, int pattern);
static u_char *ngx_group_pattern_start(ngx_group_pattern_t *m, u_char *s,
    u_char *p);
static u_char *ngx_group_pattern_run(ngx_group_pattern_t *m, u_char *s,
    u_char *p);
static u_char *ngx_group_pattern_longest(ngx_group_pattern_t *m, u_char *s,
    u_char *p, u_char *next, ngx_uint_t least);
static u_char *ngx_group_pattern_shortest(ngx_group_pattern_t *m, u_char *s,
    u_char *p, u_char *next);
static u_char *ngx_group_pattern_open_capture(ngx_group_pattern_t *m,
    u_char *s, u_char *p, ssize_t len);
static u_char *ngx_group_pattern_close_capture(ngx_group_pattern_t *m,
    u_char *s, u_char *p);
static u_char *ngx_group_pattern_again(ngx_group_pattern_t *m, u_char *s,
    u_char digit);
static u_char *ngx_group_pattern_balance(ngx_group_pattern_t *m, u_char *s,
    u_char *p);
static ngx_uint_t ngx_group_pattern_frontier(ngx_group_pattern_t *m, u_char *s,
    u_char *p, u_char *next);

static u_char *ngx_group_pattern_item(ngx_group_pattern_t *m, u_char *p);
static ngx_uint_t ngx_group_pattern_one(ngx_group_pattern_t *m, u_char *s,
    u_char *p, u_char *next);
static ngx_uint_t ngx_group_pattern_set(u_char c, u_char *p, u_char *last);
static ngx_uint_t ngx_group_pattern_class(u_char c, u_char class);
static void ngx_group_pattern_step(ngx_group_pattern_t *m, size_t n);

static int ngx_group_pattern_push(ngx_group_pattern_t *m, u_char *s,
    u_char *e);
static void ngx_group_pattern_push_one(ngx_group_pattern_t *m, ngx_uint_t i,
    u_char *s, u_char *e);


static const luaL_Reg  ngx_group_pattern_functions[] = {
    { "find", ngx_group_pattern_find },
    { "match", ngx_group_pattern_match },
    { "gmatch", ngx_group_pattern_gmatch },
    { "gsub", ngx_group_pattern_gsub },
    { NULL, NULL }
};


void
ngx_group_pattern_open(lua_State *L)
{
    luaL_register(L, NULL, ngx_group_pattern_functions);
}


static int
ngx_group_pattern_find(lua_State *L)
{
    return ngx_group_pattern_search(L, 1);
}


static int
ngx_group_pattern_match(lua_State *L)
{
    return ngx_group_pattern_search(L, 0);
}


static int
ngx_group_pattern_search(lua_State *L, ngx_uint_t find)
{
    u_char               *s, *e, *p;
    size_t                len;
    lua_Integer           from;
    ngx_uint_t            anchor;
    ngx_group_pattern_t   m;

    p = ngx_group_pattern_init(&m, L, 1, 2);

    from = luaL_optinteger(L, 3, 1);
    len = m.end - m.start;

    if (from < 0) {
        from += (lua_Integer) len + 1;
    }

    if (from < 1) {
        from = 1;
    }

    s = m.start + ngx_min((size_t) from - 1, len);
    len = m.last - p;

    if (find
        && (lua_toboolean(L, 4)
            || strcspn((char *) p, "^$*+?.([%-") == len))
    {
        ngx_group_pattern_step(&m, (m.end - s) / 64);

        e = memmem(s, m.end - s, p, len);

        if (e == NULL) {
            lua_pushnil(L);
            return 1;
        }

        lua_pushinteger(L, e - m.start + 1);
        lua_pushinteger(L, e - m.start + len);
        return 2;
    }

    anchor = (p < m.last && *p == '^');
    p += anchor;

    do {
        e = ngx_group_pattern_start(&m, s, p);

        if (e == NULL) {
            continue;
        }

        if (!find) {
            return ngx_group_pattern_push(&m, s, e);
        }

        lua_pushinteger(L, s - m.start + 1);
        lua_pushinteger(L, e - m.start);

        return 2 + ngx_group_pattern_push(&m, NULL, NULL);

    } while (s++ < m.end && !anchor);

    lua_pushnil(L);

    return 1;
}


static int
ngx_group_pattern_gmatch(lua_State *L)
{
    (void) luaL_checkstring(L, 1);
    (void) luaL_checkstring(L, 2);

    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, ngx_group_pattern_next, 3);

    return 1;
}


static int
ngx_group_pattern_next(lua_State *L)
{
    u_char               *s, *e, *p;
    ngx_group_pattern_t   m;

    p = ngx_group_pattern_init(&m, L, lua_upvalueindex(1),
                               lua_upvalueindex(2));

    for (s = m.start + lua_tointeger(L, lua_upvalueindex(3));
         s <= m.end;
         s++)
    {
        e = ngx_group_pattern_start(&m, s, p);

        if (e) {
            lua_pushinteger(L, e - m.start + (e == s));
            lua_replace(L, lua_upvalueindex(3));

            return ngx_group_pattern_push(&m, s, e);
        }
    }

    return 0;
}


static int
ngx_group_pattern_gsub(lua_State *L)
{
    int                   type;
    u_char               *s, *e, *p;
    lua_Integer           n, max;
    ngx_uint_t            anchor;
    luaL_Buffer           b;
    ngx_group_pattern_t   m;

    ngx_group_lua_check(L);

    p = ngx_group_pattern_init(&m, L, 1, 2);
    s = m.start;

    type = lua_type(L, 3);

    luaL_argcheck(L, type == LUA_TSTRING || type == LUA_TNUMBER
                     || type == LUA_TTABLE || type == LUA_TFUNCTION,
                  3, "string/function/table expected");

    max = luaL_optinteger(L, 4, m.end - m.start + 1);

    if (type == LUA_TNUMBER) {
        (void) lua_tostring(L, 3);
    }

    anchor = (p < m.last && *p == '^');
    p += anchor;

    luaL_buffinit(L, &b);

    for (n = 0; n < max; /* void */ ) {

        e = ngx_group_pattern_start(&m, s, p);

        if (e) {
            n++;
            ngx_group_pattern_replace(&m, &b, s, e);
        }

        if (e && e > s) {
            s = e;

        } else if (s < m.end) {
            luaL_addchar(&b, *s++);

        } else {
            break;
        }

        if (anchor) {
            break;
        }
    }

    luaL_addlstring(&b, (char *) s, m.end - s);
    luaL_pushresult(&b);

    lua_pushinteger(L, n);

    return 2;
}


static void
ngx_group_pattern_replace(ngx_group_pattern_t *m, luaL_Buffer *b, u_char *s,
    u_char *e)
{
    lua_State  *L;

    L = m->L;

    switch (lua_type(L, 3)) {

    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        lua_call(L, ngx_group_pattern_push(m, s, e), 1);
        break;

    case LUA_TTABLE:
        ngx_group_pattern_push_one(m, 0, s, e);
        lua_gettable(L, 3);
        break;

    default:
        ngx_group_pattern_expand(m, b, s, e);
        return;
    }

    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, (char *) s, e - s);

    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)",
                   luaL_typename(L, -1));
    }

    luaL_addvalue(b);
}


static void
ngx_group_pattern_expand(ngx_group_pattern_t *m, luaL_Buffer *b, u_char *s,
    u_char *e)
{
    u_char  *p, *last;
    size_t   len;

    p = (u_char *) lua_tolstring(m->L, 3, &len);

    for (last = p + len; p < last; p++) {

        if (*p != '%') {
            luaL_addchar(b, *p);
            continue;
        }

        if (++p == last) {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }

        if (*p < '0' || *p > '9') {
            luaL_addchar(b, *p);

        } else if (*p == '0') {
            luaL_addlstring(b, (char *) s, e - s);

        } else {
            ngx_group_pattern_push_one(m, *p - '1', s, e);
            luaL_addvalue(b);
        }
    }
}


static u_char *
ngx_group_pattern_init(ngx_group_pattern_t *m, lua_State *L, int subject,
    int pattern)
{
    u_char  *p;
    size_t   len;

    m->L = L;
    m->steps = NGX_GROUP_PATTERN_STEPS;

    m->start = (u_char *) luaL_checklstring(L, subject, &len);
    m->end = m->start + len;

    p = (u_char *) luaL_checklstring(L, pattern, &len);
    m->last = p + len;

    return p;
}


static u_char *
ngx_group_pattern_start(ngx_group_pattern_t *m, u_char *s, u_char *p)
{
    m->n = 0;
    m->depth = 0;

    ngx_group_pattern_step(m, 1);

    return ngx_group_pattern_run(m, s, p);
}


/* matches the pattern from "p" on at "s"; returns the end, or NULL */

static u_char *
ngx_group_pattern_run(ngx_group_pattern_t *m, u_char *s, u_char *p)
{
    u_char  c, *e, *next;

    if (m->depth++ == NGX_GROUP_PATTERN_DEPTH) {
        luaL_error(m->L, "pattern too complex");
    }

    e = NULL;

    while (p < m->last) {

        c = (p + 1 < m->last) ? p[1] : '\0';

        if (*p == '(') {
            e = (c == ')') ? ngx_group_pattern_open_capture(m, s, p + 2,
                                                  NGX_GROUP_PATTERN_POSITION)
                           : ngx_group_pattern_open_capture(m, s, p + 1,
                                                  NGX_GROUP_PATTERN_OPEN);
            goto done;
        }

        if (*p == ')') {
            e = ngx_group_pattern_close_capture(m, s, p + 1);
            goto done;
        }

        if (*p == '$' && p + 1 == m->last) {
            e = (s == m->end) ? s : NULL;
            goto done;
        }

        if (*p == '%' && c >= '0' && c <= '9') {
            s = ngx_group_pattern_again(m, s, c);
            if (s == NULL) {
                goto done;
            }

            p += 2;
            continue;
        }

        if (*p == '%' && c == 'b') {
            s = ngx_group_pattern_balance(m, s, p + 2);
            if (s == NULL) {
                goto done;
            }

            p += 4;
            continue;
        }

        if (*p == '%' && c == 'f') {
            p += 2;

            if (p == m->last || *p != '[') {
                luaL_error(m->L, "missing '[' after '%%f' in pattern");
            }

            next = ngx_group_pattern_item(m, p);

            if (!ngx_group_pattern_frontier(m, s, p, next)) {
                goto done;
            }

            p = next;
            continue;
        }

        next = ngx_group_pattern_item(m, p);

        switch (next < m->last ? *next : '\0') {

        case '*':
            e = ngx_group_pattern_longest(m, s, p, next, 0);
            goto done;

        case '+':
            e = ngx_group_pattern_longest(m, s, p, next, 1);
            goto done;

        case '-':
            e = ngx_group_pattern_shortest(m, s, p, next);
            goto done;

        case '?':
            if (ngx_group_pattern_one(m, s, p, next)) {
                e = ngx_group_pattern_run(m, s + 1, next + 1);
                if (e) {
                    goto done;
                }
            }

            p = next + 1;
            continue;

        default:
            if (!ngx_group_pattern_one(m, s, p, next)) {
                goto done;
            }

            s++;
            p = next;
        }
    }

    e = s;

done:

    m->depth--;

    return e;
}


static u_char *
ngx_group_pattern_longest(ngx_group_pattern_t *m, u_char *s, u_char *p,
    u_char *next, ngx_uint_t least)
{
    u_char  *e, *to;

    for (to = s; ngx_group_pattern_one(m, to, p, next); to++) { /* void */ }

    for ( /* void */ ; to >= s + least; to--) {

        e = ngx_group_pattern_run(m, to, next + 1);
        if (e) {
            return e;
        }

        ngx_group_pattern_step(m, 1);

        if (to == s) {
            break;
        }
    }

    return NULL;
}


static u_char *
ngx_group_pattern_shortest(ngx_group_pattern_t *m, u_char *s, u_char *p,
    u_char *next)
{
    u_char  *e;

    for ( ;; ) {
        e = ngx_group_pattern_run(m, s, next + 1);
        if (e) {
            return e;
        }

        if (!ngx_group_pattern_one(m, s, p, next)) {
            return NULL;
        }

        s++;
    }
}


static u_char *
ngx_group_pattern_open_capture(ngx_group_pattern_t *m, u_char *s, u_char *p,
    ssize_t len)
{
    u_char  *e;

    if (m->n == NGX_GROUP_PATTERN_CAPTURES) {
        luaL_error(m->L, "too many captures");
    }

    m->captures[m->n].start = s;
    m->captures[m->n].len = len;
    m->n++;

    e = ngx_group_pattern_run(m, s, p);

    if (e == NULL) {
        m->n--;
    }

    return e;
}


static u_char *
ngx_group_pattern_close_capture(ngx_group_pattern_t *m, u_char *s, u_char *p)
{
    u_char      *e;
    ngx_uint_t   i;

    for (i = m->n; i > 0; i--) {
        if (m->captures[i - 1].len == NGX_GROUP_PATTERN_OPEN) {
            break;
        }
    }

    if (i == 0) {
        luaL_error(m->L, "invalid pattern capture");
    }

    i--;

    m->captures[i].len = s - m->captures[i].start;

    e = ngx_group_pattern_run(m, s, p);

    if (e == NULL) {
        m->captures[i].len = NGX_GROUP_PATTERN_OPEN;
    }

    return e;
}


static u_char *
ngx_group_pattern_again(ngx_group_pattern_t *m, u_char *s, u_char digit)
{
    ngx_group_pattern_capture_t  *capture;

    if (digit == '0' || (ngx_uint_t) (digit - '0') > m->n
        || m->captures[digit - '1'].len == NGX_GROUP_PATTERN_OPEN)
    {
        luaL_error(m->L, "invalid capture index");
    }

    capture = &m->captures[digit - '1'];

    if (capture->len < 0 || m->end - s < capture->len) {
        return NULL;
    }

    ngx_group_pattern_step(m, capture->len / 16);

    if (ngx_memcmp(s, capture->start, capture->len) != 0) {
        return NULL;
    }

    return s + capture->len;
}


static u_char *
ngx_group_pattern_balance(ngx_group_pattern_t *m, u_char *s, u_char *p)
{
    ngx_uint_t  open;

    if (m->last - p < 2) {
        luaL_error(m->L, "unbalanced pattern");
    }

    if (s == m->end || *s != p[0]) {
        return NULL;
    }

    open = 1;

    while (++s < m->end) {

        ngx_group_pattern_step(m, 1);

        if (*s == p[1]) {
            if (--open == 0) {
                return s + 1;
            }

        } else if (*s == p[0]) {
            open++;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_group_pattern_frontier(ngx_group_pattern_t *m, u_char *s, u_char *p,
    u_char *next)
{
    u_char  before, after;

    before = (s > m->start) ? s[-1] : '\0';
    after = (s < m->end) ? *s : '\0';

    return !ngx_group_pattern_set(before, p, next - 1)
           && ngx_group_pattern_set(after, p, next - 1);
}


/* the end of one character, class or set */

static u_char *
ngx_group_pattern_item(ngx_group_pattern_t *m, u_char *p)
{
    u_char  c;

    c = *p++;

    if (c == '%') {
        if (p == m->last) {
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        }

        return p + 1;
    }

    if (c != '[') {
        return p;
    }

    if (p < m->last && *p == '^') {
        p++;
    }

    /* a "]" that comes first is one of the set */

    do {
        if (p == m->last) {
            luaL_error(m->L, "malformed pattern (missing ']')");
        }

        c = *p++;

        if (c == '%' && p < m->last) {
            p++;
        }

    } while (p == m->last || *p != ']');

    return p + 1;
}


static ngx_uint_t
ngx_group_pattern_one(ngx_group_pattern_t *m, u_char *s, u_char *p,
    u_char *next)
{
    ngx_group_pattern_step(m, 1);

    if (s == m->end) {
        return 0;
    }

    switch (*p) {

    case '.':
        return 1;

    case '%':
        return ngx_group_pattern_class(*s, p[1]);

    case '[':
        return ngx_group_pattern_set(*s, p, next - 1);

    default:
        return *p == *s;
    }
}


/* "p" is at the "[", "last" at the "]" */

static ngx_uint_t
ngx_group_pattern_set(u_char c, u_char *p, u_char *last)
{
    ngx_uint_t  in;

    in = 1;
    p++;

    if (*p == '^') {
        in = 0;
        p++;
    }

    for ( /* void */ ; p < last; p++) {

        if (*p == '%') {
            p++;

            if (ngx_group_pattern_class(c, *p)) {
                return in;
            }

        } else if (last - p > 2 && p[1] == '-') {

            if (p[0] <= c && c <= p[2]) {
                return in;
            }

            p += 2;

        } else if (*p == c) {
            return in;
        }
    }

    return !in;
}


static ngx_uint_t
ngx_group_pattern_class(u_char c, u_char class)
{
    ngx_uint_t  in, alpha, digit, graph;

    digit = (c >= '0' && c <= '9');
    alpha = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    graph = (c > 0x20 && c < 0x7f);

    switch (class | 0x20) {

    case 'a':
        in = alpha;
        break;

    case 'c':
        in = (c < 0x20 || c == 0x7f);
        break;

    case 'd':
        in = digit;
        break;

    case 'g':
        in = graph;
        break;

    case 'l':
        in = (c >= 'a' && c <= 'z');
        break;

    case 'p':
        in = graph && !alpha && !digit;
        break;

    case 's':
        in = (c == ' ' || (c >= '\t' && c <= '\r'));
        break;

    case 'u':
        in = (c >= 'A' && c <= 'Z');
        break;

    case 'w':
        in = alpha || digit;
        break;

    case 'x':
        in = digit || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
        break;

    case 'z':
        in = (c == '\0');
        break;

    default:
        return class == c;
    }

    return (class & 0x20) ? in : !in;
}


static void
ngx_group_pattern_step(ngx_group_pattern_t *m, size_t n)
{
    m->steps -= n;

    if (m->steps < 0) {
        m->steps = NGX_GROUP_PATTERN_STEPS;
        ngx_group_lua_check(m->L);
    }
}


/* "s" is NULL when the whole match is not wanted */

static int
ngx_group_pattern_push(ngx_group_pattern_t *m, u_char *s, u_char *e)
{
    ngx_uint_t  i, n;

    n = (m->n == 0 && s) ? 1 : m->n;

    luaL_checkstack(m->L, (int) n, "too many captures");

    for (i = 0; i < n; i++) {
        ngx_group_pattern_push_one(m, i, s, e);
    }

    return (int) n;
}


static void
ngx_group_pattern_push_one(ngx_group_pattern_t *m, ngx_uint_t i, u_char *s,
    u_char *e)
{
    ngx_group_pattern_capture_t  *capture;

    if (i >= m->n) {
        if (i != 0) {
            luaL_error(m->L, "invalid capture index");
        }

        lua_pushlstring(m->L, (char *) s, e - s);
        return;
    }

    capture = &m->captures[i];

    switch (capture->len) {

    case NGX_GROUP_PATTERN_OPEN:
        luaL_error(m->L, "unfinished capture");
        break;

    case NGX_GROUP_PATTERN_POSITION:
        lua_pushinteger(m->L, capture->start - m->start + 1);
        break;

    default:
        lua_pushlstring(m->L, (char *) capture->start, capture->len);
    }
}
