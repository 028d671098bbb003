/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/arena.h"
#include "base/base.h"
#include "model/state.h"
#include "tests/runner.h"

#define SIGHTS 64

/* Each of the 64 things that can be found. */
static struct state_sight sight_of(unsigned bits)
{
    return (struct state_sight){
        .here = (bits & 1) != 0,
        .there = (bits & 2) != 0,
        .same = (bits & 4) != 0,
        .here_aside = (bits & 8) != 0,
        .there_aside = (bits & 16) != 0,
        .aside_same = (bits & 32) != 0,
    };
}

START_TEST(a_file_is_copied_from_where_it_is_in_its_place)
{
    const struct state_sight fresh = { .there = true };
    const struct state_sight older = { .there = true, .here_aside = true };

    ck_assert_int_eq(state_provide(&fresh, false), STATE_COPY);
    ck_assert_int_eq(state_provide(&older, true), STATE_COPY);
}
END_TEST

START_TEST(a_file_that_is_there_stays_and_another_one_is_refused)
{
    for (unsigned bits = 0; bits < SIGHTS; bits++) {
        const struct state_sight sight = sight_of(bits);
        enum state_act act = sight.there && !sight.same ? STATE_FOREIGN : STATE_DONE;

        if (sight.here) {
            ck_assert_int_eq(state_provide(&sight, false), act);
            ck_assert_int_eq(state_provide(&sight, true), act);
        }
    }
}
END_TEST

/* The target has put its file aside after the source, and may have written to it before. */
START_TEST(of_two_that_were_put_aside_the_newer_comes_back)
{
    const struct state_sight differ = { .here_aside = true, .there_aside = true };
    const struct state_sight same = { .here_aside = true, .there_aside = true, .aside_same = true };
    const struct state_sight own = { .here_aside = true };
    const struct state_sight other = { .there_aside = true };

    ck_assert_int_eq(state_provide(&differ, true), STATE_COPY_ASIDE);
    ck_assert_int_eq(state_provide(&differ, false), STATE_RESTORE);
    ck_assert_int_eq(state_provide(&same, true), STATE_RESTORE);
    ck_assert_int_eq(state_provide(&own, true), STATE_RESTORE);
    ck_assert_int_eq(state_provide(&own, false), STATE_RESTORE);
    ck_assert_int_eq(state_provide(&other, true), STATE_COPY_ASIDE);
    ck_assert_int_eq(state_provide(&other, false), STATE_COPY_ASIDE);
}
END_TEST

START_TEST(a_file_that_neither_host_has_is_lost_and_that_is_said)
{
    const struct state_sight nothing = { .here = false };

    ck_assert_int_eq(state_provide(&nothing, false), STATE_LOST);
    ck_assert_int_eq(state_provide(&nothing, true), STATE_LOST);
}
END_TEST

START_TEST(the_source_puts_its_file_aside_only_if_the_target_has_the_same)
{
    for (unsigned bits = 0; bits < SIGHTS; bits++) {
        const struct state_sight sight = sight_of(bits);
        enum state_act act = state_withdraw(&sight, false);

        ck_assert_int_eq(act, !sight.here                 ? STATE_DONE
                              : sight.there && sight.same ? STATE_PUT_ASIDE
                                                          : STATE_UNCOPIED);
    }
}
END_TEST

START_TEST(on_the_way_back_the_target_keeps_what_the_move_has_not_brought)
{
    for (unsigned bits = 0; bits < SIGHTS; bits++) {
        const struct state_sight sight = sight_of(bits);
        enum state_act act = state_withdraw(&sight, true);

        ck_assert_int_eq(act, !sight.here                  ? STATE_DONE
                              : sight.there && !sight.same ? STATE_KEEP
                                                           : STATE_PUT_ASIDE);
    }
}
END_TEST

START_TEST(a_file_that_only_the_target_has_is_the_guests_if_the_move_has_put_the_other_aside)
{
    const struct state_sight foreign = { .here = true };
    const struct state_sight copied = { .here = true, .there_aside = true };
    const struct state_sight at_source = { .there = true };

    ck_assert(!state_is_known(&foreign));
    ck_assert(state_is_known(&copied));
    ck_assert(state_is_known(&at_source));
}
END_TEST

/* Comparing takes a command on each host. */
START_TEST(contents_are_compared_only_where_it_matters)
{
    for (unsigned bits = 0; bits < SIGHTS; bits++) {
        for (unsigned back = 0; back < 2; back++) {
            struct state_sight a = sight_of(bits);
            struct state_sight b = a;

            b.same = !a.same;
            b.aside_same = !a.aside_same;
            if (!state_compares(&a) && !state_compares_aside(&a)) {
                ck_assert_int_eq(state_provide(&a, back != 0), state_provide(&b, back != 0));
                ck_assert_int_eq(state_withdraw(&a, back != 0), state_withdraw(&b, back != 0));
            }
        }
    }
}
END_TEST

START_TEST(what_is_put_aside_is_named_after_the_file_and_the_move)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(state_aside(&arena, "/nvram/vm1_VARS.fd", 1764007526123),
                     "/nvram/vm1_VARS.fd.berth-moved-1764007526123");
    ck_assert_str_eq(state_coming(&arena, "/nvram/vm1_VARS.fd", 1764007526123),
                     "/nvram/vm1_VARS.fd.berth-coming-1764007526123");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = tcase_create("state");

    tcase_add_test(tcase, a_file_is_copied_from_where_it_is_in_its_place);
    tcase_add_test(tcase, a_file_that_is_there_stays_and_another_one_is_refused);
    tcase_add_test(tcase, of_two_that_were_put_aside_the_newer_comes_back);
    tcase_add_test(tcase, a_file_that_neither_host_has_is_lost_and_that_is_said);
    tcase_add_test(tcase, the_source_puts_its_file_aside_only_if_the_target_has_the_same);
    tcase_add_test(tcase, on_the_way_back_the_target_keeps_what_the_move_has_not_brought);
    tcase_add_test(
        tcase, a_file_that_only_the_target_has_is_the_guests_if_the_move_has_put_the_other_aside);
    tcase_add_test(tcase, contents_are_compared_only_where_it_matters);
    tcase_add_test(tcase, what_is_put_aside_is_named_after_the_file_and_the_move);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
