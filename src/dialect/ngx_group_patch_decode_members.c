
/*
 * What a PatchOp says of members: those to add and to remove, by their ids.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_json.h"
#include "ngx_group_patch_internal.h"


static ngx_int_t ngx_group_patch_item(ngx_group_patch_t *p,
    ngx_group_value_t *value);
static ngx_int_t ngx_group_patch_quoted(ngx_group_patch_t *p, u_char **pos,
    u_char *last, ngx_str_t *text);
static ngx_int_t ngx_group_patch_push(ngx_group_patch_t *p,
    ngx_group_patch_op_e op, ngx_str_t *id, ngx_str_t *name);
static void ngx_group_patch_word(u_char **pos, u_char *last, ngx_str_t *word);
static ngx_int_t ngx_group_patch_text(ngx_pool_t *pool,
    ngx_group_value_t *object, char *name, ngx_str_t *text);


/*
 * Members: an array, or one alone.  To remove with a value is Microsoft's: only
 * those.  To remove without one is to remove all, as the RFC has it.
 */

ngx_int_t
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

ngx_int_t
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

ngx_int_t
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
