
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_filter.h"
#include "ngx_group_filter_internal.h"


/* of an attribute's name in a sentence */
#define NGX_GROUP_FILTER_SHOW  64


static ngx_str_t *ngx_group_filter_find(ngx_uint_t syntax, ngx_array_t *names,
    ngx_str_t *word);


/* the operators, in the order of ngx_group_filter_op_e */

ngx_group_filter_word_t  ngx_group_filter_words[] = {
    { ngx_string("and"),      ngx_string("and"), ngx_string("and") },
    { ngx_string("or"),       ngx_string("or"),  ngx_string("or") },
    { ngx_string("not"),      ngx_string("not"), ngx_string("not") },
    { ngx_string("eq"),       ngx_string("eq"),  ngx_string("eq") },
    { ngx_string("ne"),       ngx_string("ne"),  ngx_string("ne") },
    { ngx_string("gt"),       ngx_string("gt"),  ngx_string("gt") },
    { ngx_string("ge"),       ngx_string("ge"),  ngx_string("ge") },
    { ngx_string("lt"),       ngx_string("lt"),  ngx_string("lt") },
    { ngx_string("le"),       ngx_string("le"),  ngx_string("le") },
    { ngx_string("contains"), ngx_string("co"),  ngx_string("contains") },
    { ngx_string("starts"),   ngx_string("sw"),  ngx_string("startswith") },
    { ngx_string("ends"),     ngx_string("ew"),  ngx_string("endswith") },
    { ngx_string("present"),  ngx_string("pr"),  ngx_null_string },
    { ngx_string("member"),   ngx_null_string,   ngx_null_string }
};


ngx_str_t  ngx_group_filter_members = ngx_string("members");


/* an attribute may be written with the schema that it is of */

static ngx_str_t  ngx_group_filter_urn =
    ngx_string("urn:ietf:params:scim:schemas:core:2.0:Group:");

static ngx_str_t  ngx_group_filter_suffix = ngx_string(".value");


/* what SCIM compares exactly, RFC 7643 (7) and (3.1) */

static ngx_str_t  ngx_group_filter_exacts[] = {
    ngx_string("id"),
    ngx_string("external_id"),
    ngx_string("owner"),
    ngx_string("created_at"),
    ngx_string("updated_at"),
    ngx_null_string
};


ngx_uint_t
ngx_group_filter_exact(ngx_uint_t syntax, ngx_str_t *field)
{
    ngx_str_t  *name;

    if (syntax == NGX_GROUP_FILTER_ODATA) {
        return 1;
    }

    for (name = ngx_group_filter_exacts; name->len; name++) {
        if (ngx_group_str_eq(name, field)) {
            return 1;
        }
    }

    return 0;
}


ngx_str_t *
ngx_group_filter_name(ngx_uint_t syntax, ngx_array_t *names, ngx_str_t *word)
{
    ngx_str_t  rest, *urn, *name;

    name = ngx_group_filter_find(syntax, names, word);

    if (name || syntax == NGX_GROUP_FILTER_ODATA) {
        return name;
    }

    rest = *word;
    urn = &ngx_group_filter_urn;

    if (rest.len > urn->len
        && ngx_strncasecmp(rest.data, urn->data, urn->len) == 0)
    {
        rest.data += urn->len;
        rest.len -= urn->len;

        name = ngx_group_filter_find(syntax, names, &rest);

        if (name) {
            return name;
        }
    }

    if (!ngx_group_filter_is_value(&rest)) {
        return NULL;
    }

    rest.len -= ngx_group_filter_suffix.len;

    name = ngx_group_filter_find(syntax, names, &rest);

    if (name && ngx_group_str_eq(name, &ngx_group_filter_members)) {
        return name;
    }

    return NULL;
}


static ngx_str_t *
ngx_group_filter_find(ngx_uint_t syntax, ngx_array_t *names, ngx_str_t *word)
{
    ngx_uint_t     i;
    ngx_keyval_t  *kv;

    if (names == NULL) {
        return NULL;
    }

    kv = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (ngx_group_filter_is(syntax, word, &kv[i].key)) {
            return &kv[i].value;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_group_filter_is(ngx_uint_t syntax, ngx_str_t *word, ngx_str_t *name)
{
    if (syntax == NGX_GROUP_FILTER_ODATA) {
        return ngx_group_str_eq(word, name);
    }

    return ngx_group_str_case_eq(word, name);
}


ngx_uint_t
ngx_group_filter_is_value(ngx_str_t *word)
{
    ngx_str_t  *suffix;

    suffix = &ngx_group_filter_suffix;

    return word->len > suffix->len
           && ngx_strncasecmp(word->data + word->len - suffix->len,
                              suffix->data, suffix->len)
              == 0;
}


ngx_str_t *
ngx_group_filter_spelling(ngx_uint_t syntax, ngx_uint_t op)
{
    ngx_group_filter_word_t  *word;

    word = &ngx_group_filter_words[op];

    return (syntax == NGX_GROUP_FILTER_ODATA) ? &word->odata : &word->scim;
}


size_t
ngx_group_filter_word(u_char *p, u_char *last)
{
    u_char  *start, c;

    for (start = p; p < last; p++) {

        c = (u_char) (*p | 0x20);

        if ((c >= 'a' && c <= 'z') || *p == '_' || *p == '$') {
            continue;
        }

        if (p > start
            && ((*p >= '0' && *p <= '9') || *p == '.' || *p == '-'
                || *p == ':' || *p == '/'))
        {
            continue;
        }

        break;
    }

    return p - start;
}


ngx_int_t
ngx_group_filter_fail(ngx_pool_t *pool, ngx_str_t *why, char *reason,
    ngx_str_t *word, size_t at)
{
    u_char  *p;
    size_t   len, size;

    size = ngx_strlen(reason) + sizeof(" \"\"") - 1 + NGX_GROUP_FILTER_SHOW
           + sizeof(", at byte ") - 1 + NGX_SIZE_T_LEN;

    why->data = ngx_pnalloc(pool, size);
    if (why->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_slprintf(why->data, why->data + size, "%s", reason);

    if (word) {
        len = ngx_min(word->len, NGX_GROUP_FILTER_SHOW);
        p = ngx_slprintf(p, why->data + size, " \"%*s\"", len, word->data);
    }

    p = ngx_slprintf(p, why->data + size, ", at byte %uz", at);

    why->len = p - why->data;

    return NGX_DECLINED;
}
