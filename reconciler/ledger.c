/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/ledger.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"

#define LEDGER_EPOCH          1u /* One controller a journal today (architecture.md, Journal). */
#define LEDGER_OPEN_MOVES_MAX 10000

void ledger_init(struct ledger *ledger, struct journal *journal)
{
    *ledger = (struct ledger){ .journal = journal, .epoch = LEDGER_EPOCH };
}

static int read_all(struct ledger *fresh, struct err *err)
{
    struct journal *journal = fresh->journal;
    struct arena *arena = &fresh->arena;
    uint64_t seq;

    if (journal->ops->moves(journal, arena, true, NULL, LEDGER_OPEN_MOVES_MAX, &fresh->moves,
                            &fresh->move_count, err) != 0 ||
        journal->ops->owed(journal, arena, &fresh->owed, &fresh->owed_count, err) != 0 ||
        journal->ops->retries(journal, arena, &fresh->retries, &fresh->retry_count, err) != 0 ||
        journal->ops->definitions(journal, arena, &fresh->definitions, &fresh->definition_count,
                                  err) != 0 ||
        journal->ops->holds(journal, arena, &fresh->holds, &fresh->hold_count, err) != 0 ||
        journal->ops->places(journal, arena, &fresh->places, &fresh->place_count, err) != 0 ||
        journal->ops->sightings(journal, arena, &fresh->sightings, &fresh->sighting_count, err) !=
            0 ||
        journal->ops->attests(journal, arena, &fresh->attests, &fresh->attest_count, err) != 0 ||
        journal->ops->leftovers(journal, arena, &fresh->leftovers, &fresh->leftover_count, err) !=
            0 ||
        journal->ops->next_seq(journal, &seq, err) != 0) {
        return -1;
    }
    if (seq > fresh->next_seq) {
        fresh->next_seq = seq;
    }
    return 0;
}

int ledger_load(struct ledger *ledger, struct err *err)
{
    struct ledger fresh = *ledger;

    fresh.arena = ARENA_INIT;
    if (read_all(&fresh, err) != 0) {
        arena_deinit(&fresh.arena);
        return -1;
    }
    arena_deinit(&ledger->arena);
    *ledger = fresh;
    return 0;
}

struct journal_key ledger_key(struct ledger *ledger)
{
    return (struct journal_key){ .epoch = ledger->epoch, .seq = ledger->next_seq++ };
}

const struct journal_move *ledger_find_move(const struct ledger *ledger, const char *guest)
{
    for (size_t i = 0; i < ledger->move_count; i++) {
        if (strcmp(ledger->moves[i].guest, guest) == 0) {
            return &ledger->moves[i];
        }
    }
    return NULL;
}

/* The journal keeps all of these sorted by their first member: a UUID or a name. */

const struct journal_owed *ledger_find_owed(const struct ledger *ledger, const char *uuid)
{
    return text_find(uuid, ledger->owed, ledger->owed_count, sizeof(*ledger->owed));
}

const struct journal_retry *ledger_find_retry(const struct ledger *ledger, const char *guest)
{
    return text_find(guest, ledger->retries, ledger->retry_count, sizeof(*ledger->retries));
}

const struct journal_definition *ledger_find_definition(const struct ledger *ledger,
                                                        const char *uuid)
{
    return text_find(uuid, ledger->definitions, ledger->definition_count,
                     sizeof(*ledger->definitions));
}

const struct journal_place *ledger_find_place(const struct ledger *ledger, const char *guest)
{
    return text_find(guest, ledger->places, ledger->place_count, sizeof(*ledger->places));
}

const struct journal_place *ledger_find_sighting(const struct ledger *ledger, const char *guest)
{
    return text_find(guest, ledger->sightings, ledger->sighting_count, sizeof(*ledger->sightings));
}

/* A sighting is forgotten as soon as the guest is in its place: it is the later of both. */
const struct journal_place *ledger_last_seen(const struct ledger *ledger, const char *guest)
{
    const struct journal_place *sighting = ledger_find_sighting(ledger, guest);

    return sighting != NULL ? sighting : ledger_find_place(ledger, guest);
}

const struct journal_hold *ledger_find_hold(const struct ledger *ledger, enum journal_scope scope,
                                            const char *name)
{
    for (size_t i = 0; i < ledger->hold_count; i++) {
        if (ledger->holds[i].scope == scope && strcmp(ledger->holds[i].name, name) == 0) {
            return &ledger->holds[i];
        }
    }
    return NULL;
}

const struct journal_leftover *ledger_find_leftover(const struct ledger *ledger, const char *uuid,
                                                    const char *host)
{
    for (size_t i = 0; i < ledger->leftover_count; i++) {
        if (strcmp(ledger->leftovers[i].uuid, uuid) == 0 &&
            strcmp(ledger->leftovers[i].host, host) == 0) {
            return &ledger->leftovers[i];
        }
    }
    return NULL;
}

void ledger_submit(struct ledger *ledger, const struct journal_record *records, size_t count,
                   journal_done_fn *done, void *context)
{
    struct journal_batch batch = { .epoch = ledger->epoch, .records = records, .count = count };

    journal_submit(ledger->journal, &batch, done, context);
}

void ledger_deinit(struct ledger *ledger)
{
    arena_deinit(&ledger->arena);
    *ledger = (struct ledger){ 0 };
}
