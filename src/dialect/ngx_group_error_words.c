
/*
 * Errors: the sentences about them, and what "$name" in a template stands for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_error_internal.h"


typedef struct {
    ngx_str_t   code;
    ngx_str_t   detail;
} ngx_group_sentence_t;


static ngx_group_wording_t *ngx_group_error_wording(
    ngx_group_dialect_t *dialect, ngx_str_t *code);
static ngx_str_t *ngx_group_error_var(ngx_group_render_t *r, ngx_str_t *name);


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

ngx_int_t
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
