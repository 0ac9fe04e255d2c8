
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_entry.h"


#define NGX_GROUP_AUTH_ERROR_LEN  512


static ngx_uint_t ngx_group_auth_entry_known(ngx_str_t *key,
    const char *keys);
static ngx_group_value_t *ngx_group_auth_entry_get(
    ngx_group_auth_entry_t *entry, const char *key);
static const char *ngx_group_auth_entry_wanted(ngx_group_value_t *value,
    ngx_uint_t flags);


ngx_int_t
ngx_group_auth_entry_keys(ngx_group_auth_entry_t *entry, const char *keys)
{
    ngx_group_value_t  *v;

    for (v = entry->object->u.items.first; v; v = v->next) {
        if (!ngx_group_auth_entry_known(&v->key, keys)) {
            return ngx_group_auth_entry_error(entry, NULL,
                                              "unknown key \"%V\", expected "
                                              "one of: %s", &v->key, keys);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_group_auth_entry_known(ngx_str_t *key, const char *keys)
{
    const char  *p, *end;

    for (p = keys; *p; p = *end ? end + 1 : end) {

        for (end = p; *end && *end != ' '; end++) { /* void */ }

        if (key->len == (size_t) (end - p)
            && ngx_memcmp(key->data, p, key->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_group_auth_entry_type(ngx_group_auth_entry_t *entry,
    ngx_group_auth_e *type)
{
    ngx_group_value_t  *v;

    v = ngx_group_auth_entry_get(entry, "type");

    if (v && v->type == NGX_GROUP_STRING) {

        if (ngx_group_str_is(&v->u.text, "basic")) {
            *type = NGX_GROUP_AUTH_BASIC;
            return NGX_OK;
        }

        if (ngx_group_str_is(&v->u.text, "bearer")) {
            *type = NGX_GROUP_AUTH_BEARER;
            return NGX_OK;
        }

        if (ngx_group_str_is(&v->u.text, "sigv4")) {
            *type = NGX_GROUP_AUTH_SIGV4;
            return NGX_OK;
        }
    }

    return ngx_group_auth_entry_error(entry, "type",
                                      "expected \"basic\", \"bearer\" or "
                                      "\"sigv4\"");
}


ngx_int_t
ngx_group_auth_entry_text(ngx_group_auth_entry_t *entry, const char *key,
    ngx_uint_t flags, ngx_str_t *text)
{
    const char         *wanted;
    ngx_group_value_t  *v;

    v = ngx_group_auth_entry_get(entry, key);

    if (v == NULL && (flags & NGX_GROUP_TEXT_OPTIONAL)) {
        return NGX_OK;
    }

    wanted = ngx_group_auth_entry_wanted(v, flags);

    if (wanted) {
        return ngx_group_auth_entry_error(entry, key, "expected %s", wanted);
    }

    *text = v->u.text;

    return NGX_OK;
}


ngx_int_t
ngx_group_auth_entry_digest(ngx_group_auth_entry_t *entry, const char *key,
    u_char digest[NGX_GROUP_SHA256_LEN])
{
    ngx_int_t           n;
    ngx_str_t          *text;
    ngx_uint_t          i;
    ngx_group_value_t  *v;

    v = ngx_group_auth_entry_get(entry, key);

    if (v == NULL || v->type != NGX_GROUP_STRING
        || v->u.text.len != 2 * NGX_GROUP_SHA256_LEN)
    {
        goto failed;
    }

    text = &v->u.text;

    for (i = 0; i < NGX_GROUP_SHA256_LEN; i++) {

        n = ngx_hextoi(text->data + 2 * i, 2);
        if (n == NGX_ERROR) {
            goto failed;
        }

        digest[i] = (u_char) n;
    }

    return NGX_OK;

failed:

    return ngx_group_auth_entry_error(entry, key,
                                      "expected a SHA-256 digest, "
                                      "64 hexadecimal digits");
}


ngx_int_t
ngx_group_auth_entry_names(ngx_group_auth_entry_t *entry, const char *key,
    ngx_array_t **names)
{
    u_char              buf[NGX_GROUP_AUTH_ERROR_LEN];
    ngx_str_t          *name;
    ngx_uint_t          i;
    const char         *wanted;
    ngx_group_value_t  *v;

    *names = NULL;

    v = ngx_group_auth_entry_get(entry, key);

    if (v == NULL) {
        return NGX_OK;
    }

    if (v->type != NGX_GROUP_ARRAY) {
        return ngx_group_auth_entry_error(entry, key,
                                          "expected an array of strings");
    }

    *names = ngx_array_create(entry->pool, v->n ? v->n : 1,
                              sizeof(ngx_str_t));
    if (*names == NULL) {
        return NGX_ERROR;
    }

    for (v = v->u.items.first, i = 0; v; v = v->next, i++) {

        wanted = ngx_group_auth_entry_wanted(v, NGX_GROUP_TEXT_NO_SPACE);

        if (wanted) {
            (void) ngx_snprintf(buf, sizeof(buf), "%s[%ui]%Z", key, i);

            return ngx_group_auth_entry_error(entry, (char *) buf,
                                              "expected %s", wanted);
        }

        name = ngx_array_push(*names);
        if (name == NULL) {
            return NGX_ERROR;
        }

        if (ngx_group_auth_copy(entry->pool, &v->u.text, name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_group_value_t *
ngx_group_auth_entry_get(ngx_group_auth_entry_t *entry, const char *key)
{
    ngx_str_t  name;

    name.data = (u_char *) key;
    name.len = ngx_strlen(key);

    return ngx_group_value_get(entry->object, &name);
}


/* what was expected instead, or NULL when the text is good */

static const char *
ngx_group_auth_entry_wanted(ngx_group_value_t *value, ngx_uint_t flags)
{
    size_t      i;
    ngx_str_t  *text;

    if (value == NULL || value->type != NGX_GROUP_STRING) {
        return "a string";
    }

    text = &value->u.text;

    if (text->len == 0 && !(flags & NGX_GROUP_TEXT_EMPTY)) {
        return "a string that is not empty";
    }

    for (i = 0; i < text->len; i++) {

        if (text->data[i] < 0x20 || text->data[i] == 0x7f) {
            return "a string without control characters";
        }

        if ((flags & NGX_GROUP_TEXT_NO_SPACE) && text->data[i] == ' ') {
            return "a string without spaces";
        }

        if ((flags & NGX_GROUP_TEXT_NO_COLON) && text->data[i] == ':') {
            return "a string without \":\"";
        }

        if ((flags & NGX_GROUP_TEXT_NO_SLASH) && text->data[i] == '/') {
            return "a string without \"/\"";
        }
    }

    return NULL;
}


ngx_int_t
ngx_group_auth_entry_error(ngx_group_auth_entry_t *entry, const char *key,
    const char *fmt, ...)
{
    u_char     buf[NGX_GROUP_AUTH_ERROR_LEN], *p, *last;
    va_list    args;
    ngx_str_t  text;

    last = buf + NGX_GROUP_AUTH_ERROR_LEN;

    p = ngx_slprintf(buf, last, "%V", &entry->where);

    if (key) {
        p = ngx_slprintf(p, last, "%s%s", entry->where.len ? "." : "", key);
    }

    if (p > buf) {
        p = ngx_slprintf(p, last, ": ");
    }

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    text.data = buf;
    text.len = p - buf;

    if (ngx_group_auth_copy(entry->pool, &text, entry->error) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_group_auth_copy(ngx_pool_t *pool, ngx_str_t *from, ngx_str_t *to)
{
    ngx_str_t  copy;

    copy.len = from->len;

    copy.data = ngx_pnalloc(pool, copy.len + 1);
    if (copy.data == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(copy.data, from->data, from->len) = '\0';

    *to = copy;

    return NGX_OK;
}
