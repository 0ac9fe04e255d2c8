
/*
 * Identifiers, between the upstream's form and the client's, with no table:
 * what the client sees can always be taken back to what the upstream said.
 *
 * The client's form is
 *
 *   OPAQUE   the id as it is;
 *   UUID     a lower case UUID as it is; a decimal number of 64 bits, such a
 *            number in base64, or a text of at most 8 bytes in a version 8
 *            UUID (RFC 9562):
 *
 *              6e677267-kkll-80pp-80pp-pppppppppppp
 *
 *            that is a magic, the kind (1 number, 2 base64, 3 text), the length
 *            of a text or 0, and the 64 bits that are left for the number, the
 *            highest first, or the text, filled up with 0;
 *   DECIMAL  the number that an upstream's base64 holds;
 *   BASE64   the base64 of any id.
 *
 * What does not fit, and what is longer than NGX_GROUP_ID_MAX bytes, passes as
 * it is.  When that would be taken for something else on the way back, it is
 * written with "~" in front; so is an id that begins with "~" itself.  Where
 * both forms are the same, and where the client's is OPAQUE, nothing is done.
 *
 * For each id, decode(encode(id)) is id.
 */


#ifndef _NGX_GROUP_ID_H_INCLUDED_
#define _NGX_GROUP_ID_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_GROUP_ID_OPAQUE   0
#define NGX_GROUP_ID_UUID     1
#define NGX_GROUP_ID_DECIMAL  2
#define NGX_GROUP_ID_BASE64   3

/* longer ids are not looked into */
#define NGX_GROUP_ID_MAX      255


/*
 * The upstream's id to what the client sees.  NGX_OK or NGX_ERROR (no memory).
 * "out" may share the bytes of "in".
 */
ngx_int_t ngx_group_id_encode(ngx_pool_t *pool, ngx_uint_t client_form,
    ngx_uint_t upstream_form, ngx_str_t *in, ngx_str_t *out);

/*
 * The way back.  Our own UUIDs are known in upper case too, another UUID keeps
 * its case.  What encode() cannot have made is an id as it is: nothing that a
 * client sends is refused here, and nothing becomes an empty id.  NGX_OK or
 * NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_id_decode(ngx_pool_t *pool, ngx_uint_t client_form,
    ngx_uint_t upstream_form, ngx_str_t *in, ngx_str_t *out);


#endif /* _NGX_GROUP_ID_H_INCLUDED_ */
