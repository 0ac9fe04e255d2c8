
/*
 * SigV4.  An input is a request: a line "METHOD path?query", lines of headers,
 * an empty line, the body.  A verifier that shares nothing but the reading of
 * dates says what is to be accepted: of the request as it is, of the same when
 * we have signed it (which must be accepted), and of that with one byte
 * changed.
 */


#include "fuzz.h"
#include "ngx_group_auth_internal.h"
#include "ngx_group_text.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


#define KEY     "AKIDEXAMPLE"
#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define NOW     1440938160         /* 2015-08-30T12:36:00Z */
#define SKEW    900
#define NAMES   64


typedef struct {
    ngx_str_t  name;
    ngx_str_t  value;
} pair_t;


static ngx_uint_t read_request(ngx_pool_t *pool, ngx_str_t *in,
    ngx_group_auth_request_t *request);
static ngx_uint_t set_path(ngx_pool_t *pool,
    ngx_group_auth_request_t *request, ngx_str_t *path);
static void both(ngx_pool_t *pool, ngx_group_auth_request_t *request,
    ngx_uint_t must);
static void sign(ngx_pool_t *pool, ngx_group_auth_request_t *request);
static void change(ngx_pool_t *pool, ngx_group_auth_request_t *request);
static ngx_str_t flip(ngx_pool_t *pool, ngx_str_t *text);
static ngx_uint_t verify(ngx_pool_t *pool, ngx_group_auth_request_t *request);
static ngx_uint_t query(ngx_pool_t *pool, ngx_str_t *args, ngx_str_t *out);
static ngx_uint_t lines(ngx_pool_t *pool, ngx_array_t *headers,
    ngx_str_t *names, ngx_str_t *out);
static ngx_str_t escape(ngx_pool_t *pool, ngx_str_t *in, const char *keep);
static ngx_uint_t literal(ngx_str_t *in, const char *text);
static void spaces(ngx_str_t *in);
static ngx_str_t trim(ngx_str_t *in);
static void append(ngx_str_t *to, const void *data, size_t len);
static int compare(const void *one, const void *two);
static int order(ngx_str_t *a, ngx_str_t *b);


static ngx_group_credentials_t  credentials;


void
fuzz_start(void)
{
    ngx_pool_t              *pool;
    ngx_group_credential_t  *c;

    pool = unit_pool();

    ngx_array_init(&credentials.list, pool, 1,
                   sizeof(ngx_group_credential_t));

    c = ngx_array_push(&credentials.list);
    memset(c, 0, sizeof(ngx_group_credential_t));

    c->type = NGX_GROUP_AUTH_SIGV4;
    ngx_str_set(&c->id, KEY);
    ngx_str_set(&c->secret, SECRET);
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    size_t                     i;
    uint64_t                   seed;
    ngx_group_auth_request_t   request;

    for (i = 0, seed = in->len; i < in->len; i++) {
        seed = seed * 1099511628211U + in->data[i];
    }

    unit_seed(seed);

    if (!read_request(pool, in, &request)) {
        return;
    }

    both(pool, &request, 0);

    sign(pool, &request);

    for (i = 0; i < 4; i++) {
        change(pool, &request);
    }
}


static ngx_uint_t
read_request(ngx_pool_t *pool, ngx_str_t *in,
    ngx_group_auth_request_t *request)
{
    ngx_str_t            line, path, name;
    ngx_group_header_t  *h;

    memset(request, 0, sizeof(ngx_group_auth_request_t));

    request->now = NOW;
    request->max_skew = SKEW;
    request->headers = ngx_array_create(pool, 8, sizeof(ngx_group_header_t));

    line = fuzz_until(in, '\n');
    request->method = fuzz_until(&line, ' ');
    path = fuzz_until(&line, '?');
    request->args = line;

    if (!set_path(pool, request, &path)) {
        return 0;
    }

    while (in->len) {
        line = fuzz_until(in, '\n');

        if (line.len == 0) {
            break;
        }

        name = fuzz_until(&line, ':');

        h = ngx_array_push(request->headers);
        h->name.len = name.len;
        h->name.data = ngx_pnalloc(pool, name.len);
        ngx_strlow(h->name.data, name.data, name.len);
        spaces(&line);
        h->value = line;

        if (ngx_group_str_is(&h->name, "authorization")) {
            request->authorization = line;
        }
    }

    return ngx_group_sha256(in, request->body) == NGX_OK;
}


