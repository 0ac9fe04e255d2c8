
/*
 * A JWT bearer token: a JWS in compact form (RFC 7515) whose payload is a set
 * of claims (RFC 7519).  The key decides on the algorithm, the token does not;
 * nothing of the token is believed before its signature was found right.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"
#include "ngx_group_json.h"
#include "ngx_group_jwt.h"


typedef struct {
    ngx_pool_t           *pool;
    ngx_group_jwt_t      *jwt;
    time_t                now;
    ngx_str_t             header;     /* base64url */
    ngx_str_t             claims;
    ngx_str_t             signature;
    ngx_str_t             signed_text;
    ngx_str_t            *reason;
} ngx_group_jwt_token_t;


static ngx_int_t ngx_group_jwt_split(ngx_group_jwt_token_t *t,
    ngx_str_t *token);
static ngx_int_t ngx_group_jwt_object(ngx_group_jwt_token_t *t,
    ngx_str_t *part, const char *name, ngx_group_value_t **value);
static ngx_int_t ngx_group_jwt_find(ngx_group_jwt_token_t *t,
    ngx_group_value_t *header, ngx_group_jwt_key_t **key);
static ngx_int_t ngx_group_jwt_type(ngx_group_jwt_token_t *t,
    ngx_group_value_t *header);
static ngx_int_t ngx_group_jwt_times(ngx_group_jwt_token_t *t,
    ngx_group_value_t *claims);
static ngx_int_t ngx_group_jwt_date(ngx_group_value_t *value, time_t *date);
static ngx_int_t ngx_group_jwt_parties(ngx_group_jwt_token_t *t,
    ngx_group_value_t *claims);
static ngx_int_t ngx_group_jwt_principal(ngx_group_jwt_token_t *t,
    ngx_group_value_t *claims, ngx_group_principal_t **principal);
static ngx_int_t ngx_group_jwt_scopes(ngx_group_jwt_token_t *t,
    ngx_group_value_t *claims, ngx_array_t *scopes);
static ngx_int_t ngx_group_jwt_scope(ngx_array_t *scopes, ngx_str_t *text);
static ngx_group_value_t *ngx_group_jwt_get(ngx_group_value_t *object,
    const char *name);
static ngx_int_t ngx_group_jwt_refuse(ngx_group_jwt_token_t *t,
    const char *fmt, ...);


static ngx_str_t  ngx_group_jwt_scheme = ngx_string("Bearer");


