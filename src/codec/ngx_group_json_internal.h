
/*
 * What reading and writing JSON share; nothing else includes this.
 */


#ifndef _NGX_GROUP_JSON_INTERNAL_H_INCLUDED_
#define _NGX_GROUP_JSON_INTERNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_json.h"
#include "ngx_group_text.h"


/*
 * The first byte from "p" that does not stand for itself in a string: a control
 * character, a quote or a backslash, and one beyond ASCII unless "utf8".
 */

static ngx_inline u_char *
ngx_group_json_plain(u_char *p, u_char *last, ngx_uint_t utf8)
{
    uint64_t  w, marks;

    while (last - p >= (ssize_t) sizeof(uint64_t)) {
        ngx_memcpy(&w, p, sizeof(uint64_t));

        marks = (ngx_group_word_less(w, 0x20) | ngx_group_word_is(w, '"')
                 | ngx_group_word_is(w, '\\'));

        marks = (utf8 ? (marks & ~w) : (marks | w)) & NGX_GROUP_WORD_HIGH;

        if (marks) {
            p = ngx_group_word_first(p, marks);

            if (NGX_GROUP_WORD_EXACT) {
                return p;
            }

            break;
        }

        p += sizeof(uint64_t);
    }

    while (p < last && *p >= 0x20 && *p != '"' && *p != '\\'
           && (utf8 || *p < 0x80))
    {
        p++;
    }

    return p;
}


#endif /* _NGX_GROUP_JSON_INTERNAL_H_INCLUDED_ */