static ngx_uint_t
set_path(ngx_pool_t *pool, ngx_group_auth_request_t *request, ngx_str_t *path)
{
    request->unparsed_path = *path;

    return ngx_group_percent_decode(pool, path, &request->uri, 0) == NGX_OK;
}


static void
both(ngx_pool_t *pool, ngx_group_auth_request_t *request, ngx_uint_t must)
{
    ngx_int_t               rc;
    ngx_str_t               code, subject;
    ngx_uint_t              good;
    ngx_group_principal_t  *principal;

    ngx_str_null(&code);
    ngx_str_null(&subject);
    principal = NULL;

    rc = ngx_group_auth_check(pool, &credentials, NGX_GROUP_AUTH_SIGV4,
                              request, &principal, &code, &subject);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);

    good = (rc == NGX_OK || ngx_group_str_is(&code, "expired"));

    check(verify(pool, request) == good, "%s it, should%s: %s",
          good ? "accepts" : "refuses", good ? " not" : "",
          unit_show(&request->authorization));

    if (must) {
        check(rc == NGX_OK, "our own signature: %s", unit_show(&code));
    }

    if (rc == NGX_OK) {
        check(principal != NULL, "accepted, and nobody");
        return;
    }

    check(ngx_group_str_is(&code, "missing")
          || ngx_group_str_is(&code, "malformed")
          || ngx_group_str_is(&code, "unknown")
          || ngx_group_str_is(&code, "signature")
          || ngx_group_str_is(&code, "expired"),
          "another code: %s", unit_show(&code));
}


static void
sign(ngx_pool_t *pool, ngx_group_auth_request_t *request)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_uint_t           i, host, type;
    ngx_array_t          out, *old;
    ngx_group_header_t  *h, *new;
    ngx_group_signer_t   signer;

    memset(&signer, 0, sizeof(ngx_group_signer_t));

    signer.type = NGX_GROUP_AUTH_SIGV4;
    ngx_str_set(&signer.access_key, KEY);
    ngx_str_set(&signer.secret_key, SECRET);
    ngx_str_set(&signer.region, "us-east-1");
    ngx_str_set(&signer.service, "service");

    /* what the gateway gives: one host, one content-type, no credentials */

    old = request->headers;
    h = old->elts;

    request->headers = ngx_array_create(pool, 8, sizeof(ngx_group_header_t));
    host = 0;
    type = 0;

    for (i = 0; i < old->nelts; i++) {

        if (ngx_group_str_is(&h[i].name, "authorization")
            || ngx_group_str_is(&h[i].name, "date")
            || ngx_group_str_is(&h[i].name, "x-amz-date")
            || (ngx_group_str_is(&h[i].name, "host") && host++)
            || (ngx_group_str_is(&h[i].name, "content-type") && type++))
        {
            continue;
        }

        new = ngx_array_push(request->headers);
        *new = h[i];
    }

    if (host == 0) {
        new = ngx_array_push(request->headers);
        ngx_str_set(&new->name, "host");
        ngx_str_set(&new->value, "h");
    }

    ngx_array_init(&out, pool, 2, sizeof(ngx_group_header_t));

    rc = ngx_group_auth_sign(pool, &signer, request, &out);

    check((rc == NGX_OK) == query(pool, &request->args, &text),
          "%d: query %s", (int) rc, unit_show(&request->args));

    h = out.elts;

    for (i = 0; i < out.nelts; i++) {
        new = ngx_array_push(request->headers);
        new->value = h[i].value;
        new->name.len = h[i].name.len;
        new->name.data = ngx_pnalloc(pool, h[i].name.len);
        ngx_strlow(new->name.data, h[i].name.data, h[i].name.len);

        if (ngx_group_str_is(&new->name, "authorization")) {
            request->authorization = new->value;
        }
    }

    if (rc == NGX_OK) {
        both(pool, request, 1);
    }
}


