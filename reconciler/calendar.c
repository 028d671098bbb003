/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/calendar.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "reconciler/zone.h"

#define YEARS          (CALENDAR_YEAR_MAX - CALENDAR_YEAR_MIN + 1)
#define DAYS_A_WEEK    7
#define TOKENS_MAX     4 /* Weekdays, date, time, zone. */
#define SHORTEST_MONTH 28

/* Values from 'first' to 'last' that a part may have; bit 0 of its set is 'base'. */
struct part {
    const char *name;
    unsigned first;
    unsigned last;
    unsigned base;
};

static const struct part year_part = { "year", CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX,
                                       CALENDAR_YEAR_MIN };
static const struct part month_part = { "month", 1, 12, 0 };
static const struct part day_part = { "day", 1, 31, 0 };
static const struct part last_day_part = { "day from the end of the month", 1, SHORTEST_MONTH, 0 };
static const struct part hour_part = { "hour", 0, 23, 0 };
static const struct part minute_part = { "minute", 0, 59, 0 };
static const struct part second_part = { "second", 0, 59, 0 };

static void put(uint64_t *set, unsigned bit)
{
    set[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool has(const uint64_t *set, unsigned bit)
{
    return (set[bit / 64] >> bit % 64 & 1) != 0;
}

static void put_all(uint64_t *set, const struct part *part)
{
    for (unsigned value = part->first; value <= part->last; value++) {
        put(set, value - part->base);
    }
}

/* Takes a number of at most four digits off '*s'. */
static int take_number(const char **s, const struct part *part, unsigned *value, struct err *err)
{
    size_t digits = strspn(*s, "0123456789");

    if (digits == 0 || digits > 4) {
        return err_set(err, ERR_INVALID, "%s: not '*' or a number%s", part->name,
                       **s == '*' ? " ('*' stands alone; a step needs a first value: 0/15)" : "");
    }
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        *value = 10 * *value + (unsigned)(*(*s)++ - '0');
    }
    return 0;
}

static int take_value(const char **s, const struct part *part, unsigned *value, struct err *err)
{
    if (take_number(s, part, value, err) != 0) {
        return -1;
    }
    if (*value < part->first || *value > part->last) {
        return err_set(err, ERR_INVALID, "%s: %u is not from %u to %u", part->name, *value,
                       part->first, part->last);
    }
    return 0;
}

/* Puts first, first + step, ... up to 'last' into 'set'.  Days from the end of a month run towards it:
 * "~07/1" is the last seven days, "~1..3/2" the third last and the last. */
static void put_steps(uint64_t *set, const struct part *part, unsigned first, unsigned last,
                      unsigned step)
{
    bool backwards = part == &last_day_part;

    for (unsigned done = 0; done <= last - first; done += step) {
        put(set, (backwards ? last - done : first + done) - part->base);
    }
}

/* Takes "N", "N..M", "N/STEP" or "N..M/STEP". */
static int take_item(const char **s, const struct part *part, uint64_t *set, struct err *err)
{
    bool backwards = part == &last_day_part;
    unsigned first;
    unsigned last;
    unsigned step = 1;

    if (take_value(s, part, &first, err) != 0) {
        return -1;
    }
    last = first;
    if (strncmp(*s, "..", 2) == 0) {
        *s += 2;
        if (take_value(s, part, &last, err) != 0) {
            return -1;
        }
        if (last <= first) {
            return err_set(err, ERR_INVALID, "%s: %u..%u does not go up", part->name, first, last);
        }
    } else if (**s == '/') {
        last = backwards ? first : part->last;
        first = backwards ? part->first : first;
    }
    if (**s == '/') {
        ++*s;
        if (take_number(s, part, &step, err) != 0) {
            return -1;
        }
        if (step == 0 || step > last - first) {
            return err_set(err, ERR_INVALID, "%s: a step of %u never gets to another value",
                           part->name, step);
        }
    }
    put_steps(set, part, first, last, step);
    return 0;
}

/* Takes '*' or a list of items. */
static int take_part(const char **s, const struct part *part, uint64_t *set, struct err *err)
{
    if (**s == '*' && ((*s)[1] == '\0' || strchr("/.,", (*s)[1]) == NULL)) {
        ++*s;
        put_all(set, part);
        return 0;
    }
    for (;;) {
        if (take_item(s, part, set, err) != 0) {
            return -1;
        }
        if (**s != ',') {
            return 0;
        }
        ++*s;
    }
}

static const char *const weekday_names[DAYS_A_WEEK] = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
};

