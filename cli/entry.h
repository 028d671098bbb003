/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * entry: records that a command itself writes into the journal, where no controller runs.
 */

#include <stddef.h>

#include "base/base.h"
#include "reconciler/ledger.h"

struct cli;
struct err;
struct journal;
struct journal_record;
struct loop;

struct entry {
    struct loop *loop;
    struct journal *journal; /* NULL: not open. */
    struct ledger ledger;    /* As it was when the entry was opened. */
};

/* Opens the journal of the config for writing.  ERR_BUSY names the pid of the controller that holds it.
 * 'entry' is to be released in any case. */
int entry_open(struct entry *entry, const struct cli *cli, struct err *err);

/* Writes 'count' records as one batch and waits until that is settled.  0 if they are committed. */
int entry_write(struct entry *entry, const struct journal_record *records, size_t count,
                struct err *err);

/* Releases it; fine if it was never opened and is zeroed. */
void entry_deinit(struct entry *entry);

AUTO_VALUE(entry, struct entry, entry_deinit);
