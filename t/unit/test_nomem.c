
/*
 * No memory in the layers that have whole dialects at hand: each allocation of
 * a scenario fails in turn, and the scenario ends with NGX_ERROR, or with what
 * it would have ended with; nothing crashes and nothing is left.  The scenarios
 * are the fuzzers' own inputs, in each of the dialects, and all operations of
 * each dialect in front of each.  The layers below have theirs in their tests.
 */


#include "unit.h"

#include <dirent.h>
#include <expat.h>
#include <stdio.h>

#include "ngx_group_dialect.h"
#include "ngx_group_plan.h"


#define DIALECTS   5
#define FILES_MAX  256


typedef struct {
    ngx_group_dialect_t  *dialect;
    ngx_group_dialect_t  *upstream;
    ngx_group_op_t       *op;
    ngx_array_t          *fields;
    ngx_uint_t            request;
    ngx_str_t             body;
    ngx_uint_t            n;
} scenario_t;


/* the contract of ngx_group_plan_run() and the like, for all of a scenario */

typedef ngx_int_t (*scenario_pt)(ngx_pool_t *pool, scenario_t *s);


static const char  *names[DIALECTS] = {
    "signalwire", "vinyldns", "faxfinder", "portsip", "scim"
};

static ngx_group_dialect_t  *dialects[DIALECTS];

static ngx_group_limits_t    limits = { 32, 1000 };


/* expat's allocations are counted and fail as those of pools do */

XML_Parser  __wrap_XML_ParserCreate(const XML_Char *encoding);

XML_Parser
__wrap_XML_ParserCreate(const XML_Char *encoding)
{
    static const XML_Memory_Handling_Suite  suite = {
        unit_malloc, unit_realloc, unit_free
    };

    return XML_ParserCreate_MM(encoding, &suite, NULL);
}


static void
exhaust(scenario_pt run, scenario_t *s, const char *name)
{
    ngx_int_t    good, rc;
    ngx_uint_t   n, live, failed;
    ngx_pool_t  *pool;

    live = unit_live();

    pool = unit_pool();
    good = run(pool, s);
    ngx_destroy_pool(pool);

    each(good == NGX_OK || good == NGX_DECLINED, "%s: %d", name, (int) good);
    each(unit_live() == live, "%s: what is left", name);

    for (n = 1; /* void */ ; n++) {
        pool = unit_pool();

        unit_fail(n);
        rc = run(pool, s);
        failed = unit_failed();
        unit_fail(0);

        ngx_destroy_pool(pool);

        each(unit_live() == live, "%s: allocation %d leaves %d", name, (int) n,
             (int) (unit_live() - live));

        if (!failed) {
            each(rc == good, "%s: at last", name);
            return;
        }

        /* what is refused may be refused with fewer problems */

        each(rc == NGX_ERROR || (rc == NGX_DECLINED && good == NGX_DECLINED),
             "%s: allocation %d: %d", name, (int) n, (int) rc);
    }
}


static void
translation(ngx_pool_t *pool, scenario_t *s, ngx_group_translation_t *t,
    ngx_group_error_t *error)
{
    memset(t, 0, sizeof(ngx_group_translation_t));
    memset(error, 0, sizeof(ngx_group_error_t));

    t->pool = pool;
    t->log = &unit_log;
    t->dialect = s->dialect;
    t->error = error;
    t->base_path = s->dialect->base_path;
    t->now = 1700000000;
    t->request = s->request;
    t->text = (s->dialect->format == NGX_GROUP_FORMAT_XML);
    ngx_str_set(&t->origin, "https://gw");
    ngx_str_set(&t->owner, "joe");

    /* another vendor's form of ids, half of the time */

    t->client = s->n & 1;
    t->id = t->client ? s->n >> 1 & 3 : s->dialect->id;
    t->member_id = t->client ? s->n >> 3 & 3 : s->dialect->member_id;
}