/* Takes the name of a day, whole or its first three letters, in either case. */
static int take_weekday(const char **s, unsigned *day, struct err *err)
{
    size_t length = strspn(*s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    for (unsigned i = 0; i < DAYS_A_WEEK; i++) {
        if ((length == 3 || length == strlen(weekday_names[i])) &&
            strncasecmp(*s, weekday_names[i], length) == 0) {
            *s += length;
            *day = i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "weekday: not the name of a day, such as Mon or Monday");
}

static int take_weekday_range(const char **s, uint64_t *set, struct err *err)
{
    unsigned first;
    unsigned last;

    if (take_weekday(s, &first, err) != 0) {
        return -1;
    }
    last = first;
    if (strncmp(*s, "..", 2) == 0) {
        *s += 2;
        if (take_weekday(s, &last, err) != 0) {
            return -1;
        }
        if (last < first) {
            return err_set(err, ERR_INVALID, "weekday: a range goes from Mon towards Sun");
        }
    }
    for (unsigned day = first; day <= last; day++) {
        put(set, day);
    }
    return 0;
}

static int parse_end(const char *s, const char *part, struct err *err)
{
    return *s == '\0' ? 0 : err_set(err, ERR_INVALID, "%s: something odd behind it", part);
}

static int parse_weekdays(const char *s, struct calendar *calendar, struct err *err)
{
    for (;;) {
        if (take_weekday_range(&s, &calendar->weekdays, err) != 0) {
            return -1;
        }
        if (*s != ',') {
            return parse_end(s, "weekday", err);
        }
        if (*++s == '\0') { /* As in "Wed, 17:48". */
            return 0;
        }
    }
}

/* Reads "[YEAR-]MONTH-DAY", with '~' before a day that is counted from the end of the month. */
static int parse_date(const char *s, struct calendar *calendar, struct err *err)
{
    bool has_year = strpbrk(strpbrk(s, "-~") + 1, "-~") != NULL;

    if (has_year) {
        if (take_part(&s, &year_part, calendar->years, err) != 0) {
            return -1;
        }
        if (*s++ != '-') {
            return err_set(err, ERR_INVALID, "year: no '-' behind it");
        }
    } else {
        put_all(calendar->years, &year_part);
    }
    if (take_part(&s, &month_part, &calendar->months, err) != 0) {
        return -1;
    }
    if (*s != '-' && *s != '~') {
        return err_set(err, ERR_INVALID, "month: no '-' or '~' behind it");
    }
    calendar->from_end = *s == '~' && s[1] != '*';
    s++;
    return take_part(&s, calendar->from_end ? &last_day_part : &day_part, &calendar->days, err) != 0
               ? -1
               : parse_end(s, "day", err);
}

/* Reads "HOUR:MINUTE[:SECOND]". */
static int parse_time(const char *s, struct calendar *calendar, struct err *err)
{
    if (take_part(&s, &hour_part, &calendar->hours, err) != 0) {
        return -1;
    }
    if (*s++ != ':') {
        return err_set(err, ERR_INVALID, "hour: no ':' behind it");
    }
    if (take_part(&s, &minute_part, &calendar->minutes, err) != 0) {
        return -1;
    }
    if (*s != ':') {
        calendar->seconds = 1;
        return parse_end(s, "minute", err);
    }
    s++;
    return take_part(&s, &second_part, &calendar->seconds, err) != 0 ? -1
                                                                     : parse_end(s, "second", err);
}

static int parse_zone(struct arena *arena, const char *name, struct calendar *calendar,
                      struct err *err)
{
    AUTO(zone) struct zone *zone = zone_open(name);

    if (zone == NULL) {
        return err_set(err, ERR_INVALID,
                       "time zone: not UTC or one that this machine knows, such as Europe/Berlin");
    }
    calendar->zone = arena_strdup(arena, name);
    return 0;
}

static const struct {
    const char *name;
    const char *text;
} shorthands[] = {
    { "minutely", "*-*-* *:*:00" },
    { "hourly", "*-*-* *:00:00" },
    { "daily", "*-*-* 00:00:00" },
    { "weekly", "Mon *-*-* 00:00:00" },
    { "monthly", "*-*-01 00:00:00" },
    { "quarterly", "*-01,04,07,10-01 00:00:00" },
    { "semiannually", "*-01,07-01 00:00:00" },
    { "yearly", "*-01-01 00:00:00" },
    { "annually", "*-01-01 00:00:00" },
};

static const char *find_shorthand(const char *token)
{
    for (size_t i = 0; i < ARRAY_LEN(shorthands); i++) {
        if (strcasecmp(token, shorthands[i].name) == 0) {
            return shorthands[i].text;
        }
    }
    return NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Splits at blanks; the number of tokens, or one more than there may be. */
static size_t split(struct arena *arena, const char *text, const char *tokens[TOKENS_MAX])
{
    static const char blanks[] = " \t";
    size_t count = 0;

    for (const char *s = text + strspn(text, blanks); *s != '\0'; s += strspn(s, blanks)) {
        size_t length = strcspn(s, blanks);

        if (count == TOKENS_MAX) {
            return TOKENS_MAX + 1;
        }
        tokens[count++] = text_copy(arena, s, length);
        s += length;
    }
    return count;
}

/* What is not said: every day, and midnight. */
static void fill(struct calendar *calendar)
{
    if (calendar->weekdays == 0) {
        calendar->weekdays = (UINT64_C(1) << DAYS_A_WEEK) - 1;
    }
    if (calendar->months == 0) {
        put_all(calendar->years, &year_part);
        put_all(&calendar->months, &month_part);
        put_all(&calendar->days, &day_part);
    }
    if (calendar->hours == 0) {
        calendar->hours = calendar->minutes = calendar->seconds = 1;
    }
}

/* Reads what stands before a time zone: weekdays, date and time, each at most once and in this order. */
static int parse_points(const char *const *tokens, size_t count, struct calendar *calendar,
                        struct err *err)
{
    size_t i = 0;

    if (i < count && is_letter(*tokens[i]) && parse_weekdays(tokens[i++], calendar, err) != 0) {
        return -1;
    }
    if (i < count && strchr(tokens[i], ':') == NULL && strpbrk(tokens[i], "-~") != NULL &&
        parse_date(tokens[i++], calendar, err) != 0) {
        return -1;
    }
    if (i < count && strchr(tokens[i], ':') != NULL &&
        parse_time(tokens[i++], calendar, err) != 0) {
        return -1;
    }
    if (i < count) {
        return err_set(err, ERR_INVALID,
                       "part %zu: not a date such as *-12-24, a time such as 22:00 or a time zone, "
                       "in this order",
                       i + 1);
    }
    fill(calendar);
    return 0;
}

int calendar_parse(struct arena *arena, const char *text, struct calendar *calendar,
                   struct err *err)
{
    struct calendar parsed = { 0 };
    const char *tokens[TOKENS_MAX];
    size_t count = split(arena, text, tokens);
    const char *shorthand;

    if (count == 0) {
        return err_set(err, ERR_INVALID, "it is empty");
    }
    if (count > TOKENS_MAX) {
        return err_set(err, ERR_INVALID, "more than weekdays, a date, a time and a time zone");
    }
    if (count > 1 && is_letter(*tokens[count - 1]) &&
        parse_zone(arena, tokens[--count], &parsed, err) != 0) {
        return -1;
    }
    shorthand = count == 1 ? find_shorthand(tokens[0]) : NULL;
    if (shorthand != NULL) {
        count = split(arena, shorthand, tokens);
    }
    if (parse_points(tokens, count, &parsed, err) != 0) {
        return -1;
    }
    *calendar = parsed;
    return 0;
}

static bool is_day(const struct calendar *calendar, int64_t year, int64_t month, int64_t day)
{
    int64_t days = clock_days(year, month, day);
    int64_t next_month = month == 12 ? clock_days(year + 1, 1, 1) : clock_days(year, month + 1, 1);
    unsigned weekday = (unsigned)((days % DAYS_A_WEEK + DAYS_A_WEEK + 3) % DAYS_A_WEEK);

    return days < next_month && has(&calendar->weekdays, weekday) &&
           has(&calendar->days, (unsigned)(calendar->from_end ? next_month - days : day));
}

/* Where the search is. */
struct search {
    const struct calendar *calendar;
    struct zone *zone;
    struct zone_time from; /* Earlier local times are over: their first instant is. */
    int64_t after_ms;
    int64_t next_ms;
};

static int64_t second_of_day(const struct zone_time *time)
{
    return time->hour * 3600 + time->minute * 60 + time->second;
}

/* Looks for a point on a day that matches, from the second 'from' of it on. */
static bool search_day(struct search *search, struct zone_time time, int64_t from)
{
    const struct calendar *calendar = search->calendar;

    for (int64_t second = from; second < INT64_C(86400);) {
        time.hour = second / 3600;
        time.minute = second % 3600 / 60;
        time.second = second % 60;
        if (!has(&calendar->hours, (unsigned)time.hour)) {
            second = (time.hour + 1) * 3600;
        } else if (!has(&calendar->minutes, (unsigned)time.minute)) {
            second += 60 - time.second;
        } else if (has(&calendar->seconds, (unsigned)time.second) &&
                   zone_instant(search->zone, &time, &search->next_ms) &&
                   search->next_ms > search->after_ms) {
            return true;
        } else {
            second++;
        }
    }
    return false;
}

static bool search_month(struct search *search, int64_t year, int64_t month)
{
    bool begun = year == search->from.year && month == search->from.month;

    for (int64_t day = begun ? search->from.day : 1; day <= 31; day++) {
        struct zone_time time = { .year = year, .month = month, .day = day };
        int64_t from = begun && day == search->from.day ? second_of_day(&search->from) : 0;

        if (is_day(search->calendar, year, month, day) && search_day(search, time, from)) {
            return true;
        }
    }
    return false;
}

static bool search_year(struct search *search, int64_t year)
{
    for (int64_t month = year == search->from.year ? search->from.month : 1; month <= 12; month++) {
        if (has(&search->calendar->months, (unsigned)month) && search_month(search, year, month)) {
            return true;
        }
    }
    return false;
}

bool calendar_next(const struct calendar *calendar, int64_t after_ms, int64_t *next_ms)
{
    AUTO(zone) struct zone *zone = zone_open(calendar->zone);
    struct search search = { .calendar = calendar, .zone = zone };

    if (zone == NULL) { /* It was there when the expression was read. */
        return false;
    }
    search.after_ms = after_ms < 0 ? -1 : after_ms;
    search.from = zone_local(zone, search.after_ms < 0 ? 0 : after_ms);
    for (int64_t year = search.from.year; year <= CALENDAR_YEAR_MAX; year++) {
        if (year >= CALENDAR_YEAR_MIN &&
            has(calendar->years, (unsigned)(year - CALENDAR_YEAR_MIN)) &&
            search_year(&search, year)) {
            *next_ms = search.next_ms;
            return true;
        }
    }
    return false;
}

static unsigned count_run(const uint64_t *set, const struct part *part, unsigned value)
{
    unsigned count = 0;

    while (value + count <= part->last && has(set, value + count - part->base)) {
        count++;
    }
    return count;
}

/* Appends "*", or values and runs of values: "1,2,5..9". */
static void print_part(struct text *text, const struct part *part, const uint64_t *set)
{
    const char *comma = "";

    if (part != &last_day_part &&
        count_run(set, part, part->first) == part->last - part->first + 1) {
        text_append(text, "*");
        return;
    }
    for (unsigned value = part->first; value <= part->last; value++) {
        unsigned run = count_run(set, part, value);

        if (run > 2) {
            text_printf(text, "%s%02u..%02u", comma, value, value + run - 1);
            value += run - 1;
        } else if (run > 0) {
            text_printf(text, "%s%02u", comma, value);
        }
        comma = run > 0 ? "," : comma;
    }
}

static void print_weekdays(struct text *text, uint64_t set)
{
    static const struct part part = { "weekday", 0, DAYS_A_WEEK - 1, 0 };
    const char *comma = "";

    if (count_run(&set, &part, 0) == DAYS_A_WEEK) {
        return;
    }
    for (unsigned day = 0; day < DAYS_A_WEEK; day++) {
        unsigned run = count_run(&set, &part, day);

        if (run > 2) {
            text_printf(text, "%s%.3s..%.3s", comma, weekday_names[day],
                        weekday_names[day + run - 1]);
            day += run - 1;
        } else if (run > 0) {
            text_printf(text, "%s%.3s", comma, weekday_names[day]);
        }
        comma = run > 0 ? "," : comma;
    }
    text_append(text, " ");
}

const char *calendar_text(struct arena *arena, const struct calendar *calendar)
{
    struct text text = text_new(arena);

    print_weekdays(&text, calendar->weekdays);
    print_part(&text, &year_part, calendar->years);
    text_append(&text, "-");
    print_part(&text, &month_part, &calendar->months);
    text_append(&text, calendar->from_end ? "~" : "-");
    print_part(&text, calendar->from_end ? &last_day_part : &day_part, &calendar->days);
    text_append(&text, " ");
    print_part(&text, &hour_part, &calendar->hours);
    text_append(&text, ":");
    print_part(&text, &minute_part, &calendar->minutes);
    text_append(&text, ":");
    print_part(&text, &second_part, &calendar->seconds);
    if (calendar->zone != NULL) {
        text_printf(&text, " %s", calendar->zone);
    }
    return text.data;
}
