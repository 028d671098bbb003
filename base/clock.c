/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define MS_PER_SECOND ((int64_t)1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR   (60 * MS_PER_MINUTE)
#define MS_PER_DAY    (24 * MS_PER_HOUR)

/* Days from 1970-01-01 of a civil date, and back: Howard Hinnant, 'chrono-compatible low-level date
 * algorithms'.  gmtime() would bring locale and time zone state into pure code. */
int64_t clock_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

void clock_date(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

char *clock_format(int64_t wall_ms, char buffer[CLOCK_TEXT_SIZE])
{
    const int64_t year_10000_ms = INT64_C(253402300800000);
    int64_t ms = wall_ms < 0 ? 0 : wall_ms;
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t rest;

    ms = ms < year_10000_ms ? ms : year_10000_ms - 1;
    clock_date(ms / MS_PER_DAY, &year, &month, &day);
    rest = ms % MS_PER_DAY;
    (void)snprintf(buffer, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)(year % 10000),
                   (int)(month % 100), (int)(day % 100), (int)(rest / MS_PER_HOUR),
                   (int)(rest % MS_PER_HOUR / MS_PER_MINUTE),
                   (int)(rest % MS_PER_MINUTE / MS_PER_SECOND));
    return buffer;
}

/* Reads exactly 'digits' digits at '*s' and steps over them. */
static bool take_number(const char **s, int digits, int64_t *value)
{
    int64_t sum = 0;

    for (int i = 0; i < digits; i++) {
        if (**s < '0' || **s > '9') {
            return false;
        }
        sum = sum * 10 + (**s - '0');
        (*s)++;
    }
    *value = sum;
    return true;
}

static bool take_char(const char **s, char c)
{
    if (**s != c) {
        return false;
    }
    (*s)++;
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    return month == 12 ? 31 : clock_days(year, month + 1, 1) - clock_days(year, month, 1);
}

static bool take_fraction(const char **s, int64_t *ms)
{
    int64_t scale = 100;

    *ms = 0;
    if (!take_char(s, '.')) {
        return true;
    }
    if (**s < '0' || **s > '9') {
        return false;
    }
    for (; **s >= '0' && **s <= '9'; (*s)++) {
        *ms += (**s - '0') * scale;
        scale /= 10;
    }
    return true;
}

bool clock_parse(const char *s, int64_t *wall_ms)
{
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t ms;

    if (!take_number(&s, 4, &year) || !take_char(&s, '-') || !take_number(&s, 2, &month) ||
        !take_char(&s, '-') || !take_number(&s, 2, &day) || !take_char(&s, 'T') ||
        !take_number(&s, 2, &hour) || !take_char(&s, ':') || !take_number(&s, 2, &minute) ||
        !take_char(&s, ':') || !take_number(&s, 2, &second) || !take_fraction(&s, &ms) ||
        !take_char(&s, 'Z') || *s != '\0') {
        return false;
    }
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *wall_ms = clock_days(year, month, day) * MS_PER_DAY + hour * MS_PER_HOUR +
               minute * MS_PER_MINUTE + second * MS_PER_SECOND + ms;
    return true;
}

char *clock_format_duration(int64_t duration_ms, char buffer[CLOCK_TEXT_SIZE])
{
    int64_t ms = duration_ms < 0 ? 0 : duration_ms;

    if (ms < MS_PER_SECOND) {
        (void)snprintf(buffer, CLOCK_TEXT_SIZE, "%" PRId64 " ms", ms);
    } else if (ms < 10 * MS_PER_SECOND) {
        (void)snprintf(buffer, CLOCK_TEXT_SIZE, "%" PRId64 ".%" PRId64 " s", ms / MS_PER_SECOND,
                       ms % MS_PER_SECOND / 100);
    } else if (ms < 2 * MS_PER_MINUTE) {
        (void)snprintf(buffer, CLOCK_TEXT_SIZE, "%" PRId64 " s", ms / MS_PER_SECOND);
    } else if (ms < 2 * MS_PER_HOUR) {
        (void)snprintf(buffer, CLOCK_TEXT_SIZE, "%" PRId64 " min %" PRId64 " s", ms / MS_PER_MINUTE,
                       ms % MS_PER_MINUTE / MS_PER_SECOND);
    } else {
        (void)snprintf(buffer, CLOCK_TEXT_SIZE, "%" PRId64 " h %" PRId64 " min", ms / MS_PER_HOUR,
                       ms % MS_PER_HOUR / MS_PER_MINUTE);
    }
    return buffer;
}
