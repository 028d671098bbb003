/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The last line of every test program's main(): runs a suite as the environment says (CK_FORK, ...). */

#include <check.h>
#include <stdlib.h>

/* Runs 'suite', prints what failed, and returns the exit status. */
static inline int runner_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
