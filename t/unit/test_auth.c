
#include "unit.h"

#include <stdio.h>
#include <ctype.h>
#include <sys/stat.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ngx_group_auth.h"
#include "ngx_group_auth_internal.h"


#define KEY     "AKIDEXAMPLE"
#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define STAMP   "20150830T123600Z"
#define NOW     1440938160                     /* STAMP */
#define SCOPE   "20150830/us-east-1/service/aws4_request"


static ngx_pool_t                *pool;
static ngx_array_t                headers;
static ngx_group_auth_request_t   request;
static ngx_group_credentials_t    known;
static ngx_group_principal_t     *who;
static ngx_str_t                  code, subject;

/* what is parsed into must live as long as the pool */

static ngx_group_credentials_t    list;
static ngx_group_signer_t         signer;


/* a request that tests fill in and change */

static void
set(ngx_str_t *s, const char *text)
{
    s->len = strlen(text);
    s->data = ngx_pnalloc(pool, s->len);
    memcpy(s->data, text, s->len);
}


static void
header(const char *name, const char *value)
{
    ngx_group_header_t  *h;

    h = ngx_array_push(&headers);
    set(&h->name, name);
    set(&h->value, value);
}


static ngx_group_header_t *
find(const char *name)
{
    ngx_uint_t           i;
    ngx_group_header_t  *h;

    h = headers.elts;

    for (i = 0; i < headers.nelts; i++) {
        if (h[i].name.len == strlen(name)
            && memcmp(h[i].name.data, name, h[i].name.len) == 0)
        {
            return &h[i];
        }
    }

    return NULL;
}


static void
body(const char *text)
{
    ngx_str_t  s;

    set(&s, text);

    if (ngx_group_sha256(&s, request.body) != NGX_OK) {
        abort();
    }
}


static void
start(const char *method, const char *uri, const char *args)
{
    memset(&request, 0, sizeof(request));
    ngx_array_init(&headers, pool, 8, sizeof(ngx_group_header_t));

    set(&request.method, method);
    set(&request.uri, uri);
    set(&request.args, args);
    request.headers = &headers;
    request.now = NOW;
    request.max_skew = 900;

    body("");
}


static const char *
check(ngx_group_auth_e type)
{
    ngx_int_t  rc;

    rc = ngx_group_auth_check(pool, &known, type, &request, &who, &code,
                              &subject);

    if (rc == NGX_OK) {
        return who ? "ok" : "ok without a principal";
    }

    if (rc == NGX_ERROR) {
        return "error";
    }

    if (rc != NGX_DECLINED || who != NULL) {
        return "what?";
    }

    return unit_show(&code);
}


static const char *
sigv4(void)
{
    return check(NGX_GROUP_AUTH_SIGV4);
}


#define verdict(got, want, ...)                                               \
    do {                                                                      \
        const char  *verdict_ = got;                                          \
                                                                              \
        if (!ok(strcmp(verdict_, want) == 0, __VA_ARGS__)) {                  \
            unit_diag("got %s, expected %s", verdict_, want);                 \
        }                                                                     \
    } while (0)

#define is_case(got, want)                                                    \
    each(strcmp(got, want) == 0, "%s", want)


static void
forget(void)
{
    memset(&list, 0, sizeof(list));
    memset(&signer, 0, sizeof(signer));
}


/* SigV4 once more, from a canonical request that is written out */

static void
hmac(const void *key, size_t len, const char *text, size_t n, u_char *out)
{
    unsigned int  size;

    HMAC(EVP_sha256(), key, (int) len, (const u_char *) text, n, out, &size);
}


static void
hex(u_char *in, char *out)
{
    int  i;

    for (i = 0; i < 32; i++) {
        sprintf(out + 2 * i, "%02x", in[i]);
    }
}


