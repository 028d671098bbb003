/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdint.h>

#include "actuators/libvirt_survey.h"
#include "base/base.h"
#include "tests/runner.h"

START_TEST(clocks_are_as_far_apart_as_their_readings_allow)
{
    static const struct {
        struct libvirt_survey_reading a;
        struct libvirt_survey_reading b;
        int64_t least_ms;
        int64_t most_ms;
    } cases[] = {
        { { 1000, 0, 0 }, { 1000, 0, 0 }, 0, 0 },
        { { 1000, 0, 0 }, { 4000, 0, 0 }, 3000, 3000 },
        { { 4000, 0, 0 }, { 1000, 0, 0 }, 3000, 3000 },
        /* Each may have been read at any instant of half a second. */
        { { 1000, 0, 500 }, { 1000, 0, 500 }, 0, 500 },
        { { 4000, 0, 500 }, { 1000, 0, 500 }, 2500, 3500 },
        { { 1000, 0, 500 }, { 4000, 0, 500 }, 2500, 3500 },
        /* One was asked two seconds later. */
        { { 1000, 0, 100 }, { 3000, 2000, 2100 }, 0, 100 },
        { { 1000, 0, 5000 }, { 3000, 0, 5000 }, 0, 7000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t least = -1;
        int64_t most = -1;

        libvirt_survey_compare(&cases[i].a, &cases[i].b, &least, &most);
        ck_assert_int_eq(least, cases[i].least_ms);
        ck_assert_int_eq(most, cases[i].most_ms);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_survey");
    TCase *tcase = tcase_create("survey");

    tcase_add_test(tcase, clocks_are_as_far_apart_as_their_readings_allow);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