static ngx_int_t
render(ngx_pool_t *pool, scenario_t *s, ngx_group_error_t *error)
{
    ngx_group_answer_t         answer;
    ngx_group_error_context_t  context;

    memset(&context, 0, sizeof(ngx_group_error_context_t));
    memset(&answer, 0, sizeof(ngx_group_answer_t));
    ngx_str_set(&context.path, "/a?b");
    ngx_str_set(&context.method, "POST");
    ngx_str_set(&context.content_type, "text/plain");

    if (ngx_group_error_render(pool, s->dialect, error, &context, &answer)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    each(answer.status >= 400 && answer.status < 600, "a status");

    return NGX_DECLINED;
}


/* a body is decoded, encoded and written; a refusal is told */

static ngx_int_t
body(ngx_pool_t *pool, scenario_t *s)
{
    ngx_int_t                 rc;
    ngx_str_t                 why, out;
    ngx_array_t               lost;
    ngx_group_error_t         error;
    ngx_group_value_t        *tree, *doc, *again;
    ngx_group_translation_t   t;

    translation(pool, s, &t, &error);

    rc = ngx_group_read(pool, s->dialect->format, &limits, &s->body, &tree,
                        &why);

    if (rc == NGX_OK && tree->type != NGX_GROUP_OBJECT) {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        ngx_group_error_set(&error, NGX_GROUP_MALFORMED, "body",
                            "an object is expected");
        return render(pool, s, &error);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    doc = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    again = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    if (doc == NULL || again == NULL
        || ngx_group_decode(&t, s->fields, tree, doc) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (error.outcome != NGX_GROUP_DONE) {
        return render(pool, s, &error);
    }

    if (ngx_array_init(&lost, pool, 1, sizeof(ngx_str_t)) != NGX_OK
        || ngx_group_encode_lost(pool, s->fields, doc, &lost) != NGX_OK
        || ngx_group_encode(&t, s->fields, doc, again) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (error.outcome != NGX_GROUP_DONE) {
        return render(pool, s, &error);
    }

    return ngx_group_write(pool, s->dialect->format, again, &out);
}


/* the same bytes as an upstream's error */

static ngx_int_t
upstream_error(ngx_pool_t *pool, scenario_t *s)
{
    ngx_int_t           rc;
    ngx_str_t           why;
    ngx_uint_t          status;
    ngx_group_error_t   error;
    ngx_group_value_t  *tree;

    static ngx_uint_t  statuses[] = { 400, 401, 404, 409, 422, 500, 503 };

    memset(&error, 0, sizeof(ngx_group_error_t));
    tree = NULL;
    status = statuses[s->n % 7];

    rc = ngx_group_read(pool, s->dialect->format, &limits, &s->body, &tree,
                        &why);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        tree = NULL;
    }

    if (ngx_group_error_read(pool, s->dialect, status, tree, &error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return render(pool, s, &error);
}


/* a query string, and what it is to the upstream */

static ngx_int_t
query(ngx_pool_t *pool, scenario_t *s)
{
    ngx_str_t                 args;
    ngx_int_t                 rc;
    ngx_group_error_t         error;
    ngx_group_value_t        *tree, *doc, *again;
    ngx_group_translation_t   t;

    translation(pool, s, &t, &error);
    t.request = 1;
    t.query = 1;
    t.text = 1;

    rc = ngx_group_query_parse(&t, &s->body, &tree);

    if (rc == NGX_DECLINED) {
        return render(pool, s, &error);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    doc = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    again = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    if (doc == NULL || again == NULL
        || ngx_group_decode(&t, s->op->query, tree, doc) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (error.outcome != NGX_GROUP_DONE) {
        return render(pool, s, &error);
    }

    if (ngx_group_encode(&t, s->op->query, doc, again) != NGX_OK) {
        return NGX_ERROR;
    }

    if (error.outcome != NGX_GROUP_DONE) {
        return render(pool, s, &error);
    }

    return ngx_group_query_write(pool, again, &args);
}


/* a path is found, and built again */

static ngx_int_t
request_line(ngx_pool_t *pool, scenario_t *s)
{
    ngx_int_t                 rc;
    ngx_str_t                 method, path, uri;
    ngx_group_op_t           *op;
    ngx_group_error_t         error;
    ngx_group_value_t        *params;
    ngx_group_translation_t   t;

    translation(pool, s, &t, &error);

    method = s->op->method;
    params = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    if (params == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_group_match(pool, s->dialect, &method, &s->dialect->base_path,
                         &s->body, 1, &op, &params, &error);

    if (rc == NGX_DECLINED) {
        return render(pool, s, &error);
    }

    if (rc != NGX_OK || ngx_group_match_convert(&t, params) != NGX_OK) {
        return NGX_ERROR;
    }

    if (error.outcome != NGX_GROUP_DONE) {
        return render(pool, s, &error);
    }

    rc = ngx_group_match_build(&t, op, params, &path, &uri);

    return (rc == NGX_DECLINED) ? render(pool, s, &error) : rc;
}


/* canonical values from JSON, which is read before anything fails */

static ngx_group_value_t *
canonical(ngx_pool_t *pool, const char *json)
{
    ngx_str_t           in, why;
    ngx_group_value_t  *value;

    in = unit_str(json);
    value = NULL;

    return ngx_group_read(pool, NGX_GROUP_FORMAT_JSON, &limits, &in, &value,
                          &why)
           == NGX_OK ? value : NULL;
}


#define GROUP  "\"id\":\"g1\",\"name\":\"sales\",\"email\":\"a@b.test\","      \
               "\"description\":\"d\",\"owner\":\"joe\","                     \
               "\"sticky_sender\":true"
#define MEMBERS  "[{\"id\":\"1\"},{\"id\":\"2\"},{\"id\":\"3\"}]"


static const char *
answer_to(ngx_uint_t operation, ngx_uint_t n)
{
    switch (operation) {

    case NGX_GROUP_GROUP_LIST:
        return "{\"items\":[{" GROUP "},{\"id\":\"g2\",\"name\":\"b\"}],"
               "\"total\":2,\"count\":2}";

    case NGX_GROUP_MEMBER_LIST:
        return "{\"items\":[{\"id\":\"m1\",\"member\":{\"id\":\"1\"}},"
               "{\"id\":\"m4\",\"member\":{\"id\":\"4\"}}],\"total\":2}";

    case NGX_GROUP_MEMBER_ADD:
    case NGX_GROUP_MEMBER_GET:
        return "{\"id\":\"m1\",\"group_id\":\"g1\",\"member\":{\"id\":\"1\"}}";

    case NGX_GROUP_MEMBER_REMOVE:
        return "{}";

    default:
        return "{" GROUP ",\"members\":" MEMBERS ",\"admins\":[{\"id\":\"1\"}],"
               "\"member_count\":3}";
    }
}


/*
 * A plan, and the answers to its calls; of some plans the third call, or the
 * second one and what undoes the first, fails.
 */

static ngx_int_t
plan(ngx_pool_t *pool, scenario_t *s)
{
    ngx_int_t           rc;
    ngx_uint_t          i, calls;
    ngx_group_plan_t    p;
    ngx_group_step_t  **step;

    memset(&p, 0, sizeof(ngx_group_plan_t));

    p.pool = pool;
    p.log = &unit_log;
    p.client = s->dialect;
    p.upstream = s->upstream;
    p.op = s->op;
    p.concurrency = 2;
    p.max_calls = 20;

    p.doc = canonical(pool, s->op->operation >= NGX_GROUP_MEMBER_ADD
                            ? "{\"group_id\":\"g1\",\"id\":\"m1\","
                              "\"owner\":\"joe\",\"member\":{\"id\":\"1\"}}"
                            : "{" GROUP ",\"members\":" MEMBERS ","
                              "\"admins\":[{\"id\":\"1\"}]}");
    p.query = canonical(pool, s->op->operation == NGX_GROUP_GROUP_LIST
                              && s->n == 0
                              ? "{\"limit\":1,\"offset\":1,"
                                "\"name_contains\":\"s\"}"
                              : "{}");

    if (p.doc == NULL || p.query == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_group_plan_create(&p);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? render(pool, s, &p.error) : rc;
    }

    calls = 0;

    for ( ;; ) {
        rc = ngx_group_plan_run(&p);

        if (rc != NGX_AGAIN) {
            break;
        }

        step = p.round.elts;

        for (i = 0; i < p.round.nelts; i++) {
            calls++;

            if ((s->n == 1 && calls == 3) || (s->n == 2 && calls >= 2)) {
                ngx_group_error_set(&step[i]->error, NGX_GROUP_UNAVAILABLE,
                                    "upstream", "it is down");
                continue;
            }

            step[i]->answer = canonical(pool,
                                     answer_to(step[i]->op->operation,
                                               calls));
            if (step[i]->answer == NULL) {
                return NGX_ERROR;
            }
        }

        if (calls > 100) {
            each(0, "a plan has an end");
            return NGX_ERROR;
        }
    }

    return (rc == NGX_DECLINED) ? render(pool, s, &p.error) : rc;
}


/* an upstream with one group at most, whose members are bits */

typedef struct {
    ngx_uint_t  exists;
    ngx_uint_t  renamed;
    ngx_uint_t  members;
} model_t;


/* what it has before, and after each of the operations */
#define BEFORE  ((1 << 1) | (1 << 2) | (1 << 3))
#define AFTER   ((1 << 2) | (1 << 4) | (1 << 5))


static ngx_str_t *
text_of(ngx_group_value_t *object, const char *name)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    static ngx_str_t    none = ngx_null_string;

    key = unit_str(name);
    v = ngx_group_value_get(object, &key);

    return (v && v->type == NGX_GROUP_STRING) ? &v->u.text : &none;
}


/* does what a call says, and returns the answer; NULL: it cannot be read */

static ngx_group_value_t *
model_call(ngx_pool_t *pool, model_t *m, ngx_group_step_t *step)
{
    char        *answer, *p;
    ngx_str_t    key, *id;
    ngx_uint_t   i, bit;

    key = unit_str("member");
    id = text_of(ngx_group_value_get(step->doc, &key), "id");
    bit = id->len ? 1 << (id->data[0] - '0') : 0;

    answer = ngx_palloc(pool, 512);
    if (answer == NULL) {
        return NULL;
    }

    strcpy(answer, "{}");

    switch (step->op->operation) {

    case NGX_GROUP_GROUP_CREATE:
        m->exists = 1;
        m->renamed = 1;
        strcpy(answer, "{\"id\":\"g1\"}");
        break;

    case NGX_GROUP_GROUP_DELETE:
        memset(m, 0, sizeof(model_t));
        break;

    case NGX_GROUP_GROUP_GET:
        sprintf(answer, "{\"id\":\"g1\",\"name\":\"%s\"}",
                m->renamed ? "after" : "before");
        break;

    case NGX_GROUP_GROUP_REPLACE:
        m->renamed = (text_of(step->doc, "name")->len == 5);
        break;

    case NGX_GROUP_MEMBER_ADD:
        m->members |= bit;
        break;

    case NGX_GROUP_MEMBER_REMOVE:
        m->members &= ~bit;
        break;

    case NGX_GROUP_MEMBER_LIST:
        p = answer + sprintf(answer, "{\"items\":[");

        for (i = 1; i < 6; i++) {
            if (m->members & (1 << i)) {
                p += sprintf(p, "%s{\"id\":\"m%d\",\"member\":{\"id\":"
                             "\"%d\"}}", p[-1] == '[' ? "" : ",", (int) i,
                             (int) i);
            }
        }

        strcpy(p, "]}");
    }

    return canonical(pool, answer);
}


/*
 * A plan with members in calls of their own, as the http layer runs it: what
 * there is no memory for is a failed call once there is something to undo.
 */

static ngx_int_t
undone_plan(ngx_pool_t *pool, scenario_t *s, model_t *m,
    ngx_group_value_t *doc, ngx_group_value_t *query, ngx_uint_t *left)
{
    ngx_int_t           rc;
    ngx_uint_t          i, calls;
    ngx_group_plan_t    p;
    ngx_group_step_t  **step;

    memset(&p, 0, sizeof(ngx_group_plan_t));

    p.pool = pool;
    p.log = &unit_log;
    p.client = s->dialect;
    p.upstream = s->upstream;
    p.op = s->op;
    p.concurrency = 2;
    p.max_calls = 20;
    p.doc = doc;
    p.query = query;

    rc = ngx_group_plan_create(&p);

    if (rc != NGX_OK) {
        return rc;
    }

    for (calls = 0; calls < 100; /* void */ ) {
        rc = ngx_group_plan_run(&p);

        if (rc == NGX_ERROR) {
            rc = ngx_group_plan_abandon(&p);
        }

        if (rc != NGX_AGAIN) {
            *left = (p.undoing && (rc == NGX_ERROR || p.orphan.len));
            return rc;
        }

        step = p.round.elts;

        for (i = 0; i < p.round.nelts; i++) {
            calls++;

            if (calls == s->n) {
                ngx_group_error_set(&step[i]->error, NGX_GROUP_UNAVAILABLE,
                                    "upstream", "it is down");
                continue;
            }

            step[i]->answer = model_call(pool, m, step[i]);

            /* an answer that could not be read is looked at again */

            if (step[i]->answer == NULL) {
                step[i]->answer = model_call(pool, m, step[i]);
            }

            if (step[i]->answer == NULL && !p.begun) {
                return NGX_ERROR;
            }

            if (step[i]->answer == NULL) {
                ngx_group_error_set(&step[i]->error, NGX_GROUP_INTERNAL,
                                    "memory", "");
            }
        }
    }

    each(0, "a plan has an end");

    return NGX_ERROR;
}


/* one call fails, or none; then each allocation, besides */

static void
undone(scenario_t *s, const char *doc_json)
{
    model_t             m, before;
    ngx_int_t           rc;
    ngx_uint_t          n, failed, whole, left;
    ngx_pool_t         *pool;
    ngx_group_value_t  *doc, *query;

    memset(&before, 0, sizeof(model_t));

    if (s->op->operation != NGX_GROUP_GROUP_CREATE) {
        before.exists = 1;
        before.members = BEFORE;
    }

    for (n = 0; /* void */ ; n++) {
        pool = unit_pool();
        doc = canonical(pool, doc_json);
        query = canonical(pool, "{}");
        m = before;
        left = 0;

        unit_fail(n);
        rc = undone_plan(pool, s, &m, doc, query, &left);
        failed = unit_failed();
        unit_fail(0);

        ngx_destroy_pool(pool);

        whole = (rc == NGX_OK)
                ? m.exists && m.renamed && m.members == AFTER
                : memcmp(&m, &before, sizeof(model_t)) == 0;

        /* the call that fails may be one of the undo, which is then told */

        each(left ? s->n && failed : whole,
             "%.*s before %.*s, operation %d, call %d, allocation %d: %d, "
             "members %x", (int) s->dialect->name.len, s->dialect->name.data,
             (int) s->upstream->name.len, s->upstream->name.data,
             (int) s->op->operation, (int) s->n, (int) n, (int) rc,
             (int) m.members);

        if (n && !failed) {
            return;
        }
    }
}


static void
test_undone(void)
{
    ngx_uint_t  i;
    scenario_t  s;

    memset(&s, 0, sizeof(scenario_t));

    for (i = 0; i < DIALECTS; i++) {

        if (strcmp(names[i], "signalwire") != 0
            && strcmp(names[i], "portsip") != 0)
        {
            continue;
        }

        s.upstream = dialects[i];
        s.dialect = dialects[DIALECTS - 1];

        for (s.n = 0; s.n < 10; s.n++) {
            s.op = s.dialect->ops[NGX_GROUP_GROUP_CREATE];
            undone(&s, "{\"name\":\"after\",\"members\":[{\"id\":\"2\"},"
                       "{\"id\":\"4\"},{\"id\":\"5\"}]}");

            s.op = s.dialect->ops[NGX_GROUP_GROUP_REPLACE];
            undone(&s, "{\"id\":\"g1\",\"name\":\"after\",\"members\":"
                       "[{\"id\":\"2\"},{\"id\":\"4\"},{\"id\":\"5\"}]}");

            s.op = s.dialect->ops[NGX_GROUP_GROUP_MODIFY];
            undone(&s, "{\"id\":\"g1\",\"change\":{\"set\":{\"name\":"
                       "\"after\"},\"members\":["
                       "{\"op\":\"add\",\"member\":{\"id\":\"4\"}},"
                       "{\"op\":\"add\",\"member\":{\"id\":\"5\"}},"
                       "{\"op\":\"remove\",\"member\":{\"id\":\"1\"}},"
                       "{\"op\":\"remove\",\"member\":{\"id\":\"3\"}}]}}");
        }
    }

    unit_cases("what is half done for want of memory is undone");
}


static ngx_group_dialect_t *
load(ngx_pool_t *pool, const char *name)
{
    ngx_str_t             text, *dir;
    ngx_conf_t            cf;
    ngx_array_t           dirs;
    ngx_group_dialect_t  *dialect;

    memset(&cf, 0, sizeof(ngx_conf_t));
    cf.pool = pool;

    ngx_array_init(&dirs, cf.pool, 1, sizeof(ngx_str_t));
    dir = ngx_array_push(&dirs);
    ngx_str_set(dir, "lua/dialects");

    text = unit_str(name);

    dialect = ngx_group_dialect_load(&cf, &text, &dirs);

    if (dialect == NULL) {
        unit_diag("%s", unit_logged);
        abort();
    }

    return dialect;
}


/* the inputs of a fuzzer, without the bytes that choose */

static ngx_uint_t
corpus(const char *name, ngx_str_t files[FILES_MAX], ngx_uint_t skip)
{
    DIR            *dir;
    FILE           *f;
    char            path[1024];
    u_char          bytes[65536];
    size_t          len;
    ngx_uint_t      n;
    struct dirent  *d;

    snprintf(path, sizeof(path), "t/fuzz/corpus/%s", name);
    dir = opendir(path);

    if (dir == NULL) {
        return 0;
    }

    n = 0;

    while (n < FILES_MAX && (d = readdir(dir)) != NULL) {

        snprintf(path, sizeof(path), "t/fuzz/corpus/%s/%s", name, d->d_name);

        if (d->d_name[0] == '.' || (f = fopen(path, "r")) == NULL) {
            continue;
        }

        len = fread(bytes, 1, sizeof(bytes), f);
        fclose(f);

        if (len > skip && len < 4096) {
            files[n++] = unit_exact(bytes + skip, len - skip);
        }
    }

    closedir(dir);

    return n;
}


static void
test_bodies(ngx_group_dialect_t *dialect, const char *name)
{
    char             corpus_name[64];
    ngx_str_t        files[FILES_MAX];
    ngx_uint_t       i, j, n;
    scenario_t       s;
    ngx_group_op_t  *op;

    snprintf(corpus_name, sizeof(corpus_name), "dialect_%s", name);
    n = corpus(corpus_name, files, 2);

    each(n > 10, "%s has a corpus", name);

    memset(&s, 0, sizeof(scenario_t));
    s.dialect = dialect;

    for (i = 0; i < n; i++) {
        s.body = files[i];

        /* each as all that it could be, in one of the forms of ids */

        for (j = 0; j < NGX_GROUP_OPERATIONS; j++) {
            op = dialect->ops[j];

            if (op == NULL) {
                continue;
            }

            s.op = op;
            s.n = (i * 7 + j) % 32;

            if (op->request) {
                s.fields = op->request;
                s.request = 1;
                exhaust(body, &s, "request");
            }

            if (op->response) {
                s.fields = op->response;
                s.request = 0;
                exhaust(body, &s, "answer");
            }
        }

        s.n = i;
        exhaust(upstream_error, &s, "error");
    }

    for (i = 0; i < n; i++) {
        unit_exact_free(&files[i]);
    }

    unit_cases("%s: bodies and errors", name);
}


static void
test_requests(ngx_group_dialect_t *dialect, const char *name)
{
    char         path[256];
    ngx_str_t    files[FILES_MAX];
    ngx_uint_t   i, j, n;
    scenario_t   s;

    static const char  *tails[] = {
        "", "/NA==", "/0a59b2d8-9d41-4b7a-9b5c-6a3d1e2f4c5b", "/a%2fb/members",
        "/joe/4", "/NA==/members/8", "/%ff", "/joe",
        "/6e677267-0100-8000-8000-000000000001/number_group_memberships"
    };

    static const char  *nouns[] = {
        "/number_groups", "/groups", "/contact_groups", "/Groups", "/nowhere",
        "/number_group_memberships"
    };

    memset(&s, 0, sizeof(scenario_t));
    s.dialect = dialect;

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        s.op = dialect->ops[i];

        if (s.op == NULL) {
            continue;
        }

        for (j = 0; j < sizeof(nouns) / sizeof(nouns[0])
                        * sizeof(tails) / sizeof(tails[0]); j++)
        {
            snprintf(path, sizeof(path), "%.*s%s%s",
                     (int) dialect->base_path.len, dialect->base_path.data,
                     nouns[j % 6], tails[j / 6]);

            s.n = (i + j) % 32;
            s.body = unit_str(path);
            exhaust(request_line, &s, path);
        }
    }

    n = corpus("query", files, 2);
    s.op = dialect->ops[NGX_GROUP_GROUP_LIST];

    for (i = 0; s.op && s.op->query && i < n; i++) {
        s.body = files[i];
        s.n = i % 32;
        exhaust(query, &s, unit_show(&s.body));
    }

    for (i = 0; i < n; i++) {
        unit_exact_free(&files[i]);
    }

    unit_cases("%s: paths and queries", name);
}


static void
test_plans(ngx_group_dialect_t *dialect, const char *name)
{
    ngx_uint_t  i, j;
    scenario_t  s;

    memset(&s, 0, sizeof(scenario_t));
    s.dialect = dialect;

    for (i = 0; i < DIALECTS; i++) {
        s.upstream = dialects[i];

        for (j = 0; j < NGX_GROUP_OPERATIONS; j++) {
            s.op = dialect->ops[j];

            for (s.n = 0; s.op && s.n < 4; s.n++) {
                exhaust(plan, &s, names[i]);
            }
        }
    }

    unit_cases("%s: plans", name);
}


int
main(void)
{
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    pool = unit_pool();

    for (i = 0; i < DIALECTS; i++) {
        dialects[i] = load(pool, names[i]);
    }

    for (i = 0; i < DIALECTS; i++) {
        test_bodies(dialects[i], names[i]);
        test_requests(dialects[i], names[i]);
        test_plans(dialects[i], names[i]);
    }

    test_undone();

    ngx_destroy_pool(pool);

    return unit_done();
}
