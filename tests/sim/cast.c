/* SPDX-License-Identifier: Apache-2.0 */
#include "cast.h"

#include <check.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_write.h"
#include "model/es_xml.h"
#include "model/fault.h"

#define UNIT_MIB 64u

static void draw_guest(struct cast *cast, struct dice *dice, uint32_t number)
{
    static const char *const states[] = { "running", "running", "running", "running",
                                          "running", "shutoff", "paused" };
    struct cast_guest *guest = &cast->guests[number];

    *guest = (struct cast_guest){
        .name = text_format(cast->arena, "vm%02u", number + 1),
        .uuid = text_format(cast->arena, "00000000-0000-4000-8000-%012x", number + 1),
        .memory_kib = (1 + dice_roll(dice, 3)) * UNIT_MIB * 1024,
        .host = (uint32_t)dice_roll(dice, cast->host_count),
        .cluster = dice_one_in(dice, 3) ? 1 + (uint32_t)dice_roll(dice, 2) : 0,
        .state = states[dice_roll(dice, ARRAY_LEN(states))],
        .stranger = dice_one_in(dice, 8),
        .autostart = dice_one_in(dice, 3),
        .deaf = dice_one_in(dice, 16),
    };
    guest->listed = !guest->stranger && !dice_one_in(dice, 10);
    guest->goal = dice_one_in(dice, 2) ? guest->host : (uint32_t)dice_roll(dice, cast->host_count);
}

static void draw_rules(struct cast *cast, struct dice *dice)
{
    for (size_t i = 0; i < cast->guest_count; i++) {
        cast->own_guests[i] = (struct policy_guest){
            .name = cast->guests[i].name,
            .has_mode = dice_one_in(dice, 4),
            .mode = dice_one_in(dice, 3) ? POLICY_MODE_LIVE : POLICY_MODE_OFFLINE,
            .pin = dice_one_in(dice, 12),
            .park = dice_one_in(dice, 2),
            .no_detour = dice_one_in(dice, 8),
        };
    }
    for (size_t h = 0; h < cast->host_count; h++) {
        cast->own_hosts[h] = (struct policy_host){
            .name = cast->hosts[h],
            .maintenance = dice_one_in(dice, 12),
        };
    }
}

/* Guests that are in their place change it with one another. */
static void draw_swaps(struct cast *cast, struct dice *dice)
{
    for (size_t i = cast->guest_count; i > 1; i--) {
        size_t other = dice_roll(dice, i);
        uint32_t goal = cast->guests[other].goal;

        cast->guests[other].goal = cast->guests[i - 1].goal;
        cast->guests[i - 1].goal = goal;
    }
}

/* Hosts can hold what they have and, mostly, what they shall have, and seldom much more; in a tight fleet only one
 * has any room left. */
static void draw_memory(struct cast *cast, struct dice *dice, bool tight)
{
    for (uint32_t h = 0; h < cast->host_count; h++) {
        uint64_t now_kib = 0;
        uint64_t then_kib = 0;
        uint64_t spare_mib = tight ? (h == 0) * UNIT_MIB : (1 + dice_roll(dice, 5)) * UNIT_MIB;

        for (size_t i = 0; i < cast->guest_count; i++) {
            now_kib += cast->guests[i].host == h ? cast->guests[i].memory_kib : 0;
            then_kib += cast->guests[i].goal == h ? cast->guests[i].memory_kib : 0;
        }
        if (then_kib > now_kib && !dice_one_in(dice, 8)) {
            now_kib = then_kib;
        }
        cast->memory_mib[h] = (unsigned)(now_kib / 1024 + spare_mib);
        cast->memory_mib[h] += cast->memory_mib[h] == 0 ? UNIT_MIB : 0;
    }
}

void cast_draw(struct cast *cast, struct arena *arena, struct dice *dice)
{
    static const char *const names[] = { "kvm1", "kvm2", "kvm3", "kvm4", "kvm5", "kvm6" };

    bool tight = dice_one_in(dice, 2);

    *cast = (struct cast){
        .arena = arena,
        .host_count = 2 + dice_roll(dice, CAST_HOSTS - 1),
        .guest_count = 1 + dice_roll(dice, CAST_GUESTS),
    };
    for (size_t h = 0; h < cast->host_count; h++) {
        cast->hosts[h] = names[h];
    }
    for (uint32_t i = 0; i < cast->guest_count; i++) {
        draw_guest(cast, dice, i);
    }
    if (tight) {
        draw_swaps(cast, dice);
    }
    draw_rules(cast, dice);
    draw_memory(cast, dice, tight);
    cast->durations = (struct sim_durations){
        .migrate_ms = (int64_t)(200 + dice_roll(dice, dice_one_in(dice, 4) ? 60000 : 10000)),
        .stop_ms = (int64_t)(100 + dice_roll(dice, 10000)),
        .start_ms = (int64_t)(100 + dice_roll(dice, 2000)),
        .define_ms = (int64_t)(10 + dice_roll(dice, 1000)),
        .observe_ms = (int64_t)(5 + dice_roll(dice, 500)),
    };
}

