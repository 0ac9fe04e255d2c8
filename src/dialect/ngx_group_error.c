
/*
 * Errors: from an outcome to a vendor's words, and from those to an outcome.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_dialect.h"


/* an upstream's text goes into our answer and our log: not all of a page */
#define NGX_GROUP_ERROR_TEXT  512


typedef struct {
    ngx_pool_t                 *pool;
    ngx_group_dialect_t        *dialect;
    ngx_group_error_t          *error;
    ngx_group_error_context_t  *context;
    ngx_group_variant_t        *variant;
    ngx_group_problem_t        *problem;  /* of "each", or NULL */
    ngx_str_t                   status;
    ngx_str_t                   reason;
    ngx_str_t                   detail;
    ngx_str_t                   details;
} ngx_group_render_t;


typedef struct {
    ngx_uint_t  status;
    ngx_str_t   reason;
} ngx_group_reason_t;


typedef struct {
    ngx_str_t   code;
    ngx_str_t   detail;
} ngx_group_sentence_t;


static ngx_group_variant_t *ngx_group_error_variant(
    ngx_group_dialect_t *dialect, ngx_group_error_t *error);
static ngx_uint_t ngx_group_error_when(ngx_array_t *when, ngx_str_t *code);
static ngx_int_t ngx_group_error_details(ngx_group_render_t *r);
static ngx_int_t ngx_group_error_sentence(ngx_group_render_t *r,
    ngx_group_problem_t *problem, ngx_str_t *detail);
static ngx_group_wording_t *ngx_group_error_wording(
    ngx_group_dialect_t *dialect, ngx_str_t *code);
static ngx_int_t ngx_group_error_expand(ngx_group_render_t *r,
    ngx_str_t *template, ngx_str_t *out);
static ngx_str_t *ngx_group_error_var(ngx_group_render_t *r, ngx_str_t *name);
static ngx_int_t ngx_group_error_body(ngx_group_render_t *r,
    ngx_group_value_t *template, ngx_group_value_t **out);
static ngx_int_t ngx_group_error_each(ngx_group_render_t *r,
    ngx_group_value_t *template, ngx_group_value_t **out);
static ngx_int_t ngx_group_error_text(ngx_pool_t *pool, ngx_str_t *path,
    ngx_group_value_t *value, ngx_str_t *text);


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


/* for dialects that have no words of their own */

