/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Debts: guests that Berth stopped and that must run again, seen running, started, or told of.  For the files
 * of the controller; where a guest stands is owed.h's. */

#include <stdbool.h>

struct reconciler;

/* Ends the debts whose guests run for good. */
void debts_pay_running(struct reconciler *reconciler);

/* Starts the next guest that is owed a start, is off, and that no move will start; false if there is none.
 * A person is told of each that is down and cannot be started. */
bool debts_restart_next(struct reconciler *reconciler);

/* True if a guest is down whom the rest of the plan brings up. */
bool debts_has_parked(const struct reconciler *reconciler);

/* False if the run is to end and nobody is down whom the rest of its plan brings up. */
bool debts_may_go_on(const struct reconciler *reconciler);
