
/*
 * One dialect (FUZZ_DIALECT), by its own fields: what is decoded is canonical,
 * and it is the same when it was encoded and decoded again; what is written is
 * the same bytes each time.  What is refused has an error that the dialect can
 * tell.
 *
 * The first byte of an input chooses an operation's request or answer, the
 * second one the side and the other side's forms of ids; the body follows.  The
 * last two of these choices are an error of the upstream, its status and body,
 * which can be told, too; and a request line: what is found is built and found
 * again as the same.
 */


#include "fuzz.h"
#include "ngx_group_dialect.h"
#include "ngx_group_json.h"
#include "ngx_group_text.h"
#include "ngx_group_xml.h"

#include <ctype.h>


#define OWNER  "joe"


typedef struct {
    ngx_group_op_t  *op;
    ngx_array_t     *fields;
    ngx_group_of_e   of;
    ngx_uint_t       request;
} shape_t;


static ngx_int_t decode(ngx_group_translation_t *t, shape_t *shape,
    ngx_str_t *in, ngx_group_value_t **out);
static ngx_uint_t encode(ngx_group_translation_t *t, shape_t *shape,
    ngx_group_value_t *in, ngx_str_t *out);
static void refused(ngx_group_translation_t *t);
static void render(ngx_group_translation_t *t);
static void upstream_error(ngx_group_translation_t *t, ngx_str_t *in,
    ngx_uint_t status);
static void request_line(ngx_group_translation_t *t, ngx_str_t *in);
static void texts(ngx_group_value_t *value);
static ngx_uint_t owned(ngx_group_value_t *value);
static void checked(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in);
static ngx_uint_t within(ngx_group_value_t *part, ngx_group_value_t *whole);


static ngx_group_dialect_t  *dialect;
static shape_t               shapes[2 * NGX_GROUP_OPERATIONS];
static ngx_uint_t            nshapes;

static ngx_uint_t            statuses[] = {
    400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503, 599, 302, 418
};

#define NSTATUSES  (sizeof(statuses) / sizeof(statuses[0]))


void
fuzz_start(void)
{
    ngx_str_t        name, *dir;
    ngx_uint_t       i;
    ngx_conf_t       cf;
    ngx_array_t      dirs;
    ngx_group_op_t  *op;

    memset(&cf, 0, sizeof(ngx_conf_t));
    cf.pool = unit_pool();

    ngx_array_init(&dirs, cf.pool, 1, sizeof(ngx_str_t));
    dir = ngx_array_push(&dirs);
    ngx_str_set(dir, "lua/dialects");

    ngx_str_set(&name, FUZZ_DIALECT);

    dialect = ngx_group_dialect_load(&cf, &name, &dirs);
    check(dialect != NULL, "%s", unit_logged);

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        op = dialect->ops[i];

        if (op && op->request) {
            shapes[nshapes].op = op;
            shapes[nshapes].fields = op->request;
            shapes[nshapes].of = ngx_group_operation_request_of(i);
            shapes[nshapes].request = 1;
            nshapes++;
        }

        if (op && op->response) {
            shapes[nshapes].op = op;
            shapes[nshapes].fields = op->response;
            shapes[nshapes].of = ngx_group_operation_response_of(i);
            nshapes++;
        }
    }
}


