/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * entry: records that a command itself writes into the journal, and waits for.
 */

#include <stddef.h>

struct err;
struct journal_record;
struct ledger;
struct loop;

/* Writes 'count' records as one batch and runs 'loop', which nothing else uses, until that is settled.
 * 0 if they are committed. */
int entry_write(struct ledger *ledger, struct loop *loop, const struct journal_record *records,
                size_t count, struct err *err);
