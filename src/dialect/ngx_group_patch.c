
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_json.h"
#include "ngx_group_patch.h"
#include "ngx_group_text.h"


/* of what a client sent, so much is shown in a sentence about it */
#define NGX_GROUP_PATCH_SHOWN     100

/* a sentence of ours with one such text in it, and a number */
#define NGX_GROUP_PATCH_SENTENCE  (NGX_GROUP_PATCH_SHOWN + 160)


typedef enum {
    NGX_GROUP_PATCH_ADD = 0,
    NGX_GROUP_PATCH_REMOVE,
    NGX_GROUP_PATCH_REPLACE,
    NGX_GROUP_PATCH_CLEAR,
    NGX_GROUP_PATCH_NONE
} ngx_group_patch_op_e;


typedef struct {
    ngx_group_translation_t  *t;
    ngx_array_t              *names;
    ngx_uint_t                n;          /* the operation, from 1 */
    ngx_group_patch_op_e      op;
    ngx_group_value_t        *set;
    ngx_group_value_t        *unset;
    ngx_group_value_t        *members;
} ngx_group_patch_t;


/* a member, or what is asked about one; after settling, one for each id */

typedef struct {
    ngx_str_t                 id;
    ngx_group_value_t        *member;
    ngx_uint_t                order;
    ngx_group_patch_op_e      op;         /* NONE: a current member */
    unsigned                  current:1;
    unsigned                  wanted:1;
} ngx_group_patch_entry_t;


typedef struct {
    ngx_group_patch_entry_t  *entries;    /* in order */
    ngx_uint_t                n;
    ngx_uint_t                asked;      /* operations about members */
} ngx_group_patch_settled_t;


static ngx_int_t ngx_group_patch_begin(ngx_group_patch_t *p,
    ngx_group_value_t **change);
static ngx_int_t ngx_group_patch_body(ngx_group_patch_t *p,
    ngx_group_value_t *body);
static ngx_int_t ngx_group_patch_schemas(ngx_group_patch_t *p,
    ngx_group_value_t *schemas);
static ngx_int_t ngx_group_patch_operation(ngx_group_patch_t *p,
    ngx_group_value_t *operation);
static ngx_int_t ngx_group_patch_target(ngx_group_patch_t *p, ngx_str_t *path,
    ngx_group_value_t *value);
static ngx_int_t ngx_group_patch_object(ngx_group_patch_t *p,
    ngx_group_value_t *value);
static ngx_uint_t ngx_group_patch_fixed(ngx_str_t *name);
static ngx_keyval_t *ngx_group_patch_name(ngx_group_patch_t *p,
    ngx_str_t *name);
static ngx_int_t ngx_group_patch_scalar(ngx_group_patch_t *p,
    ngx_keyval_t *name, ngx_group_value_t *value);
static ngx_int_t ngx_group_patch_check(ngx_group_patch_t *p,
    ngx_keyval_t *name, ngx_group_value_t *value, ngx_group_value_t **out);
static ngx_group_value_t *ngx_group_patch_single(ngx_group_value_t *value);
static ngx_int_t ngx_group_patch_list(ngx_group_patch_t *p,
    ngx_group_value_t *value);
static ngx_int_t ngx_group_patch_item(ngx_group_patch_t *p,
    ngx_group_value_t *value);
static ngx_int_t ngx_group_patch_select(ngx_group_patch_t *p, ngx_str_t *path,
    u_char *pos);
static ngx_int_t ngx_group_patch_quoted(ngx_group_patch_t *p, u_char **pos,
    u_char *last, ngx_str_t *text);
static ngx_int_t ngx_group_patch_part(ngx_group_patch_t *p, ngx_str_t *path,
    ngx_str_t *name);
static ngx_int_t ngx_group_patch_push(ngx_group_patch_t *p,
    ngx_group_patch_op_e op, ngx_str_t *id, ngx_str_t *name);
static void ngx_group_patch_strip(ngx_str_t *path);
static u_char *ngx_group_patch_space(u_char *pos, u_char *last);
static void ngx_group_patch_word(u_char **pos, u_char *last, ngx_str_t *word);
static ngx_group_value_t *ngx_group_patch_find(ngx_group_value_t *object,
    char *name);
static ngx_group_value_t *ngx_group_patch_get(ngx_group_value_t *object,
    char *name, ngx_group_type_e type);
static ngx_int_t ngx_group_patch_text(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_str_t *text);
static ngx_int_t ngx_group_patch_error(ngx_group_patch_t *p, char *code,
    char *sentence, ngx_str_t *shown);
static ngx_group_patch_op_e ngx_group_patch_asked(ngx_group_value_t *item,
    ngx_group_value_t **member, ngx_str_t *id);
static ngx_int_t ngx_group_patch_settle(ngx_pool_t *pool,
    ngx_group_value_t *change, ngx_group_value_t *members,
    ngx_group_patch_settled_t *settled);