void
fuzz_one(ngx_pool_t *pool, ngx_str_t *in)
{
    shape_t                  *shape;
    ngx_str_t                 first, second;
    ngx_uint_t                side, n;
    ngx_group_error_t         error;
    ngx_group_value_t        *doc, *again, *third;
    ngx_group_problem_t      *problem;
    ngx_group_translation_t   t;

    n = fuzz_choice(in, nshapes + 2);
    shape = &shapes[n];
    side = fuzz_choice(in, 32);

    memset(&t, 0, sizeof(ngx_group_translation_t));
    memset(&error, 0, sizeof(ngx_group_error_t));

    t.pool = pool;
    t.log = &unit_log;
    t.dialect = dialect;
    t.error = &error;
    t.base_path = dialect->base_path;
    t.now = 1700000000;
    t.request = (n < nshapes) ? shape->request : 0;
    t.text = (dialect->format == NGX_GROUP_FORMAT_XML);
    ngx_str_set(&t.origin, "https://gw");
    ngx_str_set(&t.owner, OWNER);

    t.id = dialect->id;
    t.member_id = dialect->member_id;

    if (n == nshapes) {
        upstream_error(&t, in, statuses[side % NSTATUSES]);
        return;
    }

    if (n > nshapes) {
        request_line(&t, in);
        return;
    }

    if (side & 1) {
        t.client = 1;
        t.id = side >> 1 & 3;
        t.member_id = side >> 3 & 3;
    }

    if (decode(&t, shape, in, &doc) != NGX_OK) {
        return;
    }

    if (error.outcome != NGX_GROUP_DONE) {
        refused(&t);
        return;
    }

    fuzz_canonical(pool, shape->of, doc);
    texts(doc);

    if (!shape->request && owned(doc)) {
        return;
    }

    if (!encode(&t, shape, doc, &first)) {
        return;
    }

    check(decode(&t, shape, &first, &again) == NGX_OK,
          "what is written is refused: %s", unit_show(&first));
    if (t.client && t.request && error.outcome != NGX_GROUP_DONE) {

        /* an id of the upstream's that does not fit passes as it is */

        problem = error.problems->elts;
        check(ngx_group_str_is(&problem->code, "uuid"),
              "what is written is refused: %s: %s",
              unit_show(&problem->code), unit_show(&first));
        return;
    }

    check(error.outcome == NGX_GROUP_DONE, "what is written is refused: %s",
          unit_show(&first));

    /* an answer is filled with defaults */

    check(shape->request ? ngx_group_value_equal(doc, again)
                         : within(doc, again),
          "%s\nis after %s\n%s", fuzz_json(pool, doc), unit_show(&first),
          fuzz_json(pool, again));

    check(encode(&t, shape, again, &second) && fuzz_equal(&first, &second),
          "written as %s, then as %s", unit_show(&first), unit_show(&second));

    check(decode(&t, shape, &second, &third) == NGX_OK
          && error.outcome == NGX_GROUP_DONE, "refused: %s",
          unit_show(&second));

    fuzz_same(pool, again, third, "not the same the third time");
}


static ngx_int_t
decode(ngx_group_translation_t *t, shape_t *shape, ngx_str_t *in,
    ngx_group_value_t **out)
{
    ngx_int_t            rc;
    ngx_str_t            why;
    ngx_group_value_t   *tree;
    ngx_group_limits_t   limits = { 32, 1000 };

    rc = ngx_group_read(t->pool, dialect->format, &limits, in, &tree, &why);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);

    if (rc != NGX_OK || tree->type != NGX_GROUP_OBJECT) {
        return NGX_DECLINED;
    }

    *out = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);

    check(ngx_group_decode(t, shape->fields, tree, *out) == NGX_OK,
          "no memory");

    if (t->request && t->error->outcome == NGX_GROUP_DONE) {
        checked(t, shape->fields, tree);
    }

    return NGX_OK;
}


/* 0: a UUID of a client's held a blank id, which is told only now */

static ngx_uint_t
encode(ngx_group_translation_t *t, shape_t *shape, ngx_group_value_t *in,
    ngx_str_t *out)
{
    ngx_array_t           lost;
    ngx_group_value_t    *tree;
    ngx_group_problem_t  *problem;

    tree = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);

    check(ngx_group_encode(t, shape->fields, in, tree) == NGX_OK,
          "no memory");

    if (t->error->outcome != NGX_GROUP_DONE) {
        problem = t->error->problems->elts;

        if (t->client && ngx_group_str_is(&problem->code, "blank")) {
            return 0;
        }

        check(0, "what was decoded cannot be encoded: %s: %s: %s",
              unit_show(&problem->field), unit_show(&problem->code),
              fuzz_json(t->pool, in));
    }

    check(ngx_group_write(t->pool, dialect->format, tree, out) == NGX_OK,
          "no memory");

    if (t->request) {
        ngx_array_init(&lost, t->pool, 4, sizeof(ngx_str_t));

        check(ngx_group_encode_lost(t->pool, shape->fields, in, &lost)
              == NGX_OK && lost.nelts == 0, "lost: %s",
              unit_show(lost.elts));
    }

    return 1;
}


static void
refused(ngx_group_translation_t *t)
{
    ngx_uint_t            i;
    ngx_group_problem_t  *problem;

    check(t->error->outcome == NGX_GROUP_INVALID && t->error->problems
          && t->error->problems->nelts
          && t->error->problems->nelts <= NGX_GROUP_MAX_PROBLEMS,
          "an outcome without problems");

    problem = t->error->problems->elts;

    for (i = 0; i < t->error->problems->nelts; i++) {
        fuzz_sentence(&problem[i].field, "a problem's field");
        fuzz_sentence(&problem[i].code, "a problem's code");
    }

    render(t);
}