static void
authorize(const char *canonical, const char *stamp, const char *scope,
    const char *names)
{
    char           text[4096], digest[65];
    u_char         key[32], next[32];
    unsigned int   size;
    const char    *p, *end;

    memcpy(text, "AWS4" SECRET, sizeof("AWS4" SECRET));

    for (p = scope, end = p; end; p = end + 1) {
        end = strchr(p, '/');

        hmac(p == scope ? (void *) text : key,
             p == scope ? strlen(text) : 32, p,
             end ? (size_t) (end - p) : strlen(p), next);
        memcpy(key, next, 32);

        if (end == NULL) {
            break;
        }
    }

    EVP_Digest(canonical, strlen(canonical), next, &size, EVP_sha256(), NULL);
    hex(next, digest);

    sprintf(text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", stamp, scope, digest);
    hmac(key, 32, text, strlen(text), next);
    hex(next, digest);

    sprintf(text, "AWS4-HMAC-SHA256 Credential=" KEY "/%s, SignedHeaders=%s, "
            "Signature=%s", scope, names, digest);
    set(&request.authorization, text);
}


#define EMPTY                                                                 \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


static ngx_int_t
parse(const char *text, ngx_group_credentials_t *credentials,
    ngx_str_t *error)
{
    ngx_int_t  rc;
    ngx_str_t  in;

    in = unit_exact(text, strlen(text));
    memset(credentials, 0, sizeof(ngx_group_credentials_t));
    error->len = 0;

    rc = ngx_group_auth_parse(pool, &in, ngx_group_credentials_build,
                              credentials, error);
    unit_exact_free(&in);

    return rc;
}


static ngx_int_t
parse_signer(const char *text, ngx_group_signer_t *signer, ngx_str_t *error)
{
    ngx_int_t  rc;
    ngx_str_t  in;

    in = unit_exact(text, strlen(text));
    memset(signer, 0, sizeof(ngx_group_signer_t));
    error->len = 0;

    rc = ngx_group_auth_parse(pool, &in, ngx_group_signer_build, signer,
                              error);
    unit_exact_free(&in);

    return rc;
}


/* SHA-256 of "secret", and of "other" */

#define SECRET_HEX                                                            \
    "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER_HEX                                                             \
    "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"


static char  token_hex[65];


static void
load_known(void)
{
    char          text[4096];
    u_char        digest[32];
    unsigned int  size;
    ngx_str_t     error;

    EVP_Digest("abc.def~1=", 10, digest, &size, EVP_sha256(), NULL);
    hex(digest, token_hex);
    token_hex[0] = (char) toupper(token_hex[0]);

    sprintf(text,
            "{ \"credentials\": ["
            "{ \"type\": \"basic\", \"id\": \"user\","
            "  \"secret_sha256\": \"" SECRET_HEX "\","
            "  \"scopes\": [ \"numbers\", \"more\" ],"
            "  \"containers\": [ \"admin\", \"global_contact_list\" ] },"
            "{ \"type\": \"basic\", \"id\": \"" KEY "\","
            "  \"secret_sha256\": \"" OTHER_HEX "\","
            "  \"principal\": \"second\", \"containers\": [] },"
            "{ \"type\": \"bearer\", \"token_sha256\": \"%s\","
            "  \"principal\": \"ci\", \"scopes\": [] },"
            "{ \"type\": \"sigv4\", \"access_key\": \"" KEY "\","
            "  \"secret_key\": \"" SECRET "\", \"principal\": \"ok\" },"
            "{ \"type\": \"sigv4\", \"access_key\": \"user\","
            "  \"secret_key\": \"\\u0041\\\"\" } ] }", token_hex);

    if (parse(text, &known, &error) != NGX_OK) {
        unit_diag("%s", unit_show(&error));
        abort();
    }
}


static void
test_digests(void)
{
    char       text[65];
    u_char     digest[32];
    ngx_str_t  in;

    in = unit_str("abc");
    ok(ngx_group_sha256(&in, digest) == NGX_OK, "SHA-256");
    hex(digest, text);
    ok(strcmp(text, "ba7816bf8f01cfea414140de5dae2223"
                    "b00361a396177a9cb410ff61f20015ad") == 0, "of FIPS 180-2");

    ngx_str_null(&in);
    (void) ngx_group_sha256(&in, digest);
    hex(digest, text);
    ok(strcmp(text, EMPTY) == 0, "of nothing");

    in = unit_str("what do ya want for nothing?");
    ok(ngx_group_hmac_sha256((u_char *) "Jefe", 4, &in, digest) == NGX_OK,
       "HMAC-SHA-256");
    hex(digest, text);
    ok(strcmp(text, "5bdcc146bf60754e6a042426089575c7"
                    "5a003f089d2739839dec58b964ec3843") == 0, "of RFC 4231");
}


/* the requests of the AWS test suite, and the example of its documentation */

static void
test_vectors(void)
{
    char         text[1024];
    ngx_uint_t   i;

    static struct {
        const char  *name;
        const char  *method;
        const char  *uri;          /* as nginx gives it */
        const char  *args;
        const char  *headers[8];
        const char  *names;
        const char  *body;
        const char  *signature;
    } cases[] = {

        { "get-vanilla", "GET", "/", "", { NULL }, "host;x-amz-date", "",
          "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },

        { "get-vanilla-query-order-key-case", "GET", "/",
          "Param2=value2&Param1=value1", { NULL }, "host;x-amz-date", "",
          "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },

        { "get-vanilla-utf8-query", "GET", "/", "\xe1\x88\xb4=bar", { NULL },
          "host;x-amz-date", "",
          "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },

        { "get-unreserved", "GET", "/-._~0123456789"
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
          { NULL }, "host;x-amz-date", "",
          "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },

        { "get-utf8", "GET", "/\xe1\x88\xb4", "", { NULL },
          "host;x-amz-date", "",
          "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },

        { "get-space", "GET", "/example space/", "", { NULL },
          "host;x-amz-date", "",
          "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },

        { "get-slashes", "GET", "/example/", "", { NULL },
          "host;x-amz-date", "",
          "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84" },

        { "get-header-key-duplicate", "GET", "/", "",
          { "my-header1", "value2", "my-header1", "value2",
            "my-header1", " value1 ", NULL },
          "host;my-header1;x-amz-date", "",
          "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },

        { "get-header-value-order", "GET", "/", "",
          { "my-header1", "value4", "my-header1", "value1",
            "my-header1", "value3", "my-header1", "value2" },
          "host;my-header1;x-amz-date", "",
          "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },

        { "post-vanilla", "POST", "/", "", { NULL }, "host;x-amz-date", "",
          "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },

        { "post-x-www-form-urlencoded", "POST", "/", "",
          { "content-type", "application/x-www-form-urlencoded", NULL },
          "content-type;host;x-amz-date", "Param1=value1",
          "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t  n;

        start(cases[i].method, cases[i].uri, cases[i].args);
        header("host", "example.amazonaws.com");

        for (n = 0; n < 8 && cases[i].headers[n]; n += 2) {
            header(cases[i].headers[n], cases[i].headers[n + 1]);
        }

        header("x-amz-date", STAMP);
        body(cases[i].body);

        sprintf(text, "AWS4-HMAC-SHA256 Credential=" KEY "/" SCOPE ", "
                "SignedHeaders=%s, Signature=%s", cases[i].names,
                cases[i].signature);
        set(&request.authorization, text);

        verdict(sigv4(), "ok", "AWS: %s", cases[i].name);
    }

    start("GET", "/", "Action=ListUsers&Version=2010-05-08");
    header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    header("host", "iam.amazonaws.com");
    header("x-amz-date", STAMP);
    set(&request.authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/"
        "aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");

    verdict(sigv4(), "ok", "AWS: the example of its documentation");
    is(&who->id, "ok", "the principal is the one of the access key");
}


/* what we make, we must accept; and AWS's own signature for the same */

static void
sign(const char *region, const char *service)
{
    ngx_array_t          out;
    ngx_group_header_t  *h;

    memset(&signer, 0, sizeof(signer));
    signer.type = NGX_GROUP_AUTH_SIGV4;
    set(&signer.access_key, KEY);
    set(&signer.secret_key, SECRET);
    set(&signer.region, region);
    set(&signer.service, service);

    ngx_array_init(&out, pool, 1, sizeof(ngx_group_header_t));

    if (ngx_group_auth_sign(pool, &signer, &request, &out) != NGX_OK
        || out.nelts != 2)
    {
        abort();
    }

    h = out.elts;
    request.authorization = h[1].value;

    h = find("x-amz-date");
    if (h == NULL) {
        header("x-amz-date", "");
        h = find("x-amz-date");
    }

    h->value = ((ngx_group_header_t *) out.elts)[0].value;
}


static void
signed_put(void)
{
    start("PUT", "/groups/a b", "startFrom=1&maxItems=2");
    header("host", "vinyl.example.com:9000");
    header("content-type", "application/json");
    header("accept", "*/*");
    body("{}");
    sign("us-east-1", "VinylDNS");
}


static void
test_sign(void)
{
    ngx_int_t            rc;
    ngx_array_t          out;
    ngx_group_header_t  *h;

    start("GET", "/", "");
    header("host", "example.amazonaws.com");
    header("x-amz-date", "of the client");
    sign("us-east-1", "service");

    is(&request.authorization,
       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
       "aws4_request, SignedHeaders=host;x-amz-date, Signature="
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
       "get-vanilla is signed as AWS does");
    is(&find("x-amz-date")->value, STAMP, "X-Amz-Date");
    verdict(sigv4(), "ok", "and is accepted");

    signed_put();
    verdict(sigv4(), "ok", "a request with all there is, signed by us");

    start("POST", "/groups", "");
    header("content-type", "application/json");
    header("host", "vinyl.example.com");
    body("{\"name\":\"a\"}");
    sign("", "");
    ok(strstr(unit_show(&request.authorization),
              "/20150830///aws4_request, SignedHeaders=content-type;host;"
              "x-amz-date, ") != NULL, "an empty region and service");
    verdict(sigv4(), "ok", "are accepted");

    memset(&signer, 0, sizeof(signer));
    ngx_array_init(&out, pool, 1, sizeof(ngx_group_header_t));

    signer.type = NGX_GROUP_AUTH_BASIC;
    set(&signer.authorization, "Basic dTpw");
    rc = ngx_group_auth_sign(pool, &signer, &request, &out);
    h = out.elts;
    ok(rc == NGX_OK && out.nelts == 1, "basic makes one header");
    is(&h->name, "Authorization", "its name");
    is(&h->value, "Basic dTpw", "its value");

    signer.type = NGX_GROUP_AUTH_NONE;
    rc = ngx_group_auth_sign(pool, &signer, &request, &out);
    ok(rc == NGX_OK && out.nelts == 1, "no scheme makes none");

    signer.type = NGX_GROUP_AUTH_SIGV4;
    start("GET", "/", "");
    rc = ngx_group_auth_sign(pool, &signer, &request, &out);
    ok(rc == NGX_ERROR, "without a host nothing is signed");

    start("GET", "/", "a=%zz");
    header("host", "a");
    rc = ngx_group_auth_sign(pool, &signer, &request, &out);
    ok(rc == NGX_ERROR, "nor a query with a bad escape");
}


/* each bit of what is signed counts */

static void
test_tamper(void)
{
    size_t                i;
    u_char               *p;
    ngx_str_t             was;
    ngx_group_header_t   *h;

    signed_put();

    for (i = 0; i < 32; i++) {
        request.body[i] ^= 1;
        is_case(sigv4(), "signature");
        request.body[i] ^= 1;
    }

    unit_cases("another body");

    set(&request.method, "POST");
    verdict(sigv4(), "signature", "another method");
    set(&request.method, "PUT");

    set(&request.uri, "/groups/a c");
    verdict(sigv4(), "signature", "another path");
    set(&request.uri, "/groups/a b/");
    verdict(sigv4(), "signature", "a path with a slash at its end");
    set(&request.uri, "/groups/a%20b");
    verdict(sigv4(), "signature", "a path with an escape that is not one");
    set(&request.uri, "/groups/a b");

    set(&request.args, "startFrom=1&maxItems=3");
    verdict(sigv4(), "signature", "another query");
    set(&request.args, "startFrom=1&maxItems=2&maxItems=2");
    verdict(sigv4(), "signature", "a parameter once more");
    set(&request.args, "startFrom=1&maxItems=2&");
    verdict(sigv4(), "signature", "an empty parameter");
    set(&request.args, "startFrom=1");
    verdict(sigv4(), "signature", "a parameter less");
    set(&request.args, "");
    verdict(sigv4(), "signature", "no query");
    set(&request.args, "maxItems=2&startFrom=%31");
    verdict(sigv4(), "ok", "the same query in another way");

    find("accept")->value = unit_str("text/plain");
    verdict(sigv4(), "ok", "a header that is not signed");

    h = find("content-type");
    was = h->value;
    h->value = unit_str("application/jso");
    verdict(sigv4(), "signature", "another content-type");
    h->value = unit_str("");
    verdict(sigv4(), "signature", "an empty content-type");
    h->value = unit_str(" application/json\t");
    verdict(sigv4(), "ok", "a content-type with spaces around it");
    h->value = was;

    h = find("host");
    was = h->value;
    h->value = unit_str("vinyl.example.com:9001");
    verdict(sigv4(), "signature", "another port");
    h->value = unit_str("vinyl.example.com");
    verdict(sigv4(), "signature", "no port");
    h->value = was;
    h->name = unit_str("hos");
    verdict(sigv4(), "signature", "no host");
    h->name = unit_str("host");
    header("host", "evil.example.com");
    verdict(sigv4(), "signature", "a second host");
    headers.nelts--;

    h = find("x-amz-date");
    was = h->value;
    h->value = unit_str("20150830T123601Z");
    verdict(sigv4(), "signature", "another date");
    h->value = was;
    header("x-amz-date", "20150830T123601Z");
    verdict(sigv4(), "signature", "a second date");
    headers.nelts--;

    verdict(sigv4(), "ok", "and nothing else was changed");

    /* the signature, the scope, the names and the key, byte for byte */

    p = request.authorization.data;

    for (i = 0; i < request.authorization.len; i++) {
        p[i] ^= 1;
        each(strcmp(sigv4(), "ok") != 0, "byte %d", (int) i);
        p[i] ^= 1;
    }

    unit_cases("another Authorization");

    verdict(sigv4(), "ok", "and nothing else was changed");
}


static void
test_scope(void)
{
    start("GET", "/", "");
    header("host", "h");
    header("x-amz-date", STAMP);

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\nhost;x-amz-date\n"
              EMPTY, STAMP, "20150830/us-east-1//aws4_request",
              "host;x-amz-date");
    verdict(sigv4(), "ok", "an empty service, as of vinyldns-js");

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\nhost;x-amz-date\n"
              EMPTY, STAMP, "20150830/a,b c=/VinylDNS/aws4_request",
              "host;x-amz-date");
    verdict(sigv4(), "ok", "a region of any characters");

    /* that day, the one before, and the one after */

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\nhost;x-amz-date\n"
              EMPTY, STAMP, "20150829/r/s/aws4_request", "host;x-amz-date");
    verdict(sigv4(), "ok", "a scope of the day before");

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\nhost;x-amz-date\n"
              EMPTY, STAMP, "20150831/r/s/aws4_request", "host;x-amz-date");
    verdict(sigv4(), "ok", "a scope of the day after");

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\nhost;x-amz-date\n"
              EMPTY, STAMP, "20150828/r/s/aws4_request", "host;x-amz-date");
    verdict(sigv4(), "expired", "a scope of two days before");
    request.max_skew = 0;
    verdict(sigv4(), "ok", "which does not matter without max_skew");
    request.max_skew = 900;

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\nhost;x-amz-date\n"
              EMPTY, STAMP, "20150901/r/s/aws4_request", "host;x-amz-date");
    verdict(sigv4(), "expired", "a scope of two days after");
}


static void
test_dates(void)
{
    ngx_uint_t           i;
    ngx_group_header_t  *h;

    static const char  *bad[] = {
        "", "20150830", "20150830T123600", "20150830T123600z",
        "20150830t123600Z", "20150830 123600Z", "20150830T123600Z ",
        "20150830T123660Z", "20150830T126000Z", "20150830T243600Z",
        "20150832T123600Z", "20150229T123600Z", "20151301T123600Z",
        "20150030T123600Z", "20150800T123600Z", "19691231T235959Z",
        "2015083xT123600Z", "-0150830T123600Z", "+20150830T12360Z",
        "20150830T12 600Z", "20150830T123600+0000", "0000000000000000",
        "Sun, 30 Aug 2015 12:36:00 GMT"
    };

    signed_put();

    request.now = NOW + 900;
    verdict(sigv4(), "ok", "max_skew after the date");
    request.now = NOW + 901;
    verdict(sigv4(), "expired", "one second more");
    request.now = NOW - 900;
    verdict(sigv4(), "ok", "max_skew before the date");
    request.now = NOW - 901;
    verdict(sigv4(), "expired", "one second more");
    request.now = NOW + (time_t) 1000000000;
    verdict(sigv4(), "expired", "thirty years later");
    ok(subject.len == 0, "of nobody who is named");

    request.max_skew = 0;
    verdict(sigv4(), "ok", "dates are not checked without max_skew");

    request.max_skew = 900;
    request.body[0] ^= 1;
    verdict(sigv4(), "signature", "of a wrong and old one the former is told");

    signed_put();
    h = find("x-amz-date");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        h->value = unit_exact(bad[i], strlen(bad[i]));
        is_case(sigv4(), "malformed");
        request.max_skew = i % 2 ? 0 : 900;
        unit_exact_free(&h->value);
    }

    unit_cases("dates that are none");

    h->name = unit_str("x-amz-dat");
    verdict(sigv4(), "malformed", "no date at all");

    /* the day arithmetic against that of libc, some 300 years */

    {
        time_t                  t;
        ngx_group_sigv4_date_t  date;

        for (t = 0; t < 4102444800 * 2; t += 86400) {
            time_t  back = -1;

            ngx_group_sigv4_date(t, &date);

            each(ngx_group_sigv4_day(date.text, &back) == NGX_OK && back == t,
                 "%.8s", date.text);
        }

        unit_cases("days are the ones of the calendar");
    }

    /* Date in the absence of X-Amz-Date, in either form */

    start("GET", "/", "");
    header("host", "h");
    header("date", STAMP);
    authorize("GET\n/\n\ndate:" STAMP "\nhost:h\n\ndate;host\n" EMPTY, STAMP,
              SCOPE, "date;host");
    verdict(sigv4(), "ok", "Date in ISO form");

    find("date")->value = unit_str("Sun, 30 Aug 2015 12:36:00 GMT");
    authorize("GET\n/\n\ndate:Sun, 30 Aug 2015 12:36:00 GMT\nhost:h\n\n"
              "date;host\n" EMPTY, STAMP, SCOPE, "date;host");
    verdict(sigv4(), "ok", "Date as in HTTP");

    authorize("GET\n/\n\nhost:h\n\nhost\n" EMPTY, STAMP, SCOPE, "host");
    verdict(sigv4(), "ok", "a date that is signed as such only");
    find("date")->value = unit_str("Sun, 30 Aug 2015 12:36:01 GMT");
    verdict(sigv4(), "signature", "and is not to be changed");

    find("date")->value = unit_str("Sun, 30 Aug 2015 12:36:00 EST");
    verdict(sigv4(), "malformed", "Date of another zone");
    find("date")->value = unit_exact("GMT", 3);
    verdict(sigv4(), "malformed", "Date of a zone alone");
    unit_exact_free(&find("date")->value);
    find("date")->value = unit_exact(" GMT", 4);
    verdict(sigv4(), "malformed", "and with a space");
    unit_exact_free(&find("date")->value);

    find("date")->value = unit_str(STAMP);
    header("x-amz-date", "yesterday");
    verdict(sigv4(), "malformed", "Date does not stand in for it");
}


static void
test_headers(void)
{
    char       names[600];
    ngx_uint_t  i;

    start("GET", "/", "");
    header("host", "h");
    header("x-amz-date", STAMP);

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\n"
              "host;nowhere;x-amz-date\n" EMPTY, STAMP, SCOPE,
              "host;nowhere;x-amz-date");
    verdict(sigv4(), "ok", "a header that is signed and absent is skipped");

    header("nowhere", "");
    verdict(sigv4(), "signature", "until it is there");
    headers.nelts--;

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\n"
              "X-Amz-Date;Host;host\n" EMPTY, STAMP, SCOPE,
              "X-Amz-Date;Host;host");
    verdict(sigv4(), "ok", "names in any case and order, and twice");

    authorize("GET\n/\n\nhost:h\nx-amz-date:" STAMP "\n\n"
              ";;host;x-amz-date;\n" EMPTY, STAMP, SCOPE,
              ";;host;x-amz-date;");
    verdict(sigv4(), "ok", "empty names");

    authorize("GET\n/\n\n\n;\n" EMPTY, STAMP, SCOPE, ";");
    verdict(sigv4(), "ok", "no header at all");

    header("x-a", "1   2");
    authorize("GET\n/\n\nx-a:1   2\n\nx-a\n" EMPTY, STAMP, SCOPE, "x-a");
    verdict(sigv4(), "ok", "spaces inside a value are not collapsed");

    header("x-ab", "3");
    header("x-a", "");
    authorize("GET\n/\n\nx-a:1   2,\nx-ab:3\n\nx-ab;x-a\n" EMPTY, STAMP,
              SCOPE, "x-ab;x-a");
    verdict(sigv4(), "ok", "values of one name are joined, names sorted");

    for (i = 0; i < 64; i++) {
        sprintf(names + i * 3, "%02d;", (int) i);
    }

    names[191] = '\0';

    {
        char  canonical[1024];

        sprintf(canonical, "GET\n/\n\n\n%s\n" EMPTY, names);
        authorize(canonical, STAMP, SCOPE, names);
        verdict(sigv4(), "ok", "64 names");

        strcpy(names + 191, ";more");
        sprintf(canonical, "GET\n/\n\n\n%s\n" EMPTY, names);
        authorize(canonical, STAMP, SCOPE, names);
        verdict(sigv4(), "signature", "more of them");
    }

    /* the body is always bound */

    start("GET", "/", "");
    header("host", "h");
    header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    header("x-amz-date", STAMP);
    authorize("GET\n/\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n"
              "x-amz-date:" STAMP "\n\nhost;x-amz-content-sha256;x-amz-date\n"
              "UNSIGNED-PAYLOAD", STAMP, SCOPE,
              "host;x-amz-content-sha256;x-amz-date");
    verdict(sigv4(), "signature", "UNSIGNED-PAYLOAD is not honoured");

    authorize("GET\n/\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n"
              "x-amz-date:" STAMP "\n\nhost;x-amz-content-sha256;x-amz-date\n"
              EMPTY, STAMP, SCOPE, "host;x-amz-content-sha256;x-amz-date");
    verdict(sigv4(), "ok", "X-Amz-Content-Sha256 is a header as any other");

    body("null");
    verdict(sigv4(), "signature", "a body that was not signed");

    authorize("GET\n/\n\n\n;\n"
              "74234e98afe7498fb5daf1f36ac2d78a"
              "cc339464f950703b8c019892f982b90b", STAMP, SCOPE, ";");
    verdict(sigv4(), "ok", "a body of GET, as of vinyldns-python");
}


static const char *
path(const char *canonical)
{
    char  text[512];

    sprintf(text, "GET\n%s\n\nhost:h\n\nhost\n" EMPTY, canonical);
    authorize(text, STAMP, SCOPE, "host");

    return sigv4();
}


static void
test_paths(void)
{
    start("GET", "/groups/a=b:c d\xc3\xa9", "");
    header("host", "h");
    header("x-amz-date", STAMP);

    verdict(path("/groups/a=b:c%20d%C3%A9"), "ok", "a path as of VinylDNS");
    verdict(path("/groups/a%3Db%3Ac%20d%C3%A9"), "ok", "and as of AWS");
    verdict(path("/groups/a%3db:c%20d%c3%a9"), "signature",
            "in another way that was not sent");

    set(&request.unparsed_path, "/groups/a%3db:c%20d%c3%a9");
    verdict(path("/groups/a%3db:c%20d%c3%a9"), "ok", "and as it was sent");
    verdict(path("/groups/a=b:c%20d%C3%A9"), "ok", "the first still is good");
    verdict(path("/groups/a=b:c d\xc3\xa9"), "signature",
            "not as it was decoded");
    verdict(path("/groups/a%253db:c%2520d%25c3%25a9"), "signature",
            "nor encoded twice");

    /* no signature is good for two paths */

    start("GET", "/groups/a/b", "");
    header("host", "h");
    header("x-amz-date", STAMP);
    set(&request.unparsed_path, "/groups/a%2fb");
    verdict(path("/groups/a%2fb"), "ok", "an escaped slash");
    verdict(path("/groups/a/b"), "signature", "is no slash");

    set(&request.unparsed_path, "/groups/a/b");
    verdict(path("/groups/a/b"), "ok", "a slash");
    verdict(path("/groups/a%2fb"), "signature", "is no escaped slash");

    start("GET", "/groups/a%2Fb", "");
    header("host", "h");
    header("x-amz-date", STAMP);
    set(&request.unparsed_path, "/groups/a%252Fb");
    verdict(path("/groups/a%252Fb"), "ok", "an escaped percent sign");
    verdict(path("/groups/a%2Fb"), "signature", "is no escaped slash");

    start("GET", "/b", "");
    header("host", "h");
    header("x-amz-date", STAMP);
    set(&request.unparsed_path, "/a/..//b");
    verdict(path("/b"), "ok", "a normalized path");
    verdict(path("/a/..//b"), "ok", "or as it was sent");

    start("GET", "", "");
    header("host", "h");
    header("x-amz-date", STAMP);
    verdict(path("/"), "ok", "an empty path");
}


static void
query_case(const char *args, const char *want)
{
    ngx_str_t  in, out;

    in = unit_exact(args, strlen(args));

    each(ngx_group_sigv4_query(pool, &in, &out) == NGX_OK
         && out.len == strlen(want)
         && (out.len == 0 || memcmp(out.data, want, out.len) == 0),
         "%s: %s", args, unit_show(&out));

    unit_exact_free(&in);
}


static void
test_queries(void)
{
    char       *big;
    size_t      i;
    ngx_str_t   in, out;

    query_case("", "");
    query_case("a", "a=");
    query_case("a=", "a=");
    query_case("=a", "=a");
    query_case("&", "=&=");
    query_case("b=2&a=1", "a=1&b=2");
    query_case("a=2&a=1&a=10", "a=1&a=10&a=2");
    query_case("a=1&a=1", "a=1&a=1");
    query_case("a=1=2", "a=1%3D2");
    query_case("a-b=1&a=2&ab=3", "a=2&a-b=1&ab=3");
    query_case("a=x+y%20z", "a=x%20y%20z");
    query_case("a=%2b", "a=%2B");
    query_case("a=~*!'()/:", "a=~%2A%21%27%28%29%2F%3A");
    query_case("a=%7E%2a%7e", "a=~%2A~");
    query_case("%C3%A9=\xc3\xa9", "%C3%A9=%C3%A9");
    query_case("groupNameFilter=a%26b", "groupNameFilter=a%26b");
    query_case("B=1&a=2", "B=1&a=2");
    query_case("a+=1&a=2", "a=2&a%20=1");
    query_case("?a=1", "%3Fa=1");

    unit_cases("canonical queries");

    in = unit_str("a=1&b=%4");
    ok(ngx_group_sigv4_query(pool, &in, &out) == NGX_DECLINED,
       "a bad escape");

    start("GET", "/", "a=%");
    header("host", "h");
    header("x-amz-date", STAMP);
    authorize("GET\n/\na=%25\nhost:h\n\nhost\n" EMPTY, STAMP, SCOPE, "host");
    verdict(sigv4(), "signature", "has no canonical form");

    big = malloc(32768);

    for (i = 0; i < 32768; i++) {
        big[i] = i % 2 ? '&' : (char) ('z' - i / 2 % 26);
    }

    in.data = (u_char *) big;
    in.len = 32768;
    ok(ngx_group_sigv4_query(pool, &in, &out) == NGX_OK
       && out.len == 32768 + 16385 && out.data[0] == '=',
       "as many parameters as fit in a request line");
    free(big);
}


static void
test_parse(void)
{
    char         was[1024], text[1024], *p;
    size_t       i;
    ngx_str_t    all;

    static const char  *good[] = {
        "AWS4-HMAC-SHA256Credential=K,SignedHeaders=S,Signature=H",
        "AWS4-HMAC-SHA256    Credential=K,   SignedHeaders=S,  Signature=H",
    };

    static const char  *bad[] = {
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S, Signature=H ",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S, Signature=H,",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S, Signature=Ha",
        " AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S, Signature=H",
        "aws4-hmac-sha256 Credential=K, SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256\tCredential=K, SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 credential=K, SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=K SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=K , SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S Signature=H",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S; Signature=H",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=, Signature=H",
        "AWS4-HMAC-SHA256 SignedHeaders=S, Credential=K, Signature=H",
        "AWS4-HMAC-SHA256 Credential=K, Signature=H, SignedHeaders=S",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S, Signature=",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S, Signature",
        "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=S",
        "AWS4-HMAC-SHA256 Credential=K",
        "AWS4-HMAC-SHA256 Credential=K,",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA512 Credential=K, SignedHeaders=S, Signature=H",
        "Basic dTpw",
        "A",
        "AWS4-HMAC-SHA256 Credential=/" SCOPE ", SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=a/2015083/r/s/aws4_request,"
            " SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=a/201508300/r/s/aws4_request,"
            " SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=a/2015083x/r/s/aws4_request,"
            " SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=a/20150830/r/aws4_request,"
            " SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=a/20150830/r/s/t/aws4_request,"
            " SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_requests,"
            " SignedHeaders=S, Signature=H",
        "AWS4-HMAC-SHA256 Credential=a/b/20150830/r/s/aws4_request,"
            " SignedHeaders=S, Signature=H",
    };

    signed_put();
    memcpy(was, request.authorization.data, request.authorization.len);
    was[request.authorization.len] = '\0';
    all = request.authorization;

#define PARTS(format)                                                         \
    do {                                                                      \
        const char  *f_;                                                      \
                                                                              \
        for (p = text, f_ = format; *f_; f_++) {                              \
            if (*f_ == 'K' && f_[-1] == '=') {                                \
                p += sprintf(p, KEY "/20150830/us-east-1/VinylDNS/"           \
                             "aws4_request");                                 \
            } else if (*f_ == 'S' && f_[-1] == '=') {                         \
                p += sprintf(p, "content-type;host;x-amz-date");              \
            } else if (*f_ == 'H' && f_[-1] == '=') {                         \
                p += sprintf(p, "%s", was + strlen(was) - 64);                \
            } else {                                                          \
                *p++ = *f_;                                                   \
            }                                                                 \
        }                                                                     \
                                                                              \
        request.authorization = unit_exact(text, (size_t) (p - text));        \
    } while (0)

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        PARTS(good[i]);
        verdict(sigv4(), "ok", "%s", good[i]);
        unit_exact_free(&request.authorization);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        PARTS(bad[i]);
        verdict(sigv4(), "malformed", "%s", bad[i]);
        unit_exact_free(&request.authorization);
    }

    for (i = 1; i < strlen(was); i++) {
        request.authorization = unit_exact(was, i);
        is_case(sigv4(), "malformed");
        unit_exact_free(&request.authorization);
    }

    unit_cases("cut off at each byte");

    p = strstr(was, "Signature=");

    for (i = strlen(was) - 64; i < strlen(was); i++) {
        request.authorization = unit_exact(was, strlen(was));
        request.authorization.data[i] = 'A';
        is_case(sigv4(), "malformed");
        request.authorization.data[i] = 'g';
        is_case(sigv4(), "malformed");
        unit_exact_free(&request.authorization);
    }

    unit_cases("a signature that is not in lower-case digits");

    request.authorization = all;
    verdict(sigv4(), "ok", "and the one that was sent");

    authorize("", STAMP, SCOPE, "host");
    memcpy(strstr((char *) request.authorization.data, KEY), "AKIDEXAMPLF",
           11);
    verdict(sigv4(), "unknown", "an access key that is not known");
    is(&subject, "AKIDEXAMPLF", "it is told");

    find("x-amz-date")->value = unit_str("20050830T123600Z");
    verdict(sigv4(), "unknown", "of that and an old date the former is told");

    ngx_str_null(&request.authorization);
    verdict(sigv4(), "missing", "no Authorization");
    verdict(check(NGX_GROUP_AUTH_BASIC), "missing", "nor for basic");
    verdict(check(NGX_GROUP_AUTH_BEARER), "missing", "nor for bearer");
    verdict(check(NGX_GROUP_AUTH_NONE), "missing", "nor for none");

    set(&request.authorization, "Basic dXNlcjpzZWNyZXQ=");
    verdict(check(NGX_GROUP_AUTH_NONE), "malformed", "no scheme, nobody");
}


static const char *
basic(const char *pair)
{
    char       text[1024];
    ngx_str_t  in, out;

    in = unit_str(pair);
    strcpy(text, "Basic ");
    out.data = (u_char *) text + 6;
    ngx_encode_base64(&out, &in);
    out.data[out.len] = '\0';
    set(&request.authorization, text);

    return check(NGX_GROUP_AUTH_BASIC);
}


static const char *
raw(ngx_group_auth_e type, const char *authorization)
{
    const char  *rc;

    request.authorization = unit_exact(authorization, strlen(authorization));
    rc = check(type);
    unit_exact_free(&request.authorization);

    return rc;
}


static void
test_basic(void)
{
    start("GET", "/", "");

    verdict(basic("user:secret"), "ok", "an id and its password");
    is(&who->id, "user", "the id is the principal");
    verdict(basic(KEY ":other"), "ok", "another one");
    is(&who->id, "second", "the principal has a name");

    verdict(basic("user:other"), "credentials", "the password of another");
    verdict(basic("user:secrets"), "credentials", "a wrong password");
    verdict(basic("user:"), "credentials", "no password");
    verdict(basic("use:secret"), "credentials", "an unknown id");
    verdict(basic("User:secret"), "credentials", "case counts");
    verdict(basic(":secret"), "credentials", "no id");
    verdict(basic("user:secret:"), "credentials", "a second colon");
    verdict(basic(":"), "credentials", "nothing but a colon");
    verdict(basic("ci:secret"), "credentials", "a principal is no id");
    verdict(basic("user"), "malformed", "no colon");

#define B(text)  raw(NGX_GROUP_AUTH_BASIC, text)

    verdict(B("basic dXNlcjpzZWNyZXQ="), "ok", "the scheme in lower case");
    verdict(B("BASIC   dXNlcjpzZWNyZXQ="), "ok", "spaces after it");
    verdict(B("Basic dXNlcjpzZWNyZXQ"), "ok", "no padding");
    verdict(B("BasicdXNlcjpzZWNyZXQ="), "malformed", "no space after it");
    verdict(B("Basic"), "malformed", "the scheme alone");
    verdict(B("Basic "), "malformed", "the scheme and a space");
    verdict(B("Basi"), "malformed", "half of it");
    verdict(B("Basic ="), "malformed", "padding only");
    verdict(B("Basic dXNlcjpzZWNyZXQ=="), "ok", "padding too long");
    verdict(B("Basic dXNlcjpzZWNyZXQ=x"), "malformed", "more behind it");
    verdict(B("Basic dXNlcjpzZWNyZXQ= x"), "malformed", "and behind a space");
    verdict(B("Basic dXNlcjpzZWN*ZXQ="), "malformed", "no base64");
    verdict(B("Basic dXNlcjpzZWN-ZXQ="), "malformed", "base64url");
    verdict(B("Basic dXNlc"), "malformed", "five characters");
    verdict(B("Bearer dXNlcjpzZWNyZXQ="), "malformed", "another scheme");
}


static void
test_bearer(void)
{
    start("GET", "/", "");

#define T(text)  raw(NGX_GROUP_AUTH_BEARER, text)

    verdict(T("Bearer abc.def~1="), "ok", "a token");
    is(&who->id, "ci", "the principal");
    verdict(T("bearer  abc.def~1="), "ok", "the scheme in any case");
    verdict(T("Bearer abc.def~1"), "credentials", "a part of the token");
    verdict(T("Bearer abc.def~1=="), "credentials", "more than the token");
    verdict(T("Bearer Abc.def~1="), "credentials", "case counts");
    verdict(T("Bearer user"), "credentials", "an id is no token");
    verdict(T("Bearer secret"), "credentials", "nor is a password");
    verdict(T("Bearer " SECRET), "credentials", "nor is a key");
    verdict(T("Bearer abc def"), "malformed", "a space in it");
    verdict(T("Bearer abc,def"), "malformed", "a comma in it");
    verdict(T("Bearer a=b"), "malformed", "padding in the middle");
    verdict(T("Bearer \"abc\""), "malformed", "quotes");
    verdict(T("Bearer "), "malformed", "no token");
    verdict(T("Bearer"), "malformed", "no space");
    verdict(T("Bearer\tabc"), "malformed", "a tab");
    verdict(T("Basic dXNlcjpzZWNyZXQ="), "malformed", "another scheme");
}


static void
test_rights(void)
{
    ngx_str_t    missing, *s, name;
    ngx_array_t  need;

    start("GET", "/", "");
    (void) basic("user:secret");

    ngx_array_init(&need, pool, 4, sizeof(ngx_str_t));

    ok(ngx_group_auth_scopes(who, NULL, &missing) == NGX_OK,
       "no scopes are needed");
    ok(ngx_group_auth_scopes(who, &need, &missing) == NGX_OK,
       "an empty list of them");

    s = ngx_array_push(&need);
    *s = unit_str("more");
    ok(ngx_group_auth_scopes(who, &need, &missing) == NGX_OK, "one is held");

    s = ngx_array_push(&need);
    *s = unit_str("number");
    s = ngx_array_push(&need);
    *s = unit_str("nothing");
    ok(ngx_group_auth_scopes(who, &need, &missing) == NGX_DECLINED,
       "one is not");
    is(&missing, "number", "which is told");

    (void) raw(NGX_GROUP_AUTH_BEARER, "Bearer abc.def~1=");
    ok(ngx_group_auth_scopes(who, &need, &missing) == NGX_DECLINED,
       "an empty list holds none");
    is(&missing, "more", "the first is told");
    ok(who->containers == NULL, "no list of containers");

    name = unit_str("anything");
    ok(ngx_group_auth_container(who, &name) == NGX_OK, "is for all of them");

    (void) basic("user:secret");
    ok(ngx_group_auth_container(who, &name) == NGX_DECLINED,
       "one that is not in the list");
    name = unit_str("admin");
    ok(ngx_group_auth_container(who, &name) == NGX_OK, "one that is");
    name = unit_str("Admin");
    ok(ngx_group_auth_container(who, &name) == NGX_DECLINED, "case counts");
    name = unit_str("");
    ok(ngx_group_auth_container(who, &name) == NGX_DECLINED, "nor is \"\"");

    (void) basic(KEY ":other");
    name = unit_str("admin");
    ok(ngx_group_auth_container(who, &name) == NGX_DECLINED,
       "an empty list is for none");
    ok(ngx_group_auth_scopes(who, &need, &missing) == NGX_DECLINED,
       "without a list of scopes none is held");
}


static void
test_credentials(void)
{
    char                     text[2048], hex64[65];
    size_t                   i;
    ngx_str_t                error;

    static struct {
        const char  *text;         /* H is a digest, K its start */
        const char  *error;
    } cases[] = {
        { "[]", "expected an object" },
        { "{}", "credentials: expected an array of objects" },
        { "{\"credentials\":{}}",
          "credentials: expected an array of objects" },
        { "{\"credentials\":[],\"x\":1}",
          "unknown key \"x\", expected one of: credentials" },
        { "{\"credentials\":[1]}", "credentials[0]: expected an object" },
        { "{\"credentials\":[{}]}",
          "credentials[0].type: expected \"basic\", \"bearer\" or \"sigv4\"" },
        { "{\"credentials\":[{\"type\":1}]}",
          "credentials[0].type: expected \"basic\", \"bearer\" or \"sigv4\"" },
        { "{\"credentials\":[{\"type\":\"Basic\"}]}",
          "credentials[0].type: expected \"basic\", \"bearer\" or \"sigv4\"" },

        { "{\"credentials\":[{\"type\":\"basic\",\"secret\":\"p\"}]}",
          "credentials[0]: unknown key \"secret\", expected one of: "
          "type id secret_sha256 principal scopes containers" },
        { "{\"credentials\":[{\"type\":\"basic\"}]}",
          "credentials[0].id: expected a string" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":1}]}",
          "credentials[0].id: expected a string" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"\"}]}",
          "credentials[0].id: expected a string that is not empty" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a:b\"}]}",
          "credentials[0].id: expected a string without \":\"" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\\n\"}]}",
          "credentials[0].id: expected a string without control characters" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\\u007f\"}]}",
          "credentials[0].id: expected a string without control characters" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\"}]}",
          "credentials[0].secret_sha256: expected a SHA-256 digest, "
          "64 hexadecimal digits" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":null}]}",
          "credentials[0].secret_sha256: expected a SHA-256 digest, "
          "64 hexadecimal digits" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H0\"}]}",
          "credentials[0].secret_sha256: expected a SHA-256 digest, "
          "64 hexadecimal digits" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@Kx\"}]}",
          "credentials[0].secret_sha256: expected a SHA-256 digest, "
          "64 hexadecimal digits" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\",\"principal\":\"\"}]}",
          "credentials[0].principal: expected a string that is not empty" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\",\"scopes\":\"x\"}]}",
          "credentials[0].scopes: expected an array of strings" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\",\"scopes\":[\"x\",1]}]}",
          "credentials[0].scopes[1]: expected a string" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\",\"scopes\":[\"x y\"]}]}",
          "credentials[0].scopes[0]: expected a string without spaces" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\",\"containers\":{}}]}",
          "credentials[0].containers: expected an array of strings" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\",\"containers\":[\"\"]}]}",
          "credentials[0].containers[0]: expected a string that is not "
          "empty" },
        { "{\"credentials\":[{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\"},{\"type\":\"sigv4\",\"access_key\":"
          "\"a\",\"secret_key\":\"b\"},{\"type\":\"basic\",\"id\":\"a\","
          "\"secret_sha256\":\"@H\"}]}",
          "credentials[2].id: \"a\" is that of credentials[0], too" },

        { "{\"credentials\":[{\"type\":\"bearer\",\"id\":\"a\"}]}",
          "credentials[0]: unknown key \"id\", expected one of: "
          "type token_sha256 principal scopes containers" },
        { "{\"credentials\":[{\"type\":\"bearer\",\"token_sha256\":\"@H\"}]}",
          "credentials[0].principal: expected a string" },
        { "{\"credentials\":[{\"type\":\"bearer\",\"token_sha256\":\"@H\","
          "\"principal\":\"a\"},{\"type\":\"bearer\",\"token_sha256\":\"@H\","
          "\"principal\":\"b\"}]}",
          "credentials[1].token_sha256: is that of credentials[0], too" },

        { "{\"credentials\":[{\"type\":\"sigv4\",\"region\":\"a\"}]}",
          "credentials[0]: unknown key \"region\", expected one of: "
          "type access_key secret_key principal scopes containers" },
        { "{\"credentials\":[{\"type\":\"sigv4\",\"access_key\":\"a/b\"}]}",
          "credentials[0].access_key: expected a string without \"/\"" },
        { "{\"credentials\":[{\"type\":\"sigv4\",\"access_key\":\"a\"}]}",
          "credentials[0].secret_key: expected a string" },
        { "{\"credentials\":[{\"type\":\"sigv4\",\"access_key\":\"a\","
          "\"secret_key\":\"\"}]}",
          "credentials[0].secret_key: expected a string that is not empty" },
        { "{\"credentials\":[{\"type\":\"sigv4\",\"access_key\":\"a\","
          "\"secret_key\":\"b\"},{\"type\":\"sigv4\",\"access_key\":\"a\","
          "\"secret_key\":\"c\"}]}",
          "credentials[1].access_key: \"a\" is that of credentials[0], too" },
    };

    memset(hex64, 'a', 64);
    hex64[64] = '\0';

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char        *p;
        ngx_int_t    rc;
        const char  *f;

        for (p = text, f = cases[i].text; *f; f++) {
            if (f[0] == '@') {
                f++;
                p += sprintf(p, "%.*s", *f == 'H' ? 64 : 63, hex64);

            } else {
                *p++ = *f;
            }
        }

        *p = '\0';

        rc = parse(text, &list, &error);

        if (!ok(rc == NGX_DECLINED && error.len == strlen(cases[i].error)
                && memcmp(error.data, cases[i].error, error.len) == 0,
                "%s", cases[i].error))
        {
            unit_diag("%d, %s", (int) rc, unit_show(&error));
        }
    }

    ok(parse("{\"credentials\":[]}", &list, &error) == NGX_OK
       && list.list.nelts == 0, "an empty list");
    ok(parse("{\"credentials\":[}", &list, &error) == NGX_DECLINED
       && error.len, "what is no JSON: %s", unit_show(&error));
    ok(parse("", &list, &error) == NGX_DECLINED && error.len,
       "nor is nothing: %s", unit_show(&error));
    ok(parse("{\"credentials\":[],\"credentials\":[]}", &list, &error)
       == NGX_DECLINED && error.len, "a key twice: %s", unit_show(&error));
}