/* one byte of something */

static void
change(ngx_pool_t *pool, ngx_group_auth_request_t *request)
{
    ngx_str_t                  path;
    ngx_uint_t                 i;
    ngx_array_t                headers;
    ngx_group_header_t        *h;
    ngx_group_auth_request_t   other;

    other = *request;

    switch (unit_random() % 6) {

    case 0:
        other.method = flip(pool, &request->method);
        break;

    case 1:
        path = flip(pool, &request->unparsed_path);

        if (!set_path(pool, &other, &path)) {
            return;
        }

        break;

    case 2:
        other.args = flip(pool, &request->args);
        break;

    case 3:
        other.authorization = flip(pool, &request->authorization);
        break;

    case 4:
        other.body[unit_random() % NGX_GROUP_SHA256_LEN] ^= 1
                                                  << (unit_random() % 8);
        break;

    default:
        headers = *request->headers;
        headers.elts = ngx_palloc(pool, headers.nelts * headers.size);
        memcpy(headers.elts, request->headers->elts,
               headers.nelts * headers.size);

        h = headers.elts;
        i = unit_random() % headers.nelts;
        h[i].value = flip(pool, &h[i].value);
        other.headers = &headers;
    }

    both(pool, &other, 0);
}


static ngx_str_t
flip(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t  out;

    out.len = text->len;
    out.data = ngx_pnalloc(pool, text->len);

    if (text->len) {
        memcpy(out.data, text->data, text->len);
        out.data[unit_random() % text->len] ^= (u_char) (1 + unit_random()
                                                         % 255);
    }

    return out;
}


/* Signature Version 4, as it is documented and as VinylDNS reads it */