static void configure(struct cast *cast, struct config *config, struct dice *dice)
{
    static const enum config_drift_answer answers[] = { CONFIG_DRIFT_CORRECT, CONFIG_DRIFT_CORRECT,
                                                        CONFIG_DRIFT_REPORT, CONFIG_DRIFT_ADOPT,
                                                        CONFIG_DRIFT_HOLD };
    struct policy *policy = &config->policy;

    policy->mode = dice_one_in(dice, 3) ? POLICY_MODE_OFFLINE : POLICY_MODE_AUTO;
    policy->charge_off = !dice_one_in(dice, 4);
    policy->timeout_ms = (int64_t)(2 + dice_roll(dice, 10)) * 60000;
    policy->stop_timeout_ms = (int64_t)(1 + dice_roll(dice, 5)) * 60000;
    policy->hosts = cast->own_hosts;
    policy->host_count = cast->host_count;
    policy->guests = cast->own_guests;
    policy->guest_count = cast->guest_count;
    config->drift[CONFIG_DRIFT_OPERATOR_MOVE] = answers[dice_roll(dice, ARRAY_LEN(answers))];
    config->drift[CONFIG_DRIFT_HOST_RESTART] =
        dice_one_in(dice, 2) ? CONFIG_DRIFT_CORRECT : CONFIG_DRIFT_REPORT;
}

static void set_durations(void *context, struct sim_fleet *fleet)
{
    const struct cast *cast = context;

    fleet->durations.migrate_ms = cast->durations.migrate_ms;
    fleet->durations.stop_ms = cast->durations.stop_ms;
    fleet->durations.start_ms = cast->durations.start_ms;
    fleet->durations.define_ms = cast->durations.define_ms;
    fleet->durations.observe_ms = cast->durations.observe_ms;
    fleet->changed = true;
}

void cast_enter(struct cast *cast, struct world *world, struct dice *dice)
{
    struct world_guest guests[CAST_GUESTS];

    for (size_t i = 0; i < cast->guest_count; i++) {
        const struct cast_guest *guest = &cast->guests[i];

        guests[i] = (struct world_guest){
            .name = guest->name,
            .host = cast->hosts[guest->host],
            .wanted = cast->hosts[guest->goal],
            .state = guest->state,
            .memory_mib = (unsigned)(guest->memory_kib / 1024),
            .autostart = guest->autostart,
            .deaf = guest->deaf,
        };
    }
    world_init_hosts(world, cast->memory_mib, cast->host_count, guests, cast->guest_count, "");
    configure(cast, &world->config, dice);
    world_edit(world, set_durations, cast);
    world->es_xml = cast_es_xml(cast, 0);
}

/* A guest is in one cluster at most: the reference to it has the number of the guest. */
const char *cast_es_xml(const struct cast *cast, uint64_t note)
{
    static const char *const clusters[] = { "c1", "c2" };
    struct desired_host hosts[CAST_HOSTS] = { 0 };
    struct desired_guest guests[CAST_GUESTS] = { 0 };
    uint32_t refs[CAST_GUESTS];
    struct desired desired = {
        .hosts = hosts,
        .host_count = cast->host_count,
        .guests = guests,
        .clusters = clusters,
        .cluster_count = ARRAY_LEN(clusters),
        .cluster_refs = refs,
    };
    struct text text = text_new(cast->arena);

    for (size_t h = 0; h < cast->host_count; h++) {
        hosts[h].name = cast->hosts[h];
        hosts[h].id = text_format(cast->arena, "%s_id", cast->hosts[h]);
    }
    for (size_t i = 0; i < cast->guest_count; i++) {
        const struct cast_guest *guest = &cast->guests[i];
        uint32_t number = (uint32_t)desired.guest_count;

        if (guest->listed) {
            refs[number] = guest->cluster == 0 ? 0 : guest->cluster - 1;
            guests[desired.guest_count++] = (struct desired_guest){
                .name = guest->name,
                .id = text_format(cast->arena, "%s_id", guest->name),
                .memory_kib = guest->memory_kib,
                .vcpus = 1,
                .host = guest->goal,
                .first_cluster = number,
                .cluster_count = guest->cluster == 0 ? 0 : 1,
            };
        }
    }
    es_write_document(&text, &desired);
    text_printf(&text, "<!-- %llu -->\n", (unsigned long long)note);
    return text.data;
}

bool cast_read(struct cast *cast, const char *es_xml)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);
    struct desired desired;

    if (es_xml_read(&arena, es_xml, strlen(es_xml), &desired, &faults) != 0) {
        return false;
    }
    for (size_t i = 0; i < cast->guest_count; i++) {
        uint32_t index = desired_find_guest(&desired, cast->guests[i].name);

        cast->guests[i].listed = index != DESIRED_NONE;
        if (index != DESIRED_NONE) {
            cast->guests[i].goal = cast_host(cast, desired.hosts[desired.guests[index].host].name);
        }
    }
    return true;
}

uint32_t cast_guest(const struct cast *cast, const char *name)
{
    for (uint32_t i = 0; i < cast->guest_count; i++) {
        if (strcmp(cast->guests[i].name, name) == 0) {
            return i;
        }
    }
    return CAST_NOBODY;
}

uint32_t cast_guest_of(const struct cast *cast, const char *uuid)
{
    for (uint32_t i = 0; i < cast->guest_count; i++) {
        if (strcmp(cast->guests[i].uuid, uuid) == 0) {
            return i;
        }
    }
    return CAST_NOBODY;
}

uint32_t cast_host(const struct cast *cast, const char *name)
{
    for (uint32_t h = 0; h < cast->host_count; h++) {
        if (strcmp(cast->hosts[h], name) == 0) {
            return h;
        }
    }
    return CAST_NOBODY;
}

bool cast_are_apart(const struct cast *cast, uint32_t a, uint32_t b)
{
    const struct cast_guest *one = &cast->guests[a];
    const struct cast_guest *other = &cast->guests[b];

    return a != b && one->listed && other->listed && one->cluster != 0 &&
           one->cluster == other->cluster && one->goal != other->goal;
}
