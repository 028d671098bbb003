/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/place.h"

#include <string.h>

#include "base/arena.h"
#include "diff/diff.h"
#include "model/desired.h"
#include "model/observed.h"
#include "reconciler/drift.h"
#include "reconciler/ledger.h"

struct changes {
    const struct drift_facts *facts;
    const struct drift *drift;
    struct journal_record *records;
    size_t count;
};

/* What is off since its host came up keeps the place it ran in: otherwise the drift would end by itself. */
static bool has_changed(const struct journal_place *before, const struct journal_place *after,
                        const struct drift *drift)
{
    return before == NULL || strcmp(before->host, after->host) != 0 ||
           strcmp(before->uuid, after->uuid) != 0 || before->autostart != after->autostart ||
           before->guarded != after->guarded ||
           (before->running != after->running &&
            drift_find(drift, after->guest, CONFIG_DRIFT_HOST_RESTART) == NULL);
}

/* A guard that was not asked, or did not answer, is there as it was before. */
static bool is_guarded(const struct diff_guest *guest, const struct journal_place *before)
{
    enum observed_guard guard = guest->at->host->guard;

    if (guard == OBSERVED_GUARD_UNKNOWN) {
        return before != NULL && before->guarded &&
               strcmp(before->host, guest->at->host->name) == 0;
    }
    return guard != OBSERVED_GUARD_NONE && !guest->at->guest->exempt;
}

static struct journal_place place_of(const struct diff_guest *guest,
                                     const struct journal_place *before, int64_t now_ms)
{
    return (struct journal_place){
        .guest = guest->name,
        .uuid = guest->at->guest->uuid,
        .host = guest->at->host->name,
        .running = observed_is_active(guest->at->guest),
        .at_ms = now_ms,
        .autostart = guest->at->guest->autostart,
        .guarded = is_guarded(guest, before),
    };
}

static void add(struct changes *changes, enum journal_kind kind, const struct journal_place *place)
{
    struct journal_record *record = &changes->records[changes->count++];

    record->kind = kind;
    if (kind == JOURNAL_PLACE) {
        record->place = *place;
    } else {
        record->sighting = *place;
    }
}

static void forget(struct changes *changes, enum journal_kind kind,
                   const struct journal_place *place)
{
    struct journal_place forgotten = *place;

    forgotten.forgotten = true;
    add(changes, kind, &forgotten);
}

/* It is off, and was last seen on another host that does not answer: it may run there, and what is seen here may be
 * what it has left behind. */
static bool is_doubtful(const struct drift_facts *facts, const struct diff_guest *guest)
{
    const struct journal_place *last = ledger_last_seen(facts->ledger, guest->name);
    const struct observed_host *host;

    if (last == NULL || observed_is_active(guest->at->guest) ||
        strcmp(last->host, guest->at->host->name) == 0) {
        return false;
    }
    host = observed_find_host(facts->observed, last->host);
    return host == NULL ? guest->at->guest->held : !host->reachable;
}

static void note_guest(struct changes *changes, const struct diff_guest *guest)
{
    const struct ledger *ledger = changes->facts->ledger;
    const struct journal_place *sighting = ledger_find_sighting(ledger, guest->name);
    bool placed = guest->class == DIFF_PLACED;
    const struct journal_place *before = placed ? ledger_find_place(ledger, guest->name) : sighting;
    struct journal_place now;

    if ((!placed && guest->class != DIFF_MISPLACED) || !guest->at->host->reachable ||
        ledger_find_move(ledger, guest->name) != NULL || is_doubtful(changes->facts, guest)) {
        return;
    }
    now = place_of(guest, before, changes->facts->now_ms);
    if (has_changed(before, &now, changes->drift)) {
        add(changes, placed ? JOURNAL_PLACE : JOURNAL_SIGHTING, &now);
    }
    if (placed && sighting != NULL) {
        forget(changes, JOURNAL_SIGHTING, sighting);
    }
}

/* The file does not name them any more. */
static void forget_unlisted(struct changes *changes, enum journal_kind kind,
                            const struct journal_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (desired_find_guest(changes->facts->desired, places[i].guest) == DESIRED_NONE) {
            forget(changes, kind, &places[i]);
        }
    }
}

struct journal_record *place_changes(struct arena *arena, const struct drift_facts *facts,
                                     const struct drift *drift, size_t *count)
{
    const struct ledger *ledger = facts->ledger;
    const struct diff *diff = facts->diff;
    struct changes changes = {
        .facts = facts,
        .drift = drift,
        .records = ARENA_ARRAY(arena, struct journal_record,
                               2 * diff->count + ledger->place_count + ledger->sighting_count + 1),
    };

    for (size_t i = 0; i < diff->count; i++) {
        note_guest(&changes, &diff->guests[i]);
    }
    forget_unlisted(&changes, JOURNAL_PLACE, ledger->places, ledger->place_count);
    forget_unlisted(&changes, JOURNAL_SIGHTING, ledger->sightings, ledger->sighting_count);
    *count = changes.count;
    return changes.records;
}
