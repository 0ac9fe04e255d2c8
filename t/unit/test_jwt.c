
#include "unit.h"

#include <stdio.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "ngx_group_auth.h"
#include "ngx_group_auth_internal.h"
#include "ngx_group_jwt.h"


#define SECRET  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aK"     \
                "tMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define OCT     "{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"" SECRET "\"}"

/* RFC 7515, appendix A: its payload, and the second in which it ends */

#define PAYLOAD                                                               \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"        \
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define END      1300819380

#define CLAIMS   "{\"sub\":\"me\",\"exp\":1300819380,\"scope\":\"a b\"}"


static ngx_pool_t             *pool;
static ngx_group_jwt_t        *keys;
static ngx_group_principal_t  *who;
static ngx_str_t               reason;


static ngx_int_t
load(const char *text, ngx_str_t *error)
{
    ngx_int_t  rc;
    ngx_str_t  in;

    keys = ngx_pcalloc(pool, sizeof(ngx_group_jwt_t));
    if (keys == NULL) {
        return NGX_ERROR;
    }

    keys->file = unit_str("keys.json");

    in = unit_exact(text, strlen(text));
    rc = ngx_group_auth_parse(pool, &in, ngx_group_jwks_build, keys, error);
    unit_exact_free(&in);

    return rc;
}


static void
load_one(const char *key)
{
    char       text[4096];
    ngx_str_t  error;

    sprintf(text, "{\"keys\":[%s]}", key);

    if (load(text, &error) != NGX_OK) {
        unit_diag("no key: %s", unit_show(&error));
        abort();
    }
}


/* "" when it is taken, or why it is refused */

static const char *
check(const void *token, size_t len, time_t now)
{
    ngx_int_t                 rc;
    ngx_group_auth_request_t  request;

    memset(&request, 0, sizeof(request));
    request.now = now;

    request.authorization.len = len + 7;
    request.authorization.data = malloc(len + 7);
    memcpy(request.authorization.data, "Bearer ", 7);
    memcpy(request.authorization.data + 7, token, len);

    rc = ngx_group_jwt_check(pool, keys, &request, &who, &reason);

    free(request.authorization.data);

    if (rc == NGX_OK) {
        return who ? "" : "ok, but nobody";
    }

    if (rc == NGX_ERROR) {
        return "error";
    }

    return (who == NULL && reason.len) ? unit_show(&reason) : "what?";
}


static char *
base64(char *out, const void *data, size_t len)
{
    const u_char  *in = data;

    size_t         i;
    uint32_t       n;

    static char    set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "abcdefghijklmnopqrstuvwxyz0123456789-_";

    for (i = 0; i < len; i += 3) {
        n = in[i] << 16;
        n |= (i + 1 < len) ? in[i + 1] << 8 : 0;
        n |= (i + 2 < len) ? in[i + 2] : 0;

        *out++ = set[n >> 18];
        *out++ = set[n >> 12 & 63];

        if (i + 1 < len) {
            *out++ = set[n >> 6 & 63];
        }

        if (i + 2 < len) {
            *out++ = set[n & 63];
        }
    }

    *out = '\0';

    return out;
}


/* signed with SECRET by libcrypto's own HMAC */

static size_t
sign(char *out, const char *header, const char *claims)
{
    char          *p;
    u_char         digest[32];
    ngx_str_t      key, secret;
    unsigned int   size;

    key = unit_str(SECRET);
    (void) ngx_group_base64url(pool, &key, &secret);

    p = base64(out, header, strlen(header));
    *p++ = '.';
    p = base64(p, claims, strlen(claims));

    HMAC(EVP_sha256(), secret.data, (int) secret.len, (u_char *) out,
         p - out, digest, &size);

    *p++ = '.';

    return base64(p, digest, 32) - out;
}


static void
test_base64url(void)
{
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   in, out;

    static const struct {
        const char  *text;
        const char  *bytes;      /* NULL: refused */
    } cases[] = {
        { "", "" },
        { "TQ", "M" },
        { "TWE", "Ma" },
        { "TWFu", "Man" },
        { "TWFuTQ", "ManM" },
        { "Pz8_Pj4-", "??\?>>>" },
        { "T", NULL },           /* 6 bits */
        { "TWFuT", NULL },
        { "TQ==", NULL },        /* padding */
        { "TWE=", NULL },
        { "TR", NULL },          /* bits that are nobody's */
        { "TWF", NULL },
        { "Pz8/", NULL },        /* base64 */
        { "Pj4+", NULL },
        { "TW Fu", NULL },
        { "TWFu\n", NULL },
        { " TWFu", NULL },
        { "TWFu.", NULL },
        { "TW\xc3\xa9", NULL },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        in = unit_exact(cases[i].text, strlen(cases[i].text));
        rc = ngx_group_base64url(pool, &in, &out);
        unit_exact_free(&in);

        each(cases[i].bytes
             ? rc == NGX_OK && out.len == strlen(cases[i].bytes)
               && memcmp(out.data, cases[i].bytes, out.len) == 0
             : rc == NGX_DECLINED && out.len == 0, "%s", cases[i].text);
    }

    unit_cases("base64url");
}


/* the signature is right: what is refused are claims */

static void
test_vectors(void)
{
    char        text[2048];
    size_t      i;
    ngx_str_t   in, sig;

    static const struct {
        const char  *name;
        const char  *key;
        const char  *header;
        const char  *signature;
    } cases[] = {
        { "RFC 7515, A.1: HS256", OCT,
          "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
          "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" },

        { "RFC 7515, A.2: RS256",
          "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
          "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp"
          "-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOW"
          "vG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"
          "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k"
          "G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"
          "PAcDTW9gb54h4FRWyuXpoQ\"}",
          "eyJhbGciOiJSUzI1NiJ9",
          "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
          "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
          "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
          "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
          "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"
          "p0igcN_IoypGlUPQGe77Rw" },

        { "RFC 7515, A.3: ES256",
          "{\"kty\":\"EC\",\"crv\":\"P-256\","
          "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
          "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
          "eyJhbGciOiJFUzI1NiJ9",
          "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
          "pmWQxfKTUJqPP3-Kg6NU1Q" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load_one(cases[i].key);

        sprintf(text, "%s.%s.%s", cases[i].header, PAYLOAD,
                cases[i].signature);

        ok(strcmp(check(text, strlen(text), END - 1),
                  "its \"sub\" is no text of 1 to 256 bytes") == 0,
           "%s", cases[i].name);
        ok(strcmp(check(text, strlen(text), END), "it has expired") == 0,
           "until its end");

        text[strlen(cases[i].header) + 5] ^= 1;
        ok(strcmp(check(text, strlen(text), END - 1),
                  "its signature is wrong") == 0, "another payload");
    }

    /* its payload is a text */

    load_one("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
             "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}");

    sprintf(text, "%s.%s.%s", "eyJhbGciOiJFZERTQSJ9",
            "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5B"
            "hVsPt9g7sVvpAr_MuM0KAg");

    ok(strncmp(check(text, strlen(text), 0), "its payload is malformed", 24)
       == 0, "RFC 8037, A.4: EdDSA");

    text[25] ^= 1;
    ok(strcmp(check(text, strlen(text), 0), "its signature is wrong") == 0,
       "another payload");

    /* what each of the keys says to what is none of a signature */

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load_one(cases[i].key);

        in = unit_str("text");
        sig = unit_str("");
        each(ngx_group_jwt_verify(keys->keys.elts, &in, &sig) == NGX_DECLINED,
             "none");

        sig.data = (u_char *) text;
        memset(text, 0, sizeof(text));

        for (sig.len = 1; sig.len < 300; sig.len++) {
            each(ngx_group_jwt_verify(keys->keys.elts, &in, &sig)
                 == NGX_DECLINED, "%d zeros", (int) sig.len);
        }

        memset(text, 0xff, sizeof(text));

        for (sig.len = 1; sig.len < 300; sig.len++) {
            each(ngx_group_jwt_verify(keys->keys.elts, &in, &sig)
                 == NGX_DECLINED, "%d ones", (int) sig.len);
        }

        each(ERR_peek_error() == 0, "no error is left behind");
    }

    unit_cases("what is no signature");
}


static void
test_truncated(void)
{
    char         token[512], copy[512];
    size_t       len, i, bit;
    const char  *rc;

    load_one(OCT);

    len = sign(token, "{\"alg\":\"HS256\"}", CLAIMS);

    ok(strcmp(check(token, len, END - 1), "") == 0, "a token");
    is(&who->id, "me", "its subject");
    ok(who->scopes.nelts == 2 && who->containers == NULL, "its scopes");

    for (i = 0; i < len; i++) {
        rc = check(token, i, END - 1);
        each(*rc && strcmp(rc, "error") != 0, "%d bytes: %s", (int) i, rc);
    }

    unit_cases("a token that ends too early");

    for (i = 1; i < len; i++) {
        rc = check(token + i, len - i, END - 1);
        each(*rc && strcmp(rc, "error") != 0, "from %d on: %s", (int) i, rc);
    }

    unit_cases("a token that begins too late");

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(copy, token, len);
            copy[i] ^= 1 << bit;

            rc = check(copy, len, END - 1);
            each(*rc && strcmp(rc, "error") != 0, "byte %d bit %d", (int) i,
                 (int) bit);
        }
    }

    unit_cases("a token with any bit of it turned");

    for (i = 0; i <= len; i++) {
        memcpy(copy, token, i);
        copy[i] = "A=.-"[i % 4];
        memcpy(copy + i + 1, token + i, len - i);

        rc = check(copy, len + 1, END - 1);
        each(*rc && strcmp(rc, "error") != 0, "at %d: %s", (int) i, rc);
    }

    unit_cases("a token with one byte more");
}