static void
test_signer(void)
{
    size_t              i;
    ngx_str_t           error;

    static struct {
        const char  *text;
        const char  *error;
    } cases[] = {
        { "1", "expected an object" },
        { "{}", "type: expected \"basic\", \"bearer\" or \"sigv4\"" },
        { "{\"type\":\"basic\",\"id\":\"u\",\"secret\":\"p\",\"x\":1}",
          "unknown key \"x\", expected one of: type id secret" },
        { "{\"type\":\"basic\",\"id\":\"u:\",\"secret\":\"p\"}",
          "id: expected a string without \":\"" },
        { "{\"type\":\"basic\",\"id\":\"u\"}", "secret: expected a string" },
        { "{\"type\":\"bearer\"}", "token: expected a string" },
        { "{\"type\":\"bearer\",\"token\":\"a\\r\\nX: y\"}",
          "token: expected a string without control characters" },
        { "{\"type\":\"bearer\",\"token\":\"a b\"}",
          "token: expected a string without spaces" },
        { "{\"type\":\"sigv4\",\"access_key\":\"a\\n\","
          "\"secret_key\":\"b\"}",
          "access_key: expected a string without control characters" },
        { "{\"type\":\"sigv4\",\"access_key\":\"a\"}",
          "secret_key: expected a string" },
        { "{\"type\":\"sigv4\",\"access_key\":\"a\",\"secret_key\":\"b\","
          "\"region\":\"a/b\"}",
          "region: expected a string without \"/\"" },
        { "{\"type\":\"sigv4\",\"access_key\":\"a\",\"secret_key\":\"b\","
          "\"service\":null}", "service: expected a string" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!ok(parse_signer(cases[i].text, &signer, &error) == NGX_DECLINED
                && error.len == strlen(cases[i].error)
                && memcmp(error.data, cases[i].error, error.len) == 0,
                "upstream: %s", cases[i].error))
        {
            unit_diag("%s", unit_show(&error));
        }
    }

    ok(parse_signer("{\"type\":\"basic\",\"id\":\"Aladdin\","
                    "\"secret\":\"open sesame\"}", &signer, &error) == NGX_OK
       && signer.type == NGX_GROUP_AUTH_BASIC, "basic");
    is(&signer.authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
       "as in RFC 7617");

    ok(parse_signer("{\"type\":\"basic\",\"id\":\"u\",\"secret\":\"\"}",
                    &signer, &error) == NGX_OK, "an empty password");
    is(&signer.authorization, "Basic dTo=", "is one");

    ok(parse_signer("{\"type\":\"bearer\",\"token\":\"a.b\"}", &signer, &error)
       == NGX_OK && signer.type == NGX_GROUP_AUTH_BEARER, "bearer");
    is(&signer.authorization, "Bearer a.b", "the token");

    ok(parse_signer("{\"type\":\"sigv4\",\"access_key\":\"a\","
                    "\"secret_key\":\"\\u0062/+\"}", &signer, &error) == NGX_OK
       && signer.type == NGX_GROUP_AUTH_SIGV4, "sigv4");
    is(&signer.access_key, "a", "the access key");
    is(&signer.secret_key, "b/+", "the secret key");
    is(&signer.region, "us-east-1", "the default region");
    is(&signer.service, "VinylDNS", "the default service");

    ok(parse_signer("{\"type\":\"sigv4\",\"access_key\":\"a\","
                    "\"secret_key\":\"b\",\"region\":\"r\",\"service\":\"\"}",
                    &signer, &error) == NGX_OK, "sigv4 with a scope");
    is(&signer.region, "r", "the region");
    is(&signer.service, "", "an empty service");
}


