
#include "unit.h"
#include "ngx_group_limits.h"
#include "ngx_group_outcome.h"


static const char  *names[] = {
    "done", "malformed", "unauthorized", "forbidden", "not_found",
    "method_not_allowed", "conflict", "too_large", "unsupported_media_type",
    "invalid", "rate_limited", "internal", "not_supported", "bad_gateway",
    "unavailable", "timeout"
};


static void
test_names(void)
{
    ngx_str_t   s, *name;
    ngx_uint_t  i;

    ok(sizeof(names) / sizeof(names[0]) == NGX_GROUP_OUTCOMES,
       "each outcome is tested");

    for (i = 0; i < NGX_GROUP_OUTCOMES; i++) {
        s = unit_str(names[i]);
        name = ngx_group_outcome_name((ngx_group_outcome_e) i);

        each(name->len == s.len && memcmp(name->data, s.data, s.len) == 0,
             "%s", names[i]);
        each(ngx_group_outcome_find(&s) == (ngx_group_outcome_e) i,
             "find %s", names[i]);
    }

    unit_cases("names");

    s = unit_str("Done");
    ok(ngx_group_outcome_find(&s) == NGX_GROUP_OUTCOMES, "case counts");

    s = unit_str("don");
    ok(ngx_group_outcome_find(&s) == NGX_GROUP_OUTCOMES, "a part of a name");

    ngx_str_null(&s);
    ok(ngx_group_outcome_find(&s) == NGX_GROUP_OUTCOMES, "the empty name");

    name = ngx_group_outcome_name(NGX_GROUP_OUTCOMES);
    is(name, "", "no outcome has no name");

    name = ngx_group_outcome_name((ngx_group_outcome_e) 1000);
    is(name, "", "nor has one that does not exist");
}


static void
test_errors(void)
{
    ngx_str_t             field;
    ngx_pool_t           *pool;
    ngx_uint_t            n;
    ngx_group_error_t     error;
    ngx_group_problem_t  *problem;

    pool = unit_pool();

    memset(&error, 0xa5, sizeof(ngx_group_error_t));

    ngx_group_error_set(&error, NGX_GROUP_FORBIDDEN, "scope", "not allowed");

    ok(error.outcome == NGX_GROUP_FORBIDDEN, "outcome");
    is(&error.code, "scope", "code");
    is(&error.detail, "not allowed", "detail");
    ok(error.subject.len == 0 && error.allow.len == 0 && error.upstream == 0
       && error.problems == NULL, "the rest is empty");

    ngx_group_error_set(&error, NGX_GROUP_INTERNAL, NULL, NULL);
    ok(error.code.len == 0 && error.detail.len == 0, "nothing said");

    field = unit_str("name");

    problem = ngx_group_error_problem(pool, &error, &field, "missing");
    ok(error.outcome == NGX_GROUP_INTERNAL, "an outcome that is set stays");
    is(&problem->field, "name", "field");
    is(&problem->code, "missing", "code");
    ok(problem->detail.len == 0 && problem->limit.len == 0
       && problem->label.len == 0, "the rest is empty");

    ngx_group_error_set(&error, NGX_GROUP_DONE, NULL, NULL);

    for (n = 0; n < NGX_GROUP_MAX_PROBLEMS; n++) {
        problem = ngx_group_error_problem(pool, &error, &field, "type");
        each(problem != NULL, "problem %lu", (unsigned long) n);
    }

    unit_cases("problems up to the bound");

    ok(error.outcome == NGX_GROUP_INVALID, "make the outcome \"invalid\"");
    ok(ngx_group_error_problem(pool, &error, &field, "type") == NULL,
       "no more than that");
    ok(error.problems->nelts == NGX_GROUP_MAX_PROBLEMS, "all are there");

    for (n = 1; n <= 2; n++) {
        ngx_group_error_set(&error, NGX_GROUP_DONE, NULL, NULL);
        unit_fail(n);
        each(ngx_group_error_problem(pool, &error, &field, "type") == NULL,
             "first");
        each(error.outcome == NGX_GROUP_INVALID, "outcome");
    }

    unit_fail(0);

    ngx_group_error_set(&error, NGX_GROUP_DONE, NULL, NULL);

    for (n = 0; n < 4; n++) {
        (void) ngx_group_error_problem(pool, &error, &field, "type");
    }

    unit_fail(1);
    each(ngx_group_error_problem(pool, &error, &field, "type") == NULL,
         "growing");
    unit_fail(0);
    each(error.problems->nelts == 4, "nothing half done");

    unit_cases("no memory");

    ngx_destroy_pool(pool);
}


int
main(void)
{
    test_names();
    test_errors();

    return unit_done();
}
