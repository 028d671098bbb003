/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/adopt.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "model/desired.h"
#include "model/es_edit.h"
#include "model/fault.h"
#include "reconciler/drift.h"
#include "reconciler/source.h"

/* A host that the file does not name cannot be written into it. */
static bool is_adopted(const struct drift_item *item, const struct desired *desired)
{
    return item->class == CONFIG_DRIFT_OPERATOR_MOVE && item->answer == CONFIG_DRIFT_ADOPT &&
           desired_find_host(desired, item->found) != DESIRED_NONE;
}

/* What is edited, by whose rules. */
struct adoption {
    struct arena *arena;
    const struct source *source;
    const struct policy *policy;
    struct file_bytes old;
    struct file_bytes new;
};

/* Makes the file as it would be with 'count' of 'edits'.  ERR_REFUSED: it would be faulty. */
static int edit(struct adoption *adoption, const struct es_edit *edits, size_t count,
                struct err *err)
{
    struct file_bytes *new = &adoption->new;
    struct faults faults = fault_list(adoption->arena);
    struct revision revision;

    if (es_edit_apply(adoption->arena, adoption->old.data, adoption->old.length, edits, count,
                      &new->data, &new->length, err) != 0) {
        return -1;
    }
    if (source_check(adoption->arena, new->data, new->length, adoption->policy, &revision,
                     &faults) != 0) {
        return err_set(err, ERR_REFUSED, "then %s",
                       source_fault_text(adoption->arena, adoption->source, &faults, err));
    }
    return 0;
}

/* With all of them, or with the first that can be: the rest is asked again with the revision that makes. */
static int edit_some(struct adoption *adoption, const struct es_edit *edits, size_t *count,
                     struct err *err)
{
    size_t all = *count;
    struct err other;

    if (edit(adoption, edits, all, err) == 0) {
        return 0;
    }
    *count = 1;
    for (size_t i = 0; all > 1 && i < all; i++) {
        if (edit(adoption, &edits[i], 1, &other) == 0) {
            return 0;
        }
    }
    return -1;
}

int adopt_drift(struct arena *arena, struct source *source, const struct revision *revision,
                const struct policy *policy, const struct drift *drift, size_t *count,
                struct err *err)
{
    struct es_edit *edits = ARENA_ARRAY(arena, struct es_edit, drift->count + 1);
    struct adoption adoption = {
        .arena = arena,
        .source = source,
        .policy = policy,
        .old = { revision->bytes, revision->length },
    };

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
    if (edit_some(&adoption, edits, count, err) != 0 ||
        source->replace(source, adoption.old, adoption.new, err) != 0) {
        return err_wrap(err, "cannot adopt where '%s' is", edits[0].guest);
    }
    return 0;
}
