/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim_watch.h"

#include <stdlib.h>
#include <string.h>

#include "actuators/actuator.h"
#include "actuators/sim_fleet.h"
#include "actuators/sim_migrate.h"
#include "actuators/sim_store.h"
#include "base/arena.h"
#include "base/heap.h"
#include "base/loop.h"
#include "base/text.h"

#define LOOK_MS    INT64_C(200)   /* How often a file that others may replace is looked at. */
#define SILENCE_MS INT64_C(20000) /* After which keepalive gives a frozen host up. */

/* One guest as last seen: what libvirt tells changes of. */
struct seen_guest {
    const char *name;
    const char *uuid;
    enum guest_state state;
    enum guest_reason reason;
    enum guest_job job;
    uint64_t pass; /* Of a migration away from here. */
    bool persistent;
    uint64_t memory_kib;
    uint64_t config_memory_kib;
    uint64_t vcpus;
};

/* One watched host. */
struct seen_host {
    const char *name;
    bool up;                   /* Its link. */
    bool silent;               /* Frozen, since: */
    int64_t silent_ms;         /* Monotonic. */
    struct seen_guest *guests; /* As the fleet sorts them. */
    size_t guest_count;
};

/* A notice on its way. */
struct told {
    struct told *next;
    int64_t due_ms; /* Monotonic. */
    struct arena arena;
    struct actuator_notice notice;
};

struct sim_watch {
    struct loop *loop;
    struct sim_store *store;
    sim_watch_fn *notice;
    void *context;
    struct arena arena; /* Holds 'hosts'. */
    struct seen_host *hosts;
    size_t host_count;
    uint64_t version; /* Of the fleet when it was seen last. */
    int64_t next_ms;  /* Wall clock: when it changes by itself. */
    struct loop_timer look;
    struct told *queue; /* By due instant, then in the order of telling. */
    struct loop_timer delivery;
};

/* Delivery: one notice a turn, and nothing is touched after it. */

static void told_free(struct told *told)
{
    arena_deinit(&told->arena);
    free(told);
}

AUTO_POINTER(told, struct told, told_free);

static void deliver(void *context);

static void arm_delivery(struct sim_watch *watch)
{
    loop_timer_stop(watch->loop, &watch->delivery);
    if (watch->queue != NULL) {
        int64_t left_ms = watch->queue->due_ms - loop_now_ms(watch->loop);

        loop_timer_start(watch->loop, &watch->delivery, left_ms > 0 ? left_ms : 0, deliver, watch);
    }
}

static void deliver(void *context)
{
    struct sim_watch *watch = context;
    AUTO(told) struct told *told = watch->queue;

    watch->queue = told->next;
    arm_delivery(watch);
    watch->notice(watch->context, &told->notice);
}

static void enqueue(struct sim_watch *watch, const struct actuator_notice *notice, int64_t delay_ms)
{
    struct told *told = HEAP_NEW(struct told);
    struct told **place = &watch->queue;

    told->due_ms = loop_now_ms(watch->loop) + delay_ms;
    told->notice = (struct actuator_notice){
        .kind = notice->kind,
        .host = arena_strdup(&told->arena, notice->host),
        .guest = arena_strdup_maybe(&told->arena, notice->guest),
    };
    while (*place != NULL && (*place)->due_ms <= told->due_ms) {
        place = &(*place)->next;
    }
    told->next = *place;
    *place = told;
}

/* Sends a notice on its way, through the faults that are scripted for it. */
static void tell(struct sim_watch *watch, struct sim_fleet *fleet, enum actuator_notice_kind kind,
                 const char *host, const char *guest)
{
    const struct actuator_notice notice = { .kind = kind, .host = host, .guest = guest };
    struct sim_fault fault = { .when = SIM_WHEN_BEFORE };

    if (sim_fleet_take_fault(fleet, SIM_TARGET_NOTICE, host, guest, &fault) &&
        (fault.when == SIM_WHEN_LOST || fault.when == SIM_WHEN_HANG)) {
        return;
    }
    if (fault.when == SIM_WHEN_TWICE) {
        enqueue(watch, &notice, 0);
    }
    enqueue(watch, &notice, fault.delay_ms);
}

/* Comparing. */

static struct seen_guest see_guest(const struct sim_watch *watch, struct arena *arena,
                                   const struct sim_fleet *fleet, const struct sim_host *host,
                                   const struct sim_guest *guest)
{
    return (struct seen_guest){
        .name = arena_strdup(arena, guest->name),
        .uuid = arena_strdup(arena, guest->uuid),
        .state = guest->state,
        .reason = guest->reason,
        .job = sim_fleet_job(fleet, host, guest),
        .pass = sim_migrate_pass(fleet, host, guest, loop_wall_ms(watch->loop)),
        .persistent = guest->persistent,
        .memory_kib = guest->memory_kib,
        .config_memory_kib = guest->config_memory_kib,
        .vcpus = guest->vcpus,
    };
}

static int compare_guests(const struct seen_guest *a, const struct seen_guest *b)
{
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : strcmp(a->uuid, b->uuid);
}

