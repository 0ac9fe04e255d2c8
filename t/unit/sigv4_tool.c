
/*
 * Signs or checks one HTTP request, for t/sigv4_oracle.t:
 *
 *   sigv4_tool sign KEY SECRET REGION SERVICE NOW <request
 *   sigv4_tool check KEY SECRET NOW MAX_SKEW <request
 *
 * "request" is as on the wire, its body up to the end of the file.  "sign"
 * prints the headers, "check" prints "ok" or what is wrong.
 */

#include "unit.h"

#include <stdio.h>

#include "ngx_group_auth.h"
#include "ngx_group_text.h"


#define MAX_REQUEST  65536


static ngx_pool_t                *pool;
static ngx_array_t                headers;
static ngx_group_auth_request_t   request;


static void
fail(const char *why)
{
    fprintf(stderr, "sigv4_tool: %s\n", why);
    exit(2);
}


/* cuts "in" at "end": returns what is before, and "in" becomes the rest */

static ngx_str_t
cut(ngx_str_t *in, const char *end)
{
    size_t     n, len;
    ngx_str_t  s;

    len = strlen(end);

    for (n = 0; n + len <= in->len; n++) {
        if (memcmp(in->data + n, end, len) == 0) {
            s.data = in->data;
            s.len = n;
            in->data += n + len;
            in->len -= n + len;

            return s;
        }
    }

    s = *in;
    in->data += in->len;
    in->len = 0;

    return s;
}


static void
read_request(ngx_str_t *in)
{
    ngx_str_t            line, target, name;
    ngx_group_header_t  *h;

    line = cut(in, "\r\n");
    request.method = cut(&line, " ");
    target = cut(&line, " ");

    if (memcmp(line.data, "HTTP/1.1", 8) != 0) {
        fail("not a request");
    }

    request.unparsed_path = cut(&target, "?");
    request.args = target;

    if (ngx_group_percent_decode(pool, &request.unparsed_path, &request.uri,
                                 0)
        != NGX_OK)
    {
        fail("a bad path");
    }

    ngx_array_init(&headers, pool, 16, sizeof(ngx_group_header_t));
    request.headers = &headers;

    for ( ;; ) {
        line = cut(in, "\r\n");

        if (line.len == 0) {
            break;
        }

        name = cut(&line, ":");
        ngx_strlow(name.data, name.data, name.len);

        while (line.len && line.data[0] == ' ') {
            line.data++;
            line.len--;
        }

        h = ngx_array_push(&headers);
        h->name = name;
        h->value = line;

        if (name.len == 13 && memcmp(name.data, "authorization", 13) == 0) {
            request.authorization = line;
        }
    }

    if (ngx_group_sha256(in, request.body) != NGX_OK) {
        fail("no digest");
    }
}


static void
sign(char **argv)
{
    ngx_uint_t           i;
    ngx_array_t          out;
    ngx_group_header_t  *h;
    ngx_group_signer_t   signer;

    memset(&signer, 0, sizeof(signer));

    signer.type = NGX_GROUP_AUTH_SIGV4;
    signer.access_key = unit_str(argv[0]);
    signer.secret_key = unit_str(argv[1]);
    signer.region = unit_str(argv[2]);
    signer.service = unit_str(argv[3]);
    request.now = atol(argv[4]);

    ngx_array_init(&out, pool, 2, sizeof(ngx_group_header_t));

    if (ngx_group_auth_sign(pool, &signer, &request, &out) != NGX_OK) {
        fail("not signed");
    }

    h = out.elts;

    for (i = 0; i < out.nelts; i++) {
        printf("%.*s: %.*s\n", (int) h[i].name.len, h[i].name.data,
               (int) h[i].value.len, h[i].value.data);
    }
}


static void
check(char **argv)
{
    ngx_int_t                 rc;
    ngx_str_t                 code, subject;
    ngx_group_principal_t    *principal;
    ngx_group_credential_t   *credential;
    ngx_group_credentials_t   credentials;

    memset(&credentials, 0, sizeof(credentials));
    ngx_array_init(&credentials.list, pool, 1,
                   sizeof(ngx_group_credential_t));

    credential = ngx_array_push(&credentials.list);
    memset(credential, 0, sizeof(ngx_group_credential_t));

    credential->type = NGX_GROUP_AUTH_SIGV4;
    credential->id = unit_str(argv[0]);
    credential->secret = unit_str(argv[1]);
    request.now = atol(argv[2]);
    request.max_skew = atol(argv[3]);

    rc = ngx_group_auth_check(pool, &credentials, NGX_GROUP_AUTH_SIGV4,
                              &request, &principal, &code, &subject);

    if (rc == NGX_ERROR) {
        fail("not checked");
    }

    if (rc == NGX_OK) {
        printf("ok\n");

    } else {
        printf("%.*s\n", (int) code.len, code.data);
    }
}


int
main(int argc, char **argv)
{
    ngx_str_t       in;

    static u_char   buf[MAX_REQUEST];

    in.data = buf;
    in.len = fread(buf, 1, MAX_REQUEST, stdin);

    if (in.len == MAX_REQUEST) {
        fail("too long a request");
    }

    pool = unit_pool();

    read_request(&in);

    if (argc == 7 && strcmp(argv[1], "sign") == 0) {
        sign(argv + 2);

    } else if (argc == 6 && strcmp(argv[1], "check") == 0) {
        check(argv + 2);

    } else {
        fail("bad arguments");
    }

    ngx_destroy_pool(pool);

    return 0;
}
