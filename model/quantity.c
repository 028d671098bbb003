/* SPDX-License-Identifier: Apache-2.0 */
#include "model/quantity.h"

#include <stddef.h>
#include <string.h>

#define SIZE_MAX_KIB    (UINT64_C(1) << 53)
#define DURATION_MAX_MS (INT64_C(366) * 24 * 60 * 60 * 1000)
#define MIB_SHIFT       10 /* The unit of a bare number. */

/* A fraction of a unit of 2^30 KiB that is a whole number of KiB has at most 30 digits after which
 * only zeros can follow: 2^-30 has exactly 30. */
#define FRACTION_DIGITS 30

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the run of digits at 's'. */
static size_t digits(const char *s)
{
    size_t count = 0;

    while (is_digit(s[count])) {
        count++;
    }
    return count;
}

static bool read_integer(const char *s, size_t count, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum = sum * 10 + (uint64_t)(s[i] - '0');
        if (sum > max) {
            return false;
        }
    }
    *value = sum;
    return count > 0;
}

/* Reads '[KMGT](i?B)?' up to the end of the string as the power of two that turns it into KiB. */
static bool read_unit(const char *s, unsigned *shift)
{
    static const char units[] = "KMGT";
    char unit =
        (char)(*s & ~0x20); /* Upper case; what is no letter is not in 'units' either way. */
    const char *found = unit == '\0' ? NULL : strchr(units, unit);

    if (found == NULL) {
        return false;
    }
    *shift = (unsigned)(found - units) * 10;
    s++;
    if ((*s == 'i' || *s == 'I') && s[1] != '\0') {
        s++;
    }
    if (*s == 'b' || *s == 'B') {
        return s[1] == '\0';
    }
    return *s == '\0';
}

/* Doubles the decimal number *kib.fraction 'shift' times, digit by digit: exact where floating point
 * is not.  False if something is left behind the point, or the result is too large. */
static bool scale(uint64_t *kib, const char *fraction, size_t count, unsigned shift)
{
    unsigned char digit[FRACTION_DIGITS] = { 0 };
    unsigned char left = 0;

    for (size_t i = 0; i < count; i++) {
        digit[i] = (unsigned char)(fraction[i] - '0');
    }
    for (unsigned step = 0; step < shift; step++) {
        unsigned carry = 0;

        for (size_t i = count; i-- > 0;) {
            unsigned doubled = 2U * digit[i] + carry;

            digit[i] = (unsigned char)(doubled % 10);
            carry = doubled / 10;
        }
        *kib = 2 * *kib + carry;
        if (*kib > SIZE_MAX_KIB) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        left |= digit[i];
    }
    return left == 0;
}

bool quantity_parse_size(const char *s, uint64_t *kib)
{
    size_t whole = digits(s);
    const char *fraction = s + whole;
    size_t count = 0;
    unsigned shift = MIB_SHIFT;
    uint64_t value = 0;
    const char *rest = fraction;

    if (*fraction == '.') {
        fraction++;
        count = digits(fraction);
        rest = fraction + count;
        if (count == 0) {
            return false;
        }
    }
    if (*rest != '\0' && !read_unit(*rest == ' ' ? rest + 1 : rest, &shift)) {
        return false;
    }
    while (count > 0 && fraction[count - 1] == '0') {
        count--;
    }
    if (count > FRACTION_DIGITS || !read_integer(s, whole, SIZE_MAX_KIB, &value) ||
        !scale(&value, fraction, count, shift)) {
        return false;
    }
    *kib = value;
    return true;
}

bool quantity_parse_duration(const char *s, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 } };
    size_t count = digits(s);
    uint64_t value = 0;

    if (!read_integer(s, count, (uint64_t)DURATION_MAX_MS, &value)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(s + count, units[i].name) == 0) {
            if ((int64_t)value > DURATION_MAX_MS / units[i].ms) {
                return false;
            }
            *ms = (int64_t)value * units[i].ms;
            return true;
        }
    }
    return false;
}

void quantity_print_size(struct text *text, uint64_t kib)
{
    static const char *const names[] = { "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;
    uint64_t whole;
    uint64_t tenths;
    uint64_t size;

    while (unit + 1 < ARRAY_LEN(names) && kib >> (10 * (unit + 1)) != 0) {
        unit++;
    }
    size = UINT64_C(1) << (10 * unit);
    if (kib % size == 0) {
        text_printf(text, "%llu %s", (unsigned long long)(kib / size), names[unit]);
        return;
    }
    whole = kib / size;
    tenths = (kib % size * 10 + size / 2) / size;
    if (tenths == 10) {
        whole++;
        tenths = 0;
    }
    if (whole == 1024 && unit + 1 < ARRAY_LEN(names)) {
        whole = 1;
        unit++;
    }
    text_printf(text, "%llu.%llu %s", (unsigned long long)whole, (unsigned long long)tenths,
                names[unit]);
}

const char *quantity_size_text(struct arena *arena, uint64_t kib)
{
    struct text text = text_new(arena);

    quantity_print_size(&text, kib);
    return text.data;
}

const char *quantity_pages_text(struct arena *arena, uint64_t page_kib)
{
    return page_kib == 0 ? ""
                         : text_format(arena, " in %s pages", quantity_size_text(arena, page_kib));
}
