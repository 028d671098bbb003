/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The conformance suite: every sentence of actuators/actuator.h's contract and every meaning in
 * model/op.h, asked of whichever actuator the program is linked with.
 */

#include <check.h>
#include <stdlib.h>

#include "tests/conformance/cases.h"
#include "tests/runner.h"

#define CASE_TIMEOUT_S 240.0

int main(void)
{
    Suite *suite = suite_create("conformance");
    TCase *all[] = { cases_seam(),      cases_notice(), cases_definition(), cases_power(),
                     cases_preflight(), cases_supply(), cases_fence(),      cases_migration() };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_set_timeout(all[i], CASE_TIMEOUT_S);
        suite_add_tcase(suite, all[i]);
    }
    return runner_run(suite);
}
