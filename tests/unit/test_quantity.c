/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "model/quantity.h"
#include "tests/runner.h"

#define MIB UINT64_C(1024)
#define GIB (MIB * 1024)
#define TIB (GIB * 1024)

static const struct {
    const char *text;
    uint64_t kib;
} sizes[] = {
    { "0", 0 },
    { "1", MIB },
    { "512", 512 * MIB },
    { "1.5", 1536 },
    { "1K", 1 },
    { "1k", 1 },
    { "1KB", 1 },
    { "1KiB", 1 },
    { "1 kib", 1 },
    { "64Gb", 64 * GIB },
    { "64 GB", 64 * GIB },
    { "64GIB", 64 * GIB },
    { "64g", 64 * GIB },
    { "1536GB", 1536 * GIB },
    { "1.5TB", 1536 * GIB },
    { "0.25 T", 256 * GIB },
    { "007M", 7 * MIB },
    { "1.50000000000000000000000000000000000000000000000000G", 1536 * MIB },
    { "0.00000095367431640625GiB", 1 }, /* 2^-20, exactly. */
    { "0.000000000931322574615478515625T", 1 },
    { "1.000000000931322574615478515625T", TIB + 1 },
    { "9007199254740992K", UINT64_C(1) << 53 },
    { "8388608TiB", UINT64_C(1) << 53 },
};

START_TEST(size_reads_as_kib)
{
    uint64_t kib = 0;

    ck_assert_msg(quantity_parse_size(sizes[_i].text, &kib), "'%s'", sizes[_i].text);
    ck_assert_msg(kib == sizes[_i].kib, "'%s' is %llu", sizes[_i].text, (unsigned long long)kib);
}
END_TEST

static const char *const no_sizes[] = {
    "",
    " ",
    "K",
    "GB",
    ".5G",
    "1.",
    "1.G",
    "1..5G",
    "1.5.5G",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1  G",
    "1\tG",
    "1G ",
    "1Gi",
    "1GBB",
    "1GiBs",
    "1B",
    "1iB",
    "1P",
    "1E",
    "0x10",
    "1,5G",
    "1e3",
    "1 Gi B",
    "1.5K",
    "0.0001M",
    "1.0000001",
    "0.1G",
    "9007199254740993K",
    "8388609T",
    "18446744073709551617",
    "99999999999999999999999999999999T",
    "0.0000000004656612873077392578125T",
    "inf",
    "1\xc2\xa0G",
};

START_TEST(what_is_no_size_is_refused_and_nothing_written)
{
    uint64_t kib = 42;

    ck_assert_msg(!quantity_parse_size(no_sizes[_i], &kib), "'%s'", no_sizes[_i]);
    ck_assert_uint_eq(kib, 42);
}
END_TEST

static const struct {
    const char *text;
    int64_t ms;
} durations[] = {
    { "0s", 0 },       { "1ms", 1 },
    { "90s", 90000 },  { "10m", 600000 },
    { "2h", 7200000 }, { "8784h", INT64_C(31622400000) },
    { "007s", 7000 },  { "31622400000ms", INT64_C(31622400000) },
};

START_TEST(duration_reads_as_milliseconds)
{
    int64_t ms = -1;

    ck_assert_msg(quantity_parse_duration(durations[_i].text, &ms), "'%s'", durations[_i].text);
    ck_assert_int_eq(ms, durations[_i].ms);
}
END_TEST

static const char *const no_durations[] = {
    "",
    "s",
    "10",
    "10 s",
    "-1s",
    "1.5h",
    "1d",
    "1S",
    "1sec",
    "1h30m",
    " 1s",
    "1s ",
    "8785h",
    "31622400001ms",
    "18446744073709551616ms",
    "9223372036854775807h",
};

START_TEST(what_is_no_duration_is_refused_and_nothing_written)
{
    int64_t ms = 42;

    ck_assert_msg(!quantity_parse_duration(no_durations[_i], &ms), "'%s'", no_durations[_i]);
    ck_assert_int_eq(ms, 42);
}
END_TEST

static const struct {
    uint64_t kib;
    const char *text;
} printed[] = {
    { 0, "0 KiB" },
    { 1, "1 KiB" },
    { 1023, "1023 KiB" },
    { MIB, "1 MiB" },
    { 96 * MIB, "96 MiB" },
    { 1536 * MIB, "1.5 GiB" },
    { 64 * GIB, "64 GiB" },
    { 64 * GIB + 1, "64.0 GiB" }, /* Not exact, and says so. */
    { 1536 * GIB, "1.5 TiB" },
    { GIB - 1, "1.0 GiB" }, /* Rounds up into the next unit. */
    { TIB * 2048, "2048 TiB" },
    { UINT64_MAX, "17179869184.0 TiB" },
};

START_TEST(size_is_printed_as_people_read_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    quantity_print_size(&text, printed[_i].kib);
    ck_assert_str_eq(text.data, printed[_i].text);
    ck_assert_str_eq(quantity_size_text(&arena, printed[_i].kib), printed[_i].text);
}
END_TEST

START_TEST(memory_is_named_by_its_pages_unless_it_is_ordinary)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(quantity_pages_text(&arena, 0), "");
    ck_assert_str_eq(quantity_pages_text(&arena, 2 * MIB), " in 2 MiB pages");
    ck_assert_str_eq(quantity_pages_text(&arena, GIB), " in 1 GiB pages");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quantity");
    TCase *tcase = tcase_create("core");

    tcase_add_loop_test(tcase, size_reads_as_kib, 0, ARRAY_LEN(sizes));
    tcase_add_loop_test(tcase, what_is_no_size_is_refused_and_nothing_written, 0,
                        ARRAY_LEN(no_sizes));
    tcase_add_loop_test(tcase, duration_reads_as_milliseconds, 0, ARRAY_LEN(durations));
    tcase_add_loop_test(tcase, what_is_no_duration_is_refused_and_nothing_written, 0,
                        ARRAY_LEN(no_durations));
    tcase_add_loop_test(tcase, size_is_printed_as_people_read_it, 0, ARRAY_LEN(printed));
    tcase_add_test(tcase, memory_is_named_by_its_pages_unless_it_is_ordinary);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
