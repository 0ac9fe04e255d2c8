
/*
 * Errors: from an outcome to a vendor's answer.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_error_internal.h"


typedef struct {
    ngx_uint_t  status;
    ngx_str_t   reason;
} ngx_group_reason_t;


static ngx_group_variant_t *ngx_group_error_variant(
    ngx_group_dialect_t *dialect, ngx_group_error_t *error);
static ngx_uint_t ngx_group_error_when(ngx_array_t *when, ngx_str_t *code);
static ngx_uint_t ngx_group_error_concerns(ngx_group_render_t *r,
    ngx_group_problem_t *problem);
static ngx_int_t ngx_group_error_details(ngx_group_render_t *r);
static ngx_int_t ngx_group_error_body(ngx_group_render_t *r,
    ngx_group_value_t *template, ngx_group_value_t **out);
static ngx_int_t ngx_group_error_each(ngx_group_render_t *r,
    ngx_group_value_t *template, ngx_group_value_t **out);


/* in the order of ngx_group_outcome_e */

static ngx_uint_t  ngx_group_outcome_statuses[] = {
    200, 400, 401, 403, 404, 405, 409, 413, 415, 400, 429, 500, 501, 502, 503,
    504
};


static ngx_group_reason_t  ngx_group_error_reasons[] = {
    { 400, ngx_string("Bad Request") },
    { 401, ngx_string("Unauthorized") },
    { 403, ngx_string("Forbidden") },
    { 404, ngx_string("Not Found") },
    { 405, ngx_string("Method Not Allowed") },
    { 409, ngx_string("Conflict") },
    { 413, ngx_string("Payload Too Large") },
    { 415, ngx_string("Unsupported Media Type") },
    { 422, ngx_string("Unprocessable Entity") },
    { 429, ngx_string("Too Many Requests") },
    { 500, ngx_string("Internal Server Error") },
    { 501, ngx_string("Not Implemented") },
    { 502, ngx_string("Bad Gateway") },
    { 503, ngx_string("Service Unavailable") },
    { 504, ngx_string("Gateway Timeout") },
    { 0, ngx_string("Error") }
};


