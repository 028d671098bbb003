/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/adopt.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "model/desired.h"
#include "model/es_edit.h"
#include "reconciler/drift.h"
#include "reconciler/source.h"

/* A host that the file does not name cannot be written into it. */
static bool is_adopted(const struct drift_item *item, const struct desired *desired)
{
    return item->class == CONFIG_DRIFT_OPERATOR_MOVE && item->answer == CONFIG_DRIFT_ADOPT &&
           desired_find_host(desired, item->found) != DESIRED_NONE;
}

int adopt_drift(struct arena *arena, struct source *source, const struct revision *revision,
                const struct drift *drift, size_t *count, struct err *err)
{
    struct es_edit *edits = ARENA_ARRAY(arena, struct es_edit, drift->count + 1);
    struct file_bytes old = { revision->bytes, revision->length };
    struct file_bytes new;

    *count = 0;
    for (size_t i = 0; i < drift->count; i++) {
        const struct drift_item *item = &drift->items[i];

        if (is_adopted(item, &revision->desired)) {
            edits[(*count)++] = (struct es_edit){ .guest = item->guest, .host = item->found };
        }
    }
    if (*count == 0) {
        return 0;
    }
    if (es_edit_apply(arena, old.data, old.length, edits, *count, &new.data, &new.length, err) !=
            0 ||
        source->replace(source, old, new, err) != 0) {
        return err_wrap(err, "cannot adopt where '%s' is", edits[0].guest);
    }
    return 0;
}
