/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Small fleets for tests, drawn from a seed: the same everywhere.
 */

#include "build_fleet.h"
#include "dice.h"

static const char *draw_host(struct build *build, struct dice *dice)
{
    return build->file_hosts[dice_roll(dice, build->file_host_count)].name;
}

static inline void draw_troubles(struct build *build, struct dice *dice, const char *name,
                                 struct observed_guest *guest, const char *at)
{
    static const enum guest_state states[] = { GUEST_SHUTOFF, GUEST_SHUTOFF, GUEST_PAUSED,
                                               GUEST_CRASHED };

    if (dice_one_in(dice, 4)) {
        guest->state = states[dice_roll(dice, ARRAY_LEN(states))];
        guest->reason = dice_one_in(dice, 2) ? GUEST_REASON_USER : GUEST_REASON_IO_ERROR;
        guest->owed_start = guest->state == GUEST_SHUTOFF && dice_one_in(dice, 3);
        guest->autostart = dice_one_in(dice, 3);
    }
    guest->config_memory_kib += dice_roll(dice, 3) * GIB / 2;
    guest->snapshots = dice_one_in(dice, 12);
    guest->persistent = !dice_one_in(dice, 12);
    guest->vcpus = 1 + (uint32_t)dice_roll(dice, 8);
    if (dice_one_in(dice, 5)) {
        struct policy_guest *own = build_policy_guest(build, name);

        own->pin = dice_one_in(dice, 4);
        own->no_detour = dice_one_in(dice, 3);
        own->park = dice_one_in(dice, 2);
    }
    if (dice_one_in(dice, 15)) {
        build_in_flight(build, name, at, draw_host(build, dice));
    }
    if (dice_one_in(dice, 20)) {
        build_exclusion(build, name, PLAN_HELD, "held");
    }
}

static inline void draw_guest(struct build *build, struct dice *dice, uint64_t number, bool calm)
{
    static const char *const clusters[] = { NULL, NULL, NULL, "c1", "c2" };
    const char *name = text_format(build->arena, "vm%02u", (unsigned)number);
    uint64_t gib = 1 + dice_roll(dice, 6);
    const char *at = draw_host(build, dice);
    const char *goal = dice_one_in(dice, 3) ? at : draw_host(build, dice);
    struct observed_guest *guest;

    build_wish(build, name, gib, goal)->cluster = clusters[dice_roll(dice, ARRAY_LEN(clusters))];
    if (!calm && dice_one_in(dice, 25)) {
        return; /* Seen nowhere. */
    }
    guest = build_sighting(build, name, gib, at);
    if (!calm) {
        draw_troubles(build, dice, name, guest, at);
    }
    if (!calm && dice_one_in(dice, 25)) {
        const char *other = draw_host(build, dice);

        if (strcmp(other, at) != 0) { /* No host has two guests of one name. */
            *build_sighting(build, name, gib, other) = *guest;
        }
    }
}

/* A fleet from 'seed'.  In a calm one nothing but room, order and clusters can be in the way. */
static inline struct build *draw_fleet(struct arena *arena, uint64_t seed, bool calm)
{
    static const char *const names[] = { "kvm1", "kvm2", "kvm3", "kvm4", "kvm5", "kvm6" };
    struct dice dice = { seed };
    struct build *build = build_fleet(arena);
    size_t hosts = 2 + dice_roll(&dice, 5);
    uint64_t guests = 1 + dice_roll(&dice, 14);

    for (size_t i = 0; i < hosts; i++) {
        struct observed_host *host = build_host(build, names[i], 4 + dice_roll(&dice, 16));

        host->reachable = calm || !dice_one_in(&dice, 15);
        host->cpus = 4 + (uint32_t)dice_roll(&dice, 32);
        if (!calm && dice_one_in(&dice, 15)) {
            build_policy_host(build, names[i])->maintenance = true;
        }
    }
    for (uint64_t i = 0; i < guests; i++) {
        draw_guest(build, &dice, i, calm);
    }
    if (dice_one_in(&dice, 3)) {
        (void)build_sighting(build, "stranger", 1 + dice_roll(&dice, 5), draw_host(build, &dice));
    }
    build->policy.charge_off = dice_one_in(&dice, 2);
    build->policy.mode = dice_one_in(&dice, 4) ? POLICY_MODE_OFFLINE : POLICY_MODE_AUTO;
    build->policy.cpu_policy = dice_one_in(&dice, 3) ? POLICY_CPU_STRICT : POLICY_CPU_WARN;
    build->policy.guest_overhead_kib = dice_roll(&dice, 2) * 1024;
    return build;
}

