/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/calls.h"

#include <stdlib.h>
#include <string.h>

#include "model/op.h"

static struct calls_entry *find(struct calls *calls, uint64_t ticket)
{
    for (size_t i = 0; i < calls->capacity; i++) {
        if (calls->entries[i].ticket == ticket) {
            return &calls->entries[i];
        }
    }
    return NULL;
}

static struct calls_entry *find_free(struct calls *calls)
{
    struct calls_entry *entry = find(calls, 0);
    size_t capacity = calls->capacity == 0 ? 16 : calls->capacity * 2;
    struct calls_entry *entries;

    if (entry != NULL) {
        return entry;
    }
    entries = calloc(capacity, sizeof(*entries));
    if (entries == NULL) {
        abort();
    }
    if (calls->capacity > 0) {
        memcpy(entries, calls->entries, calls->capacity * sizeof(*entries));
    }
    free(calls->entries);
    calls->entries = entries;
    entry = &entries[calls->capacity];
    calls->capacity = capacity;
    return entry;
}

static void on_done(void *context, const struct actuator_completion *completion)
{
    struct calls *calls = context;
    struct calls_entry *entry = find(calls, completion->ticket);

    if (entry != NULL) {
        struct calls_entry answered = *entry;

        *entry = (struct calls_entry){ 0 };
        answered.done(answered.context, completion);
    }
}

static void on_progress(void *context, const struct actuator_progress *progress)
{
    struct calls *calls = context;
    struct calls_entry *entry = find(calls, progress->ticket);

    if (entry != NULL && entry->progress != NULL) {
        entry->progress(entry->context, progress);
    }
}

static void on_notice(void *context, const struct actuator_notice *notice)
{
    const struct calls *calls = context;

    if (calls->notice != NULL) {
        calls->notice(calls->notice_context, notice);
    }
}

static uint64_t enter(struct calls *calls, calls_done_fn *done, calls_progress_fn *progress,
                      void *context)
{
    struct calls_entry *entry = find_free(calls);

    entry->ticket = ++calls->last_ticket;
    entry->done = done;
    entry->progress = progress;
    entry->context = context;
    return entry->ticket;
}

void calls_init(struct calls *calls, struct actuator *actuator)
{
    *calls = (struct calls){ .actuator = actuator };
    actuator->sink = (struct actuator_sink){ calls, on_done, on_progress, on_notice };
}

uint64_t calls_observe(struct calls *calls, const char *host, int64_t deadline_ms,
                       calls_done_fn *done, void *context)
{
    uint64_t ticket = enter(calls, done, NULL, context);

    actuator_observe(calls->actuator, host, deadline_ms, ticket);
    return ticket;
}

uint64_t calls_start(struct calls *calls, const struct op *op, calls_done_fn *done,
                     calls_progress_fn *progress, void *context)
{
    uint64_t ticket = enter(calls, done, progress, context);

    actuator_start(calls->actuator, op, ticket);
    return ticket;
}

void calls_cancel(struct calls *calls, uint64_t ticket)
{
    if (ticket != 0 && find(calls, ticket) != NULL) {
        actuator_cancel(calls->actuator, ticket);
    }
}

void calls_drop(struct calls *calls, uint64_t ticket)
{
    struct calls_entry *entry = ticket == 0 ? NULL : find(calls, ticket);

    if (entry != NULL) {
        *entry = (struct calls_entry){ 0 };
    }
}

void calls_watch(struct calls *calls, const char *const *hosts, size_t count)
{
    actuator_watch(calls->actuator, hosts, count);
}

void calls_on_notice(struct calls *calls, calls_notice_fn *notice, void *context)
{
    calls->notice = notice;
    calls->notice_context = context;
}

void calls_deinit(struct calls *calls)
{
    free(calls->entries);
    *calls = (struct calls){ 0 };
}
