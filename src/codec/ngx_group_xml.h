
#ifndef _NGX_GROUP_XML_H_INCLUDED_
#define _NGX_GROUP_XML_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_limits.h"
#include "ngx_group_value.h"


/*
 * Bytes to value tree.  The result is an OBJECT with one member, the root
 * element.  An element with child elements is an OBJECT whose members are the
 * children in order, the same key as often as the element stands there; one
 * without is a STRING of its text ("" when empty).  What is one and what is
 * many is for the dialect's fields to say, never for the codec.
 *
 * Refuses what XML 1.0 does not allow, and besides: DOCTYPE, entities but the
 * five predefined and character references, attributes, text beside child
 * elements, encodings that expat does not know itself, depth and number of
 * children over the limits.  Comments and processing instructions are skipped.
 *
 * NGX_OK, NGX_DECLINED with *error set to one sentence without a body excerpt,
 * or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_xml_decode(ngx_pool_t *pool, ngx_group_limits_t *limits,
    ngx_str_t *in, ngx_group_value_t **value, ngx_str_t *error);

/*
 * Value tree to bytes: an XML declaration, then the one member of "value".
 * An ARRAY under a key is that element repeated; NULL is no element; BOOLEAN
 * is "true" or "false".  Characters that XML cannot carry become U+FFFD.
 * Each key must be an XML name: the caller's dialect was checked for it when
 * the configuration was read, a member that is none is left out.  When no
 * element is left at all, "out" is empty.
 *
 * One allocation of the exact size.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_group_xml_encode(ngx_pool_t *pool, ngx_group_value_t *value,
    ngx_str_t *out);


#endif /* _NGX_GROUP_XML_H_INCLUDED_ */