static bool is_same_life(const struct seen_guest *a, const struct seen_guest *b)
{
    return a->state == b->state && a->reason == b->reason && a->persistent == b->persistent &&
           a->memory_kib == b->memory_kib && a->config_memory_kib == b->config_memory_kib &&
           a->vcpus == b->vcpus;
}

/* What is told of a guest that was there and is there.  A migration's beginning is told by its first
 * pass; that it was given up libvirt tells at its target alone, where the guest is gone. */
static void tell_change(struct sim_watch *watch, struct sim_fleet *fleet, const char *host,
                        const struct seen_guest *before, const struct seen_guest *now)
{
    if (!is_same_life(before, now)) {
        tell(watch, fleet, ACTUATOR_NOTICE_LIFECYCLE, host, now->name);
    } else if (before->job == GUEST_JOB_OTHER && now->job == GUEST_JOB_NONE) {
        tell(watch, fleet, ACTUATOR_NOTICE_JOB_ENDED, host, now->name);
    } else if ((before->job != GUEST_JOB_OUTGOING && now->job == GUEST_JOB_OUTGOING) ||
               now->pass > before->pass) {
        tell(watch, fleet, ACTUATOR_NOTICE_ITERATION, host, now->name);
    }
}

/* Both are sorted alike, so one walk meets everything that came, went or changed. */
static void tell_changes(struct sim_watch *watch, struct sim_fleet *fleet,
                         const struct seen_host *before, const struct seen_host *now)
{
    size_t i = 0;
    size_t j = 0;

    while (i < before->guest_count || j < now->guest_count) {
        int order = i == before->guest_count ? 1
                    : j == now->guest_count  ? -1
                                             : compare_guests(&before->guests[i], &now->guests[j]);

        if (order == 0) {
            tell_change(watch, fleet, now->name, &before->guests[i++], &now->guests[j++]);
        } else {
            tell(watch, fleet, ACTUATOR_NOTICE_LIFECYCLE, now->name,
                 order < 0 ? before->guests[i++].name : now->guests[j++].name);
        }
    }
}

static struct seen_host copy_host(struct arena *arena, const struct seen_host *seen)
{
    struct seen_host copy = *seen;

    copy.name = arena_strdup(arena, seen->name);
    copy.guests = ARENA_ARRAY(arena, struct seen_guest, seen->guest_count);
    for (size_t i = 0; i < seen->guest_count; i++) {
        copy.guests[i] = seen->guests[i];
        copy.guests[i].name = arena_strdup(arena, seen->guests[i].name);
        copy.guests[i].uuid = arena_strdup(arena, seen->guests[i].uuid);
    }
    return copy;
}

static struct seen_host see_answering(struct sim_watch *watch, struct arena *arena,
                                      struct sim_fleet *fleet, const struct sim_host *host,
                                      const struct seen_host *before)
{
    struct seen_host now = {
        .name = arena_strdup(arena, host->name),
        .up = true,
        .guests = ARENA_ARRAY(arena, struct seen_guest, host->guest_count),
        .guest_count = host->guest_count,
    };

    for (size_t i = 0; i < host->guest_count; i++) {
        now.guests[i] = see_guest(watch, arena, fleet, host, &host->guests[i]);
    }
    if (before->up) {
        tell_changes(watch, fleet, before, &now);
    } else {
        tell(watch, fleet, ACTUATOR_NOTICE_LINK_UP, now.name, NULL);
    }
    return now;
}

/* A host that says nothing keeps what was seen of it until its link is given up: at once when its power
 * is off, after a while when it is frozen. */
static struct seen_host see_silent(struct sim_watch *watch, struct arena *arena,
                                   struct sim_fleet *fleet, bool frozen,
                                   const struct seen_host *before)
{
    int64_t now_ms = loop_now_ms(watch->loop);
    int64_t since_ms = before->silent ? before->silent_ms : now_ms;

    if (frozen && before->up && now_ms - since_ms < SILENCE_MS) {
        struct seen_host now = copy_host(arena, before);

        now.silent = true;
        now.silent_ms = since_ms;
        return now;
    }
    if (before->up) {
        tell(watch, fleet, ACTUATOR_NOTICE_LINK_DOWN, before->name, NULL);
    }
    return (struct seen_host){ .name = arena_strdup(arena, before->name) };
}

static struct seen_host see_host(struct sim_watch *watch, struct arena *arena,
                                 struct sim_fleet *fleet, const struct seen_host *before)
{
    const struct sim_host *host = sim_fleet_find_host(fleet, before->name);

    if (host != NULL && host->power == SIM_POWER_ON) {
        return see_answering(watch, arena, fleet, host, before);
    }
    return see_silent(watch, arena, fleet, host != NULL && host->power == SIM_POWER_FROZEN, before);
}

/* Looking. */

