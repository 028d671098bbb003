/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "tests/runner.h"

START_TEST(a_new_text_is_an_empty_string)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    ck_assert_str_eq(text.data, "");
    ck_assert_uint_eq(text.length, 0);
}
END_TEST

START_TEST(a_text_grows_with_what_is_appended)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    for (int i = 0; i < 5000; i++) {
        text_printf(&text, "%04d", i);
        ck_assert_uint_eq(text.length, (size_t)(i + 1) * 4);
        ck_assert_int_eq(text.data[text.length], '\0');
    }
    ck_assert_int_eq(strncmp(text.data, "000000010002", 12), 0);
    ck_assert_str_eq(text.data + text.length - 8, "49984999");
}
END_TEST

START_TEST(one_piece_may_be_larger_than_all_before)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text text = text_new(&arena);

    text_append(&text, "a");
    text_fill(&text, 'b', 100000);
    text_append_bytes(&text, "cd", 1);
    ck_assert_uint_eq(text.length, 100002);
    ck_assert_uint_eq(strspn(text.data + 1, "b"), 100000);
    ck_assert_str_eq(text.data + 100001, "c");
}
END_TEST

START_TEST(formatted_and_copied_strings_live_in_the_arena)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(text_format(&arena, "%s-%d", "vm", 7), "vm-7");
    ck_assert_str_eq(text_copy(&arena, "kvm1.example.com", 4), "kvm1");
    ck_assert_str_eq(text_copy(&arena, "", 0), "");
}
END_TEST

START_TEST(a_trimmed_string_keeps_the_blanks_inside_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(text_trim(&arena, "\t host  kvm1 , guest", 13, " \t"), "host  kvm1");
    ck_assert_str_eq(text_trim(&arena, "\rkvm1 ", 6, " "), "\rkvm1");
    ck_assert_str_eq(text_trim(&arena, " \t ", 3, " \t"), "");
    ck_assert_str_eq(text_trim(&arena, "", 0, " "), "");
}
END_TEST

START_TEST(no_string_sorts_before_every_string)
{
    ck_assert_int_eq(text_compare(NULL, NULL), 0);
    ck_assert_int_lt(text_compare(NULL, ""), 0);
    ck_assert_int_gt(text_compare("", NULL), 0);
    ck_assert_int_lt(text_compare("a", "b"), 0);
    ck_assert(text_equal(NULL, NULL));
    ck_assert(text_equal("a", "a"));
    ck_assert(!text_equal("a", NULL));
    ck_assert(!text_equal("a", "b"));
}
END_TEST

#define LABEL_63       "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"
#define LABEL_63_TWICE LABEL_63 "." LABEL_63
#define LABEL_64       LABEL_63 "4"
#define NAME_255       LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63
#define NAME_256       NAME_255 "x"

static const char *const good_names[] = {
    "a",       "kvm1", "kvm1.example.com", "exa01_vm.example.com",
    "1.2.3.4", "A-b",  LABEL_63,           LABEL_63_TWICE,
};

START_TEST(host_names_are_letters_digits_and_a_few_signs)
{
    ck_assert_msg(text_is_host_name(good_names[_i]), "%s", good_names[_i]);
}
END_TEST

static const char *const bad_names[] = {
    "",    ".",   ".a",     "a.",       "a..b",   "-a",        "a b",
    "a/b", "a\n", "a;b",    "a%h",      "a'b",    "k\xc3\xa4", "$(id)",
    "a:b", "a@b", "../etc", "a\x1b[0m", LABEL_64, NAME_255,    NAME_256,
};

START_TEST(anything_else_is_no_host_name)
{
    ck_assert_msg(!text_is_host_name(bad_names[_i]), "%s", bad_names[_i]);
}
END_TEST

