/* SPDX-License-Identifier: Apache-2.0 */
#include "model/observed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

#define HUGEPAGE_MIN_KIB 8
#define HUGEPAGE_MAX_KIB (UINT64_C(1) << 30)

static const char *const state_names[GUEST_STATE_COUNT] = {
    [GUEST_RUNNING] = "running", [GUEST_SHUTOFF] = "shutoff", [GUEST_PAUSED] = "paused",
    [GUEST_CRASHED] = "crashed", [GUEST_OTHER] = "other",
};

static const char *const reason_names[GUEST_REASON_COUNT] = {
#define GUEST_REASON(name, text) [GUEST_REASON_##name] = text,
    GUEST_REASONS
#undef GUEST_REASON
};

static const char *const job_names[GUEST_JOB_COUNT] = {
    [GUEST_JOB_NONE] = "none",
    [GUEST_JOB_OUTGOING] = "outgoing",
    [GUEST_JOB_INCOMING] = "incoming",
    [GUEST_JOB_OTHER] = "other",
};

static const char *const guard_names[OBSERVED_GUARD_COUNT] = {
    [OBSERVED_GUARD_UNKNOWN] = "unknown",
    [OBSERVED_GUARD_NONE] = "none",
    [OBSERVED_GUARD_HOLDING] = "holding",
    [OBSERVED_GUARD_RELEASED] = "released",
};

const char *observed_state_name(enum guest_state state)
{
    assert(state < GUEST_STATE_COUNT);
    return state_names[state];
}

const char *observed_reason_name(enum guest_reason reason)
{
    assert(reason < GUEST_REASON_COUNT);
    return reason_names[reason];
}

const char *observed_job_name(enum guest_job job)
{
    assert(job < GUEST_JOB_COUNT);
    return job_names[job];
}

enum guest_state observed_state_from_name(const char *name)
{
    return (enum guest_state)text_index(state_names, GUEST_STATE_COUNT, name);
}

enum guest_reason observed_reason_from_name(const char *name)
{
    return (enum guest_reason)text_index(reason_names, GUEST_REASON_COUNT, name);
}

enum guest_job observed_job_from_name(const char *name)
{
    return (enum guest_job)text_index(job_names, GUEST_JOB_COUNT, name);
}

const char *observed_guard_name(enum observed_guard guard)
{
    assert(guard < OBSERVED_GUARD_COUNT);
    return guard_names[guard];
}

enum observed_guard observed_guard_from_name(const char *name)
{
    return (enum observed_guard)text_index(guard_names, OBSERVED_GUARD_COUNT, name);
}

const struct observed_host *observed_find_host(const struct observed *observed, const char *name)
{
    return text_find(name, observed->hosts, observed->host_count, sizeof(*observed->hosts));
}

const struct observed_guest *observed_find_guest(const struct observed_host *host, const char *uuid)
{
    for (size_t i = 0; i < host->guest_count; i++) {
        if (strcmp(host->guests[i].uuid, uuid) == 0) {
            return &host->guests[i];
        }
    }
    return NULL;
}

const struct observed_guest *observed_find_guest_named(const struct observed_host *host,
                                                       const char *name)
{
    for (size_t i = 0; i < host->guest_count; i++) {
        if (strcmp(host->guests[i].name, name) == 0) {
            return &host->guests[i];
        }
    }
    return NULL;
}

const struct observed_hugepages *observed_find_hugepages(const struct observed_hugepages *pages,
                                                         size_t count, uint64_t page_kib)
{
    for (size_t i = 0; i < count; i++) {
        if (pages[i].page_kib == page_kib) {
            return &pages[i];
        }
    }
    return NULL;
}

bool observed_has_machine(const struct observed_host *host, const char *machine)
{
    return text_find(machine, host->machines, host->machine_count, sizeof(*host->machines)) != NULL;
}

bool observed_is_hugepage_size(uint64_t kib)
{
    return kib >= HUGEPAGE_MIN_KIB && kib <= HUGEPAGE_MAX_KIB && (kib & (kib - 1)) == 0;
}

static void copy_guest(struct arena *arena, struct observed_guest *copy,
                       const struct observed_guest *guest)
{
    *copy = *guest;
    copy->name = arena_strdup_maybe(arena, guest->name);
    copy->uuid = arena_strdup_maybe(arena, guest->uuid);
    copy->machine = arena_strdup_maybe(arena, guest->machine);
    copy->cpu_mode = arena_strdup_maybe(arena, guest->cpu_mode);
    copy->supplies = supply_list_copy(arena, &guest->supplies);
    copy->xml = arena_strdup_maybe(arena, guest->xml);
}

struct observed_host observed_copy_host(struct arena *arena, const struct observed_host *host)
{
    struct observed_host copy = *host;
    struct observed_guest *guests = ARENA_ARRAY(arena, struct observed_guest, host->guest_count);
    const char **machines = ARENA_ARRAY(arena, const char *, host->machine_count);
    struct observed_hugepages *pages =
        ARENA_ARRAY(arena, struct observed_hugepages, host->hugepage_count);

    for (size_t i = 0; i < host->guest_count; i++) {
        copy_guest(arena, &guests[i], &host->guests[i]);
    }
    for (size_t i = 0; i < host->machine_count; i++) {
        machines[i] = arena_strdup_maybe(arena, host->machines[i]);
    }
    if (host->hugepage_count > 0) {
        memcpy(pages, host->hugepages, host->hugepage_count * sizeof(*pages));
    }
    copy.name = arena_strdup_maybe(arena, host->name);
    copy.error = arena_strdup_maybe(arena, host->error);
    copy.lock_manager = arena_strdup_maybe(arena, host->lock_manager);
    copy.hostname = arena_strdup_maybe(arena, host->hostname);
    copy.arch = arena_strdup_maybe(arena, host->arch);
    copy.cpu_model = arena_strdup_maybe(arena, host->cpu_model);
    copy.cpu_fingerprint = arena_strdup_maybe(arena, host->cpu_fingerprint);
    copy.guests = guests;
    copy.machines = machines;
    copy.hugepages = pages;
    return copy;
}

static int compare_guests(const void *a, const void *b)
{
    const struct observed_guest *left = a;
    const struct observed_guest *right = b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : strcmp(left->uuid, right->uuid);
}

static int compare_hugepages(const void *a, const void *b)
{
    const struct observed_hugepages *left = a;
    const struct observed_hugepages *right = b;

    return (left->page_kib > right->page_kib) - (left->page_kib < right->page_kib);
}

void observed_sort_guests(struct observed_guest *guests, size_t count)
{
    if (count > 1) {
        qsort(guests, count, sizeof(*guests), compare_guests);
    }
}

void observed_sort_hugepages(struct observed_hugepages *pages, size_t count)
{
    if (count > 1) {
        qsort(pages, count, sizeof(*pages), compare_hugepages);
    }
}

void observed_sort_hosts(struct observed_host *hosts, size_t count)
{
    text_sort(hosts, count, sizeof(*hosts));
}

bool observed_is_active(const struct observed_guest *guest)
{
    return guest->state != GUEST_SHUTOFF;
}

enum guest_state observed_lasting_state(const struct observed_guest *guest)
{
    if (guest->owed_start) {
        return GUEST_RUNNING;
    }
    return guest->state == GUEST_PAUSED || guest->state == GUEST_SHUTOFF ? guest->state
                                                                         : GUEST_RUNNING;
}
