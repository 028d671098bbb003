/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/standing.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "model/fault.h"
#include "reconciler/journal/journal.h"

static void keep(struct standing *standing, const char *bytes, size_t length, const char *digest)
{
    arena_deinit(&standing->arena);
    standing->bytes = text_copy(&standing->arena, bytes, length);
    standing->length = length;
    memcpy(standing->digest, digest, DIGEST_TEXT_SIZE);
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

static int find_newest(struct standing *standing, struct arena *arena,
                       struct journal_revision **newest, struct err *err)
{
    struct journal *journal = standing->journal;
    size_t count;

    if (journal->ops->revisions(journal, arena, 1, newest, &count, err) != 0) {
        return -1;
    }
    if (count == 0) {
        *newest = NULL;
    }
    return 0;
}

/* What a reading finds, in one digest. */
static void see(struct source *source, char seen[DIGEST_TEXT_SIZE])
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct err err;
    char *bytes;
    size_t length;

    if (source->read(source, &arena, &bytes, &length, &err) == 0) {
        digest_of(bytes, length, seen);
    } else {
        digest_of(err.text, strlen(err.text), seen);
    }
}

static void on_quiet(void *context)
{
    struct standing *standing = context;
    char seen[DIGEST_TEXT_SIZE];

    see(standing->source, seen);
    if (strcmp(seen, standing->seen) != 0) {
        standing->listener.changed(standing->listener.context);
    }
}

static void on_notice(void *context)
{
    struct standing *standing = context;

    debounce_note(&standing->debounce);
}

static void on_degraded(void *context, const struct err *err)
{
    const struct standing *standing = context;

    standing->listener.degraded(standing->listener.context, err);
}

void standing_init(struct standing *standing, struct source *source, struct journal *journal)
{
    *standing = (struct standing){ .source = source, .journal = journal };
}

int standing_recall(struct standing *standing, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal *journal = standing->journal;
    struct journal_revision *newest;
    char *bytes;
    size_t length;

    if (find_newest(standing, &arena, &newest, err) != 0) {
        return -1;
    }
    if (newest == NULL) {
        return 0;
    }
    if (journal->ops->object(journal, &arena, newest->digest, &bytes, &length, err) != 0) {
        return -1;
    }
    keep(standing, bytes, length, newest->digest);
    return 0;
}

void standing_follow(struct standing *standing, struct loop *loop,
                     const struct watch_listener *listener)
{
    const struct watch_listener own = { standing, on_notice, on_degraded };

    standing->listener = *listener;
    debounce_init(&standing->debounce, loop, STANDING_QUIET_MS, STANDING_LIMIT_MS, on_quiet,
                  standing);
    standing->source->subscribe(standing->source, loop, &own);
}

enum standing_news standing_read(struct standing *standing, struct arena *arena,
                                 const struct policy *policy, struct revision *revision,
                                 struct faults *faults, struct err *err, bool *told)
{
    bool was_faulty = standing->faulty;
    char before[DIGEST_TEXT_SIZE];

    memcpy(before, standing->seen, DIGEST_TEXT_SIZE);
    standing->faulty =
        source_read_revision(standing->source, arena, policy, revision, faults, err) != 0;
    if (standing->faulty && faults->count == 0) {
        digest_of(err->text, strlen(err->text), standing->seen);
    } else {
        memcpy(standing->seen, revision->digest, DIGEST_TEXT_SIZE);
    }
    if (standing->faulty) {
        *told = was_faulty && strcmp(before, standing->seen) == 0;
        return fall_back(standing, arena, policy, revision);
    }
    if (standing->bytes != NULL && strcmp(standing->digest, revision->digest) == 0) {
        return STANDING_SAME;
    }
    keep(standing, revision->bytes, revision->length, revision->digest);
    return STANDING_NEW;
}

void standing_doubt(struct standing *standing)
{
    standing->seen[0] = '\0';
}

int64_t standing_date(struct standing *standing, int64_t now_ms)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct journal_revision *newest;
    struct err err;

    if (find_newest(standing, &arena, &newest, &err) != 0 || newest == NULL ||
        newest->at_ms < now_ms) {
        return now_ms;
    }
    return newest->at_ms + 1;
}

void standing_deinit(struct standing *standing)
{
    standing->source->unsubscribe(standing->source);
    debounce_stop(&standing->debounce);
    arena_deinit(&standing->arena);
    *standing = (struct standing){ 0 };
}
