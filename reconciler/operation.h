/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Operation: what a step of a move asks of the actuator, with everything that policy and journal add to it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/op.h"
#include "reconciler/journal/journal.h"

struct arena;
struct desired;
struct err;
struct ledger;
struct look;
struct policy;
struct step;
struct supply_list;

/* True for what follows a migration to its end: it ends by the move's deadline, not by one of its own. */
bool operation_is_migration(enum op_kind kind);

/* What has not answered by its deadline gets this much longer before it counts as unclear
 * (architecture.md, 'One at a time'). */
#define OPERATION_GRACE_MS INT64_C(30000)

/* How long 'kind' may take by policy, with 'supplies' of the guest; nothing to say of migrations. */
int64_t operation_timeout_ms(enum op_kind kind, const struct policy *policy,
                             const struct supply_list *supplies);

/* The host of 'move' on 'side': 0 = source, 1 = target. */
const char *operation_host(const struct journal_move *move, unsigned side);

/* Builds the operation of 'step' of 'move' from the last look and the journal; strings live in 'arena' or are
 * shared with the arguments, 'supplies' among them.  Fails if the journal cannot give the definition that is
 * needed. */
int operation_build(struct arena *arena, const struct policy *policy, const struct ledger *ledger,
                    const struct journal_move *move, const struct supply_list *supplies,
                    const struct look *look, const struct step *step, struct op *op,
                    struct err *err);

/* Adds to 'op', which is PREFLIGHT, what es.xml says of the hardware of its hosts. */
void operation_tell_families(struct op *op, const struct desired *desired);
