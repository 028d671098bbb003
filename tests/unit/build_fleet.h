/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fleets for tests, built by hand: hosts and guests in any order, as one says them.  Everything a rule
 * could object to is as harmless as it can be unless a test changes it.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/plan.h"
#include "diff/verify.h"
#include "model/desired.h"
#include "model/observed.h"
#include "model/policy.h"

#define GIB ((uint64_t)1024 * 1024)

#define BUILD_HOSTS  16
#define BUILD_GUESTS 64

/* What was seen of one guest on one host. */
struct build_sighting {
    const char *host;
    struct observed_guest guest;
};

struct build_wish {
    const char *host;
    const char *cluster; /* Or NULL. */
    struct desired_guest guest;
};

struct build {
    struct arena *arena;
    struct desired_host file_hosts[BUILD_HOSTS];
    size_t file_host_count;
    struct observed_host hosts[BUILD_HOSTS];
    size_t host_count;
    struct build_wish wishes[BUILD_GUESTS];
    size_t wish_count;
    struct build_sighting sightings[BUILD_GUESTS];
    size_t sighting_count;
    struct observed_move in_flight[BUILD_GUESTS];
    size_t in_flight_count;
    struct plan_exclusion exclusions[BUILD_GUESTS];
    size_t exclusion_count;
    struct policy_host policy_hosts[BUILD_HOSTS];
    struct policy_guest policy_guests[BUILD_GUESTS];
    struct policy policy;
    bool recorded;
    struct desired desired; /* These three by build_input(). */
    struct observed observed;
    struct plan_input input;
};

/* An empty fleet; hosts keep nothing for themselves. */
static inline struct build *build_fleet(struct arena *arena)
{
    struct build *build = ARENA_NEW(arena, struct build);

    build->arena = arena;
    build->policy = policy_default();
    build->policy.reserve = (struct policy_reserve){ 0 };
    return build;
}

/* A host of the file that answers, with 'gib' of memory. */
static inline struct observed_host *build_host(struct build *build, const char *name, uint64_t gib)
{
    static const char *const machines[] = { "pc", "q35" };
    struct observed_host *host = &build->hosts[build->host_count++];

    build->file_hosts[build->file_host_count++] = (struct desired_host){ .name = name, .id = name };
    *host = (struct observed_host){
        .name = name,
        .reachable = true,
        .as_of_ms = 1,
        .memory_kib = gib * GIB,
        .cpus = 64,
        .qemu_version = 7002000,
        .libvirt_version = 9000000,
        .arch = "x86_64",
        .cpu_fingerprint = "same",
        .machines = machines,
        .machine_count = 2,
    };
    return host;
}

/* One more place where 'name' is seen, running there with 'gib'. */
static inline struct observed_guest *build_sighting(struct build *build, const char *name,
                                                    uint64_t gib, const char *host)
{
    struct build_sighting *sighting = &build->sightings[build->sighting_count++];

    sighting->host = host;
    sighting->guest = (struct observed_guest){
        .name = name,
        .uuid = text_format(build->arena, "uuid-of-%s", name),
        .state = GUEST_RUNNING,
        .reason = GUEST_REASON_BOOTED,
        .memory_kib = gib * GIB,
        .config_memory_kib = gib * GIB,
        .vcpus = 1,
        .persistent = true,
        .machine = "q35",
        .cpu_mode = "custom",
    };
    return &sighting->guest;
}

/* Lets 'host' set aside so many more pages of 'page_kib', from memory that it has. */
static inline void build_pool(struct build *build, struct observed_host *host, uint64_t page_kib,
                              uint64_t pages)
{
    struct observed_hugepages *pools =
        ARENA_ARRAY(build->arena, struct observed_hugepages, host->hugepage_count + 1);
    size_t at = 0;

    if (host->hugepage_count > 0) {
        memcpy(pools, host->hugepages, host->hugepage_count * sizeof(*pools));
    }
    while (at < host->hugepage_count && pools[at].page_kib != page_kib) {
        at++;
    }
    host->hugepage_count += at == host->hugepage_count;
    pools[at].page_kib = page_kib;
    pools[at].total += pages;
    observed_sort_hugepages(pools, host->hugepage_count);
    host->hugepages = pools;
}

