
#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_group_auth_internal.h"


static ngx_int_t ngx_group_sigv4_iso(ngx_str_t *text,
    ngx_group_sigv4_date_t *date);


static ngx_str_t  ngx_group_sigv4_amz_date = ngx_string("x-amz-date");
static ngx_str_t  ngx_group_sigv4_http_date = ngx_string("date");


ngx_int_t
ngx_group_sigv4_find_date(ngx_array_t *headers, ngx_group_sigv4_date_t *date)
{
    time_t      time;
    ngx_str_t  *value;

    value = ngx_group_auth_header(headers, &ngx_group_sigv4_amz_date);

    if (value) {
        return ngx_group_sigv4_iso(value, date);
    }

    value = ngx_group_auth_header(headers, &ngx_group_sigv4_http_date);

    if (value == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_group_sigv4_iso(value, date) == NGX_OK) {
        return NGX_OK;
    }

    /* ngx_parse_http_time() does not look at the zone */

    if (value->len < sizeof(" GMT") - 1
        || ngx_memcmp(value->data + value->len - 4, " GMT", 4) != 0)
    {
        return NGX_DECLINED;
    }

    time = ngx_parse_http_time(value->data, value->len);

    if (time == NGX_ERROR) {
        return NGX_DECLINED;
    }

    ngx_group_sigv4_date(time, date);

    return NGX_OK;
}


static ngx_int_t
ngx_group_sigv4_iso(ngx_str_t *text, ngx_group_sigv4_date_t *date)
{
    u_char     *p;
    time_t      time;
    ngx_int_t   hour, min, sec;

    if (text->len != NGX_GROUP_SIGV4_DATE_LEN) {
        return NGX_DECLINED;
    }

    p = text->data;

    if (ngx_group_sigv4_day(p, &time) != NGX_OK) {
        return NGX_DECLINED;
    }

    hour = ngx_atoi(p + 9, 2);
    min = ngx_atoi(p + 11, 2);
    sec = ngx_atoi(p + 13, 2);

    if (p[8] != 'T' || p[15] != 'Z'
        || hour == NGX_ERROR || min == NGX_ERROR || sec == NGX_ERROR
        || hour > 23 || min > 59 || sec > 59)
    {
        return NGX_DECLINED;
    }

    ngx_group_sigv4_date(time + (hour * 60 + min) * 60 + sec, date);

    return NGX_OK;
}


ngx_int_t
ngx_group_sigv4_day(u_char *text, time_t *time)
{
    ngx_int_t               year, month, day;
    ngx_group_sigv4_date_t  date;

    year = ngx_atoi(text, 4);
    month = ngx_atoi(text + 4, 2);
    day = ngx_atoi(text + 6, 2);

    if (year == NGX_ERROR || month == NGX_ERROR || day == NGX_ERROR
        || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
    {
        return NGX_DECLINED;
    }

    /* years begin in March here, so that February 29 is a year's last day */

    if (month < 3) {
        year--;
        month += 12;
    }

    *time = (time_t) (year * 365 + year / 4 - year / 100 + year / 400
                      + (month * 153 - 457) / 5 + day - 719469)
            * NGX_GROUP_SIGV4_DAY;

    /* a day that the month does not have comes back as one of the next */

    ngx_group_sigv4_date(*time, &date);

    if (ngx_memcmp(date.text, text, NGX_GROUP_SIGV4_DAY_LEN) != 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_group_sigv4_date(time_t time, ngx_group_sigv4_date_t *date)
{
    ngx_tm_t  tm;

    ngx_gmtime(time, &tm);

    date->time = time;

    (void) ngx_snprintf(date->text, NGX_GROUP_SIGV4_DATE_LEN,
                        "%04d%02d%02dT%02d%02d%02dZ",
                        tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                        tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}