static ngx_uint_t
zeroed(ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i]) {
            return 0;
        }
    }

    return s->len != 0;
}


/* the handlers are run by hand, as the memory is gone after the pool is */

static void
cleanup(void)
{
    ngx_pool_cleanup_t  *c;

    for (c = pool->cleanup; c; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
            c->handler = NULL;
        }
    }
}


static void
test_wipe(void)
{
    char                     text[512];
    ngx_str_t                in, error, digest;
    ngx_pool_t              *was;
    ngx_group_credential_t  *c;

    was = pool;
    pool = unit_pool();

    sprintf(text, "{\"credentials\":["
            "{\"type\":\"basic\",\"id\":\"a\",\"secret_sha256\":\"%s\"},"
            "{\"type\":\"sigv4\",\"access_key\":\"a\","
            "\"secret_key\":\"secret\"}]}", SECRET_HEX);
    in = unit_exact(text, strlen(text));
    memset(&list, 0, sizeof(list));

    ok(ngx_group_auth_parse(pool, &in, ngx_group_credentials_build, &list,
                            &error) == NGX_OK, "a list");
    ok(zeroed(&in), "its text is wiped");
    unit_exact_free(&in);

    c = list.list.elts;
    digest.data = c[0].digest;
    digest.len = 32;
    ok(!zeroed(&digest) && !zeroed(&c[1].secret), "its secrets are not");

    cleanup();
    ok(zeroed(&digest), "but are with its pool: a digest");
    ok(zeroed(&c[1].secret), "a secret key");

    (void) parse_signer("{\"type\":\"basic\",\"id\":\"a\",\"secret\":\"b\"}",
                        &signer, &error);
    cleanup();
    ok(zeroed(&signer.authorization), "an Authorization");

    (void) parse_signer("{\"type\":\"sigv4\",\"access_key\":\"a\","
                        "\"secret_key\":\"b\"}", &signer, &error);
    cleanup();
    ok(zeroed(&signer.secret_key), "an upstream's secret key");

    in = unit_exact(text, strlen(text) - 1);
    memset(&list, 0, sizeof(list));
    ok(ngx_group_auth_parse(pool, &in, ngx_group_credentials_build, &list,
                            &error) == NGX_DECLINED, "half of a text");
    ok(zeroed(&in), "is wiped, too");
    unit_exact_free(&in);

    ngx_destroy_pool(pool);
    pool = was;

    forget();
}


