/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Status: what is going on, as one value and as JSON ("berth.status/1"): what 'berth status' shows whether it
 * asks a running controller or, where none runs, reads the journal.  Loop thread; nothing is copied, so
 * what a status points to must not change while it is used.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conditions;
struct diff;
struct drift;
struct gauge;
struct journal_move;
struct journal_run;
struct ledger;
struct observed;
struct plan_block;
struct plan_move;
struct text;

struct status {
    int64_t at_ms;
    const char *es_xml;
    const char *es_digest; /* Of the revision in force; NULL = none. */
    bool valid;            /* The file as it is now can be acted on. */
    bool acted_on;         /* The revision in force is the one that the controller works on. */
    int64_t controller_pid;
    const struct ledger *ledger;        /* Open moves, retries, owed starts, holds. */
    const struct journal_run *last_run; /* Of whatever controller; NULL = not told. */

    /* Of a running controller; NULL and 0 where none runs. */
    const struct conditions *conditions;
    const struct journal_move *moving;
    const struct gauge *gauge;     /* Of 'moving'. */
    const struct plan_move *queue; /* What is still to be moved, in order. */
    size_t queue_count;
    const struct plan_block *blocked;
    size_t block_count;
    const struct drift *drift;
    const struct observed *observed;
    const struct diff *diff; /* Of 'observed' from the file; NULL together with it. */
    int64_t looked_ms;       /* When the hosts were last looked at. */
    int64_t next_look_ms;    /* When they will be at the latest. */
};

/* Appends the whole as one JSON document, ending in a newline. */
void status_json(struct text *json, const struct status *status);

/* The same of every guest, or host, or of the one called 'only'.  How many there are. */
size_t status_guests_json(struct text *json, const struct status *status, const char *only);
size_t status_hosts_json(struct text *json, const struct status *status, const char *only);
