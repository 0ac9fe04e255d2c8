
/*
 * What bytes cost between a client and an upstream, without a server: decode,
 * validate and encode of groups, by the functions that a request calls, on the
 * same bytes as a bare parser with empty callbacks (the floor) and lua-cjson.
 *
 * Where malloc() gives memory back to the system between requests, it is
 * faulted in again by the next one, which costs as much as half of the work.
 * Whether it does depends on what else a process has done: it is timed apart,
 * as "fresh", and all else with memory that stays.
 *
 *   make bench-codec
 *   make bench-codec ARGS='--quick --markdown'
 *   build/bench/codec --only json --members 1000 --times 100
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <expat.h>
#include <getopt.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <yajl/yajl_parse.h>
#include "ngx_group_dialect.h"
#include "ngx_group_pool.h"
#include "pool.h"
#include "unit.h"


#define BENCH_SIZES         5
#define BENCH_ROUNDS        61
#define BENCH_QUICK_ROUNDS  11

/* request_pool_size, group_max_depth and group_max_members of nginx and ours */
#define BENCH_POOL          4096
#define BENCH_DEPTH         32
#define BENCH_MEMBERS       10000

/* more than the longest body, and than all dialects take */
#define BENCH_BODY          (1024 + 128 * BENCH_MEMBERS)
#define BENCH_DIALECTS      (1024 * 1024)

/* targets */
#define BENCH_RATIO         2.5
#define BENCH_RATIO_AT      1000
#define BENCH_GROWTH        1.2
#define BENCH_MEMORY        6
#define BENCH_MEMORY_BASE   16384

/* glibc's own limits, and those that keep all memory */
#define BENCH_FRESH_LIMIT   (128 * 1024)
#define BENCH_TRIM_LIMIT    (1024 * 1024 * 1024)
#define BENCH_MMAP_LIMIT    (32 * 1024 * 1024)

#define BENCH_COLUMNS       13


typedef struct {
    const char                *name;
    const char                *from;        /* the client's dialect */
    const char                *to;          /* the upstream's */
    ngx_uint_t                 changed;     /* not passed on as it was read */
    const char                *what;
} bench_case_t;


typedef struct {
    bench_case_t              *kind;
    ngx_group_dialect_t       *from;
    ngx_group_dialect_t       *to;
    ngx_uint_t                 members;
    ngx_str_t                  body;
    ngx_group_value_t         *given;       /* what "group_default" fills in */
    size_t                     pool;        /* bytes that one request takes */
} bench_doc_t;


typedef void (*bench_run_pt)(bench_doc_t *doc);


typedef enum {
    BENCH_OURS = 0,
    BENCH_FRESH,
    BENCH_FLOOR,
    BENCH_CJSON,
    BENCH_CONTENDERS
} bench_contender_e;


static ngx_int_t bench_options(int argc, char **argv);
static void bench_pin(void);
static bench_case_t *bench_find(const char *name);
static void bench_doc(bench_case_t *kind, ngx_uint_t members,
    bench_doc_t *doc);
static ngx_group_dialect_t *bench_dialect(const char *name);
static void bench_body(bench_doc_t *doc);
static u_char *bench_json(u_char *p, bench_doc_t *doc);
static u_char *bench_json_member(u_char *p, bench_doc_t *doc, ngx_uint_t n);
static u_char *bench_xml(u_char *p, bench_doc_t *doc);
static void bench_given(bench_doc_t *doc);

static void bench_check(bench_doc_t *doc);
static ngx_int_t bench_translate(ngx_pool_t *pool, bench_doc_t *doc,
    ngx_str_t *out, ngx_group_value_t **group, const char **failed);
static void bench_die(bench_doc_t *doc, const char *what, ngx_str_t *text);

static void bench_ours(bench_doc_t *doc);
static void bench_floor_json(bench_doc_t *doc);
static void bench_floor_xml(bench_doc_t *doc);
static void bench_cjson(bench_doc_t *doc);
static void bench_lua(void);

static void bench_measure(bench_case_t *kind);
static ngx_uint_t bench_times(bench_run_pt run, bench_doc_t *doc);
static double bench_sample(bench_run_pt run, bench_doc_t *doc,
    ngx_uint_t times);
