
/*
 * A PatchOp: its operations, what each is about, and attributes of one value.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_patch_internal.h"
#include "ngx_group_text.h"


/* of what a client sent, so much is shown in a sentence about it */
#define NGX_GROUP_PATCH_SHOWN     100

/* a sentence of ours with one such text in it, and a number */
#define NGX_GROUP_PATCH_SENTENCE  (NGX_GROUP_PATCH_SHOWN + 160)


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
static void ngx_group_patch_strip(ngx_str_t *path);


static ngx_str_t  ngx_group_patch_schema =
    ngx_string("urn:ietf:params:scim:api:messages:2.0:PatchOp");

static ngx_str_t  ngx_group_patch_prefix =
    ngx_string("urn:ietf:params:scim:schemas:core:2.0:Group:");


/* in the order of ngx_group_patch_op_e */

ngx_str_t  ngx_group_patch_ops[] = {
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


u_char *
ngx_group_patch_space(u_char *pos, u_char *last)
{
    while (pos < last
           && (*pos == ' ' || *pos == '\t' || *pos == CR || *pos == LF))
    {
        pos++;
    }

    return pos;
}


/* the names of attributes are not case-sensitive */

ngx_group_value_t *
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


/* "%*s" in "sentence" is for "shown"; NGX_DECLINED or NGX_ERROR (no memory) */

ngx_int_t
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
