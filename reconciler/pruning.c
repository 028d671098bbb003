/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/pruning.h"

#include "base/err.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* Runs that end soon look at one part each: not all at the same. */
#define STRIDE 100u

/* The window that comes next; false if there is no past yet. */
static bool choose(struct reconciler *reconciler, uint64_t next_seq, struct journal_prune *prune)
{
    const struct config *config = reconciler->world.config;
    struct pruning *pruning = &reconciler->pruning;
    uint64_t kept = config->history_records;
    int64_t before_ms = controller_wall(reconciler) - config->history_days * DAY_MS;

    if (next_seq < 3) {
        return false;
    }
    if (!pruning->begun) {
        pruning->begun = true;
        pruning->after = reconciler->ledger.run * STRIDE % next_seq;
    }
    *prune = (struct journal_prune){
        .after = pruning->after,
        .last = next_seq - 2,
        .spare = next_seq > kept ? next_seq - kept - 1 : 0,
        .before_ms = before_ms > 0 ? before_ms : 0,
    };
    return true;
}

static int find(struct reconciler *reconciler, struct journal_prune *prune, bool *found,
                struct err *err)
{
    struct journal *journal = reconciler->world.journal;
    uint64_t next_seq;

    *found = false;
    if (journal->ops->next_seq(journal, &next_seq, err) != 0) {
        return -1;
    }
    return choose(reconciler, next_seq, prune) ? journal->ops->find_old(journal, prune, found, err)
                                               : 0;
}

bool pruning_go_on(struct reconciler *reconciler)
{
    struct pruning *pruning = &reconciler->pruning;
    struct journal_record record = { .kind = JOURNAL_PRUNE };
    int64_t now_ms = loop_now_ms(reconciler->world.loop);
    struct err err;
    bool found;

    if (pruning->begun && now_ms < pruning->next_ms) {
        return false;
    }
    pruning->next_ms = now_ms + PRUNING_PAUSE_MS;
    if (find(reconciler, &record.prune, &found, &err) != 0) {
        controller_lost(reconciler, &err);
        return true;
    }
    pruning->after = record.prune.upto >= record.prune.last ? 0 : record.prune.upto;
    if (found) {
        controller_note(reconciler, &record, 1);
    }
    return found;
}