/* The file puts 'name' on 'host'. */
static inline struct build_wish *build_wish(struct build *build, const char *name, uint64_t gib,
                                            const char *host)
{
    struct build_wish *wish = &build->wishes[build->wish_count++];

    wish->host = host;
    wish->guest =
        (struct desired_guest){ .name = name, .id = name, .memory_kib = gib * GIB, .vcpus = 1 };
    return wish;
}

/* A guest that runs on 'at' and belongs on 'goal'. */
static inline struct observed_guest *build_guest(struct build *build, const char *name,
                                                 uint64_t gib, const char *at, const char *goal)
{
    (void)build_wish(build, name, gib, goal);
    return build_sighting(build, name, gib, at);
}

/* The same, of a cluster. */
static inline void build_member(struct build *build, const char *name, const char *cluster,
                                const char *at, const char *goal)
{
    (void)build_guest(build, name, 1, at, goal);
    build->wishes[build->wish_count - 1].cluster = cluster;
}

static inline struct build_wish *build_wish_of(struct build *build, const char *name)
{
    for (size_t i = 0; i < build->wish_count; i++) {
        if (strcmp(build->wishes[i].guest.name, name) == 0) {
            return &build->wishes[i];
        }
    }
    abort();
}

static inline void build_in_flight(struct build *build, const char *guest, const char *from,
                                   const char *to)
{
    build->in_flight[build->in_flight_count++] =
        (struct observed_move){ .guest = guest, .from = from, .to = to, .mode = MOVE_LIVE };
}

static inline void build_exclusion(struct build *build, const char *guest, enum plan_code code,
                                   const char *reason)
{
    build->exclusions[build->exclusion_count++] = (struct plan_exclusion){ guest, code, reason };
}

/* Settings of one host or guest: the caller fills them in. */
static inline struct policy_host *build_policy_host(struct build *build, const char *name)
{
    struct policy_host *host = &build->policy_hosts[build->policy.host_count++];

    *host = (struct policy_host){ .name = name };
    return host;
}

static inline struct policy_guest *build_policy_guest(struct build *build, const char *name)
{
    struct policy_guest *guest = &build->policy_guests[build->policy.guest_count++];

    *guest = (struct policy_guest){ .name = name };
    return guest;
}

/* The settings of a guest, new or not. */
static inline struct policy_guest *build_policy_of(struct build *build, const char *guest)
{
    for (size_t i = 0; i < build->policy.guest_count; i++) {
        if (strcmp(build->policy_guests[i].name, guest) == 0) {
            return &build->policy_guests[i];
        }
    }
    return build_policy_guest(build, guest);
}

/* Every array here has the name it is sorted by as its first member. */
static inline int build_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static inline int build_compare_wishes(const void *a, const void *b)
{
    return strcmp(((const struct build_wish *)a)->guest.name,
                  ((const struct build_wish *)b)->guest.name);
}

static inline void build_sort(void *items, size_t count, size_t size)
{
    if (count > 1) {
        qsort(items, count, size, build_compare);
    }
}