static ngx_group_sentence_t  ngx_group_error_sentences[] = {
    { ngx_string("missing"), ngx_string("$field is required") },
    { ngx_string("blank"), ngx_string("$field must not be blank") },
    { ngx_string("type"), ngx_string("$field is of the wrong type") },
    { ngx_string("query"), ngx_string("$field is of the wrong type") },
    { ngx_string("query_boolean"),
      ngx_string("$field is of the wrong type") },
    { ngx_string("too_long"),
      ngx_string("$field is too long, at most $limit characters") },
    { ngx_string("too_short"),
      ngx_string("$field is too short, at least $limit characters") },
    { ngx_string("too_many"),
      ngx_string("$field has too many items, at most $limit") },
    { ngx_string("too_few"),
      ngx_string("$field has too few items, at least $limit") },
    { ngx_string("range"),
      ngx_string("$field is out of range, the limit is $limit") },
    { ngx_string("email"),
      ngx_string("$field is not a valid e-mail address") },
    { ngx_string("uuid"), ngx_string("$field is not a valid UUID") },
    { ngx_string("timestamp"),
      ngx_string("$field is not a valid timestamp") },
    { ngx_string("ref"), ngx_string("$field is not a URL of this API") },
    { ngx_string("enum"), ngx_string("$field has an unknown value") },
    { ngx_string("format"),
      ngx_string("$field has a value that cannot be carried") },
    { ngx_string("duplicate"), ngx_string("$field stands more than once") },
    { ngx_string("lost"), ngx_string("$field cannot be carried upstream") },
    { ngx_null_string, ngx_string("$field is invalid") }
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

            if (r->variant && r->variant->when
                && !ngx_group_error_when(r->variant->when, &error->code)
                && !ngx_group_error_when(r->variant->when, &problem[i].code))
            {
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
ngx_group_error_sentence(ngx_group_render_t *r, ngx_group_problem_t *problem,
    ngx_str_t *detail)
{
    ngx_int_t              rc;
    ngx_group_wording_t   *w;
    ngx_group_sentence_t  *s;
    ngx_group_problem_t   *outer;

    if (problem->detail.len) {
        *detail = problem->detail;
        return NGX_OK;
    }

    outer = r->problem;
    r->problem = problem;

    w = ngx_group_error_wording(r->dialect, &problem->code);

    if (w && w->detail.len) {
        rc = ngx_group_error_expand(r, &w->detail, detail);

    } else {
        for (s = ngx_group_error_sentences; s->code.len; s++) {
            if (ngx_group_str_eq(&s->code, &problem->code)) {
                break;
            }
        }

        rc = ngx_group_error_expand(r, &s->detail, detail);
    }

    r->problem = outer;

    return rc;
}


static ngx_group_wording_t *
ngx_group_error_wording(ngx_group_dialect_t *dialect, ngx_str_t *code)
{
    ngx_uint_t            i;
    ngx_group_wording_t  *w, *any;

    any = NULL;
    w = dialect->wordings.elts;

    for (i = 0; i < dialect->wordings.nelts; i++) {
        if (ngx_group_str_eq(&w[i].code, code)) {
            return &w[i];
        }

        if (ngx_group_str_is(&w[i].code, "*")) {
            any = &w[i];
        }
    }

    return any;
}


/* "$name" in a template; a name that is none stays as it is */

static ngx_int_t
ngx_group_error_expand(ngx_group_render_t *r, ngx_str_t *template,
    ngx_str_t *out)
{
    u_char     *p, *q, *end, *to;
    size_t      len;
    ngx_str_t   name, *var;
    ngx_uint_t  pass;

    end = template->data + template->len;

    if (ngx_strlchr(template->data, end, '$') == NULL) {
        *out = *template;
        return NGX_OK;
    }

    to = NULL;

    /* first the length, then the text */

    for (pass = 0; pass < 2; pass++) {
        len = 0;

        for (p = template->data; p < end; p = q) {
            q = p + 1;
            name.data = p;
            var = NULL;

            if (*p == '$') {
                while (q < end && ((*q >= 'a' && *q <= 'z') || *q == '_')) {
                    q++;
                }

                name.data = p + 1;
                name.len = q - p - 1;
                var = ngx_group_error_var(r, &name);
            }

            if (var == NULL) {
                name.data = p;
                name.len = q - p;
                var = &name;
            }

            if (to && var->len) {
                ngx_memcpy(to + len, var->data, var->len);
            }

            len += var->len;
        }

        if (pass == 0) {
            to = ngx_pnalloc(r->pool, len ? len : 1);
            if (to == NULL) {
                return NGX_ERROR;
            }
        }
    }

    out->data = to;
    out->len = len;

    return NGX_OK;
}


static ngx_str_t *
ngx_group_error_var(ngx_group_render_t *r, ngx_str_t *name)
{
    ngx_group_wording_t  *w;

    static ngx_str_t  empty = ngx_null_string;

    if (ngx_group_str_is(name, "detail")) {
        return &r->detail;
    }

    if (ngx_group_str_is(name, "details")) {
        return &r->details;
    }

    if (ngx_group_str_is(name, "status")) {
        return &r->status;
    }

    if (ngx_group_str_is(name, "reason")) {
        return &r->reason;
    }

    if (ngx_group_str_is(name, "outcome")) {
        return ngx_group_outcome_name(r->error->outcome);
    }

    if (ngx_group_str_is(name, "subject")) {
        return &r->error->subject;
    }

    if (ngx_group_str_is(name, "allow")) {
        return &r->error->allow;
    }

    if (ngx_group_str_is(name, "method")) {
        return &r->context->method;
    }

    if (ngx_group_str_is(name, "path")) {
        return &r->context->path;
    }

    if (ngx_group_str_is(name, "content_type")) {
        return &r->context->content_type;
    }

    if (ngx_group_str_is(name, "code")) {
        name = r->problem ? &r->problem->code : &r->error->code;
        w = ngx_group_error_wording(r->dialect, name);

        return (w && w->name.len) ? &w->name : name;
    }

    if (ngx_group_str_is(name, "field")) {
        return r->problem ? &r->problem->field : &empty;
    }

    if (ngx_group_str_is(name, "label")) {
        return r->problem ? (r->problem->label.len ? &r->problem->label
                                                   : &r->problem->field)
                          : &empty;
    }

    if (ngx_group_str_is(name, "limit")) {
        return r->problem ? &r->problem->limit : &empty;
    }

    if (ngx_group_str_is(name, "max")) {
        return r->problem ? &r->problem->max : &empty;
    }

    if (ngx_group_str_is(name, "value")) {
        return r->problem ? &r->problem->value : &empty;
    }

    return NULL;
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
    ngx_array_t          *problems, *when;
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
    when = r->variant->when;
    problem = problems->elts;

    for (i = 0; i < problems->nelts; i++) {

        if (when && !ngx_group_error_when(when, &r->error->code)
            && !ngx_group_error_when(when, &problem[i].code))
        {
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


ngx_int_t
ngx_group_error_read(ngx_pool_t *pool, ngx_group_dialect_t *dialect,
    ngx_uint_t status, ngx_group_value_t *value, ngx_group_error_t *error)
{
    char                 *code, *detail;
    ngx_str_t            *path, text;
    ngx_uint_t            i, outcome;
    ngx_group_reading_t  *reading;

    code = "upstream";
    detail = "";

    switch (status) {

    case 400:
    case 422:
        outcome = NGX_GROUP_INVALID;
        break;

    case 401:
        outcome = NGX_GROUP_BAD_GATEWAY;
        code = "credentials";
        detail = "the upstream refused the gateway's credentials";
        break;

    case 403:
        outcome = NGX_GROUP_FORBIDDEN;
        break;

    case 404:
    case 410:
        outcome = NGX_GROUP_NOT_FOUND;
        break;

    case 409:
        outcome = NGX_GROUP_CONFLICT;
        break;

    case 413:
        outcome = NGX_GROUP_TOO_LARGE;
        break;

    case 429:
        outcome = NGX_GROUP_RATE_LIMITED;
        break;

    case 500:
        outcome = NGX_GROUP_INTERNAL;
        break;

    case 501:
        outcome = NGX_GROUP_NOT_SUPPORTED;
        break;

    case 503:
        outcome = NGX_GROUP_UNAVAILABLE;
        break;

    case 504:
        outcome = NGX_GROUP_TIMEOUT;
        break;

    default:
        outcome = NGX_GROUP_BAD_GATEWAY;
        detail = "the upstream gave an answer that is not understood";
    }

    reading = dialect->readings.elts;

    for (i = 0; i < dialect->readings.nelts; i++) {
        if (reading[i].status == status) {
            outcome = reading[i].outcome;
            detail = "";
        }
    }

    ngx_group_error_set(error, outcome, code, detail);

    if (error->detail.len || status >= 500 || value == NULL) {
        return NGX_OK;
    }

    path = dialect->texts.elts;

    for (i = 0; i < dialect->texts.nelts; i++) {
        ngx_str_null(&text);

        if (ngx_group_error_text(pool, &path[i], value, &text) != NGX_OK) {
            return NGX_ERROR;
        }

        if (text.len) {
            error->detail = text;
            error->upstream = 1;
            break;
        }
    }

    return NGX_OK;
}


/* the texts at a path such as "errors[].detail", joined */

static ngx_int_t
ngx_group_error_text(ngx_pool_t *pool, ngx_str_t *path,
    ngx_group_value_t *value, ngx_str_t *text)
{
    u_char             *p, *end;
    ngx_str_t           key, rest;
    ngx_uint_t          list;
    ngx_group_value_t  *item;

    if (value == NULL) {
        return NGX_OK;
    }

    if (path->len == 0) {

        if (value->type != NGX_GROUP_STRING || value->u.text.len == 0
            || text->len >= NGX_GROUP_ERROR_TEXT)
        {
            return NGX_OK;
        }

        p = ngx_pnalloc(pool, NGX_GROUP_ERROR_TEXT);
        if (p == NULL) {
            return NGX_ERROR;
        }

        end = ngx_slprintf(p, p + NGX_GROUP_ERROR_TEXT, "%V%s%V", text,
                           text->len ? "; " : "", &value->u.text);

        /* not in the middle of a character */

        if (end == p + NGX_GROUP_ERROR_TEXT) {
            while (end > p && (end[-1] & 0xc0) == 0x80) {
                end--;
            }

            end -= (end > p);
        }

        text->data = p;
        text->len = end - p;

        return NGX_OK;
    }

    p = path->data;
    end = p + path->len;

    key.data = p;

    while (p < end && *p != '.' && *p != '[') {
        p++;
    }

    key.len = p - key.data;
    list = (end - p >= 2 && p[0] == '[');

    if (list) {
        p += 2;
    }

    if (p < end && *p == '.') {
        p++;
    }

    rest.data = p;
    rest.len = end - p;

    value = ngx_group_value_get(value, &key);

    if (!list) {
        return ngx_group_error_text(pool, &rest, value, text);
    }

    if (value == NULL || value->type != NGX_GROUP_ARRAY) {
        return NGX_OK;
    }

    for (item = value->u.items.first; item; item = item->next) {
        if (ngx_group_error_text(pool, &rest, item, text) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