static ngx_uint_t
verify(ngx_pool_t *pool, ngx_group_auth_request_t *request)
{
    u_char                   key[32], next[32], digest[32], hex[64], *p;
    unsigned                 n;
    ngx_str_t                in, id, scope, part, names, signature, uri,
                             paths[3], args, header_lines, text;
    ngx_uint_t               i, slash, npaths;
    ngx_group_sigv4_date_t   date;

    in = request->authorization;

    if (!literal(&in, "AWS4-HMAC-SHA256")) {
        return 0;
    }

    spaces(&in);

    if (!literal(&in, "Credential=")) {
        return 0;
    }

    id = fuzz_until(&in, '/');
    scope.data = in.data;

    if (!ngx_group_str_is(&id, KEY)) {
        return 0;
    }

    for (i = 0; i < 3; i++) {
        part = fuzz_until(&in, '/');

        if (in.data[-1] != '/') {
            return 0;
        }

        if (i == 0 && (part.len != 8
                       || ngx_group_sigv4_day(part.data, &(time_t) { 0 })
                          != NGX_OK))
        {
            return 0;
        }
    }

    if (!literal(&in, "aws4_request")) {
        return 0;
    }

    scope.len = in.data - scope.data;

    if (!literal(&in, ",")) {
        return 0;
    }

    spaces(&in);

    if (!literal(&in, "SignedHeaders=")) {
        return 0;
    }

    names = fuzz_until(&in, ',');
    spaces(&in);

    if (names.len == 0 || !literal(&in, "Signature=") || in.len != 64) {
        return 0;
    }

    signature = in;

    if (ngx_group_sigv4_find_date(request->headers, &date) != NGX_OK
        || !query(pool, &request->args, &args)
        || !lines(pool, request->headers, &names, &header_lines))
    {
        return 0;
    }

    /* each of the ways to write the path, but "%2F" is no slash */

    uri = request->uri;
    npaths = 0;
    slash = 0;

    for (i = 0; i + 2 < request->unparsed_path.len; i++) {
        p = request->unparsed_path.data + i;
        slash |= strncasecmp((char *) p, "%2f", 3) == 0;
    }

    if (!slash) {
        if (uri.len == 0) {
            ngx_str_set(&uri, "/");
        }

        paths[npaths++] = escape(pool, &uri, "/!$&'()*+,;=:@");
        paths[npaths++] = escape(pool, &uri, "/");
    }

    if (request->unparsed_path.len) {
        paths[npaths++] = request->unparsed_path;
    }

    for (i = 0; i < npaths; i++) {

        text.data = ngx_pnalloc(pool, request->method.len + paths[i].len
                                      + args.len + header_lines.len
                                      + names.len + scope.len + 256);
        text.len = 0;

        append(&text, request->method.data, request->method.len);
        append(&text, "\n", 1);
        append(&text, paths[i].data, paths[i].len);
        append(&text, "\n", 1);
        append(&text, args.data, args.len);
        append(&text, "\n", 1);
        append(&text, header_lines.data, header_lines.len);
        append(&text, "\n", 1);
        append(&text, names.data, names.len);
        append(&text, "\n", 1);
        ngx_hex_dump(hex, request->body, 32);
        append(&text, hex, 64);

        if (!EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(),
                        NULL))
        {
            abort();
        }

        text.len = 0;
        append(&text, "AWS4-HMAC-SHA256\n", 17);
        append(&text, date.text, 16);
        append(&text, "\n", 1);
        append(&text, scope.data, scope.len);
        append(&text, "\n", 1);
        ngx_hex_dump(hex, digest, 32);
        append(&text, hex, 64);

        part = scope;
        in = fuzz_until(&part, '/');
        HMAC(EVP_sha256(), "AWS4" SECRET, sizeof("AWS4" SECRET) - 1, in.data,
             in.len, key, &n);

        while (part.len) {
            in = fuzz_until(&part, '/');
            HMAC(EVP_sha256(), key, 32, in.len ? in.data : (u_char *) "",
                 in.len, next, &n);
            memcpy(key, next, 32);
        }

        HMAC(EVP_sha256(), key, 32, text.data, text.len, digest, &n);
        ngx_hex_dump(hex, digest, 32);

        if (memcmp(hex, signature.data, 64) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
query(ngx_pool_t *pool, ngx_str_t *args, ngx_str_t *out)
{
    pair_t     *pair;
    ngx_str_t   rest, part, name;
    ngx_uint_t  i, n;

    out->len = 0;
    out->data = ngx_pnalloc(pool, 3 * args->len + 2 * args->len + 2);

    if (args->len == 0) {
        return 1;
    }

    pair = ngx_palloc(pool, (args->len + 1) * sizeof(pair_t));
    rest = *args;

    for (n = 1, i = 0; i < args->len; i++) {
        n += (args->data[i] == '&');
    }

    for (i = 0; i < n; i++) {
        part = fuzz_until(&rest, '&');
        name = fuzz_until(&part, '=');

        if (ngx_group_percent_decode(pool, &name, &name, 1) != NGX_OK
            || ngx_group_percent_decode(pool, &part, &part, 1) != NGX_OK)
        {
            return 0;
        }

        pair[i].name = escape(pool, &name, "");
        pair[i].value = escape(pool, &part, "");
    }

    qsort(pair, n, sizeof(pair_t), compare);

    for (i = 0; i < n; i++) {
        append(out, "&", i != 0);
        append(out, pair[i].name.data, pair[i].name.len);
        append(out, "=", 1);
        append(out, pair[i].value.data, pair[i].value.len);
    }

    return 1;
}


static ngx_uint_t
lines(ngx_pool_t *pool, ngx_array_t *headers, ngx_str_t *names,
    ngx_str_t *out)
{
    size_t               len;
    ngx_str_t            rest, value, name[NAMES], t;
    ngx_uint_t           i, j, n, found;
    ngx_group_header_t  *h;

    h = headers->elts;
    len = 0;

    for (j = 0; j < headers->nelts; j++) {
        len += h[j].name.len + h[j].value.len + 2;
    }

    out->len = 0;
    out->data = ngx_pnalloc(pool, len);

    rest.len = names->len;
    rest.data = ngx_pnalloc(pool, names->len);
    ngx_strlow(rest.data, names->data, names->len);

    for (n = 0; rest.len; n++) {
        if (n == NAMES) {
            return 0;
        }

        name[n] = fuzz_until(&rest, ';');
    }

    /* as few as these are sorted in any way */

    for (i = 0; i < n; i++) {
        for (j = i + 1; j < n; j++) {
            if (order(&name[j], &name[i]) < 0) {
                t = name[i];
                name[i] = name[j];
                name[j] = t;
            }
        }
    }

    for (i = 0; i < n; i++) {

        if (i && fuzz_equal(&name[i - 1], &name[i])) {
            continue;
        }

        found = 0;

        for (j = 0; j < headers->nelts; j++) {
            if (!fuzz_equal(&h[j].name, &name[i])) {
                continue;
            }

            if (found++) {
                append(out, ",", 1);

            } else {
                append(out, name[i].data, name[i].len);
                append(out, ":", 1);
            }

            value = trim(&h[j].value);
            append(out, value.data, value.len);
        }

        append(out, "\n", found != 0);
    }

    return 1;
}


static ngx_str_t
escape(ngx_pool_t *pool, ngx_str_t *in, const char *keep)
{
    size_t     i;
    char       text[4];
    u_char     c;
    ngx_str_t  out;

    out.data = ngx_pnalloc(pool, 3 * in->len);
    out.len = 0;

    for (i = 0; i < in->len; i++) {
        c = in->data[i];

        if (c < 0x80 && c
            && (isalnum(c) || strchr("-._~", c) || strchr(keep, c)))
        {
            append(&out, &c, 1);
            continue;
        }

        snprintf(text, sizeof(text), "%%%02X", c);
        append(&out, text, 3);
    }

    return out;
}


static ngx_uint_t
literal(ngx_str_t *in, const char *text)
{
    size_t  n;

    n = strlen(text);

    if (in->len < n || memcmp(in->data, text, n) != 0) {
        return 0;
    }

    in->data += n;
    in->len -= n;

    return 1;
}


static void
spaces(ngx_str_t *in)
{
    while (in->len && in->data[0] == ' ') {
        in->data++;
        in->len--;
    }
}


static ngx_str_t
trim(ngx_str_t *in)
{
    ngx_str_t  out;

    out = *in;

    while (out.len && strchr(" \t", out.data[0]) && out.data[0]) {
        out.data++;
        out.len--;
    }

    while (out.len && strchr(" \t", out.data[out.len - 1])
           && out.data[out.len - 1])
    {
        out.len--;
    }

    return out;
}


static void
append(ngx_str_t *to, const void *data, size_t len)
{
    if (len) {
        memcpy(to->data + to->len, data, len);
        to->len += len;
    }
}


static int
compare(const void *one, const void *two)
{
    int      rc;
    pair_t  *a, *b;

    a = (pair_t *) one;
    b = (pair_t *) two;

    rc = order(&a->name, &b->name);

    return rc ? rc : order(&a->value, &b->value);
}


static int
order(ngx_str_t *a, ngx_str_t *b)
{
    int     rc;
    size_t  n;

    n = ngx_min(a->len, b->len);
    rc = n ? memcmp(a->data, b->data, n) : 0;

    return rc ? rc : (a->len > b->len) - (a->len < b->len);
}