static inline void draw_tight_guest(struct build *build, struct dice *dice, uint64_t number,
                                    size_t host, const char *goal, uint64_t loads[2][6],
                                    uint64_t gib)
{
    const char *name = text_format(build->arena, "vm%02u", (unsigned)number);
    size_t end = 0;

    while (strcmp(build->file_hosts[end].name, goal) != 0) {
        end++;
    }
    loads[0][host] += gib;
    loads[1][end] += gib;
    build_wish(build, name, gib, goal)->cluster = dice_one_in(dice, 6) ? "c1" : NULL;
    (void)build_sighting(build, name, gib, build->file_hosts[host].name);
}

/* A fleet with hardly any room: each host can hold what it has and what it shall have, and perhaps a
 * little more. */
static inline struct build *draw_tight(struct arena *arena, uint64_t seed)
{
    static const char *const names[] = { "kvm1", "kvm2", "kvm3", "kvm4", "kvm5", "kvm6" };
    struct dice dice = { seed };
    struct build *build = build_fleet(arena);
    size_t hosts = 2 + dice_roll(&dice, 5);
    uint64_t guests = 2 + dice_roll(&dice, 13);
    uint64_t sizes = 1 + dice_roll(&dice, 6);
    uint64_t loads[2][6] = { 0 };

    for (size_t i = 0; i < hosts; i++) {
        (void)build_host(build, names[i], 1);
    }
    for (uint64_t i = 0; i < guests; i++) {
        size_t host = dice_roll(&dice, hosts);
        const char *goal = dice_one_in(&dice, 3) ? names[host] : draw_host(build, &dice);

        draw_tight_guest(build, &dice, i, host, goal, loads, 1 + dice_roll(&dice, sizes));
    }
    for (size_t i = 0; i < hosts; i++) {
        uint64_t load = loads[0][i] > loads[1][i] ? loads[0][i] : loads[1][i];

        build->hosts[i].memory_kib =
            (load + (dice_one_in(&dice, 3) ? dice_roll(&dice, 4) : 0)) * GIB;
    }
    return build;
}

/* What the guests of one page size (0 = ordinary) take on a host, now and when all are in their place: the
 * larger of the two. */
static inline uint64_t draw_load(const struct build *build, const char *host, int32_t page_kib)
{
    uint64_t now = 0;
    uint64_t then = 0;

    for (size_t i = 0; i < build->sighting_count; i++) {
        const struct observed_guest *guest = &build->sightings[i].guest;

        if (guest->hugepage_kib != page_kib) {
            continue;
        }
        now += strcmp(build->sightings[i].host, host) == 0 ? guest->memory_kib : 0;
        for (size_t w = 0; w < build->wish_count; w++) {
            bool comes = strcmp(build->wishes[w].guest.name, guest->name) == 0 &&
                         strcmp(build->wishes[w].host, host) == 0;

            then += comes ? guest->memory_kib : 0;
        }
    }
    return now > then ? now : then;
}

/* Lets half of the guests have huge pages, of one size or of two, and every host set aside what it needs of
 * them for what it has and what it shall have, seldom a page less, sometimes a little more.  Ordinary
 * memory is as scarce. */
static inline void draw_pools(struct build *build, struct dice *dice, bool two_sizes)
{
    static const int32_t sizes[] = { 2048, GIB };

    for (size_t i = 0; i < build->sighting_count; i++) {
        size_t size = two_sizes ? dice_roll(dice, ARRAY_LEN(sizes)) : 0;

        if (dice_one_in(dice, 2)) {
            build->sightings[i].guest.hugepage_kib =
                dice_one_in(dice, 20) ? OBSERVED_UNKNOWN : sizes[size];
        }
    }
    for (size_t h = 0; h < build->host_count; h++) {
        struct observed_host *host = &build->hosts[h];

        host->memory_kib = draw_load(build, host->name, 0);
        host->memory_kib += dice_one_in(dice, 3) ? dice_roll(dice, 4) * GIB : 0;
        for (size_t size = 0; size < ARRAY_LEN(sizes); size++) {
            uint64_t page_kib = (uint64_t)sizes[size];
            uint64_t pages = draw_load(build, host->name, sizes[size]) / page_kib;

            pages -= pages > 0 && dice_one_in(dice, 8);
            pages += dice_one_in(dice, 3) ? dice_roll(dice, 4) * GIB / page_kib : 0;
            if (pages > 0) {
                build_pool(build, host, page_kib, pages);
                host->memory_kib += pages * page_kib;
            }
        }
    }
}
