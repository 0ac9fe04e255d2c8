
/*
 * Reads the members of one object of a file of credentials.  What is wrong is
 * told with the place, and never with a value.
 */


#ifndef _NGX_GROUP_AUTH_ENTRY_H_INCLUDED_
#define _NGX_GROUP_AUTH_ENTRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth.h"
#include "ngx_group_value.h"


/* what a text may be, and must not be; none may have control characters */
#define NGX_GROUP_TEXT_OPTIONAL  0x01
#define NGX_GROUP_TEXT_EMPTY     0x02
#define NGX_GROUP_TEXT_NO_COLON  0x04
#define NGX_GROUP_TEXT_NO_SLASH  0x08
#define NGX_GROUP_TEXT_NO_SPACE  0x10


typedef struct {
    ngx_pool_t         *pool;
    ngx_str_t          *error;
    ngx_group_value_t  *object;
    ngx_str_t           where;     /* of the object: "credentials[2]", or "" */
} ngx_group_auth_entry_t;


/*
 * Each returns NGX_OK, NGX_DECLINED with *entry->error set, or NGX_ERROR (no
 * memory).  Texts are those of the object, not copies.
 */

/* that there is no other key; "keys" are parted by spaces */
ngx_int_t ngx_group_auth_entry_keys(ngx_group_auth_entry_t *entry,
    const char *keys);

ngx_int_t ngx_group_auth_entry_type(ngx_group_auth_entry_t *entry,
    ngx_group_auth_e *type);

/* *text is left as it is when an optional one is absent */
ngx_int_t ngx_group_auth_entry_text(ngx_group_auth_entry_t *entry,
    const char *key, ngx_uint_t flags, ngx_str_t *text);

ngx_int_t ngx_group_auth_entry_digest(ngx_group_auth_entry_t *entry,
    const char *key, u_char digest[NGX_GROUP_SHA256_LEN]);

/* an optional array of names, copied; *names is NULL when it is absent */
ngx_int_t ngx_group_auth_entry_names(ngx_group_auth_entry_t *entry,
    const char *key, ngx_array_t **names);

/* returns NGX_DECLINED or NGX_ERROR; "key" may be NULL */
ngx_int_t ngx_group_auth_entry_error(ngx_group_auth_entry_t *entry,
    const char *key, const char *fmt, ...);


/* NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_group_auth_copy(ngx_pool_t *pool, ngx_str_t *from,
    ngx_str_t *to);


#endif /* _NGX_GROUP_AUTH_ENTRY_H_INCLUDED_ */
