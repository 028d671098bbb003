/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/snapshot.h"

#include <assert.h>

#include "base/loop.h"
#include "reconciler/calls.h"

/* One host whose answer is awaited. */
struct snapshot_wait {
    struct snapshot *snapshot;
    size_t index;
    uint64_t ticket;
};

/* What is known of a host that did not answer: its last guests, and why it is not reachable. */
static struct observed_host last_known(struct snapshot *snapshot, const char *name,
                                       const char *error)
{
    const struct observed_host *before = observed_find_host(&snapshot->observed, name);
    struct observed_host host = { 0 };

    if (before != NULL) {
        host = observed_copy_host(&snapshot->next_arena, before);
    }
    host.name = arena_strdup(&snapshot->next_arena, name);
    host.reachable = false;
    host.error = arena_strdup(&snapshot->next_arena, error);
    return host;
}

static void finish(struct snapshot *snapshot)
{
    observed_sort_hosts(snapshot->next, snapshot->count);
    arena_deinit(&snapshot->arena);
    snapshot->arena = snapshot->next_arena;
    snapshot->next_arena = ARENA_INIT;
    snapshot->observed = (struct observed){
        .at_ms = loop_wall_ms(snapshot->loop),
        .hosts = snapshot->next,
        .host_count = snapshot->count,
    };
    snapshot->next = NULL;
    snapshot->waits = NULL;
    snapshot->done(snapshot->context);
}

static void on_observed(void *context, const struct actuator_completion *completion)
{
    struct snapshot_wait *wait = context;
    struct snapshot *snapshot = wait->snapshot;
    struct observed_host *host = &snapshot->next[wait->index];

    wait->ticket = 0;
    if (completion->status == 0) {
        const char *name = host->name;

        *host = observed_copy_host(&snapshot->next_arena, completion->observed);
        host->name = name;
    } else {
        *host = last_known(snapshot, host->name, completion->err.text);
    }
    snapshot->waiting--;
    if (snapshot->waiting == 0) {
        finish(snapshot);
    }
}

static void finish_empty(void *context)
{
    finish(context);
}

void snapshot_init(struct snapshot *snapshot, struct loop *loop, struct calls *calls)
{
    *snapshot = (struct snapshot){ .loop = loop, .calls = calls };
}

void snapshot_take(struct snapshot *snapshot, const char *const *hosts, size_t count,
                   snapshot_done_fn *done, void *context)
{
    struct arena *arena = &snapshot->next_arena;

    assert(snapshot->waits == NULL);
    snapshot->next = ARENA_ARRAY(arena, struct observed_host, count + 1);
    snapshot->waits = ARENA_ARRAY(arena, struct snapshot_wait, count + 1);
    snapshot->count = count;
    snapshot->waiting = count;
    snapshot->done = done;
    snapshot->context = context;
    for (size_t i = 0; i < count; i++) {
        struct snapshot_wait *wait = &snapshot->waits[i];

        snapshot->next[i].name = arena_strdup(arena, hosts[i]);
        *wait = (struct snapshot_wait){ .snapshot = snapshot, .index = i };
        wait->ticket = calls_observe(snapshot->calls, snapshot->next[i].name, SNAPSHOT_DEADLINE_MS,
                                     on_observed, wait);
    }
    if (count == 0) {
        loop_post(snapshot->loop, finish_empty, snapshot);
    }
}

void snapshot_deinit(struct snapshot *snapshot)
{
    for (size_t i = 0; snapshot->waits != NULL && i < snapshot->count; i++) {
        calls_drop(snapshot->calls, snapshot->waits[i].ticket);
    }
    arena_deinit(&snapshot->arena);
    arena_deinit(&snapshot->next_arena);
    *snapshot = (struct snapshot){ 0 };
}
