/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "tests/runner.h"

START_TEST(memory_is_zeroed_and_aligned)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t size = 1; size < 300; size += 7) {
        unsigned char *memory = arena_alloc(&arena, 1, size);

        ck_assert_uint_eq((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            ck_assert_uint_eq(memory[i], 0);
        }
        memset(memory, 0xff, size);
    }
}
END_TEST

START_TEST(allocations_do_not_overlap)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    enum {
        COUNT = 2000,
        SIZE = 100
    };
    unsigned char *memory[COUNT];

    for (int i = 0; i < COUNT; i++) {
        memory[i] = arena_alloc(&arena, SIZE, 1);
        memset(memory[i], i % 251, SIZE);
    }
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < SIZE; j++) {
            ck_assert_int_eq(memory[i][j], i % 251);
        }
    }
}
END_TEST

START_TEST(an_allocation_larger_than_a_block_gets_its_own)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *small = arena_strdup(&arena, "small");
    char *large = ARENA_ARRAY(&arena, char, 1000000);

    memset(large, 'x', 1000000);
    ck_assert_str_eq(small, "small");
}
END_TEST

START_TEST(an_array_of_nothing_is_no_null_pointer)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const int *nothing = ARENA_ARRAY(&arena, int, 0);

    ck_assert_ptr_nonnull(nothing);
}
END_TEST

START_TEST(a_copied_string_is_independent_of_its_original)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char original[] = "kvm1";
    const char *copy = arena_strdup(&arena, original);

    original[0] = 'x';
    ck_assert_str_eq(copy, "kvm1");
}
END_TEST

START_TEST(the_copy_of_no_string_is_none)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(arena_strdup_maybe(&arena, "kvm1"), "kvm1");
    ck_assert_ptr_null(arena_strdup_maybe(&arena, NULL));
}
END_TEST

START_TEST(an_arena_may_be_used_again_after_its_end)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    (void)arena_strdup(&arena, "before");
    arena_deinit(&arena);
    ck_assert_ptr_null(arena.head);
    ck_assert_str_eq(arena_strdup(&arena, "after"), "after");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = tcase_create("arena");

    tcase_add_test(tcase, memory_is_zeroed_and_aligned);
    tcase_add_test(tcase, allocations_do_not_overlap);
    tcase_add_test(tcase, an_allocation_larger_than_a_block_gets_its_own);
    tcase_add_test(tcase, an_array_of_nothing_is_no_null_pointer);
    tcase_add_test(tcase, a_copied_string_is_independent_of_its_original);
    tcase_add_test(tcase, the_copy_of_no_string_is_none);
    tcase_add_test(tcase, an_arena_may_be_used_again_after_its_end);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
