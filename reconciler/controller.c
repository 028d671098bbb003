/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/controller.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "reconciler/pass.h"
#include "reconciler/rest.h"

static void on_run_ended(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;

    (void)result; /* What the run did is journaled already; its end is only for people. */
    (void)err;
    reconciler->done(reconciler->context, &reconciler->result);
}

void controller_end(struct reconciler *reconciler, enum reconciler_status status)
{
    struct journal_record record = { .kind = JOURNAL_RUN };

    if (reconciler->ended) {
        return;
    }
    reconciler->ended = true;
    reconciler->result.status = status;
    reconciler->result.plan = reconciler->following.valid ? &reconciler->following.plan : NULL;
    reconciler->run.ended_ms = controller_wall(reconciler);
    reconciler->run.exit_status = (int)status;
    record.run = reconciler->run;
    ledger_submit(&reconciler->ledger, &record, 1, on_run_ended, reconciler);
}

void controller_lost(struct reconciler *reconciler, const struct err *err)
{
    struct event event = { .kind = EVENT_JOURNAL_LOST, .err = err };

    if (!reconciler->ended) {
        controller_emit(reconciler, &event);
        controller_end(reconciler, RECONCILER_FAILED);
    }
}

bool controller_is_new(struct kept_names *kept, const char *name)
{
    const char **grown;

    if (text_index(kept->items, kept->count, name) < kept->count) {
        return false;
    }
    grown = ARENA_ARRAY(&kept->arena, const char *, kept->count + 1);
    if (kept->count > 0) {
        memcpy(grown, kept->items, kept->count * sizeof(*grown));
    }
    grown[kept->count++] = arena_strdup(&kept->arena, name);
    kept->items = grown;
    return true;
}

void controller_forget_names(struct kept_names *kept)
{
    arena_deinit(&kept->arena);
    *kept = (struct kept_names){ .count = 0 };
}

static void on_noted(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;

    reconciler->notes--;
    if (result != JOURNAL_COMMITTED) {
        controller_lost(reconciler, err);
    } else if (reconciler->notes == 0 && reconciler->pass_waits) {
        reconciler->pass_waits = false;
        pass_run(reconciler);
    } else if (reconciler->notes == 0 && reconciler->rest_waits) {
        reconciler->rest_waits = false;
        rest_begin(reconciler);
    }
}

void controller_note(struct reconciler *reconciler, const struct journal_record *records,
                     size_t count)
{
    reconciler->notes++;
    ledger_submit(&reconciler->ledger, records, count, on_noted, reconciler);
}

void controller_post_pass(void *context)
{
    struct reconciler *reconciler = context;

    if (reconciler->notes > 0) {
        reconciler->pass_waits = true;
    } else {
        pass_run(reconciler);
    }
}

void controller_next_pass(struct reconciler *reconciler)
{
    loop_post(reconciler->world.loop, controller_post_pass, reconciler);
}