static ngx_uint_t ngx_group_patch_merge(ngx_group_patch_entry_t *entry,
    ngx_uint_t n, ngx_uint_t clear);
static ngx_group_value_t *ngx_group_patch_copy(ngx_pool_t *pool,
    ngx_group_value_t *member);
static int ngx_libc_cdecl ngx_group_patch_by_id(const void *one,
    const void *two);
static int ngx_libc_cdecl ngx_group_patch_by_order(const void *one,
    const void *two);


static ngx_str_t  ngx_group_patch_schema =
    ngx_string("urn:ietf:params:scim:api:messages:2.0:PatchOp");

static ngx_str_t  ngx_group_patch_prefix =
    ngx_string("urn:ietf:params:scim:schemas:core:2.0:Group:");


/* in the order of ngx_group_patch_op_e */

static ngx_str_t  ngx_group_patch_ops[] = {
    ngx_string("add"),
    ngx_string("remove"),
    ngx_string("replace"),
    ngx_string("clear"),
    ngx_null_string
};


ngx_int_t
ngx_group_patch_decode(ngx_group_translation_t *t, ngx_array_t *names,
    ngx_group_value_t *body, ngx_group_value_t **change)
{
    ngx_int_t          rc;
    ngx_group_patch_t  patch;

    ngx_memzero(&patch, sizeof(ngx_group_patch_t));

    patch.t = t;
    patch.names = names;

    if (ngx_group_patch_begin(&patch, change) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_group_patch_body(&patch, body);

    if (rc == NGX_DECLINED) {
        *change = NULL;
        return NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_group_patch_begin(ngx_group_patch_t *p, ngx_group_value_t **change)
{
    ngx_pool_t  *pool;

    pool = p->t->pool;

    *change = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    p->set = ngx_group_value_create(pool, NGX_GROUP_OBJECT);
    p->unset = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    p->members = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

    if (*change == NULL || p->set == NULL || p->unset == NULL
        || p->members == NULL)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&p->set->key, "set");
    ngx_str_set(&p->unset->key, "unset");
    ngx_str_set(&p->members->key, "members");

    ngx_group_value_push(*change, p->set);
    ngx_group_value_push(*change, p->unset);
    ngx_group_value_push(*change, p->members);

    return NGX_OK;
}


/* from here on NGX_DECLINED says that t->error was set */

static ngx_int_t
ngx_group_patch_body(ngx_group_patch_t *p, ngx_group_value_t *body)
{
    ngx_int_t           rc;
    ngx_group_value_t  *operations, *v;

    if (body == NULL || body->type != NGX_GROUP_OBJECT) {
        return ngx_group_patch_error(p, "invalidSyntax",
                                     "the body must be an object", NULL);
    }

    rc = ngx_group_patch_schemas(p, ngx_group_patch_find(body, "schemas"));
    if (rc != NGX_OK) {
        return rc;
    }

    operations = ngx_group_patch_find(body, "Operations");

    if (operations == NULL || operations->type != NGX_GROUP_ARRAY
        || operations->n == 0)
    {
        return ngx_group_patch_error(p, "invalidSyntax",
                       "\"Operations\" must be an array of operations", NULL);
    }

    if (operations->n > NGX_GROUP_PATCH_OPERATIONS) {
        return ngx_group_patch_error(p, "tooMany",
                       "there are too many operations", NULL);
    }

    for (v = operations->u.items.first; v; v = v->next) {
        p->n++;

        rc = ngx_group_patch_operation(p, v);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_group_patch_schemas(ngx_group_patch_t *p, ngx_group_value_t *schemas)
{
    ngx_group_value_t  *v;

    if (schemas == NULL) {
        return NGX_OK;
    }

    if (schemas->type == NGX_GROUP_ARRAY) {

        for (v = schemas->u.items.first; v; v = v->next) {
            if (v->type == NGX_GROUP_STRING
                && ngx_group_str_case_eq(&v->u.text, &ngx_group_patch_schema))
            {
                return NGX_OK;
            }
        }
    }

    return ngx_group_patch_error(p, "invalidSyntax",
                                 "\"schemas\" must have \"%*s\"",
                                 &ngx_group_patch_schema);
}


static ngx_int_t
ngx_group_patch_operation(ngx_group_patch_t *p, ngx_group_value_t *operation)
{
    ngx_str_t           path;
    ngx_group_value_t  *op, *v, *value;

    if (operation->type != NGX_GROUP_OBJECT) {
        return ngx_group_patch_error(p, "invalidSyntax", "must be an object",
                                     NULL);
    }

    op = ngx_group_patch_find(operation, "op");

    if (op == NULL || op->type != NGX_GROUP_STRING) {
        return ngx_group_patch_error(p, "invalidSyntax",
                       "\"op\" must be \"add\", \"remove\" or \"replace\"",
                       NULL);
    }

    for (p->op = NGX_GROUP_PATCH_ADD; p->op < NGX_GROUP_PATCH_CLEAR; p->op++) {
        if (ngx_group_str_case_eq(&op->u.text, &ngx_group_patch_ops[p->op])) {
            break;
        }
    }

    if (p->op == NGX_GROUP_PATCH_CLEAR) {
        return ngx_group_patch_error(p, "invalidSyntax",
                       "\"op\" is \"%*s\", and must be \"add\", \"remove\" "
                       "or \"replace\"", &op->u.text);
    }

    value = ngx_group_patch_find(operation, "value");
    v = ngx_group_patch_find(operation, "path");

    ngx_str_null(&path);

    if (v && v->type == NGX_GROUP_STRING) {
        path = v->u.text;
        ngx_group_patch_strip(&path);

    } else if (v && v->type != NGX_GROUP_NULL) {
        return ngx_group_patch_error(p, "invalidPath",
                                     "\"path\" must be a string", NULL);
    }

    if (p->op == NGX_GROUP_PATCH_REMOVE) {

        if (path.len == 0) {
            return ngx_group_patch_error(p, "noTarget",
                                         "to remove needs a \"path\"", NULL);
        }

        return ngx_group_patch_target(p, &path, value);
    }

    if (value == NULL) {
        return ngx_group_patch_error(p, "invalidValue",
                       "to add or to replace needs a \"value\"", NULL);
    }

    return path.len ? ngx_group_patch_target(p, &path, value)
                    : ngx_group_patch_object(p, value);
}


/* attribute, attribute.part, attribute[filter] or attribute[filter].part */

static ngx_int_t
ngx_group_patch_target(ngx_group_patch_t *p, ngx_str_t *path,
    ngx_group_value_t *value)
{
    u_char        *pos, *last;
    ngx_str_t      name, part;
    ngx_keyval_t  *kv;

    pos = path->data;
    last = pos + path->len;

    while (pos < last && *pos != '.' && *pos != '[') {
        pos++;
    }

    name.data = path->data;
    name.len = pos - name.data;

    if (ngx_group_str_case_is(&name, "members")) {

        if (pos == last) {
            return ngx_group_patch_list(p, value);
        }

        if (*pos == '[') {
            return ngx_group_patch_select(p, path, pos + 1);
        }

        part.data = pos + 1;
        part.len = last - part.data;

        return ngx_group_patch_part(p, path, &part);
    }

    if (ngx_group_patch_fixed(&name)) {
        return ngx_group_patch_error(p, "mutability",
                                     "\"%*s\" cannot be changed", path);
    }

    kv = (pos == last) ? ngx_group_patch_name(p, &name) : NULL;

    if (kv) {
        return ngx_group_patch_scalar(p, kv, value);
    }

    return ngx_group_patch_error(p, "invalidPath",
                                 "\"path\" is \"%*s\", of which nothing is "
                                 "known", path);
}


/* without a path: the attributes that we know are taken, an "id" is not */

static ngx_int_t
ngx_group_patch_object(ngx_group_patch_t *p, ngx_group_value_t *value)
{
    ngx_int_t           rc;
    ngx_str_t           name;
    ngx_keyval_t       *kv;
    ngx_group_value_t  *v;

    if (value->type != NGX_GROUP_OBJECT) {
        return ngx_group_patch_error(p, "invalidValue",
                       "without a \"path\" the \"value\" must be an object",
                       NULL);
    }

    for (v = value->u.items.first; v; v = v->next) {
        name = v->key;
        ngx_group_patch_strip(&name);

        if (ngx_group_str_case_is(&name, "members")) {
            rc = ngx_group_patch_list(p, v);

        } else if (ngx_group_patch_fixed(&name)) {
            continue;

        } else {
            kv = ngx_group_patch_name(p, &name);
            rc = kv ? ngx_group_patch_scalar(p, kv, v) : NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_group_patch_fixed(ngx_str_t *name)
{
    return ngx_group_str_case_is(name, "id")
           || ngx_group_str_case_is(name, "meta")
           || ngx_group_str_case_is(name, "schemas")
           || (name->len > 5
               && ngx_strncasecmp(name->data, (u_char *) "meta.", 5) == 0);
}


static ngx_keyval_t *
ngx_group_patch_name(ngx_group_patch_t *p, ngx_str_t *name)
{
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    kv = p->names ? p->names->elts : NULL;

    for (i = 0; kv && i < p->names->nelts; i++) {
        if (ngx_group_str_case_eq(name, &kv[i].key)) {
            return &kv[i];
        }
    }

    return NULL;
}


/* null is no value; a group without a name is none */

static ngx_int_t
ngx_group_patch_scalar(ngx_group_patch_t *p, ngx_keyval_t *name,
    ngx_group_value_t *value)
{
    ngx_int_t           rc;
    ngx_uint_t          required;
    ngx_group_value_t  *v, *next;

    required = ngx_group_str_is(&name->value, "name");

    if (p->op == NGX_GROUP_PATCH_REMOVE) {

        if (required) {
            return ngx_group_patch_error(p, "mutability",
                           "\"%*s\" is required and cannot be removed",
                           &name->key);
        }

        value = NULL;

    } else {
        value = ngx_group_patch_single(value);

        if (required
            && (value->type == NGX_GROUP_NULL
                || (value->type == NGX_GROUP_STRING && value->u.text.len == 0)))
        {
            return ngx_group_patch_error(p, "invalidValue",
                           "\"%*s\" is required and must not be empty",
                           &name->key);
        }
    }

    if (value && value->type != NGX_GROUP_NULL) {

        rc = ngx_group_patch_check(p, name, value, &v);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_group_value_set(p->set, &name->value, v);

    } else {
        ngx_group_value_unset(p->set, &name->value);
    }

    /* it is in one of the two, and once */

    next = p->unset->u.items.first;

    ngx_memzero(&p->unset->u.items, sizeof(p->unset->u.items));

    while (next) {
        v = next;
        next = v->next;

        if (!ngx_group_str_eq(&v->u.text, &name->value)) {
            ngx_group_value_push(p->unset, v);
        }
    }

    if (value && value->type != NGX_GROUP_NULL) {
        return NGX_OK;
    }

    v = ngx_group_value_string(p->t->pool, &name->value);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_group_value_push(p->unset, v);

    return NGX_OK;
}


/* Microsoft writes booleans as "True" and "False" */

static ngx_int_t
ngx_group_patch_check(ngx_group_patch_t *p, ngx_keyval_t *name,
    ngx_group_value_t *value, ngx_group_value_t **out)
{
    ngx_uint_t              flag;
    ngx_group_canonical_t  *canonical;

    *out = NULL;

    canonical = ngx_group_canonical_find(NGX_GROUP_OF_GROUP, &name->value);

    if (canonical && canonical->type == NGX_GROUP_BOOLEAN
        && value->type == NGX_GROUP_STRING)
    {
        flag = ngx_group_str_case_is(&value->u.text, "true");

        if (flag || ngx_group_str_case_is(&value->u.text, "false")) {
            *out = ngx_group_value_boolean(p->t->pool, flag);
            return *out ? NGX_OK : NGX_ERROR;
        }
    }

    if (value->type == NGX_GROUP_ARRAY || value->type == NGX_GROUP_OBJECT
        || (canonical && canonical->type != value->type))
    {
        return ngx_group_patch_error(p, "invalidValue",
                                     "the value of \"%*s\" is of the wrong "
                                     "type", &name->key);
    }

    *out = ngx_group_value_copy(p->t->pool, value);

    return *out ? NGX_OK : NGX_ERROR;
}


/* a single value in the clothes of a multi-valued attribute: [{value: x}] */

static ngx_group_value_t *
ngx_group_patch_single(ngx_group_value_t *value)
{
    ngx_group_value_t  *v;

    if (value->type != NGX_GROUP_ARRAY || value->n != 1) {
        return value;
    }

    value = value->u.items.first;
    v = ngx_group_patch_find(value, "value");

    return v ? v : value;
}


/*
 * Members: an array, or one alone.  To remove with a value is Microsoft's: only
 * those.  To remove without one is to remove all, as the RFC has it.
 */

static ngx_int_t
ngx_group_patch_list(ngx_group_patch_t *p, ngx_group_value_t *value)
{
    ngx_int_t           rc;
    ngx_uint_t          none;
    ngx_group_value_t  *v;

    none = (value == NULL || value->type == NGX_GROUP_NULL);

    if (p->op == NGX_GROUP_PATCH_REPLACE
        || (p->op == NGX_GROUP_PATCH_REMOVE && none))
    {
        rc = ngx_group_patch_push(p, NGX_GROUP_PATCH_CLEAR, NULL, NULL);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (none) {
        return NGX_OK;
    }

    if (value->type != NGX_GROUP_ARRAY) {
        return ngx_group_patch_item(p, value);
    }

    for (v = value->u.items.first; v; v = v->next) {
        rc = ngx_group_patch_item(p, v);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* {"value": "id", "display": "name"}, or the bare id */

static ngx_int_t
ngx_group_patch_item(ngx_group_patch_t *p, ngx_group_value_t *value)
{
    ngx_group_value_t  *id, *name;

    id = value;
    name = NULL;

    if (value->type == NGX_GROUP_OBJECT) {
        id = ngx_group_patch_find(value, "value");
        name = ngx_group_patch_find(value, "display");
    }

    if (id == NULL || id->type != NGX_GROUP_STRING || id->u.text.len == 0) {
        return ngx_group_patch_error(p, "invalidValue",
                       "each of the members must have an id as \"value\"",
                       NULL);
    }

    if (p->op == NGX_GROUP_PATCH_REMOVE || name == NULL
        || name->type != NGX_GROUP_STRING || name->u.text.len == 0)
    {
        name = NULL;
    }

    return ngx_group_patch_push(p,
                                p->op == NGX_GROUP_PATCH_REMOVE
                                ? NGX_GROUP_PATCH_REMOVE : NGX_GROUP_PATCH_ADD,
                                &id->u.text, name ? &name->u.text : NULL);
}


/*
 * members[value eq "id"], and with "or" between such; there need not be a space
 * before a quote.  "pos" is after the bracket.
 */

static ngx_int_t
ngx_group_patch_select(ngx_group_patch_t *p, ngx_str_t *path, u_char *pos)
{
    u_char     *last;
    ngx_int_t   rc;
    ngx_str_t   word, id;

    if (p->op != NGX_GROUP_PATCH_REMOVE) {
        return ngx_group_patch_error(p, "mutability",
                       "members can be added and removed, but not changed: "
                       "\"%*s\"", path);
    }

    last = path->data + path->len;

    for ( ;; ) {
        ngx_group_patch_word(&pos, last, &word);

        if (!ngx_group_str_case_is(&word, "value")) {
            break;
        }

        ngx_group_patch_word(&pos, last, &word);

        if (!ngx_group_str_case_is(&word, "eq")) {
            break;
        }

        rc = ngx_group_patch_quoted(p, &pos, last, &id);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK || id.len == 0) {
            break;
        }

        rc = ngx_group_patch_push(p, NGX_GROUP_PATCH_REMOVE, &id, NULL);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_group_patch_word(&pos, last, &word);

        if (ngx_group_str_case_is(&word, "or")) {
            continue;
        }

        if (word.len || pos == last || *pos != ']') {
            break;
        }

        if (++pos == last) {
            return NGX_OK;
        }

        if (*pos != '.') {
            return ngx_group_patch_error(p, "invalidPath",
                           "\"path\" is \"%*s\", which has something after "
                           "the filter", path);
        }

        word.data = pos + 1;
        word.len = last - word.data;

        return ngx_group_patch_part(p, path, &word);
    }

    return ngx_group_patch_error(p, "invalidFilter",
                   "\"path\" is \"%*s\", and the filter must be like "
                   "members[value eq \"id\"]", path);
}


/* a JSON string.  NGX_DECLINED (no error is set): it is none */

static ngx_int_t
ngx_group_patch_quoted(ngx_group_patch_t *p, u_char **pos, u_char *last,
    ngx_str_t *text)
{
    u_char              *start, *end;
    ngx_int_t            rc;
    ngx_str_t            error;
    ngx_uint_t           escaped;
    ngx_group_value_t   *value;
    ngx_group_limits_t   limits;

    start = ngx_group_patch_space(*pos, last);

    if (start == last || *start != '"') {
        return NGX_DECLINED;
    }

    escaped = 0;

    for (end = start + 1; end < last && *end != '"'; end++) {
        if (*end == '\\') {
            escaped = 1;
            end++;
        }
    }

    if (end >= last) {
        return NGX_DECLINED;
    }

    *pos = end + 1;

    if (!escaped) {
        text->data = start + 1;
        text->len = end - text->data;

        return NGX_OK;
    }

    text->data = start;
    text->len = *pos - start;

    limits.max_depth = 1;
    limits.max_items = 1;

    rc = ngx_group_json_decode(p->t->pool, &limits, text, &value, &error);

    if (rc == NGX_OK) {
        *text = value->u.text;
    }

    return rc;
}


/* something of a member: there is nothing of it that a client can change */

static ngx_int_t
ngx_group_patch_part(ngx_group_patch_t *p, ngx_str_t *path, ngx_str_t *name)
{
    if (ngx_group_str_case_is(name, "value")
        || ngx_group_str_case_is(name, "$ref")
        || ngx_group_str_case_is(name, "type")
        || ngx_group_str_case_is(name, "display"))
    {
        return ngx_group_patch_error(p, "mutability",
                       "members can be added and removed, but not changed: "
                       "\"%*s\"", path);
    }

    return ngx_group_patch_error(p, "invalidPath",
                                 "\"path\" is \"%*s\", of which nothing is "
                                 "known", path);
}


static ngx_int_t
ngx_group_patch_push(ngx_group_patch_t *p, ngx_group_patch_op_e op,
    ngx_str_t *id, ngx_str_t *name)
{
    ngx_str_t           canonical;
    ngx_pool_t         *pool;
    ngx_group_value_t  *item, *member;

    pool = p->t->pool;

    item = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    if (item == NULL
        || ngx_group_patch_text(pool, item, "op", &ngx_group_patch_ops[op])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_group_value_push(p->members, item);

    if (op == NGX_GROUP_PATCH_CLEAR) {
        return NGX_OK;
    }

    member = ngx_group_value_create(pool, NGX_GROUP_OBJECT);

    if (member == NULL
        || ngx_group_id_decode(pool, p->t->dialect->member_id,
                               p->t->member_id, id, &canonical)
           != NGX_OK
        || ngx_group_patch_text(pool, member, "id", &canonical) != NGX_OK
        || (name && ngx_group_patch_text(pool, member, "name", name)
                    != NGX_OK))
    {
        return NGX_ERROR;
    }

    ngx_str_set(&member->key, "member");
    ngx_group_value_push(item, member);

    return NGX_OK;
}


/* spaces around it, and the URN of the schema that is meant anyway */

static void
ngx_group_patch_strip(ngx_str_t *path)
{
    u_char  *pos, *last;

    last = path->data + path->len;
    pos = ngx_group_patch_space(path->data, last);

    while (last > pos && ngx_group_patch_space(last - 1, last) == last) {
        last--;
    }

    path->data = pos;
    path->len = last - pos;

    if (path->len > ngx_group_patch_prefix.len
        && ngx_strncasecmp(path->data, ngx_group_patch_prefix.data,
                           ngx_group_patch_prefix.len)
           == 0)
    {
        path->data += ngx_group_patch_prefix.len;
        path->len -= ngx_group_patch_prefix.len;
    }
}


static u_char *
ngx_group_patch_space(u_char *pos, u_char *last)
{
    while (pos < last
           && (*pos == ' ' || *pos == '\t' || *pos == CR || *pos == LF))
    {
        pos++;
    }

    return pos;
}


/* letters after spaces; maybe none */

static void
ngx_group_patch_word(u_char **pos, u_char *last, ngx_str_t *word)
{
    u_char  *end;

    word->data = ngx_group_patch_space(*pos, last);

    for (end = word->data; end < last; end++) {
        if (ngx_tolower(*end) < 'a' || ngx_tolower(*end) > 'z') {
            break;
        }
    }

    word->len = end - word->data;
    *pos = end;
}


/* the names of attributes are not case-sensitive */

static ngx_group_value_t *
ngx_group_patch_find(ngx_group_value_t *object, char *name)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    if (object->type != NGX_GROUP_OBJECT) {
        return NULL;
    }

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    for (v = object->u.items.first; v; v = v->next) {
        if (ngx_group_str_case_eq(&v->key, &key)) {
            return v;
        }
    }

    return NULL;
}


/* a part of a canonical tree, when it is of that type */

static ngx_group_value_t *
ngx_group_patch_get(ngx_group_value_t *object, char *name,
    ngx_group_type_e type)
{
    ngx_str_t           key;
    ngx_group_value_t  *v;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    v = ngx_group_value_get(object, &key);

    return (v && v->type == type) ? v : NULL;
}


static ngx_int_t
ngx_group_patch_text(ngx_pool_t *pool, ngx_group_value_t *object, char *name,
    ngx_str_t *text)
{
    ngx_group_value_t  *v;

    v = ngx_group_value_string(pool, text);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->key.data = (u_char *) name;
    v->key.len = ngx_strlen(name);

    ngx_group_value_push(object, v);

    return NGX_OK;
}


/* "%*s" in "sentence" is for "shown"; NGX_DECLINED or NGX_ERROR (no memory) */

static ngx_int_t
ngx_group_patch_error(ngx_group_patch_t *p, char *code, char *sentence,
    ngx_str_t *shown)
{
    u_char     *buf, *end, *last, *text, *stop;
    size_t      n, len;
    ngx_str_t   detail;

    text = NULL;
    len = 0;

    /* not in the middle of a character */

    if (shown) {
        text = shown->data;
        stop = text + shown->len;

        for ( /* void */ ; text + len < stop; len += n) {
            n = ngx_group_utf8_char(text + len, stop);

            if (n == 0 || len + n > NGX_GROUP_PATCH_SHOWN) {
                break;
            }
        }
    }

    buf = ngx_pnalloc(p->t->pool, NGX_GROUP_PATCH_SENTENCE);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    end = buf;
    last = buf + NGX_GROUP_PATCH_SENTENCE;

    if (p->n) {
        end = ngx_slprintf(end, last, "operation %ui: ", p->n);
    }

    detail.data = buf;
    detail.len = ngx_slprintf(end, last, sentence, len, text) - buf;

    ngx_group_error_set(p->t->error, NGX_GROUP_INVALID, code, NULL);

    p->t->error->detail = detail;

    return NGX_DECLINED;
}


ngx_int_t
ngx_group_patch_apply(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *group)
{
    ngx_str_t                   key;
    ngx_uint_t                  i;
    ngx_group_value_t          *from, *v, *copy, *members, *current;
    ngx_group_patch_entry_t    *entry;
    ngx_group_patch_settled_t   settled;

    from = ngx_group_patch_get(change, "set", NGX_GROUP_OBJECT);

    for (v = from ? from->u.items.first : NULL; v; v = v->next) {

        copy = ngx_group_value_copy(pool, v);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(group, &v->key, copy);
    }

    from = ngx_group_patch_get(change, "unset", NGX_GROUP_ARRAY);

    for (v = from ? from->u.items.first : NULL; v; v = v->next) {
        if (v->type == NGX_GROUP_STRING) {
            ngx_group_value_unset(group, &v->u.text);
        }
    }

    current = ngx_group_patch_get(group, "members", NGX_GROUP_ARRAY);

    if (ngx_group_patch_settle(pool, change, current, &settled) != NGX_OK) {
        return NGX_ERROR;
    }

    if (settled.asked == 0) {
        return NGX_OK;
    }

    members = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    if (members == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < settled.n; i++) {
        entry = &settled.entries[i];

        if (!entry->wanted) {
            continue;
        }

        v = entry->member;

        if (!entry->current) {
            v = ngx_group_patch_copy(pool, v);
            if (v == NULL) {
                return NGX_ERROR;
            }
        }

        ngx_group_value_push(members, v);
    }

    ngx_str_set(&key, "members");
    ngx_group_value_set(group, &key, members);

    /* a number that was right before */

    ngx_str_set(&key, "member_count");

    if (current == NULL) {
        ngx_group_value_unset(group, &key);

    } else if (ngx_group_value_get(group, &key)) {

        v = ngx_group_value_integer(pool, members->n);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_set(group, &key, v);
    }

    return NGX_OK;
}


ngx_int_t
ngx_group_patch_members(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *members, ngx_group_value_t **add,
    ngx_group_value_t **remove)
{
    ngx_uint_t                  i;
    ngx_group_value_t          *v;
    ngx_group_patch_entry_t    *entry;
    ngx_group_patch_settled_t   settled;

    if (members && members->type != NGX_GROUP_ARRAY) {
        members = NULL;
    }

    *add = ngx_group_value_create(pool, NGX_GROUP_ARRAY);
    *remove = ngx_group_value_create(pool, NGX_GROUP_ARRAY);

    if (*add == NULL || *remove == NULL
        || ngx_group_patch_settle(pool, change, members, &settled) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < settled.n; i++) {
        entry = &settled.entries[i];

        /* where nothing is known, who is not wanted may be there */

        if (entry->id.len == 0
            || (entry->wanted ? entry->current : members && !entry->current))
        {
            continue;
        }

        v = ngx_group_patch_copy(pool, entry->member);
        if (v == NULL) {
            return NGX_ERROR;
        }

        ngx_group_value_push(entry->wanted ? *add : *remove, v);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_group_patch_needs_members(ngx_group_value_t *change)
{
    ngx_str_t           id;
    ngx_group_value_t  *asked, *v, *member;

    asked = ngx_group_patch_get(change, "members", NGX_GROUP_ARRAY);

    for (v = asked ? asked->u.items.first : NULL; v; v = v->next) {
        if (ngx_group_patch_asked(v, &member, &id) == NGX_GROUP_PATCH_CLEAR) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_group_patch_sets(ngx_group_value_t *change)
{
    ngx_group_value_t  *set, *unset;

    set = ngx_group_patch_get(change, "set", NGX_GROUP_OBJECT);
    unset = ngx_group_patch_get(change, "unset", NGX_GROUP_ARRAY);

    return (set && set->n) || (unset && unset->n);
}


/* NGX_GROUP_PATCH_NONE: nothing that is understood */

static ngx_group_patch_op_e
ngx_group_patch_asked(ngx_group_value_t *item, ngx_group_value_t **member,
    ngx_str_t *id)
{
    ngx_group_value_t  *op, *v;

    op = ngx_group_patch_get(item, "op", NGX_GROUP_STRING);

    if (op == NULL) {
        return NGX_GROUP_PATCH_NONE;
    }

    if (ngx_group_str_is(&op->u.text, "clear")) {
        return NGX_GROUP_PATCH_CLEAR;
    }

    *member = ngx_group_patch_get(item, "member", NGX_GROUP_OBJECT);
    v = ngx_group_patch_get(*member, "id", NGX_GROUP_STRING);

    if (v == NULL || v->u.text.len == 0) {
        return NGX_GROUP_PATCH_NONE;
    }

    *id = v->u.text;

    if (ngx_group_str_is(&op->u.text, "add")) {
        return NGX_GROUP_PATCH_ADD;
    }

    return ngx_group_str_is(&op->u.text, "remove") ? NGX_GROUP_PATCH_REMOVE
                                                   : NGX_GROUP_PATCH_NONE;
}


/*
 * What there is and what is asked, brought together: sorted by id, so that
 * thousands of members are no matter, and then as they are to stand.
 */

static ngx_int_t
ngx_group_patch_settle(ngx_pool_t *pool, ngx_group_value_t *change,
    ngx_group_value_t *members, ngx_group_patch_settled_t *settled)
{
    ngx_str_t                 id;
    ngx_uint_t                n, clear;
    ngx_group_value_t        *asked, *v, *member;
    ngx_group_patch_op_e      op;
    ngx_group_patch_entry_t  *entry;

    ngx_memzero(settled, sizeof(ngx_group_patch_settled_t));

    asked = ngx_group_patch_get(change, "members", NGX_GROUP_ARRAY);

    n = (members ? members->n : 0) + (asked ? asked->n : 0);

    if (n == 0) {
        return NGX_OK;
    }

    entry = ngx_pcalloc(pool, n * sizeof(ngx_group_patch_entry_t));
    if (entry == NULL) {
        return NGX_ERROR;
    }

    settled->entries = entry;
    n = 0;

    for (v = members ? members->u.items.first : NULL; v; v = v->next, n++) {
        member = ngx_group_patch_get(v, "id", NGX_GROUP_STRING);

        if (member) {
            entry[n].id = member->u.text;
        }

        entry[n].member = v;
        entry[n].order = n;
        entry[n].op = NGX_GROUP_PATCH_NONE;
        entry[n].current = 1;
    }

    settled->n = n;
    clear = 0;

    for (v = asked ? asked->u.items.first : NULL; v; v = v->next) {

        op = ngx_group_patch_asked(v, &member, &id);

        if (op == NGX_GROUP_PATCH_NONE) {
            continue;
        }

        settled->asked++;

        if (op == NGX_GROUP_PATCH_CLEAR) {
            n = settled->n;
            clear = 1;
            continue;
        }

        entry[n].id = id;
        entry[n].member = member;
        entry[n].order = n;
        entry[n].op = op;
        entry[n].current = 0;
        n++;
    }

    ngx_qsort(entry, n, sizeof(ngx_group_patch_entry_t),
              ngx_group_patch_by_id);

    settled->n = ngx_group_patch_merge(entry, n, clear);

    ngx_qsort(entry, settled->n, sizeof(ngx_group_patch_entry_t),
              ngx_group_patch_by_order);

    return NGX_OK;
}


/* one entry of all those of an id; who is there already stays as he is */

static ngx_uint_t
ngx_group_patch_merge(ngx_group_patch_entry_t *entry, ngx_uint_t n,
    ngx_uint_t clear)
{
    ngx_uint_t               i, k;
    ngx_group_patch_entry_t  one;

    for (i = 0, k = 0; i < n; k++) {
        one = entry[i];
        one.wanted = (one.current && !clear);

        do {
            switch (entry[i].op) {

            case NGX_GROUP_PATCH_ADD:

                if (!one.wanted) {
                    one.wanted = 1;

                    if (!one.current) {
                        one.member = entry[i].member;
                    }

                    if (!one.current || clear) {
                        one.order = entry[i].order;
                    }
                }

                break;

            case NGX_GROUP_PATCH_REMOVE:
                one.wanted = 0;
                break;

            default:
                break;
            }

            i++;

        } while (i < n && one.id.len
                 && ngx_group_str_eq(&one.id, &entry[i].id));

        entry[k] = one;
    }

    return k;
}


/* a member of a change has a key there, which it has not in a list */

static ngx_group_value_t *
ngx_group_patch_copy(ngx_pool_t *pool, ngx_group_value_t *member)
{
    ngx_group_value_t  *copy;

    copy = ngx_group_value_copy(pool, member);

    if (copy) {
        ngx_str_null(&copy->key);
    }

    return copy;
}


static int ngx_libc_cdecl
ngx_group_patch_by_id(const void *one, const void *two)
{
    int                             rc;
    size_t                          n;
    const ngx_group_patch_entry_t  *a, *b;

    a = one;
    b = two;

    n = ngx_min(a->id.len, b->id.len);
    rc = n ? ngx_memcmp(a->id.data, b->id.data, n) : 0;

    if (rc) {
        return rc;
    }

    if (a->id.len != b->id.len) {
        return (a->id.len < b->id.len) ? -1 : 1;
    }

    return ngx_group_patch_by_order(one, two);
}


static int ngx_libc_cdecl
ngx_group_patch_by_order(const void *one, const void *two)
{
    const ngx_group_patch_entry_t  *a, *b;

    a = one;
    b = two;

    return (a->order > b->order) - (a->order < b->order);
}