/* True if a pass over a guest's memory is on: when the next one begins nobody else tells. */
static bool has_pass(const struct seen_host *host)
{
    for (size_t i = 0; i < host->guest_count; i++) {
        if (host->guests[i].pass > 0) {
            return true;
        }
    }
    return false;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Compares every host; what cannot be read now is compared another time. */
static void look(struct sim_watch *watch)
{
    struct seen_host *hosts;
    struct arena arena = ARENA_INIT;
    struct sim_fleet *fleet;
    struct err ignored;

    watch->next_ms = INT64_MAX;
    if (sim_store_enter(watch->store, loop_wall_ms(watch->loop), &fleet, &ignored) != 0) {
        return;
    }
    hosts = ARENA_ARRAY(&arena, struct seen_host, watch->host_count);
    for (size_t i = 0; i < watch->host_count; i++) {
        hosts[i] = see_host(watch, &arena, fleet, &watch->hosts[i]);
    }
    watch->next_ms = sim_fleet_next_ms(fleet);
    for (size_t i = 0; i < watch->host_count; i++) {
        if (has_pass(&hosts[i])) {
            watch->next_ms = least(watch->next_ms, loop_wall_ms(watch->loop) + LOOK_MS);
        }
    }
    arena_deinit(&watch->arena);
    watch->arena = arena;
    watch->hosts = hosts;
    (void)sim_store_leave(watch->store, &ignored);
    watch->version = sim_store_version(watch->store);
    arm_delivery(watch);
}

/* Milliseconds until the fleet, or what is heard of it, changes by itself; INT64_MAX = it does not. */
static int64_t rest_ms(const struct sim_watch *watch)
{
    int64_t rest =
        watch->next_ms == INT64_MAX ? INT64_MAX : watch->next_ms - loop_wall_ms(watch->loop);

    for (size_t i = 0; i < watch->host_count; i++) {
        const struct seen_host *host = &watch->hosts[i];

        if (host->silent) {
            rest = least(rest, host->silent_ms + SILENCE_MS - loop_now_ms(watch->loop));
        }
    }
    return rest > 0 ? rest : 0;
}

static void on_look(void *context);

static void arm_look(struct sim_watch *watch)
{
    int64_t wait_ms = rest_ms(watch);

    if (sim_store_is_shared(watch->store)) {
        wait_ms = least(wait_ms, LOOK_MS);
    }
    loop_timer_stop(watch->loop, &watch->look);
    if (watch->host_count > 0 && wait_ms != INT64_MAX) {
        loop_timer_start(watch->loop, &watch->look, wait_ms, on_look, watch);
    }
}

static void on_look(void *context)
{
    struct sim_watch *watch = context;

    if (watch->version != sim_store_version(watch->store) || sim_store_is_stale(watch->store) ||
        rest_ms(watch) == 0) {
        look(watch);
    }
    arm_look(watch);
}

/* The set. */

static const struct seen_host *find_host(const struct seen_host *hosts, size_t count,
                                         const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(hosts[i].name, name) == 0) {
            return &hosts[i];
        }
    }
    return NULL;
}

/* Drops what is on its way from hosts that are no longer watched. */
static void prune_queue(struct sim_watch *watch)
{
    struct told **place = &watch->queue;

    while (*place != NULL) {
        struct told *told = *place;

        if (find_host(watch->hosts, watch->host_count, told->notice.host) != NULL) {
            place = &told->next;
            continue;
        }
        *place = told->next;
        told_free(told);
    }
    arm_delivery(watch);
}

struct sim_watch *sim_watch_new(struct loop *loop, struct sim_store *store, sim_watch_fn *notice,
                                void *context)
{
    struct sim_watch *watch = HEAP_NEW(struct sim_watch);

    watch->loop = loop;
    watch->store = store;
    watch->notice = notice;
    watch->context = context;
    watch->next_ms = INT64_MAX;
    return watch;
}

void sim_watch_set(struct sim_watch *watch, const char *const *hosts, size_t count)
{
    struct arena arena = ARENA_INIT;
    struct seen_host *next = ARENA_ARRAY(&arena, struct seen_host, count);
    size_t next_count = 0;

    for (size_t i = 0; i < count; i++) {
        const struct seen_host *before = find_host(watch->hosts, watch->host_count, hosts[i]);

        if (find_host(next, next_count, hosts[i]) == NULL) {
            next[next_count++] = before != NULL
                                     ? copy_host(&arena, before)
                                     : (struct seen_host){ .name = arena_strdup(&arena, hosts[i]) };
        }
    }
    arena_deinit(&watch->arena);
    watch->arena = arena;
    watch->hosts = next;
    watch->host_count = next_count;
    prune_queue(watch);
    watch->next_ms = 0; /* Never seen whole: look at once. */
    arm_look(watch);
}

void sim_watch_touch(struct sim_watch *watch)
{
    if (watch->host_count > 0 && watch->version != sim_store_version(watch->store)) {
        loop_timer_start(watch->loop, &watch->look, 0, on_look, watch);
    }
}

void sim_watch_free(struct sim_watch *watch)
{
    loop_timer_stop(watch->loop, &watch->look);
    loop_timer_stop(watch->loop, &watch->delivery);
    while (watch->queue != NULL) {
        struct told *told = watch->queue;

        watch->queue = told->next;
        told_free(told);
    }
    arena_deinit(&watch->arena);
    free(watch);
}
