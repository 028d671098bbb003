/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Drift: what differs from the file although the file did not change: somebody moved a guest, a host came up
 * again without it, it has another size.  A guest that the file wants elsewhere than before is not drift
 * but work to do.
 *
 * What was in its place is remembered as the journal's places: only with them can the two be told apart.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "reconciler/config.h"
#include "reconciler/journal/journal.h"

struct desired;
struct diff;
struct err;
struct ledger;
struct observed;
struct text;

struct drift_item {
    enum config_drift_class class;
    enum config_drift_answer answer; /* What berth.conf says to do about it. */
    const char *guest;
    const char *uuid;   /* NULL: seen nowhere. */
    const char *wanted; /* Host of the file. */
    const char *found;  /* Where it is, or NULL. */
    const char *text;   /* One sentence. */
    int64_t since_ms;   /* When it was first noticed, maybe by an earlier run. */
    bool is_news;       /* Noticed just now. */
};

struct drift {
    struct arena arena;
    struct drift_item *items; /* Sorted by guest, then class. */
    size_t count;
    struct drift_item *ended; /* What was there before and is not any more. */
    size_t ended_count;
    struct drift_item *suspects; /* What the next look is to confirm; class and guest, as sorted. */
    size_t suspect_count;
    bool silent; /* Some host did not say what it has: nobody is known to be off. */
};

/* What a pass knows. */
struct drift_facts {
    const struct desired *desired;
    const struct observed *observed; /* With what the journal knows joined in. */
    const struct diff *diff;         /* Of the two. */
    struct ledger *ledger;
    const struct config *config;
    int64_t now_ms;
};

/* Replaces '*drift' by what 'facts' show; what was there before keeps its age.  -1: the journal cannot be
 * read. */
int drift_update(struct drift *drift, const struct drift_facts *facts, struct err *err);

/* Records, in 'arena', that tell of what began and what ended, and that give the answers which need the
 * journal: a hold for what is to be held, an owed start for a guest that is to be started.  Nobody is started
 * while a host is silent, because it may run there, or while a person holds it, its host or the fleet. */
struct journal_record *drift_answers(struct arena *arena, const struct drift_facts *facts,
                                     const struct drift *drift, size_t *count);

/* Why the guest of 'item' stays where it is, by the answer of berth.conf; NULL if it is moved. */
const char *drift_stays(struct arena *arena, const struct drift_item *item);

/* Why the guest of 'item' is not moved back yet: that is done when [schedule] 'drift' says.  NULL if it is
 * time, or if there is nothing to move back. */
const char *drift_waits(struct arena *arena, const struct drift_facts *facts,
                        const struct drift_item *item);

/* The item of 'guest' and 'class', or NULL. */
const struct drift_item *drift_find(const struct drift *drift, const char *guest,
                                    enum config_drift_class class);

/* Appends what 'item' is, but for its guest and its sentence, as members of a JSON object. */
void drift_json(struct text *json, const struct drift_item *item);

/* Releases the items. */
void drift_deinit(struct drift *drift);