static inline void build_desired(struct build *build)
{
    struct desired_guest *guests =
        ARENA_ARRAY(build->arena, struct desired_guest, build->wish_count);
    const char **clusters = ARENA_ARRAY(build->arena, const char *, build->wish_count);
    uint32_t *refs = ARENA_ARRAY(build->arena, uint32_t, build->wish_count);
    struct desired *desired = &build->desired;
    size_t count = 0;

    qsort(build->wishes, build->wish_count, sizeof(build->wishes[0]), build_compare_wishes);
    build_sort(build->file_hosts, build->file_host_count, sizeof(build->file_hosts[0]));
    *desired = (struct desired){
        .hosts = build->file_hosts,
        .host_count = build->file_host_count,
        .guests = guests,
        .guest_count = build->wish_count,
        .clusters = clusters,
        .cluster_refs = refs,
    };
    for (size_t i = 0; i < build->wish_count; i++) {
        const struct build_wish *wish = &build->wishes[i];
        size_t cluster = 0;

        guests[i] = wish->guest;
        guests[i].host = desired_find_host(desired, wish->host);
        ck_assert_uint_ne(guests[i].host, DESIRED_NONE);
        guests[i].line = (uint32_t)i + 1;
        guests[i].first_cluster = (uint32_t)i;
        guests[i].cluster_count = wish->cluster != NULL;
        while (wish->cluster != NULL && cluster < count &&
               strcmp(clusters[cluster], wish->cluster) != 0) {
            cluster++;
        }
        if (wish->cluster != NULL && cluster == count) {
            clusters[count++] = wish->cluster;
        }
        refs[i] = (uint32_t)cluster;
    }
    desired->cluster_count = count;
}

static inline void build_observed(struct build *build)
{
    struct observed_host *hosts =
        ARENA_ARRAY(build->arena, struct observed_host, build->host_count);

    memcpy(hosts, build->hosts, build->host_count * sizeof(*hosts));
    observed_sort_hosts(hosts, build->host_count);
    for (size_t h = 0; h < build->host_count; h++) {
        struct observed_guest *guests =
            ARENA_ARRAY(build->arena, struct observed_guest, build->sighting_count);

        hosts[h].guests = guests;
        hosts[h].guest_count = 0;
        for (size_t i = 0; i < build->sighting_count; i++) {
            if (strcmp(build->sightings[i].host, hosts[h].name) == 0) {
                guests[hosts[h].guest_count++] = build->sightings[i].guest;
            }
        }
        observed_sort_guests(guests, hosts[h].guest_count);
    }
    build_sort(build->in_flight, build->in_flight_count, sizeof(build->in_flight[0]));
    build->observed = (struct observed){
        .at_ms = 1,
        .hosts = hosts,
        .host_count = build->host_count,
        .in_flight = build->in_flight,
        .in_flight_count = build->in_flight_count,
    };
}

/* Sorts everything as the model demands.  May be called again after a change. */
static inline const struct plan_input *build_input(struct build *build)
{
    build_desired(build);
    build_observed(build);
    build_sort(build->exclusions, build->exclusion_count, sizeof(build->exclusions[0]));
    build_sort(build->policy_hosts, build->policy.host_count, sizeof(build->policy_hosts[0]));
    build_sort(build->policy_guests, build->policy.guest_count, sizeof(build->policy_guests[0]));
    build->policy.hosts = build->policy_hosts;
    build->policy.guests = build->policy_guests;
    build->input = (struct plan_input){
        .desired = &build->desired,
        .observed = &build->observed,
        .policy = &build->policy,
        .es_xml_sha256 = "digest",
        .exclusions = build->exclusions,
        .exclusion_count = build->exclusion_count,
        .recorded = build->recorded,
    };
    return &build->input;
}

/* A plan that the verifier has accepted. */
static inline struct plan build_plan(struct build *build)
{
    const struct plan_input *input = build_input(build);
    struct plan plan = plan_build(build->arena, input);
    struct err err;

    if (verify_plan(input, &plan, 0, &err) != 0) {
        ck_abort_msg("%s", err.text);
    }
    return plan;
}

/* The block of 'guest', which must be there. */
static inline const struct plan_block *build_block_of(const struct plan *plan, const char *guest)
{
    const struct plan_block *block = plan_find_block(plan, guest);

    ck_assert_msg(block != NULL, "'%s' is not blocked", guest);
    return block;
}
