/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/forecast.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "diff/plan.h"
#include "reconciler/journal/journal.h"

/* More than count for any guest, few enough to be read at once. */
#define MOVES_MAX 1000

/* The live moves that ended with something to learn from. */
static size_t remember(struct arena *arena, const struct journal_move *moves, size_t count,
                       struct estimate_past **past)
{
    size_t kept = 0;

    *past = ARENA_ARRAY(arena, struct estimate_past, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct journal_move *move = &moves[i];

        if (move->mode == MOVE_LIVE && (move->state == JOURNAL_MOVE_DONE || move->overran)) {
            (*past)[kept++] = (struct estimate_past){
                .guest = move->guest,
                .overran = move->overran,
                .total_ms = move->total_ms > 0 ? (uint64_t)move->total_ms : 0,
                .bytes = move->bytes,
                .written_bytes_s = move->written_bytes_s,
            };
        }
    }
    return kept;
}

static int read_past(struct cli *cli, struct estimate_past **past, size_t *count)
{
    struct journal_move *moves;
    struct journal *journal;
    struct err err;
    int status;

    journal = journal_open_readonly(cli->config.state_dir, &err);
    if (journal == NULL) {
        /* Who looks on as berthd acts may not read it: then sizes tell. */
        return err.code == ERR_NOT_FOUND || err.code == ERR_DENIED ? 0 : cli_fail(&err);
    }
    status = journal->ops->moves(journal, &cli->arena, false, NULL, MOVES_MAX, &moves, count, &err);
    journal_close(journal);
    if (status != 0) {
        return cli_fail(&err);
    }
    *count = remember(&cli->arena, moves, *count, past);
    return 0;
}

int forecast_make(struct cli *cli, bool recorded, struct plan *plan)
{
    struct plan_move *moves = ARENA_ARRAY(&cli->arena, struct plan_move, plan->move_count + 1);
    struct estimate_past *past = NULL;
    size_t count = 0;
    int status = recorded ? 0 : read_past(cli, &past, &count);

    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < plan->move_count; i++) {
        moves[i] = plan->moves[i];
        if (moves[i].mode == MOVE_LIVE) {
            moves[i].forecast = estimate_live(past, count, moves[i].guest, moves[i].memory_kib,
                                              plan->bandwidth_mib_s);
        }
    }
    plan->moves = moves;
    return 0;
}