static void bench_memory(ngx_uint_t stays);
static double bench_clock(void);
static double bench_median(double *v, ngx_uint_t n);
static int bench_compare(const void *a, const void *b);
static void bench_report(bench_case_t *kind, bench_doc_t *docs);
static void bench_growth(void);
static void bench_row(ngx_uint_t n, char cells[][32]);
static void bench_header(const char **names, ngx_uint_t n);
static const char *bench_verdict(ngx_uint_t good);


/* "changed" is what a policy or a default makes of a request */

static bench_case_t  bench_cases[] = {
    { "json", "vinyldns", "vinyldns", 1,
      "VinylDNS to VinylDNS, with something changed" },
    { "json-same", "vinyldns", "vinyldns", 0,
      "VinylDNS to VinylDNS, validated only" },
    { "json-scim", "vinyldns", "scim", 1, "VinylDNS to SCIM" },
    { "json-xml", "vinyldns", "faxfinder", 1, "VinylDNS to FaxFinder" },
    { "xml", "faxfinder", "faxfinder", 1,
      "FaxFinder to FaxFinder, with something changed" },
    { "xml-same", "faxfinder", "faxfinder", 0,
      "FaxFinder to FaxFinder, validated only" },
    { "xml-json", "faxfinder", "vinyldns", 1, "FaxFinder to VinylDNS" },
    { NULL, NULL, NULL, 0, NULL }
};

#define BENCH_CASES  (sizeof(bench_cases) / sizeof(bench_case_t) - 1)


static ngx_uint_t  bench_sizes[BENCH_SIZES] = { 1, 10, 100, 1000, 10000 };

static ngx_str_t   bench_origin = ngx_string("https://fax.example.com");
static ngx_str_t   bench_owner = ngx_string("ops");

static ngx_str_t   bench_key_owner = ngx_string("owner");
static ngx_str_t   bench_key_email = ngx_string("email");
static ngx_str_t   bench_key_members = ngx_string("members");
static ngx_str_t   bench_key_admins = ngx_string("admins");
static ngx_str_t   bench_key_id = ngx_string("id");

static ngx_pool_t  *bench_pool;
static lua_State   *bench_L;

/* nanoseconds per run */
static double      bench_ns[BENCH_CASES][BENCH_SIZES][BENCH_CONTENDERS]
                           [BENCH_ROUNDS];

static ngx_uint_t  bench_rounds = BENCH_ROUNDS;
static double      bench_least = 2e6;
static ngx_uint_t  bench_markdown;
static int         bench_cpu = -1;
static ngx_uint_t  bench_only_floor;
static ngx_uint_t  bench_members = BENCH_RATIO_AT;
static ngx_uint_t  bench_only_times = 1;
static bench_case_t  *bench_only;
static ngx_uint_t  bench_missed;


int
main(int argc, char **argv)
{
    ngx_uint_t    i;
    bench_doc_t   doc;
    bench_run_pt  run;

    static const char  *columns[] = {
        "case", "members", "bytes", "ns/member", "MB/s", "fresh ns",
        "floor ns", "MB/s", "cjson ns", "MB/s", "ours/floor", "pool bytes",
        "pool/body"
    };

    if (bench_options(argc, argv) != NGX_OK) {
        fprintf(stderr, "usage: codec [--quick] [--markdown] [--cpu N]\n"
                        "       codec --only CASE [--members N] [--times K] "
                        "[--floor]\n\ncases:\n");

        for (i = 0; i < BENCH_CASES; i++) {
            fprintf(stderr, "  %-10s %s\n", bench_cases[i].name,
                    bench_cases[i].what);
        }

        return 2;
    }

    bench_pin();
    bench_memory(1);

    bench_pool = ngx_create_pool(BENCH_DIALECTS, &unit_log);
    if (bench_pool == NULL) {
        abort();
    }

    if (bench_only) {
        bench_doc(bench_only, bench_members, &doc);

        run = !bench_only_floor ? bench_ours
              : doc.from->format == NGX_GROUP_FORMAT_XML ? bench_floor_xml
                                                         : bench_floor_json;

        for (i = 0; i < bench_only_times; i++) {
            run(&doc);
        }

        return 0;
    }

    bench_lua();

    bench_header(columns, BENCH_COLUMNS);

    for (i = 0; i < BENCH_CASES; i++) {
        bench_measure(&bench_cases[i]);
    }

    bench_growth();

    printf("\n%s", bench_markdown ? "" : "cases:\n");

    for (i = 0; i < BENCH_CASES; i++) {
        printf(bench_markdown ? "* `%s`: %s\n" : "  %-10s %s\n",
               bench_cases[i].name, bench_cases[i].what);
    }

    if (bench_missed) {
        printf("\n%lu targets missed\n", (unsigned long) bench_missed);
    }

    return 0;
}


