/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/condition.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/text.h"
#include "diff/diff.h"
#include "diff/plan.h"
#include "model/observed.h"
#include "reconciler/drift.h"
#include "reconciler/guard.h"
#include "reconciler/hold.h"
#include "reconciler/ledger.h"
#include "reconciler/status.h"

static const char *const kind_names[CONDITION_KINDS] = {
    [CONDITION_DESIRED_VALID] = "DesiredValid",
    [CONDITION_HOSTS_REACHABLE] = "HostsReachable",
    [CONDITION_IN_PLACE] = "InPlace",
    [CONDITION_UNBLOCKED] = "Unblocked",
    [CONDITION_SETTLED] = "Settled",
    [CONDITION_AS_LEFT] = "AsLeft",
    [CONDITION_RELEASED] = "Released",
};

void condition_set(struct conditions *conditions, enum condition_kind kind, int64_t now_ms,
                   const char *message)
{
    struct condition *condition = &conditions->of[kind];
    enum condition_status status = message == NULL ? CONDITION_TRUE : CONDITION_FALSE;

    if (condition->status != status) {
        condition->status = status;
        condition->since_ms = now_ms;
    }
    (void)snprintf(condition->message, sizeof(condition->message), "%s",
                   message == NULL ? "" : message);
}

/* 'first', and how many there are besides; NULL for none. */
static const char *and_more(struct arena *arena, const char *first, size_t count)
{
    return count < 2 ? first : text_format(arena, "%s; and %zu more", first, count - 1);
}

static const char *judge_hosts(struct arena *arena, const struct observed *observed)
{
    const char *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];

        if (!host->reachable && count++ == 0) {
            first = text_format(arena, "%s: %s", host->name, host->error);
        }
    }
    return and_more(arena, first, count);
}

static const char *judge_places(struct arena *arena, const struct diff *diff)
{
    size_t placed = diff->counts[DIFF_PLACED];
    size_t managed = diff->count - diff->counts[DIFF_UNMANAGED];

    return placed == managed
               ? NULL
               : text_format(arena, "%zu of %zu guests are not where the file wants them",
                             managed - placed, managed);
}

static const char *judge_blocks(struct arena *arena, const struct status *status)
{
    const struct plan_block *block = status->blocked;

    return status->block_count == 0
               ? NULL
               : and_more(arena,
                          text_format(arena, "%s: %s: %s", block->guest,
                                      plan_code_name(block->code), block->reason),
                          status->block_count);
}

/* What a host that is held back since its boot waits for. */
static const char *judge_guard(struct arena *arena, const struct observed *observed,
                               const struct ledger *ledger, const struct observed_host *host)
{
    struct guard_judgement judgement = guard_judge(arena, observed, ledger, host);

    return guard_text(arena, host, &judgement);
}

static const char *judge_moves(struct arena *arena, const struct observed *observed,
                               const struct ledger *ledger)
{
    const char *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < ledger->move_count; i++) {
        const struct journal_move *move = &ledger->moves[i];

        if (move->unclear && count++ == 0) {
            first = text_format(arena, "the move of '%s' from '%s' to '%s' is unclear", move->guest,
                                move->from, move->to);
        }
    }
    for (size_t i = 0; i < ledger->owed_count; i++) {
        if (count++ == 0) {
            first = text_format(arena, "'%s' was stopped on '%s' and must run again",
                                ledger->owed[i].guest, ledger->owed[i].host);
        }
    }
    for (size_t i = 0; observed != NULL && i < observed->host_count; i++) {
        if (guard_holds(&observed->hosts[i]) && count++ == 0) {
            first = judge_guard(arena, observed, ledger, &observed->hosts[i]);
        }
    }
    return and_more(arena, first, count);
}

static const char *judge_drift(struct arena *arena, const struct drift *drift)
{
    return drift->count == 0
               ? NULL
               : and_more(arena,
                          text_format(arena, "%s %s", drift->items[0].guest, drift->items[0].text),
                          drift->count);
}

void condition_judge(struct conditions *conditions, const struct status *status)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct ledger *ledger = status->ledger;
    int64_t now_ms = status->at_ms;

    condition_set(conditions, CONDITION_HOSTS_REACHABLE, now_ms,
                  judge_hosts(&arena, status->observed));
    condition_set(conditions, CONDITION_IN_PLACE, now_ms, judge_places(&arena, status->diff));
    condition_set(conditions, CONDITION_UNBLOCKED, now_ms, judge_blocks(&arena, status));
    condition_set(conditions, CONDITION_SETTLED, now_ms,
                  judge_moves(&arena, status->observed, ledger));
    condition_set(conditions, CONDITION_AS_LEFT, now_ms, judge_drift(&arena, status->drift));
    condition_set(conditions, CONDITION_RELEASED, now_ms,
                  ledger->hold_count == 0
                      ? NULL
                      : and_more(&arena, hold_text(&arena, &ledger->holds[0]), ledger->hold_count));
}

const char *condition_kind_name(enum condition_kind kind)
{
    assert(kind < CONDITION_KINDS);
    return kind_names[kind];
}

const char *condition_status_name(enum condition_status status)
{
    switch (status) {
    case CONDITION_UNKNOWN:
        return "unknown";
    case CONDITION_TRUE:
        return "true";
    case CONDITION_FALSE:
        return "false";
    }
    return "";
}
