
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_canonical.h"


static ngx_str_t  ngx_group_operation_names[] = {
    ngx_string("group.create"),
    ngx_string("group.list"),
    ngx_string("group.get"),
    ngx_string("group.replace"),
    ngx_string("group.modify"),
    ngx_string("group.delete"),
    ngx_string("member.add"),
    ngx_string("member.list"),
    ngx_string("member.get"),
    ngx_string("member.remove"),
    ngx_string("vendor.read")     /* NGX_GROUP_VENDOR_READ */
};


#define NGX_GROUP_SCALAR(name, type)                                          \
    { ngx_string(name), type, NGX_GROUP_OF_NOTHING }

#define ngx_group_canonical_end                                               \
    { ngx_null_string, NGX_GROUP_NULL, NGX_GROUP_OF_NOTHING }


static ngx_group_canonical_t  ngx_group_of_group[] = {
    NGX_GROUP_SCALAR("id", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("external_id", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("owner", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("name", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("description", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("email", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("status", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("created_at", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("updated_at", NGX_GROUP_STRING),
    { ngx_string("members"), NGX_GROUP_ARRAY, NGX_GROUP_OF_MEMBER },
    { ngx_string("admins"), NGX_GROUP_ARRAY, NGX_GROUP_OF_MEMBER },
    NGX_GROUP_SCALAR("member_count", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("sticky_sender", NGX_GROUP_BOOLEAN),
    { ngx_string("outbound_caller_ids"), NGX_GROUP_ARRAY,
      NGX_GROUP_OF_CALLER_ID },
    ngx_group_canonical_end
};


static ngx_group_canonical_t  ngx_group_of_member[] = {
    NGX_GROUP_SCALAR("id", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("name", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("number", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("type", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("ref", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("email", NGX_GROUP_STRING),
    { ngx_string("capabilities"), NGX_GROUP_ARRAY, NGX_GROUP_OF_NOTHING },
    ngx_group_canonical_end
};


static ngx_group_canonical_t  ngx_group_of_membership[] = {
    NGX_GROUP_SCALAR("id", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("group_id", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("owner", NGX_GROUP_STRING),
    { ngx_string("member"), NGX_GROUP_OBJECT, NGX_GROUP_OF_MEMBER },
    NGX_GROUP_SCALAR("created_at", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("updated_at", NGX_GROUP_STRING),
    ngx_group_canonical_end
};


static ngx_group_canonical_t  ngx_group_of_caller_id[] = {
    NGX_GROUP_SCALAR("provider_id", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("caller_id", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("display_name", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("description", NGX_GROUP_STRING),
    ngx_group_canonical_end
};


static ngx_group_canonical_t  ngx_group_of_group_list[] = {
    { ngx_string("items"), NGX_GROUP_ARRAY, NGX_GROUP_OF_GROUP },
    NGX_GROUP_SCALAR("total", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("count", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("next", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("cursor", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("offset", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("page", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("limit", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("name_contains", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("all", NGX_GROUP_BOOLEAN),
    NGX_GROUP_SCALAR("link_self", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("link_first", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("link_next", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("link_prev", NGX_GROUP_STRING),
    ngx_group_canonical_end
};


static ngx_group_canonical_t  ngx_group_of_membership_list[] = {
    { ngx_string("items"), NGX_GROUP_ARRAY, NGX_GROUP_OF_MEMBERSHIP },
    NGX_GROUP_SCALAR("total", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("count", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("next", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("cursor", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("offset", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("page", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("limit", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("link_self", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("link_first", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("link_next", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("link_prev", NGX_GROUP_STRING),
    ngx_group_canonical_end
};


static ngx_group_canonical_t  ngx_group_of_query[] = {
    { ngx_string("filter"), NGX_GROUP_OBJECT, NGX_GROUP_OF_NOTHING },
    NGX_GROUP_SCALAR("search", NGX_GROUP_STRING),
    { ngx_string("order"), NGX_GROUP_ARRAY, NGX_GROUP_OF_NOTHING },
    NGX_GROUP_SCALAR("name_contains", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("description_contains", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("offset", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("limit", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("page", NGX_GROUP_NUMBER),
    NGX_GROUP_SCALAR("cursor", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("all", NGX_GROUP_BOOLEAN),
    NGX_GROUP_SCALAR("brief", NGX_GROUP_BOOLEAN),
    NGX_GROUP_SCALAR("only", NGX_GROUP_STRING),
    NGX_GROUP_SCALAR("without", NGX_GROUP_STRING),
    ngx_group_canonical_end
};


/* in the order of ngx_group_of_e */

static ngx_group_canonical_t  *ngx_group_canonical[] = {
    ngx_group_of_group,
    ngx_group_of_member,
    ngx_group_of_membership,
    ngx_group_of_caller_id,
    ngx_group_of_group_list,
    ngx_group_of_membership_list,
    ngx_group_of_query
};


ngx_str_t *
ngx_group_operation_name(ngx_uint_t operation)
{
    return &ngx_group_operation_names[operation];
}


ngx_uint_t
ngx_group_operation_find(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GROUP_OPERATIONS; i++) {
        if (ngx_group_str_eq(name, &ngx_group_operation_names[i])) {
            break;
        }
    }

    return i;
}


ngx_group_of_e
ngx_group_operation_request_of(ngx_uint_t operation)
{
    return (operation >= NGX_GROUP_MEMBER_ADD) ? NGX_GROUP_OF_MEMBERSHIP
                                               : NGX_GROUP_OF_GROUP;
}


ngx_group_of_e
ngx_group_operation_response_of(ngx_uint_t operation)
{
    switch (operation) {

    case NGX_GROUP_GROUP_LIST:
        return NGX_GROUP_OF_GROUP_LIST;

    case NGX_GROUP_MEMBER_LIST:
        return NGX_GROUP_OF_MEMBERSHIP_LIST;

    default:
        return ngx_group_operation_request_of(operation);
    }
}


ngx_str_t *
ngx_group_canonical_name(ngx_uint_t n)
{
    if (n >= sizeof(ngx_group_of_group) / sizeof(ngx_group_of_group[0]) - 1) {
        return NULL;
    }

    return &ngx_group_of_group[n].name;
}


ngx_group_canonical_t *
ngx_group_canonical_find(ngx_group_of_e of, ngx_str_t *name)
{
    ngx_group_canonical_t  *field;

    if (of == NGX_GROUP_OF_NOTHING) {
        return NULL;
    }

    for (field = ngx_group_canonical[of]; field->name.len; field++) {
        if (ngx_group_str_eq(name, &field->name)) {
            return field;
        }
    }

    return NULL;
}