ngx_int_t
ngx_group_error_render(ngx_pool_t *pool, ngx_group_dialect_t *dialect,
    ngx_group_error_t *error, ngx_group_error_context_t *context,
    ngx_group_answer_t *answer)
{
    u_char               *p;
    ngx_uint_t            i;
    ngx_keyval_t         *kv, *header;
    ngx_group_value_t    *body;
    ngx_group_reason_t   *reason;
    ngx_group_render_t    r;
    ngx_group_variant_t  *v;

    ngx_memzero(&r, sizeof(ngx_group_render_t));
    ngx_memzero(answer, sizeof(ngx_group_answer_t));

    v = ngx_group_error_variant(dialect, error);

    r.pool = pool;
    r.dialect = dialect;
    r.error = error;
    r.context = context;
    r.variant = v;

    answer->status = (v && v->status) ? v->status
                     : ngx_group_outcome_statuses[error->outcome];

    p = ngx_pnalloc(pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    r.status.data = p;
    r.status.len = ngx_sprintf(p, "%ui", answer->status) - p;

    for (reason = ngx_group_error_reasons; reason->status; reason++) {
        if (reason->status == answer->status) {
            break;
        }
    }

    r.reason = reason->reason;

    if (ngx_group_error_details(&r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (v == NULL) {
        ngx_str_set(&answer->media_type, "text/plain; charset=UTF-8");
        answer->body = r.detail;
        return NGX_OK;
    }

    if (v->body) {
        answer->media_type = v->media_type;

        if (ngx_group_error_body(&r, v->body, &body) != NGX_OK
            || ngx_group_write(pool, v->format, body, &answer->body)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (v->headers == NULL) {
        return NGX_OK;
    }

    answer->headers = ngx_array_create(pool, v->headers->nelts,
                                       sizeof(ngx_keyval_t));
    if (answer->headers == NULL) {
        return NGX_ERROR;
    }

    kv = v->headers->elts;

    for (i = 0; i < v->headers->nelts; i++) {
        header = ngx_array_push(answer->headers);

        if (header == NULL) {
            return NGX_ERROR;
        }

        header->key = kv[i].key;

        if (ngx_group_error_expand(&r, &kv[i].value, &header->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the first that fits; one for all outcomes comes last */

static ngx_group_variant_t *
ngx_group_error_variant(ngx_group_dialect_t *dialect, ngx_group_error_t *error)
{
    ngx_uint_t            i, k;
    ngx_group_problem_t  *problem;
    ngx_group_variant_t  *v, *any;

    any = NULL;
    v = dialect->variants.elts;

    for (i = 0; i < dialect->variants.nelts; i++) {

        if (v[i].outcome == NGX_GROUP_OUTCOMES) {
            any = &v[i];
            continue;
        }

        if (v[i].outcome != error->outcome) {
            continue;
        }

        if (v[i].when == NULL || ngx_group_error_when(v[i].when, &error->code))
        {
            return &v[i];
        }

        if (error->problems == NULL) {
            continue;
        }

        problem = error->problems->elts;

        for (k = 0; k < error->problems->nelts; k++) {
            if (ngx_group_error_when(v[i].when, &problem[k].code)) {
                return &v[i];
            }
        }
    }

    return any;
}


static ngx_uint_t
ngx_group_error_when(ngx_array_t *when, ngx_str_t *code)
{
    ngx_str_t   *s;
    ngx_uint_t   i;

    s = when->elts;

    for (i = 0; i < when->nelts; i++) {
        if (ngx_group_str_eq(&s[i], code)) {
            return 1;
        }
    }

    return 0;
}


/* whether the variant is about a problem: one for all is about each of them */

static ngx_uint_t
ngx_group_error_concerns(ngx_group_render_t *r, ngx_group_problem_t *problem)
{
    ngx_array_t  *when;

    when = r->variant ? r->variant->when : NULL;

    return when == NULL || ngx_group_error_when(when, &r->error->code)
           || ngx_group_error_when(when, &problem->code);
}


/*
 * The sentence about all of it.  The upstream's own text and a policy's go
 * before the dialect's sentence, a bare reason phrase says nothing.
 */

static ngx_int_t
ngx_group_error_details(ngx_group_render_t *r)
{
    u_char               *p;
    size_t                len;
    ngx_str_t            *s;
    ngx_uint_t            i, own;
    ngx_array_t           sentences;
    ngx_group_error_t    *error;
    ngx_group_reason_t   *reason;
    ngx_group_problem_t  *problem;

    error = r->error;
    own = (error->upstream || ngx_group_str_is(&error->code, "policy"));

    /* what is missing or taken, the client's own vendor says best */

    if (error->subject.len && r->variant && r->variant->detail.len
        && (ngx_group_str_is(&error->code, "group")
            || ngx_group_str_is(&error->code, "name")))
    {
        own = 0;
    }

    for (reason = ngx_group_error_reasons; own && reason->status; reason++) {
        if (ngx_group_str_eq(&error->detail, &reason->reason)) {
            own = 0;
        }
    }

    r->detail = error->detail;

    if (r->detail.len == 0 || error->upstream) {
        r->detail = own ? error->detail : r->reason;
    }

    if (error->problems && error->problems->nelts) {

        if (ngx_array_init(&sentences, r->pool, error->problems->nelts,
                           sizeof(ngx_str_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        problem = error->problems->elts;
        len = 0;

        for (i = 0; i < error->problems->nelts; i++) {

            if (!ngx_group_error_concerns(r, &problem[i])) {
                continue;
            }

            s = ngx_array_push(&sentences);

            if (s == NULL
                || ngx_group_error_sentence(r, &problem[i], s) != NGX_OK)
            {
                return NGX_ERROR;
            }

            len += s->len + 2;
        }

        p = ngx_pnalloc(r->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        r->details.data = p;
        s = sentences.elts;

        for (i = 0; i < sentences.nelts; i++) {
            p = ngx_sprintf(p, "%s%V", i ? "; " : "", &s[i]);
        }

        r->details.len = p - r->details.data;

        if (!own && sentences.nelts) {
            r->detail = s[0];
        }

        r->problem = error->problems->elts;

    } else if (!own && r->variant && r->variant->detail.len
               && error->subject.len)
    {
        if (ngx_group_error_expand(r, &r->variant->detail, &r->detail)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (r->details.len == 0) {
        r->details = r->detail;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_error_body(ngx_group_render_t *r, ngx_group_value_t *template,
    ngx_group_value_t **out)
{
    ngx_str_t           text, *key;
    ngx_group_value_t  *v, *item;

    switch (template->type) {

    case NGX_GROUP_STRING:

        if (ngx_group_error_expand(r, &template->u.text, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        *out = ngx_group_value_string(r->pool, &text);
        break;

    case NGX_GROUP_ARRAY:
    case NGX_GROUP_OBJECT:

        v = template->u.items.first;
        key = v ? &v->key : NULL;

        if (template->type == NGX_GROUP_OBJECT && key
            && ngx_group_str_is(key, "$each"))
        {
            return ngx_group_error_each(r, v, out);
        }

        *out = ngx_group_value_create(r->pool, template->type);
        if (*out == NULL) {
            return NGX_ERROR;
        }

        for ( /* void */ ; v; v = v->next) {

            if (ngx_group_error_body(r, v, &item) != NGX_OK) {
                return NGX_ERROR;
            }

            item->key = v->key;
            ngx_group_value_push(*out, item);
        }

        break;

    default:
        *out = ngx_group_value_copy(r->pool, template);
    }

    return (*out == NULL) ? NGX_ERROR : NGX_OK;
}


/* once for each problem that the variant is about, or once for the error */

static ngx_int_t
ngx_group_error_each(ngx_group_render_t *r, ngx_group_value_t *template,
    ngx_group_value_t **out)
{
    ngx_str_t             detail;
    ngx_uint_t            i;
    ngx_array_t          *problems;
    ngx_group_value_t    *item;
    ngx_group_problem_t  *problem, *outer;

    *out = ngx_group_value_create(r->pool, NGX_GROUP_ARRAY);
    if (*out == NULL) {
        return NGX_ERROR;
    }

    problems = r->error->problems;

    if (problems == NULL || problems->nelts == 0) {

        if (ngx_group_error_body(r, template, &item) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_group_value_push(*out, item);
        return NGX_OK;
    }

    outer = r->problem;
    detail = r->detail;
    problem = problems->elts;

    for (i = 0; i < problems->nelts; i++) {

        if (!ngx_group_error_concerns(r, &problem[i])) {
            continue;
        }

        if (ngx_group_error_sentence(r, &problem[i], &r->detail) != NGX_OK) {
            return NGX_ERROR;
        }

        r->problem = &problem[i];

        if (ngx_group_error_body(r, template, &item) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_group_value_push(*out, item);
    }

    r->problem = outer;
    r->detail = detail;

    return NGX_OK;
}
