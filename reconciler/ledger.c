/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/ledger.h"

#include <string.h>

#include "base/err.h"

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

const struct journal_owed *ledger_find_owed(const struct ledger *ledger, const char *uuid)
{
    for (size_t i = 0; i < ledger->owed_count; i++) {
        if (strcmp(ledger->owed[i].uuid, uuid) == 0) {
            return &ledger->owed[i];
        }
    }
    return NULL;
}

const struct journal_retry *ledger_find_retry(const struct ledger *ledger, const char *guest)
{
    for (size_t i = 0; i < ledger->retry_count; i++) {
        if (strcmp(ledger->retries[i].guest, guest) == 0) {
            return &ledger->retries[i];
        }
    }
    return NULL;
}

const struct journal_definition *ledger_find_definition(const struct ledger *ledger,
                                                        const char *uuid)
{
    for (size_t i = 0; i < ledger->definition_count; i++) {
        if (strcmp(ledger->definitions[i].uuid, uuid) == 0) {
            return &ledger->definitions[i];
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