static void
test_files(void)
{
    FILE                     *f;
    char                      name[128];
    ngx_log_t                 log;
    ngx_str_t                 file;
    ngx_conf_t                cf;
    ngx_group_signer_t       *s;
    ngx_group_credentials_t  *c;

    memset(&cf, 0, sizeof(cf));
    memset(&log, 0, sizeof(log));
    cf.pool = pool;
    cf.log = &log;

    sprintf(name, "/tmp/test_auth.%d", (int) getpid());
    file = unit_str(name);

    f = fopen(name, "w");
    chmod(name, 0600);
    fputs("{\"type\":\"bearer\",\"token\":\"t\"}", f);
    fclose(f);

    unit_logged[0] = '\0';
    s = ngx_group_signer_load(&cf, &file);
    ok(s && s->type == NGX_GROUP_AUTH_BEARER, "a file");
    ok(unit_logged[0] == '\0', "nothing is logged");

    chmod(name, 0644);
    s = ngx_group_signer_load(&cf, &file);
    ok(s != NULL, "a file for all eyes");
    ok(strstr((char *) unit_logged, "can be read by everyone") != NULL,
       "%s", unit_logged);
    chmod(name, 0600);

    c = ngx_group_credentials_load(&cf, &file);
    ok(c == NULL, "a file of another kind");
    ok(strstr((char *) unit_logged, name) != NULL
       && strstr((char *) unit_logged, "unknown key \"type\"") != NULL,
       "%s", unit_logged);

    f = fopen(name, "w");
    fputs("{\"credentials\":[]}", f);
    fclose(f);
    c = ngx_group_credentials_load(&cf, &file);
    ok(c && c->list.nelts == 0, "an empty list");
    ok(strcmp((char *) c->file.data, name) == 0, "it keeps its name");

    f = fopen(name, "w");
    fclose(f);
    c = ngx_group_credentials_load(&cf, &file);
    ok(c == NULL, "an empty file: %s", unit_logged);

    (void) truncate(name, 1024 * 1024 + 1);
    c = ngx_group_credentials_load(&cf, &file);
    ok(c == NULL && strstr((char *) unit_logged, "larger than 1048576"),
       "a large file: %s", unit_logged);

    unlink(name);
    c = ngx_group_credentials_load(&cf, &file);
    ok(c == NULL && strstr((char *) unit_logged, "No such file"),
       "no file: %s", unit_logged);

    mkfifo(name, 0600);
    c = ngx_group_credentials_load(&cf, &file);
    ok(c == NULL && strstr((char *) unit_logged, "not a regular file"),
       "a pipe: %s", unit_logged);
    unlink(name);

    file = unit_str("/tmp");
    c = ngx_group_credentials_load(&cf, &file);
    ok(c == NULL && strstr((char *) unit_logged, "not a regular file"),
       "a directory: %s", unit_logged);
}


