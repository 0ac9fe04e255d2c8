
/*
 * The dialect's format: a tree to bytes, and back.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_dialect.h"
#include "ngx_group_json.h"
#include "ngx_group_xml.h"


ngx_int_t
ngx_group_write(ngx_pool_t *pool, ngx_group_format_e format,
    ngx_group_value_t *value, ngx_str_t *out)
{
    switch (format) {

    case NGX_GROUP_FORMAT_JSON:
        return ngx_group_json_encode(pool, value, out);

    case NGX_GROUP_FORMAT_XML:
        return ngx_group_xml_encode(pool, value, out);

    default:
        *out = value->u.text;
        return NGX_OK;
    }
}


ngx_int_t
ngx_group_read(ngx_pool_t *pool, ngx_group_format_e format,
    ngx_group_limits_t *limits, ngx_str_t *in, ngx_group_value_t **value,
    ngx_str_t *error)
{
    ngx_group_limits_t  element;

    if (format == NGX_GROUP_FORMAT_XML) {

        /* members stand beside the other fields of their group */

        element = *limits;
        element.max_items += NGX_GROUP_MAX_KEYS;

        return ngx_group_xml_decode(pool, &element, in, value, error);
    }

    return ngx_group_json_decode(pool, limits, in, value, error);
}


ngx_int_t
ngx_group_media_type(ngx_group_dialect_t *dialect, ngx_str_t *content_type)
{
    size_t       len;
    ngx_str_t   *type;
    ngx_uint_t   i;

    for (len = 0; len < content_type->len; len++) {
        if (content_type->data[len] == ';' || content_type->data[len] == ' '
            || content_type->data[len] == '\t')
        {
            break;
        }
    }

    type = dialect->accept.elts;

    for (i = 0; i < dialect->accept.nelts; i++) {
        if (type[i].len == len
            && ngx_strncasecmp(type[i].data, content_type->data, len) == 0)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
