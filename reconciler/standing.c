/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/standing.h"

#include <string.h>

#include "base/text.h"
#include "model/fault.h"

static void keep(struct standing *standing, const struct revision *revision)
{
    arena_deinit(&standing->arena);
    standing->bytes = text_copy(&standing->arena, revision->bytes, revision->length);
    standing->length = revision->length;
    memcpy(standing->digest, revision->digest, DIGEST_TEXT_SIZE);
}

/* What was good stays good while berth.conf is the same. */
static enum standing_news fall_back(struct standing *standing, struct arena *arena,
                                    const struct policy *policy, struct revision *revision)
{
    struct faults faults = fault_list(arena);

    if (standing->bytes == NULL ||
        source_check(arena, standing->bytes, standing->length, policy, revision, &faults) != 0) {
        return STANDING_NONE;
    }
    return STANDING_KEPT;
}

void standing_init(struct standing *standing, struct source *source)
{
    *standing = (struct standing){ .source = source };
}

enum standing_news standing_read(struct standing *standing, struct arena *arena,
                                 const struct policy *policy, struct revision *revision,
                                 struct faults *faults, struct err *err, bool *told)
{
    uint64_t stamp = standing->source->stamp(standing->source);
    bool known = standing->faulty && stamp == standing->stamp;

    standing->stamp = stamp;
    standing->faulty =
        source_read_revision(standing->source, arena, policy, revision, faults, err) != 0;
    if (standing->faulty) {
        *told = known;
        return fall_back(standing, arena, policy, revision);
    }
    if (standing->bytes != NULL && strcmp(standing->digest, revision->digest) == 0) {
        return STANDING_SAME;
    }
    keep(standing, revision);
    return STANDING_NEW;
}

bool standing_may_have_changed(const struct standing *standing)
{
    return standing->source->stamp(standing->source) != standing->stamp;
}

void standing_deinit(struct standing *standing)
{
    arena_deinit(&standing->arena);
    *standing = (struct standing){ 0 };
}
