
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_limits.h"
#include "ngx_group_outcome.h"
#include "ngx_group_value.h"


static void ngx_group_error_text(ngx_str_t *to, char *text);


static ngx_str_t  ngx_group_outcome_names[] = {
    ngx_string("done"),
    ngx_string("malformed"),
    ngx_string("unauthorized"),
    ngx_string("forbidden"),
    ngx_string("not_found"),
    ngx_string("method_not_allowed"),
    ngx_string("conflict"),
    ngx_string("too_large"),
    ngx_string("unsupported_media_type"),
    ngx_string("invalid"),
    ngx_string("rate_limited"),
    ngx_string("internal"),
    ngx_string("not_supported"),
    ngx_string("bad_gateway"),
    ngx_string("unavailable"),
    ngx_string("timeout"),
    ngx_null_string
};


ngx_str_t *
ngx_group_outcome_name(ngx_group_outcome_e outcome)
{
    if ((ngx_uint_t) outcome > NGX_GROUP_OUTCOMES) {
        outcome = NGX_GROUP_OUTCOMES;
    }

    return &ngx_group_outcome_names[outcome];
}


ngx_group_outcome_e
ngx_group_outcome_find(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GROUP_OUTCOMES; i++) {
        if (ngx_group_str_eq(name, &ngx_group_outcome_names[i])) {
            break;
        }
    }

    return (ngx_group_outcome_e) i;
}


void
ngx_group_error_set(ngx_group_error_t *error, ngx_group_outcome_e outcome,
    char *code, char *detail)
{
    ngx_memzero(error, sizeof(ngx_group_error_t));

    error->outcome = outcome;

    ngx_group_error_text(&error->code, code);
    ngx_group_error_text(&error->detail, detail);
}


ngx_group_problem_t *
ngx_group_error_problem(ngx_pool_t *pool, ngx_group_error_t *error,
    ngx_str_t *field, char *code)
{
    ngx_group_problem_t  *problem;

    if (error->outcome == NGX_GROUP_DONE) {
        error->outcome = NGX_GROUP_INVALID;
    }

    if (error->problems == NULL) {
        error->problems = ngx_array_create(pool, 4,
                                           sizeof(ngx_group_problem_t));
        if (error->problems == NULL) {
            return NULL;
        }
    }

    if (error->problems->nelts >= NGX_GROUP_MAX_PROBLEMS) {
        return NULL;
    }

    problem = ngx_array_push(error->problems);
    if (problem == NULL) {
        return NULL;
    }

    ngx_memzero(problem, sizeof(ngx_group_problem_t));

    problem->field = *field;

    ngx_group_error_text(&problem->code, code);

    return problem;
}


static void
ngx_group_error_text(ngx_str_t *to, char *text)
{
    if (text) {
        to->data = (u_char *) text;
        to->len = ngx_strlen(text);
    }
}