/* each allocation fails once: an error, and never a principal */

static void
test_memory(void)
{
    ngx_int_t                rc;
    ngx_str_t                error;
    ngx_uint_t               i;
    ngx_pool_t              *was, *temp;
    ngx_array_t              out;

    was = pool;

    signed_put();

    for (i = 1; /* void */ ; i++) {
        temp = unit_pool();
        unit_fail(i);
        rc = ngx_group_auth_check(temp, &known, NGX_GROUP_AUTH_SIGV4,
                                  &request, &who, &code, &subject);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(temp);
            each(rc == NGX_OK, "all allocations");
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(temp);
        each(rc == NGX_ERROR && who == NULL, "allocation %d", (int) i);
    }

    unit_cases("no memory to check a signature");

    memset(&signer, 0, sizeof(signer));
    signer.type = NGX_GROUP_AUTH_SIGV4;
    signer.access_key = unit_str(KEY);
    signer.secret_key = unit_str(SECRET);

    for (i = 1; /* void */ ; i++) {
        temp = unit_pool();
        ngx_array_init(&out, temp, 1, sizeof(ngx_group_header_t));
        unit_fail(i);
        rc = ngx_group_auth_sign(temp, &signer, &request, &out);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(temp);
            each(rc == NGX_OK, "all allocations");
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(temp);
        each(rc == NGX_ERROR, "allocation %d", (int) i);
    }

    unit_cases("no memory to sign");

    for (i = 1; /* void */ ; i++) {
        pool = unit_pool();
        unit_fail(i);

        rc = parse("{\"credentials\":["
                   "{\"type\":\"sigv4\",\"access_key\":\"a\","
                   "\"secret_key\":\"b\\u0020\"},"
                   "{\"type\":\"bearer\",\"principal\":\"a\","
                   "\"scopes\":[\"a\",\"b\"],\"token_sha256\":\""
                   SECRET_HEX "\"}]}", &list, &error);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(pool);
            each(rc == NGX_OK, "all allocations");
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(pool);
        each(rc == NGX_ERROR, "allocation %d: %d", (int) i, (int) rc);
    }

    unit_cases("no memory for a list");

    for (i = 1; /* void */ ; i++) {
        pool = unit_pool();
        unit_fail(i);

        rc = parse("{\"credentials\":[{\"type\":\"basic\"}]}", &list, &error);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(pool);
            each(rc == NGX_DECLINED, "all allocations");
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(pool);
        each(rc == NGX_ERROR, "allocation %d: %d", (int) i, (int) rc);
    }

    unit_cases("no memory for an error");

    for (i = 1; /* void */ ; i++) {
        pool = unit_pool();
        unit_fail(i);

        rc = parse_signer("{\"type\":\"basic\",\"id\":\"a\","
                          "\"secret\":\"b\"}", &signer, &error);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(pool);
            each(rc == NGX_OK, "all allocations");
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(pool);
        each(rc == NGX_ERROR, "allocation %d: %d", (int) i, (int) rc);
    }

    unit_cases("no memory for an upstream's credential");

    pool = was;

    forget();
}


int
main(void)
{
    pool = unit_pool();

    load_known();

    test_digests();
    test_vectors();
    test_sign();
    test_tamper();
    test_scope();
    test_dates();
    test_headers();
    test_paths();
    test_queries();
    test_parse();
    test_basic();
    test_bearer();
    test_rights();
    test_credentials();
    test_signer();
    test_wipe();
    test_files();
    test_memory();

    ngx_destroy_pool(pool);

    return unit_done();
}