START_TEST(a_host_name_has_at_most_253_bytes)
{
    char name[] = NAME_255;

    name[253] = '\0';
    ck_assert(text_is_host_name(name));
    name[253] = 'x';
    name[254] = '\0';
    ck_assert(!text_is_host_name(name));
}
END_TEST

static const struct {
    const char *text;
    bool good;
} uuids[] = {
    { "c0ffee00-0000-4000-8000-000000000001", true },
    { "C0FFEE00-0000-4000-8000-00000000000A", true },
    { "", false },
    { "c0ffee00", false },
    { "c0ffee00-0000-4000-8000-00000000000", false },
    { "c0ffee00-0000-4000-8000-0000000000011", false },
    { "c0ffee0000000-4000-8000-000000000001", false },
    { "g0ffee00-0000-4000-8000-000000000001", false },
    { "{0ffee00-0000-4000-8000-000000000001}", false },
    { "c0ffee00 0000 4000 8000 000000000001", false },
};

START_TEST(a_uuid_has_one_form)
{
    ck_assert_int_eq(text_is_uuid(uuids[_i].text), uuids[_i].good);
}
END_TEST

static const struct {
    const char *text;
    uint64_t max;
    bool good;
    uint64_t value;
} numbers[] = {
    { "0", 0, true, 0 },
    { "007", 10, true, 7 },
    { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
    { "18446744073709551616", UINT64_MAX, false, 0 },
    { "99999999999999999999999", UINT64_MAX, false, 0 },
    { "11", 10, false, 0 },
    { "", 10, false, 0 },
    { "-1", 10, false, 0 },
    { "+1", 10, false, 0 },
    { " 1", 10, false, 0 },
    { "1 ", 10, false, 0 },
    { "0x1", 10, false, 0 },
    { "1.0", 10, false, 0 },
};

START_TEST(a_number_is_digits_alone_within_its_limit)
{
    uint64_t value = 42;

    ck_assert_int_eq(text_to_u64(numbers[_i].text, numbers[_i].max, &value), numbers[_i].good);
    ck_assert_uint_eq(value, numbers[_i].good ? numbers[_i].value : 42);
}
END_TEST

/* What is shown of a string from outside. */
static const struct {
    const char *given;
    const char *shown;
} outside[] = {
    { "", "" },
    { "vm1 \xe2\x86\x92 kvm\xc3\xbc", "vm1 \xe2\x86\x92 kvm\xc3\xbc" },
    { "vm\x1b[31m", "vm?[31m" },
    { "\n\r\t\x7f", "????" },
    { "vm\xc2\x9b\x31m\xc2\xa0", "vm?1m\xc2\xa0" },
    { "a\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8z", "a???z" },
    { "cut \xc2", "cut \xc2" },
    { "cut \xe2\x80", "cut \xe2\x80" },
};

START_TEST(what_would_steer_a_terminal_is_not_shown)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(text_visible(&arena, outside[_i].given), outside[_i].shown);
}
END_TEST

START_TEST(a_string_that_steers_no_terminal_is_not_copied)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *name = "exa01vm01.example.com";

    ck_assert_ptr_eq(text_visible(&arena, name), name);
}
END_TEST

START_TEST(a_character_takes_a_column_however_many_bytes_it_has)
{
    static const char s[] = "a\u00e4\u20ac\U0001f600b";

    ck_assert_uint_eq(text_columns(s, sizeof(s) - 1), 5);
    ck_assert_uint_eq(text_columns(s, 3), 2);
    ck_assert_uint_eq(text_columns(s, 0), 0);
    ck_assert_uint_eq(text_columns("", 0), 0);
}
END_TEST

START_TEST(a_name_is_found_at_its_index_or_nowhere)
{
    static const char *const names[] = { "live", "offline", "cold" };

    ck_assert_uint_eq(text_index(names, ARRAY_LEN(names), "live"), 0);
    ck_assert_uint_eq(text_index(names, ARRAY_LEN(names), "cold"), 2);
    ck_assert_uint_eq(text_index(names, ARRAY_LEN(names), "warm"), ARRAY_LEN(names));
    ck_assert_uint_eq(text_index(names, 0, "live"), 0);
}
END_TEST