static void
render(ngx_group_translation_t *t)
{
    ngx_int_t                   rc;
    ngx_str_t                   why, empty;
    ngx_group_value_t          *value;
    ngx_group_limits_t          limits = { 32, 1000 };
    ngx_group_answer_t          answer;
    ngx_group_error_context_t   context;

    memset(&context, 0, sizeof(ngx_group_error_context_t));
    memset(&answer, 0, sizeof(ngx_group_answer_t));
    ngx_str_set(&context.path, "/");
    ngx_str_set(&context.method, "POST");

    check(ngx_group_error_render(t->pool, dialect, t->error, &context,
                                 &answer)
          == NGX_OK, "no memory");

    check(answer.status >= 400 && answer.status <= 599, "%lu",
          (unsigned long) answer.status);

    ngx_str_null(&empty);
    rc = NGX_OK;

    if (answer.media_type.len > 4) {
        empty.data = answer.media_type.data + answer.media_type.len - 4;
        empty.len = 4;
    }

    if (ngx_group_str_is(&empty, "json")) {
        rc = ngx_group_json_decode(t->pool, &limits, &answer.body, &value,
                                   &why);

    } else if (ngx_group_str_is(&empty, "/xml")) {
        rc = ngx_group_xml_decode(t->pool, &limits, &answer.body, &value,
                                  &why);
    }

    check(rc == NGX_OK, "an error that cannot be read: %s",
          unit_show(&answer.body));
}


static void
upstream_error(ngx_group_translation_t *t, ngx_str_t *in, ngx_uint_t status)
{
    ngx_str_t            why;
    ngx_group_value_t   *tree;
    ngx_group_limits_t   limits = { 32, 1000 };

    if (ngx_group_read(t->pool, dialect->format, &limits, in, &tree, &why)
        != NGX_OK)
    {
        tree = NULL;
    }

    check(ngx_group_error_read(t->pool, dialect, status, tree, t->error)
          == NGX_OK, "no memory");

    check(t->error->outcome > NGX_GROUP_DONE
          && t->error->outcome < NGX_GROUP_OUTCOMES, "no outcome");
    check(ngx_group_utf8(&t->error->detail, NULL, NULL) == NGX_OK,
          "no UTF-8: %s", unit_show(&t->error->detail));

    render(t);
}


static void
request_line(ngx_group_translation_t *t, ngx_str_t *in)
{
    size_t              i;
    ngx_int_t           rc;
    ngx_str_t           method, path, uri;
    ngx_group_op_t     *op, *found;
    ngx_group_value_t  *params, *again;

    method = fuzz_until(in, ' ');

    params = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);
    again = ngx_group_value_create(t->pool, NGX_GROUP_OBJECT);

    rc = ngx_group_match(t->pool, dialect, &method, &dialect->base_path, in,
                         1, &op, &params, t->error);

    check(rc == NGX_OK || rc == NGX_DECLINED, "%d", (int) rc);

    if (rc != NGX_OK) {
        check(t->error->outcome == NGX_GROUP_NOT_FOUND
              || t->error->outcome == NGX_GROUP_METHOD_NOT_ALLOWED, "%d",
              (int) t->error->outcome);
        render(t);
        return;
    }

    rc = ngx_group_match_build(t, op, params, &path, &uri);

    check(rc == NGX_OK, "what is found cannot be built: %s", unit_show(in));

    for (i = 0; i < path.len; i++) {
        check(path.data[i] > ' ' && path.data[i] < 0x7f
              && !strchr("?#\\", path.data[i]), "no path: %s",
              unit_show(&path));
    }

    rc = ngx_group_match(t->pool, dialect, &method, &dialect->base_path,
                         &path, 1, &found, &again, t->error);

    check(rc == NGX_OK && found == op, "%s is not found as %s",
          unit_show(in), unit_show(&path));

    fuzz_same(t->pool, params, again, "other parameters");
    texts(params);
}


/* what goes into JSON, XML or a URL */