static ngx_int_t
bench_options(int argc, char **argv)
{
    int   option;
    long  n;

    static struct option  options[] = {
        { "quick", no_argument, NULL, 'q' },
        { "markdown", no_argument, NULL, 'm' },
        { "cpu", required_argument, NULL, 'c' },
        { "only", required_argument, NULL, 'o' },
        { "members", required_argument, NULL, 'n' },
        { "times", required_argument, NULL, 't' },
        { "floor", no_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 }
    };

    for ( ;; ) {
        option = getopt_long(argc, argv, "", options, NULL);

        if (option == -1) {
            return (optind == argc) ? NGX_OK : NGX_ERROR;
        }

        n = optarg ? atol(optarg) : 0;

        switch (option) {

        case 'q':
            bench_rounds = BENCH_QUICK_ROUNDS;
            bench_least = 5e5;
            break;

        case 'm':
            bench_markdown = 1;
            break;

        case 'c':
            bench_cpu = (int) n;
            break;

        case 'o':
            bench_only = bench_find(optarg);
            if (bench_only == NULL) {
                return NGX_ERROR;
            }
            break;

        case 'n':
            if (n < 1 || n > BENCH_MEMBERS) {
                return NGX_ERROR;
            }
            bench_members = (ngx_uint_t) n;
            break;

        case 't':
            if (n < 1) {
                return NGX_ERROR;
            }
            bench_only_times = (ngx_uint_t) n;
            break;

        case 'f':
            bench_only_floor = 1;
            break;

        default:
            return NGX_ERROR;
        }
    }
}


/* the last CPU that we may use: the first one has the interrupts, often */

static void
bench_pin(void)
{
    int        cpu;
    cpu_set_t  set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return;
    }

    for (cpu = CPU_SETSIZE - 1; bench_cpu == -1 && cpu >= 0; cpu--) {
        if (CPU_ISSET(cpu, &set)) {
            bench_cpu = cpu;
        }
    }

    CPU_ZERO(&set);
    CPU_SET(bench_cpu, &set);

    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        fprintf(stderr, "codec: not pinned to CPU %d: %s\n", bench_cpu,
                strerror(errno));
    }
}


static bench_case_t *
bench_find(const char *name)
{
    bench_case_t  *kind;

    for (kind = bench_cases; kind->name; kind++) {
        if (strcmp(kind->name, name) == 0) {
            return kind;
        }
    }

    return NULL;
}


/* documents */

static void
bench_doc(bench_case_t *kind, ngx_uint_t members, bench_doc_t *doc)
{
    memset(doc, 0, sizeof(bench_doc_t));

    doc->kind = kind;
    doc->from = bench_dialect(kind->from);
    doc->to = strcmp(kind->from, kind->to) == 0 ? doc->from
                                                : bench_dialect(kind->to);
    doc->members = members;

    bench_body(doc);
    bench_given(doc);
    bench_check(doc);
}


static ngx_group_dialect_t *
bench_dialect(const char *name)
{
    ngx_str_t             text, *dir;
    ngx_uint_t            i;
    ngx_conf_t            cf;
    ngx_array_t          *dirs;
    ngx_group_dialect_t  *dialect;

    static ngx_group_dialect_t  *known[8];

    for (i = 0; known[i]; i++) {
        if (strlen(name) == known[i]->name.len
            && memcmp(name, known[i]->name.data, known[i]->name.len) == 0)
        {
            return known[i];
        }
    }

    memset(&cf, 0, sizeof(ngx_conf_t));
    cf.pool = bench_pool;
    cf.log = &unit_log;

    dirs = ngx_array_create(bench_pool, 1, sizeof(ngx_str_t));
    dir = ngx_array_push(dirs);
    ngx_str_set(dir, "lua/dialects");

    text.data = (u_char *) name;
    text.len = strlen(name);

    dialect = ngx_group_dialect_load(&cf, &text, dirs);

    if (dialect == NULL) {
        fprintf(stderr, "codec: %s\n", unit_logged);
        exit(1);
    }

    known[i] = dialect;

    return dialect;
}


