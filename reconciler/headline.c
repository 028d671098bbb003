/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/headline.h"

#include "base/text.h"
#include "model/observed.h"
#include "model/op.h"
#include "reconciler/gauge.h"
#include "reconciler/journal/journal.h"
#include "reconciler/ledger.h"
#include "reconciler/status.h"

static void add_count(struct text *text, size_t count, const char *one, const char *many)
{
    if (count > 0) {
        text_printf(text, "; %zu %s", count, count == 1 ? one : many);
    }
}

static void add_moving(struct text *text, const struct status *status)
{
    const struct journal_move *move = status->moving;

    if (journal_move_is_restart(move)) {
        text_printf(text, "starting %s on %s", move->guest, move->to);
        return;
    }
    text_printf(text, "moving %s from %s to %s (%s", move->guest, move->from, move->to,
                op_mode_name(move->mode));
    if (status->gauge != NULL && status->gauge->fraction > 0) {
        text_printf(text, ", %d %%", (int)(status->gauge->fraction * 100));
    }
    text_append(text, ")");
    if (status->queue_count > 0) {
        text_printf(text, ", then %zu more", status->queue_count);
    }
}

static size_t count_unreachable(const struct observed *observed)
{
    size_t count = 0;

    for (size_t i = 0; observed != NULL && i < observed->host_count; i++) {
        count += observed->hosts[i].reachable ? 0 : 1;
    }
    return count;
}

void headline_write(struct text *text, const struct status *status)
{
    if (status->moving != NULL) {
        add_moving(text, status);
    } else if (status->es_digest == NULL) {
        text_append(text, "waiting for an es.xml that can be acted on");
    } else if (status->looked_ms == 0) {
        text_append(text, "looking at the hosts");
    } else {
        text_append(text, "nothing is moving");
    }
    if (!status->valid && status->es_digest != NULL) {
        text_append(text, "; es.xml is faulty, its last good contents stay in force");
    }
    add_count(text, status->block_count, "guest waits", "guests wait");
    add_count(text, count_unreachable(status->observed), "host does not answer",
              "hosts do not answer");
    add_count(text, status->ledger->hold_count, "hold", "holds");
}