static void
test_claims(void)
{
    char         token[2048];
    size_t       i, len;
    const char  *why;

    static const struct {
        const char  *claims;
        const char  *reason;
    } cases[] = {
        { CLAIMS, "" },
        { "{\"sub\":\"me\",\"exp\":1300819379}", "it has expired" },
        { "{\"sub\":\"me\",\"exp\":1300819381,\"nbf\":1300819379}", "" },
        { "{\"sub\":\"me\",\"exp\":1300819381,\"nbf\":1300819380}",
          "it is not valid yet" },
        { "{\"sub\":\"me\",\"exp\":999999999999999}", "" },
        { "{\"sub\":\"me\",\"exp\":1000000000000000}",
          "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":18446744073709551616}",
          "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":-1}", "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":1300819381.0}", "" },
        { "{\"sub\":\"me\",\"exp\":1300819379.999}", "it has expired" },
        { "{\"sub\":\"me\",\"exp\":1300819381.5,\"nbf\":1300819379.9}", "" },
        { "{\"sub\":\"me\",\"exp\":1.3e9}", "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":1300819381.5E0}", "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":13e9}", "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":\"1300819381\"}",
          "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":null}", "its \"exp\" is no date" },
        { "{\"sub\":\"me\",\"exp\":0}", "it has expired" },
        { "{\"sub\":\"me\"}", "it has no \"exp\"" },
        { "{\"sub\":\"me\",\"exp\":1300819381,\"exp\":1300819381}",
          "its payload is malformed: the same key twice in an object, at byte "
          "34" },
        { "{\"sub\":\"a\\u0000b\",\"exp\":1300819381}",
          "its payload is malformed: U+0000 in a string, at byte 9" },
        { "{\"sub\":\"a\\r\\nb\",\"exp\":1300819381}",
          "its \"sub\" has a control character" },
        { "{\"sub\":\"a\\u007f\",\"exp\":1300819381}",
          "its \"sub\" has a control character" },
        { "{\"sub\":\"\",\"exp\":1300819381}",
          "its \"sub\" is no text of 1 to 256 bytes" },
        { "[]", "its payload is no object" },
        { "1", "its payload is no object" },
    };

    load_one(OCT);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = sign(token, "{\"alg\":\"HS256\"}", cases[i].claims);
        why = check(token, len, END - 1);
        each(strcmp(why, cases[i].reason) == 0, "%s: %s", cases[i].claims,
             why);
    }

    unit_cases("claims");

    keys->leeway = 60;

    len = sign(token, "{\"alg\":\"HS256\"}",
               "{\"sub\":\"me\",\"exp\":1300819380,\"nbf\":1300819380}");

    each(*check(token, len, END + 59) == '\0', "59 seconds after");
    each(strcmp(check(token, len, END + 60), "it has expired") == 0, "60");
    each(*check(token, len, END - 60) == '\0', "60 seconds before");
    each(strcmp(check(token, len, END - 61), "it is not valid yet") == 0,
         "61");

    unit_cases("leeway");
}