/* compact, as those are that we write: what comes out can be compared */

static void
bench_body(bench_doc_t *doc)
{
    u_char  *p;

    unit_seed(1);

    /* not from the heap: what lies on top of it keeps all below it */

    doc->body.data = mmap(NULL, BENCH_BODY, PROT_READ|PROT_WRITE,
                          MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (doc->body.data == MAP_FAILED) {
        abort();
    }

    p = (doc->from->format == NGX_GROUP_FORMAT_XML)
        ? bench_xml(doc->body.data, doc)
        : bench_json(doc->body.data, doc);

    doc->body.len = p - doc->body.data;
}


static u_char *
bench_json(u_char *p, bench_doc_t *doc)
{
    ngx_uint_t  i;

    p = ngx_sprintf(p, "{\"name\":\"team-voice-operations\","
                       "\"email\":\"voice-ops@example.com\","
                       "\"description\":\"Who is on call for voice, "
                       "all regions\",\"members\":[");

    for (i = 0; i < doc->members; i++) {
        p = ngx_sprintf(p, i ? "," : "");
        p = bench_json_member(p, doc, i);
    }

    p = ngx_sprintf(p, "],\"admins\":[");
    p = bench_json_member(p, doc, doc->members);

    return ngx_sprintf(p, "]}");
}


/* VinylDNS's own ids are UUIDs; those of FaxFinder's contacts are numbers */

static u_char *
bench_json_member(u_char *p, bench_doc_t *doc, ngx_uint_t n)
{
    uint64_t  a, b;

    if (doc->to->member_id == NGX_GROUP_ID_DECIMAL) {
        return ngx_sprintf(p, "{\"id\":\"%ui\"}", 1000000 + n);
    }

    a = unit_random();
    b = unit_random();

    return p + sprintf((char *) p,
                       "{\"id\":\"%08x-%04x-4%03x-a%03x-%012llx\"}",
                       (unsigned) (a >> 32), (unsigned) (a >> 16 & 0xffff),
                       (unsigned) (a & 0xfff), (unsigned) (b >> 52),
                       (unsigned long long) (b & 0xffffffffffff));
}


static u_char *
bench_xml(u_char *p, bench_doc_t *doc)
{
    ngx_uint_t  i;

    p = ngx_sprintf(p, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                       "<contact_group><name>team-voice-operations</name>"
                       "<description>Who is on call for voice, all regions"
                       "</description>");

    for (i = 0; i < doc->members; i++) {
        p = ngx_sprintf(p, "<contact>%V%V/contacts/%V/%ui</contact>",
                        &bench_origin, &doc->from->base_path, &bench_owner,
                        1000000 + i);
    }

    return ngx_sprintf(p, "</contact_group>");
}


/* what the upstream requires and the client's dialect does not have */

static void
bench_given(bench_doc_t *doc)
{
    ngx_str_t           email, id;
    ngx_group_value_t  *admins, *admin;

    ngx_str_set(&email, "voice-ops@example.com");
    ngx_str_set(&id, "1000000");

    doc->given = ngx_group_value_create(bench_pool, NGX_GROUP_OBJECT);

    ngx_group_value_set(doc->given, &bench_key_owner,
                        ngx_group_value_string(bench_pool, &bench_owner));

    if (doc->from->format != NGX_GROUP_FORMAT_XML || doc->from == doc->to) {
        return;
    }

    ngx_group_value_set(doc->given, &bench_key_email,
                        ngx_group_value_string(bench_pool, &email));

    admin = ngx_group_value_create(bench_pool, NGX_GROUP_OBJECT);
    ngx_group_value_set(admin, &bench_key_id,
                        ngx_group_value_string(bench_pool, &id));

    admins = ngx_group_value_create(bench_pool, NGX_GROUP_ARRAY);
    ngx_group_value_push(admins, admin);

    ngx_group_value_set(doc->given, &bench_key_admins, admins);
}


/* what is timed must be right; the memory that it takes is taken down here */

static void
bench_check(bench_doc_t *doc)
{
    size_t                    before;
    ngx_str_t                 out, why;
    ngx_pool_t               *pool;
    const char               *failed;
    ngx_group_error_t         error;
    ngx_group_value_t        *group, *tree, *again, *sent, *got;
    ngx_group_limits_t        limits;
    ngx_group_translation_t   t;

    before = bench_pool_bytes;
    bench_pool_peak = before;

    pool = ngx_create_pool(BENCH_POOL, &unit_log);

    if (bench_translate(pool, doc, &out, &group, &failed) != NGX_OK) {
        bench_die(doc, failed, NULL);
    }

    doc->pool = bench_pool_peak - before;

    if (doc->from == doc->to) {

        if (!ngx_group_str_eq(&out, &doc->body)) {
            bench_die(doc, "what came out is not what came in", &out);
        }

        ngx_destroy_pool(pool);
        return;
    }

    limits.max_depth = BENCH_DEPTH;
    limits.max_items = BENCH_MEMBERS;

    if (ngx_group_read(pool, doc->to->format, &limits, &out, &tree, &why)
        != NGX_OK)
    {
        bench_die(doc, "what came out cannot be read", &why);
    }

    again = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    memset(&error, 0, sizeof(ngx_group_error_t));
    memset(&t, 0, sizeof(ngx_group_translation_t));

    t.pool = pool;
    t.log = &unit_log;
    t.dialect = doc->to;
    t.id = doc->to->id;
    t.member_id = doc->to->member_id;
    t.origin = bench_origin;
    t.base_path = doc->to->base_path;
    t.owner = bench_owner;
    t.error = &error;
    t.request = 1;
    t.text = (doc->to->format == NGX_GROUP_FORMAT_XML);

    if (ngx_group_decode(&t, doc->to->ops[NGX_GROUP_GROUP_CREATE]->request,
                         tree, again)
        != NGX_OK
        || error.outcome != NGX_GROUP_DONE)
    {
        bench_die(doc, "what came out is not valid", &out);
    }

    sent = ngx_group_value_get(group, &bench_key_members);
    got = ngx_group_value_get(again, &bench_key_members);

    if (sent == NULL || got == NULL || got->n != doc->members
        || !ngx_group_value_equal(sent, got))
    {
        bench_die(doc, "other members came out than came in", &out);
    }

    ngx_destroy_pool(pool);
}


/* from ngx_http_group_parse_body() to ngx_http_group_step_body() */

static ngx_int_t
bench_translate(ngx_pool_t *pool, bench_doc_t *doc, ngx_str_t *out,
    ngx_group_value_t **group, const char **failed)
{
    ngx_str_t                why;
    ngx_array_t              lost;
    ngx_group_op_t          *op;
    ngx_group_error_t        error;
    ngx_group_value_t       *tree, *body, *v, *copy;
    ngx_group_limits_t       limits;
    ngx_group_translation_t  client, upstream;

    memset(&error, 0, sizeof(ngx_group_error_t));
    memset(&client, 0, sizeof(ngx_group_translation_t));

    *failed = "there is no memory";

    pool = ngx_group_pool(pool, doc->body.len);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    client.pool = pool;
    client.log = &unit_log;
    client.dialect = doc->from;
    client.id = doc->to->id;
    client.member_id = doc->to->member_id;
    client.origin = bench_origin;
    client.base_path = doc->from->base_path;
    client.owner = bench_owner;
    client.error = &error;
    client.request = 1;
    client.client = 1;
    client.same = (doc->from == doc->to);
    client.text = (doc->from->format == NGX_GROUP_FORMAT_XML);

    upstream = client;
    upstream.dialect = doc->to;
    upstream.base_path = doc->to->base_path;
    upstream.client = 0;
    upstream.text = 0;

    limits.max_depth = BENCH_DEPTH;
    limits.max_items = BENCH_MEMBERS;

    *failed = "the body cannot be read";

    if (ngx_group_read(pool, doc->from->format, &limits, &doc->body, &tree,
                       &why)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *failed = "the body is not valid";
    *group = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    op = doc->from->ops[NGX_GROUP_GROUP_CREATE];

    if (*group == NULL
        || ngx_group_decode(&client, op->request, tree, *group) != NGX_OK
        || error.outcome != NGX_GROUP_DONE)
    {
        return NGX_ERROR;
    }

    for (v = doc->given->u.items.first; v; v = v->next) {
        copy = ngx_group_value_copy(pool, v);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(*group, &v->key, copy);
    }

    *failed = "the body cannot be written";

    if (!doc->kind->changed) {
        return ngx_group_write(pool, doc->from->format, tree, out);
    }

    op = doc->to->ops[NGX_GROUP_GROUP_CREATE];

    if (ngx_array_init(&lost, pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_group_encode_lost(pool, op->request, *group, &lost) != NGX_OK)
    {
        return NGX_ERROR;
    }

    body = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    if (body == NULL
        || ngx_group_encode(&upstream, op->request, *group, body) != NGX_OK
        || error.outcome != NGX_GROUP_DONE)
    {
        return NGX_ERROR;
    }

    return ngx_group_write(pool, doc->to->format, body, out);
}


static void
bench_die(bench_doc_t *doc, const char *what, ngx_str_t *text)
{
    fprintf(stderr, "codec: %s, %lu members: %s%s%s\n", doc->kind->name,
            (unsigned long) doc->members, what, text ? ": " : "",
            text ? unit_show(text) : "");
    exit(1);
}


/* contenders */

static void __attribute__((noinline))
bench_ours(bench_doc_t *doc)
{
    ngx_str_t           out;
    ngx_pool_t         *pool;
    const char         *failed;
    ngx_group_value_t  *group;

    pool = ngx_create_pool(BENCH_POOL, &unit_log);

    if (pool == NULL
        || bench_translate(pool, doc, &out, &group, &failed) != NGX_OK)
    {
        abort();
    }

    ngx_destroy_pool(pool);
}


static int
bench_json_null(void *data)
{
    return 1;
}


static int
bench_json_boolean(void *data, int flag)
{
    return 1;
}


static int
bench_json_number(void *data, const char *p, size_t len)
{
    return 1;
}


static int
bench_json_string(void *data, const unsigned char *p, size_t len)
{
    return 1;
}


static yajl_callbacks  bench_json_callbacks = {
    bench_json_null,
    bench_json_boolean,
    NULL,
    NULL,
    bench_json_number,
    bench_json_string,
    bench_json_null,
    bench_json_string,
    bench_json_null,
    bench_json_null,
    bench_json_null
};


/* ours checks UTF-8 itself and tells yajl not to, so does this */

static void __attribute__((noinline))
bench_floor_json(bench_doc_t *doc)
{
    yajl_handle  yajl;

    yajl = yajl_alloc(&bench_json_callbacks, NULL, NULL);
    if (yajl == NULL) {
        abort();
    }

    yajl_config(yajl, yajl_dont_validate_strings, 1);

    if (yajl_parse(yajl, doc->body.data, doc->body.len) != yajl_status_ok
        || yajl_complete_parse(yajl) != yajl_status_ok)
    {
        abort();
    }

    yajl_free(yajl);
}


static void XMLCALL
bench_xml_doctype(void *data, const XML_Char *name, const XML_Char *sysid,
    const XML_Char *pubid, int subset)
{
}


static void XMLCALL
bench_xml_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
}


static void XMLCALL
bench_xml_end(void *data, const XML_Char *name)
{
}


static void XMLCALL
bench_xml_characters(void *data, const XML_Char *p, int len)
{
}


static void __attribute__((noinline))
bench_floor_xml(bench_doc_t *doc)
{
    XML_Parser  parser;

    parser = XML_ParserCreate(NULL);
    if (parser == NULL) {
        abort();
    }

    XML_SetStartDoctypeDeclHandler(parser, bench_xml_doctype);
    XML_SetElementHandler(parser, bench_xml_start, bench_xml_end);
    XML_SetCharacterDataHandler(parser, bench_xml_characters);

    if (XML_Parse(parser, (char *) doc->body.data, (int) doc->body.len, 1)
        != XML_STATUS_OK)
    {
        abort();
    }

    XML_ParserFree(parser);
}


/* no validation in it, and nothing that is looked at */

static void
bench_cjson(bench_doc_t *doc)
{
    lua_pushvalue(bench_L, 2);
    lua_pushvalue(bench_L, 1);
    lua_pushlstring(bench_L, (char *) doc->body.data, doc->body.len);
    lua_call(bench_L, 1, 1);
    lua_call(bench_L, 1, 1);
    lua_settop(bench_L, 2);
}


/* a state with cjson.decode and cjson.encode on its stack, or none */

static void
bench_lua(void)
{
    static const char  load[] =
        "package.cpath = package.cpath .. ';/usr/lib/lua/5.1/?.so'\n"
        "local cjson = require 'cjson'\n"
        "return cjson.decode, cjson.encode";

    bench_L = luaL_newstate();
    if (bench_L == NULL) {
        abort();
    }

    luaL_openlibs(bench_L);

    if (luaL_loadstring(bench_L, load) != 0
        || lua_pcall(bench_L, 0, 2, 0) != 0)
    {
        fprintf(stderr, "codec: no lua-cjson to compare with\n");
        lua_close(bench_L);
        bench_L = NULL;
    }
}


/* measuring */

static void
bench_measure(bench_case_t *kind)
{
    ngx_uint_t    i, k, n, c, times[BENCH_SIZES][BENCH_CONTENDERS];
    bench_doc_t   docs[BENCH_SIZES];
    bench_run_pt  run[BENCH_CONTENDERS];

    for (i = 0; i < BENCH_SIZES; i++) {
        bench_doc(kind, bench_sizes[i], &docs[i]);
    }

    run[BENCH_OURS] = bench_ours;
    run[BENCH_FRESH] = bench_ours;

    if (docs[0].from->format == NGX_GROUP_FORMAT_XML) {
        run[BENCH_FLOOR] = bench_floor_xml;
        run[BENCH_CJSON] = NULL;

    } else {
        run[BENCH_FLOOR] = bench_floor_json;
        run[BENCH_CJSON] = bench_L ? bench_cjson : NULL;
    }

    for (i = 0; i < BENCH_SIZES; i++) {
        for (k = 0; k < BENCH_CONTENDERS; k++) {
            times[i][k] = run[k] ? bench_times(run[k], &docs[i]) : 0;
        }
    }

    /* each round has all of them, and every other one in reverse */

    for (n = 0; n < bench_rounds; n++) {
        for (i = 0; i < BENCH_SIZES; i++) {
            for (k = 0; k < BENCH_CONTENDERS; k++) {

                c = (n & 1) ? BENCH_CONTENDERS - 1 - k : k;

                if (run[c] == NULL) {
                    continue;
                }

                bench_memory(c != BENCH_FRESH);

                /* what was cold, or given back, is warm and taken again */

                run[c](&docs[i]);

                bench_ns[kind - bench_cases][i][c][n] =
                                 bench_sample(run[c], &docs[i], times[i][c]);

                bench_memory(1);
            }
        }
    }

    bench_report(kind, docs);

    for (i = 0; i < BENCH_SIZES; i++) {
        (void) munmap(docs[i].body.data, BENCH_BODY);
    }
}


/* how many runs take long enough to be timed */

static ngx_uint_t
bench_times(bench_run_pt run, bench_doc_t *doc)
{
    ngx_uint_t  times;

    for (times = 1; /* void */ ; times *= 2) {
        if (bench_sample(run, doc, times) * times >= bench_least) {
            return times;
        }
    }
}


static double
bench_sample(bench_run_pt run, bench_doc_t *doc, ngx_uint_t times)
{
    double      start;
    ngx_uint_t  i;

    start = bench_clock();

    for (i = 0; i < times; i++) {
        run(doc);
    }

    return (bench_clock() - start) / times;
}


static void
bench_memory(ngx_uint_t stays)
{
    (void) mallopt(M_TRIM_THRESHOLD, stays ? BENCH_TRIM_LIMIT
                                           : BENCH_FRESH_LIMIT);
    (void) mallopt(M_MMAP_THRESHOLD, stays ? BENCH_MMAP_LIMIT
                                           : BENCH_FRESH_LIMIT);

    if (bench_L) {
        (void) lua_gc(bench_L, LUA_GCCOLLECT, 0);
    }
}


/* of this thread: what others do meanwhile does not count */

static double
bench_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


static double
bench_median(double *v, ngx_uint_t n)
{
    double  sorted[BENCH_ROUNDS];

    memcpy(sorted, v, n * sizeof(double));
    qsort(sorted, n, sizeof(double), bench_compare);

    return (sorted[n / 2] + sorted[(n - 1) / 2]) / 2;
}


static int
bench_compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


/* ratios are medians of the rounds' own, not ratios of medians */

static void
bench_report(bench_case_t *kind, bench_doc_t *docs)
{
    char         cells[BENCH_COLUMNS][32];
    double       ns, ratio, share, (*sample)[BENCH_ROUNDS];
    double       ratios[BENCH_ROUNDS];
    ngx_uint_t   i, k, n, good;
    const char  *verdict;

    for (i = 0; i < BENCH_SIZES; i++) {
        sample = bench_ns[kind - bench_cases][i];

        sprintf(cells[0], "%s", kind->name);
        sprintf(cells[1], "%lu", (unsigned long) docs[i].members);
        sprintf(cells[2], "%lu", (unsigned long) docs[i].body.len);

        n = 3;

        for (k = 0; k < BENCH_CONTENDERS; k++) {
            ns = bench_median(sample[k], bench_rounds);

            sprintf(cells[n++], ns ? "%.0f" : "-", ns / docs[i].members);

            if (k != BENCH_FRESH) {
                sprintf(cells[n++], ns ? "%.0f" : "-",
                        docs[i].body.len * 1e3 / ns);
            }
        }

        for (n = 0; n < bench_rounds; n++) {
            ratios[n] = sample[BENCH_OURS][n] / sample[BENCH_FLOOR][n];
        }

        ratio = bench_median(ratios, bench_rounds);
        verdict = (docs[i].members == BENCH_RATIO_AT)
                  ? bench_verdict(ratio <= BENCH_RATIO) : "";

        sprintf(cells[10], "%.2f%s", ratio, verdict);

        share = (double) docs[i].pool / docs[i].body.len;
        good = (docs[i].pool
                <= BENCH_MEMORY * docs[i].body.len + BENCH_MEMORY_BASE);

        sprintf(cells[11], "%lu", (unsigned long) docs[i].pool);
        sprintf(cells[12], "%.1f%s", share, bench_verdict(good));

        bench_row(BENCH_COLUMNS, cells);
    }
}


static void
bench_growth(void)
{
    char        cells[4][32];
    double      growth, rounds[BENCH_ROUNDS];
    ngx_uint_t  i, k, n;

    static const char  *columns[] = { "1,000 to 10,000", "ours", "fresh",
                                      "floor" };

    printf("\n");
    bench_header(columns, 4);

    for (i = 0; i < BENCH_CASES; i++) {

        sprintf(cells[0], "%s", bench_cases[i].name);

        for (k = BENCH_OURS; k <= BENCH_FLOOR; k++) {

            for (n = 0; n < bench_rounds; n++) {
                rounds[n] = bench_ns[i][4][k][n] / bench_ns[i][3][k][n]
                            / (bench_sizes[4] / bench_sizes[3]);
            }

            growth = bench_median(rounds, bench_rounds);

            sprintf(cells[1 + k], "%.2f%s", growth,
                    k == BENCH_OURS ? bench_verdict(growth <= BENCH_GROWTH)
                                    : "");
        }

        bench_row(4, cells);
    }

    printf("\nns per member of 10,000 by that of 1,000; targets: growth %.1f,"
           "\nours/floor %.1f at %d members, pool %d x body + %d bytes;"
           "\n%s: met, %s: missed; median of %lu rounds\n", BENCH_GROWTH,
           BENCH_RATIO, BENCH_RATIO_AT, BENCH_MEMORY, BENCH_MEMORY_BASE,
           "+", "!", (unsigned long) bench_rounds);
}


static void
bench_header(const char **names, ngx_uint_t n)
{
    char        cells[BENCH_COLUMNS][32];
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        sprintf(cells[i], "%s", names[i]);
    }

    bench_row(n, cells);

    if (bench_markdown) {
        printf("| --- |");

        for (i = 1; i < n; i++) {
            printf(" ---: |");
        }

        printf("\n");
    }
}


static void
bench_row(ngx_uint_t n, char cells[][32])
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (bench_markdown) {
            printf("%s %s |", i ? "" : "|", cells[i]);

        } else if (i == 0) {
            printf("%-15s", cells[i]);

        } else {
            printf(" %10s", cells[i]);
        }
    }

    printf("\n");
    fflush(stdout);
}


static const char *
bench_verdict(ngx_uint_t good)
{
    if (!good) {
        bench_missed++;
    }

    return good ? " +" : " !";
}
