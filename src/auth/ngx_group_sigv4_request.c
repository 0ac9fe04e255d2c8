
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_text.h"
#include "ngx_group_value.h"


/* more names than any client signs, few enough to look each of them up */
#define NGX_GROUP_SIGV4_MAX_NAMES  64


typedef struct {
    ngx_str_t  name;
    ngx_str_t  value;
} ngx_group_sigv4_param_t;


static ngx_int_t ngx_group_sigv4_path(ngx_pool_t *pool, ngx_str_t *uri,
    const char *keep, ngx_str_t *path);
static ngx_uint_t ngx_group_sigv4_escaped_slash(ngx_str_t *path);
static ngx_int_t ngx_group_sigv4_param(ngx_pool_t *pool, u_char *start,
    u_char *end, ngx_group_sigv4_param_t *param);
static ngx_int_t ngx_group_sigv4_recode(ngx_pool_t *pool, u_char *start,
    u_char *end, ngx_str_t *out);
static int ngx_libc_cdecl ngx_group_sigv4_cmp_params(const void *one,
    const void *two);
static ngx_int_t ngx_libc_cdecl ngx_group_sigv4_cmp_names(const void *one,
    const void *two);
static ngx_int_t ngx_group_sigv4_cmp(ngx_str_t *one, ngx_str_t *two);
static ngx_int_t ngx_group_sigv4_names(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *names, ngx_uint_t *n);
static ngx_str_t ngx_group_sigv4_trim(ngx_str_t *value);
static u_char *ngx_group_sigv4_put(u_char *dst, ngx_str_t *text);
static size_t ngx_group_sigv4_escaped_len(ngx_str_t *in, const char *keep);
static u_char *ngx_group_sigv4_escape(u_char *dst, ngx_str_t *in,
    const char *keep);
static ngx_uint_t ngx_group_sigv4_kept(u_char c, const char *keep);


/*
 * VinylDNS signs the path as its HTTP library writes it again (akka-http,
 * Uri.Path), which leaves all that may stand in a segment as it is.  Others
 * escape all but the unreserved characters, or sign what they send.  These
 * differ for paths with such characters only.
 */

static const char  ngx_group_sigv4_pchars[] = "/!$&'()*+,;=:@";
static const char  ngx_group_sigv4_slash[] = "/";
static const char  ngx_group_sigv4_nothing[] = "";