static void
texts(ngx_group_value_t *value)
{
    size_t              i;
    ngx_group_value_t  *v;

    if (value->type == NGX_GROUP_ARRAY || value->type == NGX_GROUP_OBJECT) {
        for (v = value->u.items.first; v; v = v->next) {
            texts(v);
        }
    }

    if (value->type == NGX_GROUP_STRING) {

        check(ngx_group_utf8(&value->u.text, NULL, NULL) == NGX_OK,
              "no UTF-8: %s",
              unit_show(&value->u.text));

        for (i = 0; i < value->u.text.len; i++) {
            check(value->u.text.data[i] != '\0', "U+0000: %s",
                  unit_show(&value->u.text));
        }
    }
}


/*
 * Whether an upstream's id that is no reference reads as one of our own
 * container: it has the same URL as the id without.
 */

static ngx_uint_t
owned(ngx_group_value_t *value)
{
    ngx_group_value_t  *v;

    if (value->type == NGX_GROUP_STRING) {
        return ngx_group_str_is(&value->key, "id") && value->u.text.len > 4
               && memcmp(value->u.text.data, OWNER "/", sizeof(OWNER)) == 0;
    }

    if (value->type != NGX_GROUP_ARRAY && value->type != NGX_GROUP_OBJECT) {
        return 0;
    }

    for (v = value->u.items.first; v; v = v->next) {
        if (owned(v)) {
            return 1;
        }
    }

    return 0;
}


/* that a request was held against its fields, looked at with other eyes */

static void
checked(ngx_group_translation_t *t, ngx_array_t *fields,
    ngx_group_value_t *in)
{
    size_t              i, n, at;
    ngx_str_t          *s;
    ngx_uint_t          k;
    ngx_group_field_t  *field;
    ngx_group_value_t  *v;

    field = fields->elts;

    for (k = 0; k < fields->nelts; k++) {
        v = ngx_group_value_get(in, &field[k].name);

        if (field[k].read_only || field[k].constant) {
            continue;
        }

        if (v == NULL || v->type == NGX_GROUP_NULL) {
            check(!field[k].required, "\"%s\" is missing",
                  unit_show(&field[k].name));
            continue;
        }

        if (field[k].type == NGX_GROUP_FIELD_OBJECT
            && v->type == NGX_GROUP_OBJECT)
        {
            checked(t, field[k].fields, v);
            continue;
        }

        if (field[k].type == NGX_GROUP_FIELD_ARRAY && field[k].fields
            && v->type == NGX_GROUP_ARRAY)
        {
            for (v = v->u.items.first; v; v = v->next) {
                checked(t, field[k].fields, v);
            }

            continue;
        }

        if (v->type != NGX_GROUP_STRING) {
            continue;
        }

        s = &v->u.text;

        for (i = 0, n = 0, at = 0; i < s->len; i++) {
            n += (s->data[i] & 0xc0) != 0x80;
            at += s->data[i] == '@';
        }

        check(!field[k].has_max || n <= (size_t) field[k].max,
              "too long: %s", unit_show(s));
        check(!field[k].has_min || n >= (size_t) field[k].min,
              "too short: %s", unit_show(s));
        check(!field[k].filled || n, "empty: %s", unit_show(s));

        switch (field[k].type) {

        case NGX_GROUP_FIELD_EMAIL:
            check(s->len == 0 || at == 1, "no email: %s", unit_show(s));
            break;

        case NGX_GROUP_FIELD_MEMBER_ID:

            if (!t->client || dialect->member_id != NGX_GROUP_ID_UUID
                || s->data[0] == '~')
            {
                break;
            }

            check(s->len == 36, "no UUID: %s", unit_show(s));

            for (i = 0; i < s->len; i++) {
                check(isxdigit(s->data[i]) || s->data[i] == '-',
                      "no UUID: %s", unit_show(s));
            }

            break;

        default:
            break;
        }
    }
}


/* whether all of "part" is in "whole", which may have more members */

static ngx_uint_t
within(ngx_group_value_t *part, ngx_group_value_t *whole)
{
    ngx_group_value_t  *v, *w;

    if (part->type != whole->type) {
        return 0;
    }

    switch (part->type) {

    case NGX_GROUP_OBJECT:

        for (v = part->u.items.first; v; v = v->next) {
            w = ngx_group_value_get(whole, &v->key);

            if (w == NULL || !within(v, w)) {
                return 0;
            }
        }

        return 1;

    case NGX_GROUP_ARRAY:
        v = part->u.items.first;
        w = whole->u.items.first;

        for ( /* void */ ; v && w; v = v->next, w = w->next) {
            if (!within(v, w)) {
                return 0;
            }
        }

        return v == NULL && w == NULL;

    default:
        return ngx_group_value_equal(part, whole);
    }
}