ngx_int_t
ngx_group_jwt_check(ngx_pool_t *pool, ngx_group_jwt_t *jwt,
    ngx_group_auth_request_t *request, ngx_group_principal_t **principal,
    ngx_str_t *reason)
{
    ngx_int_t               rc;
    ngx_str_t               token, signature;
    ngx_group_value_t      *header, *claims;
    ngx_group_jwt_key_t    *key;
    ngx_group_jwt_token_t   t;

    *principal = NULL;
    ngx_str_null(reason);

    key = NULL;

    t.pool = pool;
    t.jwt = jwt;
    t.now = request->now;
    t.reason = reason;

    if (ngx_group_auth_token(&request->authorization, &ngx_group_jwt_scheme,
                             &token)
        != NGX_OK)
    {
        return ngx_group_jwt_refuse(&t, "it is no bearer token");
    }

    if ((rc = ngx_group_jwt_split(&t, &token)) != NGX_OK
        || (rc = ngx_group_jwt_object(&t, &t.header, "header", &header))
           != NGX_OK
        || (rc = ngx_group_jwt_find(&t, header, &key)) != NGX_OK)
    {
        return rc;
    }

    rc = ngx_group_base64url(pool, &t.signature, &signature);

    if (rc == NGX_DECLINED) {
        return ngx_group_jwt_refuse(&t, "its signature is not base64url");
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_jwt_verify(key, &t.signed_text, &signature);

    if (rc == NGX_DECLINED) {
        return ngx_group_jwt_refuse(&t, "its signature is wrong");
    }

    if (rc != NGX_OK
        || (rc = ngx_group_jwt_object(&t, &t.claims, "payload", &claims))
           != NGX_OK
        || (rc = ngx_group_jwt_times(&t, claims)) != NGX_OK
        || (rc = ngx_group_jwt_parties(&t, claims)) != NGX_OK)
    {
        return rc;
    }

    return ngx_group_jwt_principal(&t, claims, principal);
}


static ngx_int_t
ngx_group_jwt_split(ngx_group_jwt_token_t *t, ngx_str_t *token)
{
    u_char  *first, *second, *last;

    if (token->len > NGX_GROUP_JWT_MAX_LEN) {
        return ngx_group_jwt_refuse(t, "it is longer than %d bytes",
                                    NGX_GROUP_JWT_MAX_LEN);
    }

    last = token->data + token->len;

    first = ngx_strlchr(token->data, last, '.');
    second = first ? ngx_strlchr(first + 1, last, '.') : NULL;

    if (second == NULL || ngx_strlchr(second + 1, last, '.')) {
        return ngx_group_jwt_refuse(t, "it is not of three parts");
    }

    t->header.data = token->data;
    t->header.len = first - token->data;

    t->claims.data = first + 1;
    t->claims.len = second - t->claims.data;

    t->signature.data = second + 1;
    t->signature.len = last - t->signature.data;

    t->signed_text.data = token->data;
    t->signed_text.len = second - token->data;

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwt_object(ngx_group_jwt_token_t *t, ngx_str_t *part,
    const char *name, ngx_group_value_t **value)
{
    ngx_int_t           rc;
    ngx_str_t           text, error;
    ngx_group_limits_t  limits;

    limits.max_depth = NGX_GROUP_JWT_MAX_DEPTH;
    limits.max_items = NGX_GROUP_JWT_MAX_ITEMS;

    rc = ngx_group_base64url(t->pool, part, &text);

    if (rc == NGX_DECLINED) {
        return ngx_group_jwt_refuse(t, "its %s is not base64url", name);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_group_json_decode(t->pool, &limits, &text, value, &error);

    if (rc == NGX_DECLINED) {
        return ngx_group_jwt_refuse(t, "its %s is malformed: %V", name, &error);
    }

    if (rc == NGX_OK && (*value)->type != NGX_GROUP_OBJECT) {
        return ngx_group_jwt_refuse(t, "its %s is no object", name);
    }

    return rc;
}


static ngx_int_t
ngx_group_jwt_find(ngx_group_jwt_token_t *t, ngx_group_value_t *header,
    ngx_group_jwt_key_t **key)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_group_value_t    *alg, *kid;
    ngx_group_jwt_alg_e   kind;

    /* it names what must be understood, and none of it is */

    if (ngx_group_jwt_get(header, "crit")) {
        return ngx_group_jwt_refuse(t, "its header has \"crit\"");
    }

    rc = ngx_group_jwt_type(t, header);
    if (rc != NGX_OK) {
        return rc;
    }

    alg = ngx_group_jwt_get(header, "alg");
    kind = (alg && alg->type == NGX_GROUP_STRING)
           ? ngx_group_jwt_alg(&alg->u.text) : NGX_GROUP_JWT_ALGS;

    if (kind == NGX_GROUP_JWT_ALGS) {
        return ngx_group_jwt_refuse(t, "its \"alg\" is none of RS256, ES256, "
                                       "EdDSA and HS256");
    }

    kid = ngx_group_jwt_get(header, "kid");

    if (kid && (kid->type != NGX_GROUP_STRING || kid->u.text.len == 0)) {
        return ngx_group_jwt_refuse(t, "its \"kid\" is no text");
    }

    *key = t->jwt->keys.elts;

    if (kid == NULL && t->jwt->keys.nelts != 1) {
        return ngx_group_jwt_refuse(t, "it has no \"kid\", and there are "
                                       "several keys");
    }

    for (i = 0; kid && i < t->jwt->keys.nelts; i++, (*key)++) {
        if (ngx_group_str_eq(&(*key)->kid, &kid->u.text)) {
            break;
        }
    }

    if (i == t->jwt->keys.nelts) {
        return ngx_group_jwt_refuse(t, "its \"kid\" is unknown");
    }

    if ((*key)->alg != kind) {
        return ngx_group_jwt_refuse(t, "its \"alg\" is not that of its key");
    }

    return NGX_OK;
}


/*
 * RFC 8725, 3.11: a JWT that was made for something else, such as a logout, is
 * no access token.  "JWT" and none at all are what most have; RFC 9068 has
 * "at+jwt".
 */

static ngx_int_t
ngx_group_jwt_type(ngx_group_jwt_token_t *t, ngx_group_value_t *header)
{
    ngx_str_t           text;
    ngx_uint_t          i;
    ngx_group_value_t  *typ;

    static ngx_str_t    prefix = ngx_string("application/");
    static ngx_str_t    types[] = { ngx_string("jwt"), ngx_string("at+jwt") };

    typ = ngx_group_jwt_get(header, "typ");

    if (typ == NULL) {
        return NGX_OK;
    }

    if (typ->type == NGX_GROUP_STRING) {

        text = typ->u.text;

        if (text.len > prefix.len
            && ngx_strncasecmp(text.data, prefix.data, prefix.len) == 0)
        {
            text.data += prefix.len;
            text.len -= prefix.len;
        }

        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            if (ngx_group_str_case_eq(&text, &types[i])) {
                return NGX_OK;
            }
        }
    }

    return ngx_group_jwt_refuse(t, "its \"typ\" is neither \"JWT\" nor "
                                   "\"at+jwt\"");
}


/* what has no end is as good as a password that is sent around: refused */

static ngx_int_t
ngx_group_jwt_times(ngx_group_jwt_token_t *t, ngx_group_value_t *claims)
{
    time_t              date;
    ngx_group_value_t  *exp, *nbf;

    exp = ngx_group_jwt_get(claims, "exp");

    if (exp == NULL) {
        return ngx_group_jwt_refuse(t, "it has no \"exp\"");
    }

    if (ngx_group_jwt_date(exp, &date) != NGX_OK) {
        return ngx_group_jwt_refuse(t, "its \"exp\" is no date");
    }

    if (t->now - t->jwt->leeway >= date) {
        return ngx_group_jwt_refuse(t, "it has expired");
    }

    nbf = ngx_group_jwt_get(claims, "nbf");

    if (nbf == NULL) {
        return NGX_OK;
    }

    if (ngx_group_jwt_date(nbf, &date) != NGX_OK) {
        return ngx_group_jwt_refuse(t, "its \"nbf\" is no date");
    }

    if (t->now + t->jwt->leeway < date) {
        return ngx_group_jwt_refuse(t, "it is not valid yet");
    }

    return NGX_OK;
}


/*
 * RFC 7519, 2: seconds, which may have a fraction: it is left out.  No
 * exponent: JSON has told already that digits follow the point.
 */

static ngx_int_t
ngx_group_jwt_date(ngx_group_value_t *value, time_t *date)
{
    u_char     *p, *last;
    time_t      n;
    ngx_str_t  *text;

    if (value->type != NGX_GROUP_NUMBER) {
        return NGX_DECLINED;
    }

    text = &value->u.text;
    last = text->data + text->len;

    p = ngx_strlchr(text->data, last, '.');
    if (p == NULL) {
        p = last;
    }

    if (p - text->data > NGX_GROUP_JWT_MAX_DIGITS
        || ngx_strlchr(p, last, 'e') || ngx_strlchr(p, last, 'E'))
    {
        return NGX_DECLINED;
    }

    n = ngx_atotm(text->data, p - text->data);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *date = n;

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwt_parties(ngx_group_jwt_token_t *t, ngx_group_value_t *claims)
{
    ngx_uint_t          found;
    ngx_group_value_t  *v;

    if (t->jwt->issuer.len) {
        v = ngx_group_jwt_get(claims, "iss");

        if (v == NULL || v->type != NGX_GROUP_STRING
            || !ngx_group_str_eq(&v->u.text, &t->jwt->issuer))
        {
            return ngx_group_jwt_refuse(t, "its \"iss\" is not the issuer");
        }
    }

    if (t->jwt->audience.len == 0) {
        return NGX_OK;
    }

    v = ngx_group_jwt_get(claims, "aud");

    if (v && v->type == NGX_GROUP_STRING) {
        found = ngx_group_str_eq(&v->u.text, &t->jwt->audience);

    } else {
        found = 0;

        v = (v && v->type == NGX_GROUP_ARRAY) ? v->u.items.first : NULL;

        for ( /* void */ ; v; v = v->next) {

            if (v->type != NGX_GROUP_STRING) {
                found = 0;
                break;
            }

            if (ngx_group_str_eq(&v->u.text, &t->jwt->audience)) {
                found = 1;
            }
        }
    }

    if (!found) {
        return ngx_group_jwt_refuse(t, "its \"aud\" is not the audience");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_jwt_principal(ngx_group_jwt_token_t *t, ngx_group_value_t *claims,
    ngx_group_principal_t **principal)
{
    size_t                  i;
    ngx_int_t               rc;
    ngx_str_t              *sub;
    ngx_group_value_t      *v;
    ngx_group_principal_t  *p;

    v = ngx_group_jwt_get(claims, "sub");

    if (v == NULL || v->type != NGX_GROUP_STRING || v->u.text.len == 0
        || v->u.text.len > NGX_GROUP_JWT_MAX_SUBJECT)
    {
        return ngx_group_jwt_refuse(t, "its \"sub\" is no text of 1 to %d "
                                       "bytes", NGX_GROUP_JWT_MAX_SUBJECT);
    }

    sub = &v->u.text;

    for (i = 0; i < sub->len; i++) {
        if (sub->data[i] < 0x20 || sub->data[i] == 0x7f) {
            return ngx_group_jwt_refuse(t, "its \"sub\" has a control "
                                           "character");
        }
    }

    p = ngx_pcalloc(t->pool, sizeof(ngx_group_principal_t));

    if (p == NULL
        || ngx_array_init(&p->scopes, t->pool, 4, sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p->id = *sub;

    rc = ngx_group_jwt_scopes(t, claims, &p->scopes);

    if (rc == NGX_OK) {
        *principal = p;
    }

    return rc;
}


/* "scope" is RFC 8693's; without it "scp", a text or a list of them */

static ngx_int_t
ngx_group_jwt_scopes(ngx_group_jwt_token_t *t, ngx_group_value_t *claims,
    ngx_array_t *scopes)
{
    u_char             *p, *end, *last;
    ngx_int_t           rc;
    ngx_str_t           scope;
    ngx_uint_t          list;
    ngx_group_value_t  *v;

    list = 0;
    v = ngx_group_jwt_get(claims, "scope");

    if (v == NULL) {
        list = 1;
        v = ngx_group_jwt_get(claims, "scp");
    }

    if (v == NULL) {
        return NGX_OK;
    }

    rc = NGX_DECLINED;

    if (v->type == NGX_GROUP_STRING) {

        rc = NGX_OK;
        last = v->u.text.data + v->u.text.len;

        for (p = v->u.text.data; rc == NGX_OK && p < last; p = end + 1) {

            end = ngx_strlchr(p, last, ' ');
            end = end ? end : last;

            scope.data = p;
            scope.len = end - p;

            if (scope.len) {
                rc = ngx_group_jwt_scope(scopes, &scope);
            }
        }

    } else if (v->type == NGX_GROUP_ARRAY && list) {

        rc = NGX_OK;

        for (v = v->u.items.first; rc == NGX_OK && v; v = v->next) {
            rc = (v->type == NGX_GROUP_STRING && v->u.text.len)
                 ? ngx_group_jwt_scope(scopes, &v->u.text) : NGX_DECLINED;
        }
    }

    if (rc == NGX_DECLINED) {
        return ngx_group_jwt_refuse(t, "its \"%s\" is no list of scopes",
                                    list ? "scp" : "scope");
    }

    return rc;
}


/* RFC 6749, 3.3: printable, and neither a space, "\"" nor "\\" */

static ngx_int_t
ngx_group_jwt_scope(ngx_array_t *scopes, ngx_str_t *text)
{
    size_t      i;
    ngx_str_t  *scope;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= ' ' || text->data[i] >= 0x7f
            || text->data[i] == '"' || text->data[i] == '\\')
        {
            return NGX_DECLINED;
        }
    }

    scope = ngx_array_push(scopes);
    if (scope == NULL) {
        return NGX_ERROR;
    }

    *scope = *text;

    return NGX_OK;
}


static ngx_group_value_t *
ngx_group_jwt_get(ngx_group_value_t *object, const char *name)
{
    ngx_str_t  key;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    return ngx_group_value_get(object, &key);
}


/* a sentence of ours: nothing of the token goes into a log */

static ngx_int_t
ngx_group_jwt_refuse(ngx_group_jwt_token_t *t, const char *fmt, ...)
{
    u_char   buf[NGX_MAX_ERROR_STR / 8], *p;
    va_list  args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    t->reason->data = ngx_pnalloc(t->pool, p - buf);
    if (t->reason->data == NULL) {
        return NGX_ERROR;
    }

    t->reason->len = ngx_cpymem(t->reason->data, buf, p - buf)
                     - t->reason->data;

    return NGX_DECLINED;
}