struct named {
    const char *name;
    int number;
};

START_TEST(texts_and_what_begins_with_one_are_sorted_by_their_bytes)
{
    const char *texts[] = { "b", "a", "B", "", "a" };
    struct named named[] = { { "kvm10", 10 }, { "kvm2", 2 }, { "kvm1", 1 } };

    text_sort(texts, ARRAY_LEN(texts), sizeof(*texts));
    text_sort(named, ARRAY_LEN(named), sizeof(*named));
    text_sort(NULL, 0, sizeof(*named));
    ck_assert_str_eq(texts[0], "");
    ck_assert_str_eq(texts[1], "B");
    ck_assert_str_eq(texts[4], "b");
    ck_assert_int_eq(named[0].number, 1);
    ck_assert_int_eq(named[1].number, 10);
    ck_assert_int_eq(named[2].number, 2);
}
END_TEST

START_TEST(repeated_texts_are_dropped_when_they_are_sorted)
{
    const char *texts[] = { "b", "a", "b", "a", "a" };

    ck_assert_uint_eq(text_sort_unique(texts, ARRAY_LEN(texts)), 2);
    ck_assert_str_eq(texts[0], "a");
    ck_assert_str_eq(texts[1], "b");
    ck_assert_uint_eq(text_sort_unique(NULL, 0), 0);
}
END_TEST

START_TEST(a_text_is_found_among_sorted_ones_and_nothing_among_none)
{
    const struct named named[] = { { "kvm1", 1 }, { "kvm10", 10 }, { "kvm2", 2 } };
    const struct named *found = text_find("kvm2", named, ARRAY_LEN(named), sizeof(*named));

    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(found->number, 2);
    ck_assert_ptr_null(text_find("kvm", named, ARRAY_LEN(named), sizeof(*named)));
    ck_assert_ptr_null(text_find("kvm1", NULL, 0, sizeof(*named)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, a_new_text_is_an_empty_string);
    tcase_add_test(tcase, a_text_grows_with_what_is_appended);
    tcase_add_test(tcase, one_piece_may_be_larger_than_all_before);
    tcase_add_test(tcase, formatted_and_copied_strings_live_in_the_arena);
    tcase_add_test(tcase, a_trimmed_string_keeps_the_blanks_inside_it);
    tcase_add_test(tcase, no_string_sorts_before_every_string);
    tcase_add_loop_test(tcase, host_names_are_letters_digits_and_a_few_signs, 0,
                        (int)ARRAY_LEN(good_names));
    tcase_add_loop_test(tcase, anything_else_is_no_host_name, 0, (int)ARRAY_LEN(bad_names));
    tcase_add_test(tcase, a_host_name_has_at_most_253_bytes);
    tcase_add_loop_test(tcase, a_uuid_has_one_form, 0, (int)ARRAY_LEN(uuids));
    tcase_add_loop_test(tcase, a_number_is_digits_alone_within_its_limit, 0,
                        (int)ARRAY_LEN(numbers));
    tcase_add_loop_test(tcase, what_would_steer_a_terminal_is_not_shown, 0,
                        (int)ARRAY_LEN(outside));
    tcase_add_test(tcase, a_string_that_steers_no_terminal_is_not_copied);
    tcase_add_test(tcase, a_character_takes_a_column_however_many_bytes_it_has);
    tcase_add_test(tcase, a_name_is_found_at_its_index_or_nowhere);
    tcase_add_test(tcase, texts_and_what_begins_with_one_are_sorted_by_their_bytes);
    tcase_add_test(tcase, repeated_texts_are_dropped_when_they_are_sorted);
    tcase_add_test(tcase, a_text_is_found_among_sorted_ones_and_nothing_among_none);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