ngx_int_t
ngx_group_sigv4_paths(ngx_pool_t *pool, ngx_group_auth_request_t *request,
    ngx_str_t *paths, ngx_uint_t *n)
{
    ngx_str_t   *sent;
    ngx_uint_t   i;

    *n = 0;
    sent = &request->unparsed_path;

    /* "a%2Fb" is one segment, and must not be taken for the two of "a/b" */

    if (sent->len == 0 || !ngx_group_sigv4_escaped_slash(sent)) {

        if (ngx_group_sigv4_path(pool, &request->uri, ngx_group_sigv4_pchars,
                                 &paths[0])
            != NGX_OK
            || ngx_group_sigv4_path(pool, &request->uri, ngx_group_sigv4_slash,
                                    &paths[1])
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        *n = ngx_group_str_eq(&paths[0], &paths[1]) ? 1 : 2;
    }

    if (sent->len == 0) {
        return NGX_OK;
    }

    for (i = 0; i < *n; i++) {
        if (ngx_group_str_eq(&paths[i], sent)) {
            return NGX_OK;
        }
    }

    paths[(*n)++] = *sent;

    return NGX_OK;
}


static ngx_int_t
ngx_group_sigv4_path(ngx_pool_t *pool, ngx_str_t *uri, const char *keep,
    ngx_str_t *path)
{
    u_char  *p;

    if (uri->len == 0) {
        ngx_str_set(path, "/");
        return NGX_OK;
    }

    path->len = ngx_group_sigv4_escaped_len(uri, keep);

    if (path->len == uri->len) {
        path->data = uri->data;
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, path->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path->data = p;

    (void) ngx_group_sigv4_escape(p, uri, keep);

    return NGX_OK;
}


static ngx_uint_t
ngx_group_sigv4_escaped_slash(ngx_str_t *path)
{
    size_t  i;

    for (i = 0; i + 2 < path->len; i++) {
        if (path->data[i] == '%' && path->data[i + 1] == '2'
            && (path->data[i + 2] | 0x20) == 'f')
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_group_sigv4_query(ngx_pool_t *pool, ngx_str_t *args, ngx_str_t *query)
{
    u_char                   *p, *start, *end, *last;
    size_t                    len;
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    ngx_group_sigv4_param_t  *params;

    ngx_str_null(query);

    if (args->len == 0) {
        return NGX_OK;
    }

    last = args->data + args->len;

    for (n = 1, p = args->data; p < last; p++) {
        if (*p == '&') {
            n++;
        }
    }

    params = ngx_palloc(pool, n * sizeof(ngx_group_sigv4_param_t));
    if (params == NULL) {
        return NGX_ERROR;
    }

    len = 0;
    start = args->data;

    for (i = 0; i < n; i++) {

        end = ngx_strlchr(start, last, '&');
        if (end == NULL) {
            end = last;
        }

        rc = ngx_group_sigv4_param(pool, start, end, &params[i]);
        if (rc != NGX_OK) {
            return rc;
        }

        len += params[i].name.len + params[i].value.len + sizeof("=&") - 1;
        start = end + 1;
    }

    /* ngx_sort() takes a time that a client should not be let choose */

    ngx_qsort(params, n, sizeof(ngx_group_sigv4_param_t),
              ngx_group_sigv4_cmp_params);

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    query->data = p;

    for (i = 0; i < n; i++) {
        p = ngx_group_sigv4_put(p, &params[i].name);
        *p++ = '=';
        p = ngx_group_sigv4_put(p, &params[i].value);
        *p++ = '&';
    }

    query->len = len - 1;

    return NGX_OK;
}


static ngx_int_t
ngx_group_sigv4_param(ngx_pool_t *pool, u_char *start, u_char *end,
    ngx_group_sigv4_param_t *param)
{
    u_char     *equal;
    ngx_int_t   rc;

    equal = ngx_strlchr(start, end, '=');

    rc = ngx_group_sigv4_recode(pool, start, equal ? equal : end,
                                &param->name);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_group_sigv4_recode(pool, equal ? equal + 1 : end, end,
                                  &param->value);
}


static ngx_int_t
ngx_group_sigv4_recode(ngx_pool_t *pool, u_char *start, u_char *end,
    ngx_str_t *out)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   in, text;

    in.data = start;
    in.len = end - start;

    rc = ngx_group_percent_decode(pool, &in, &text, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    out->len = ngx_group_sigv4_escaped_len(&text, ngx_group_sigv4_nothing);

    p = ngx_pnalloc(pool, out->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    (void) ngx_group_sigv4_escape(p, &text, ngx_group_sigv4_nothing);

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_group_sigv4_cmp_params(const void *one, const void *two)
{
    ngx_int_t                 rc;
    ngx_group_sigv4_param_t  *first, *second;

    first = (ngx_group_sigv4_param_t *) one;
    second = (ngx_group_sigv4_param_t *) two;

    rc = ngx_group_sigv4_cmp(&first->name, &second->name);

    if (rc == 0) {
        rc = ngx_group_sigv4_cmp(&first->value, &second->value);
    }

    return (int) rc;
}


static ngx_int_t ngx_libc_cdecl
ngx_group_sigv4_cmp_names(const void *one, const void *two)
{
    return ngx_group_sigv4_cmp((ngx_str_t *) one, (ngx_str_t *) two);
}


static ngx_int_t
ngx_group_sigv4_cmp(ngx_str_t *one, ngx_str_t *two)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(one->data, two->data, ngx_min(one->len, two->len));

    if (rc == 0 && one->len != two->len) {
        rc = (one->len < two->len) ? -1 : 1;
    }

    return rc;
}


ngx_int_t
ngx_group_sigv4_headers(ngx_pool_t *pool, ngx_array_t *headers,
    ngx_str_t *text, ngx_str_t *lines)
{
    u_char              *p;
    size_t               len;
    ngx_int_t            rc;
    ngx_str_t            names[NGX_GROUP_SIGV4_MAX_NAMES], value;
    ngx_uint_t           i, j, n, found;
    ngx_group_header_t  *h;

    rc = ngx_group_sigv4_names(pool, text, names, &n);
    if (rc != NGX_OK) {
        return rc;
    }

    h = headers->elts;
    len = 0;

    for (i = 0; i < n; i++) {
        for (j = 0; j < headers->nelts; j++) {
            if (ngx_group_str_eq(&h[j].name, &names[i])) {
                len += names[i].len + h[j].value.len + sizeof(":\n") - 1;
            }
        }
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    lines->data = p;

    for (i = 0; i < n; i++) {
        found = 0;

        for (j = 0; j < headers->nelts; j++) {

            if (!ngx_group_str_eq(&h[j].name, &names[i])) {
                continue;
            }

            if (found) {
                *p++ = ',';

            } else {
                p = ngx_group_sigv4_put(p, &names[i]);
                *p++ = ':';
            }

            value = ngx_group_sigv4_trim(&h[j].value);
            p = ngx_group_sigv4_put(p, &value);
            found = 1;
        }

        /* VinylDNS skips a header that is signed and absent */

        if (found) {
            *p++ = '\n';
        }
    }

    lines->len = p - lines->data;

    return NGX_OK;
}


/* in lower case, sorted, each of them once */

static ngx_int_t
ngx_group_sigv4_names(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *names,
    ngx_uint_t *n)
{
    u_char      *p, *end, *last;
    ngx_uint_t   i, unique;

    p = ngx_pnalloc(pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(p, text->data, text->len);

    last = p + text->len;

    for (*n = 0; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ';');
        if (end == NULL) {
            end = last;
        }

        if (*n == NGX_GROUP_SIGV4_MAX_NAMES) {
            return NGX_DECLINED;
        }

        names[*n].data = p;
        names[*n].len = end - p;
        (*n)++;
    }

    if (*n == 0) {
        return NGX_OK;
    }

    ngx_sort(names, *n, sizeof(ngx_str_t), ngx_group_sigv4_cmp_names);

    for (unique = 0, i = 1; i < *n; i++) {
        if (!ngx_group_str_eq(&names[unique], &names[i])) {
            names[++unique] = names[i];
        }
    }

    *n = unique + 1;

    return NGX_OK;
}


static ngx_str_t
ngx_group_sigv4_trim(ngx_str_t *value)
{
    ngx_str_t  v;

    v = *value;

    while (v.len && (v.data[0] == ' ' || v.data[0] == '\t')) {
        v.data++;
        v.len--;
    }

    while (v.len
           && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t'))
    {
        v.len--;
    }

    return v;
}


ngx_int_t
ngx_group_sigv4_request(ngx_pool_t *pool, ngx_group_auth_request_t *request,
    ngx_str_t *path, ngx_str_t *query, ngx_str_t *lines, ngx_str_t *names,
    u_char digest[NGX_GROUP_SHA256_LEN])
{
    u_char     *p;
    size_t      len;
    ngx_str_t   text;

    len = request->method.len + path->len + query->len + lines->len
          + names->len + NGX_GROUP_SHA256_HEX_LEN + sizeof("\n\n\n\n\n") - 1;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;

    p = ngx_group_sigv4_put(p, &request->method);
    *p++ = '\n';
    p = ngx_group_sigv4_put(p, path);
    *p++ = '\n';
    p = ngx_group_sigv4_put(p, query);
    *p++ = '\n';
    p = ngx_group_sigv4_put(p, lines);
    *p++ = '\n';
    p = ngx_group_sigv4_put(p, names);
    *p++ = '\n';
    p = ngx_hex_dump(p, request->body, NGX_GROUP_SHA256_LEN);

    text.len = p - text.data;

    return ngx_group_sha256(&text, digest);
}


/* a text of no bytes may be at no place */

static u_char *
ngx_group_sigv4_put(u_char *dst, ngx_str_t *text)
{
    if (text->len == 0) {
        return dst;
    }

    return ngx_cpymem(dst, text->data, text->len);
}


static size_t
ngx_group_sigv4_escaped_len(ngx_str_t *in, const char *keep)
{
    size_t  i, len;

    len = in->len;

    for (i = 0; i < in->len; i++) {
        if (!ngx_group_sigv4_kept(in->data[i], keep)) {
            len += sizeof("%XX") - 1 - 1;
        }
    }

    return len;
}


static u_char *
ngx_group_sigv4_escape(u_char *dst, ngx_str_t *in, const char *keep)
{
    u_char         c;
    size_t         i;

    static u_char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < in->len; i++) {
        c = in->data[i];

        if (ngx_group_sigv4_kept(c, keep)) {
            *dst++ = c;
            continue;
        }

        *dst++ = '%';
        *dst++ = hex[c >> 4];
        *dst++ = hex[c & 0xf];
    }

    return dst;
}


/* the unreserved characters of RFC 3986, and those in "keep" */

static ngx_uint_t
ngx_group_sigv4_kept(u_char c, const char *keep)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9'))
    {
        return 1;
    }

    if (c == '\0') {
        return 0;
    }

    return ngx_strchr("-._~", c) != NULL || ngx_strchr(keep, c) != NULL;
}