static void
test_memory(void)
{
    char                      token[512];
    size_t                    len;
    ngx_int_t                 rc;
    ngx_str_t                 error;
    ngx_uint_t                i;
    ngx_pool_t               *temp, *was;
    ngx_group_auth_request_t  request;

    load_one(OCT);

    memcpy(token, "Bearer ", 7);
    len = sign(token + 7, "{\"alg\":\"HS256\"}",
               "{\"sub\":\"me\\u0021\",\"exp\":1300819380,"
               "\"scp\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}");

    memset(&request, 0, sizeof(request));
    request.authorization.data = (u_char *) token;
    request.authorization.len = len + 7;

    for (i = 1; /* void */ ; i++) {
        temp = unit_pool();
        unit_fail(i);

        rc = ngx_group_jwt_check(temp, keys, &request, &who, &reason);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(temp);
            each(rc == NGX_OK && i > 5, "all allocations");
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(temp);
        each(rc == NGX_ERROR && who == NULL, "allocation %d", (int) i);
    }

    unit_cases("no memory to check a token");

    was = pool;

    for (i = 1; /* void */ ; i++) {
        pool = unit_pool();
        unit_fail(i);

        rc = load("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
                  "\"kid\":\"\\u0061\",\"key_ops\":[\"verify\"],"
                  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
                  "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"b\","
                  "\"k\":\"" SECRET "\"}]}", &error);

        if (!unit_failed()) {
            unit_fail(0);
            ngx_destroy_pool(pool);
            each(rc == NGX_OK && i > 5, "all allocations");
            break;
        }

        unit_fail(0);
        ngx_destroy_pool(pool);
        each(rc == NGX_ERROR, "allocation %d: %d", (int) i, (int) rc);
    }

    unit_cases("no memory for keys");

    pool = was;
}


static ngx_uint_t
zeroed(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] != 0) {
            return 0;
        }
    }

    return 1;
}


static void
test_wipe(void)
{
    ngx_str_t             in, error;
    ngx_group_jwt_key_t  *key;
    ngx_pool_cleanup_t   *cln;

    in = unit_exact("{\"keys\":[" OCT "]}", sizeof("{\"keys\":[" OCT "]}") - 1);

    keys = ngx_pcalloc(pool, sizeof(ngx_group_jwt_t));

    ok(ngx_group_auth_parse(pool, &in, ngx_group_jwks_build, keys, &error)
       == NGX_OK, "a file");
    ok(zeroed(&in), "its text is wiped");
    unit_exact_free(&in);

    key = keys->keys.elts;
    ok(key->secret.len == 64 && !zeroed(&key->secret), "its secret is not");

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->data == keys) {
            cln->handler(cln->data);
            cln->handler = NULL;
            break;
        }
    }

    ok(cln && zeroed(&key->secret), "but is with its pool");
}


int
main(void)
{
    pool = unit_pool();

    test_base64url();
    test_vectors();
    test_truncated();
    test_claims();
    test_memory();
    test_wipe();

    ngx_destroy_pool(pool);

    return unit_done();
}
