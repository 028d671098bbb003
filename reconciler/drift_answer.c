/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/drift_answer.h"

#include <string.h>

#include "base/err.h"
#include "diff/plan.h"
#include "reconciler/adopt.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"
#include "reconciler/place.h"

static void tell_drift(struct reconciler *reconciler)
{
    const struct drift *drift = &reconciler->drift;

    for (size_t i = 0; i < drift->count; i++) {
        struct event event = { .kind = EVENT_DRIFT, .drift = &drift->items[i] };

        event.guest = drift->items[i].guest;
        event.text = drift->items[i].text;
        if (drift->items[i].is_news) {
            controller_emit(reconciler, &event);
        }
    }
    for (size_t i = 0; i < drift->ended_count; i++) {
        struct event event = { .kind = EVENT_DRIFT_OVER, .drift = &drift->ended[i] };

        event.guest = drift->ended[i].guest;
        event.text = drift->ended[i].text;
        controller_emit(reconciler, &event);
    }
}

static bool owes_start(const struct journal_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == JOURNAL_OWED) {
            return true;
        }
    }
    return false;
}

/* Who runs it once wants the file done, whoever moved what; a daemon answers drift as it was told to. */
static void answer_drift(struct reconciler *reconciler, const struct drift_facts *facts)
{
    const struct drift *drift = &reconciler->drift;
    size_t count;
    struct journal_record *records = drift_answers(&reconciler->arena, facts, drift, &count);

    if (count > 0) {
        controller_note(reconciler, records, count);
    }
    if (owes_start(records, count)) {
        reconciler->overtaken = true; /* It is paid by a pass that has it in its ledger. */
    }
    for (size_t i = 0; i < drift->count; i++) {
        const char *reason = drift_stays(&reconciler->arena, &drift->items[i]);

        if (reason != NULL) {
            view_exclude(&reconciler->view, drift->items[i].guest, PLAN_POLICY, reason);
            continue;
        }
        reason = drift_waits(&reconciler->arena, facts, &drift->items[i]);
        if (reason != NULL) {
            view_exclude(&reconciler->view, drift->items[i].guest, PLAN_WINDOW, reason);
        }
    }
    tell_drift(reconciler);
}

/* What is written makes the next revision: whatever came of it is seen there. */
static void adopt(struct reconciler *reconciler)
{
    struct event event = { .kind = EVENT_ALARM };
    size_t count;
    struct err err;

    if (adopt_drift(&reconciler->arena, reconciler->world.source, &reconciler->revision,
                    &reconciler->world.config->policy, &reconciler->drift, &count, &err) == 0) {
        reconciler->adopting.text[0] = '\0';
    } else if (strcmp(err.text, reconciler->adopting.text) != 0) {
        reconciler->adopting = err;
        event.text = err.text;
        controller_emit(reconciler, &event);
    }
}

int drift_answer_all(struct reconciler *reconciler)
{
    const struct drift_facts facts = {
        .desired = &reconciler->revision.desired,
        .observed = &reconciler->view.observed,
        .diff = &reconciler->found.diff,
        .ledger = &reconciler->ledger,
        .config = reconciler->world.config,
        .now_ms = controller_wall(reconciler),
    };
    struct journal_record *records;
    size_t count;
    struct err err;

    if (reconciler->options.follow) {
        if (drift_update(&reconciler->drift, &facts, &err) != 0) {
            controller_lost(reconciler, &err);
            return -1;
        }
        answer_drift(reconciler, &facts);
        reconciler->heard |= reconciler->drift.suspect_count > 0; /* Another look tells. */
        adopt(reconciler);
    }
    records = place_changes(&reconciler->arena, &facts, &reconciler->drift, &count);
    if (count > 0) {
        controller_note(reconciler, records, count);
    }
    return 0;
}
