
/*
 * Whether a pattern matches, and what it captures.
 */


#include "ngx_group_pattern_internal.h"


#define NGX_GROUP_PATTERN_DEPTH  200


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


u_char *
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


void
ngx_group_pattern_step(ngx_group_pattern_t *m, size_t n)
{
    m->steps -= n;

    if (m->steps < 0) {
        m->steps = NGX_GROUP_PATTERN_STEPS;
        ngx_group_lua_check(m->L);
    }
}
