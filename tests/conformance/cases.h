/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The parts of the conformance suite, by what they are about. */

#include <check.h>

/* Calls, completions, deadlines, closing. */
TCase *cases_seam(void);

/* Watching, notices. */
TCase *cases_notice(void);

/* DEFINE, UNDEFINE, AUTOSTART. */
TCase *cases_definition(void);

/* STOP, START, RESUME, DESTROY. */
TCase *cases_power(void);

/* PREFLIGHT. */
TCase *cases_preflight(void);

/* PROVIDE, WITHDRAW. */
TCase *cases_supply(void);

/* FENCE. */
TCase *cases_fence(void);

/* MIGRATE, ADOPT. */
TCase *cases_migration(void);
