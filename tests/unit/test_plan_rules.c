/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every rule of planner.md that decides who takes room where and who may go where: families of tight
 * fleets with the rule and without it, each plan held against an exhaustive search that knows the rule.
 * BERTH_SEED=N looks at one fleet of each family.
 */

#include "diff/plan.h"

#include "draw_fleet.h"
#include "oracle.h"
#include "tests/runner.h"

/* Fleets of a family, and on how many of them its rule must make a difference, or the family proves nothing.
 * Debug builds, sanitizers among them, take their time: fewer there. */
#ifdef MANY_FLEETS
#define FLEETS      150
#define DIFFERENCES 3
#else
#define FLEETS      75
#define DIFFERENCES 1
#endif

/* Placements that the exhaustive search looks at. */
#define BUDGET 20000

/* Brings a rule to bear on a fleet that was drawn without it. */
typedef void rule_fn(struct build *build, struct dice *dice);

static struct observed_guest *any_guest(struct build *build, struct dice *dice)
{
    return &build->sightings[dice_roll(dice, build->sighting_count)].guest;
}

static struct observed_host *any_host(struct build *build, struct dice *dice)
{
    return &build->hosts[dice_roll(dice, build->host_count)];
}

static void definition_is_larger(struct build *build, struct dice *dice)
{
    any_guest(build, dice)->config_memory_kib += 2 * GIB;
}

static void live_maximum_is_larger(struct build *build, struct dice *dice)
{
    any_guest(build, dice)->memory_kib += 2 * GIB;
}

static void file_size_is_larger(struct build *build, struct dice *dice)
{
    build->wishes[dice_roll(dice, build->wish_count)].guest.memory_kib += 2 * GIB;
}

static void guests_have_overhead(struct build *build, struct dice *dice)
{
    (void)dice;
    build->policy.guest_overhead_kib = GIB / 4;
}

static void hosts_keep_a_reserve(struct build *build, struct dice *dice)
{
    (void)dice;
    build->policy.reserve.kib = GIB;
}

static void file_declares_less_memory(struct build *build, struct dice *dice)
{
    size_t host = dice_roll(dice, build->file_host_count);

    for (size_t i = 0; i < build->host_count; i++) {
        if (strcmp(build->hosts[i].name, build->file_hosts[host].name) == 0) {
            build->file_hosts[host].memory_kib = build->hosts[i].memory_kib * 3 / 4;
        }
    }
}

/* Some guests are off; by default they take room all the same. */
static void turn_off(struct build *build, struct dice *dice)
{
    for (size_t i = 0; i < build->sighting_count; i++) {
        if (dice_one_in(dice, 3)) {
            build->sightings[i].guest.state = GUEST_SHUTOFF;
            build->sightings[i].guest.reason = GUEST_REASON_SHUTDOWN;
        }
    }
}

static void off_takes_no_room(struct build *build, struct dice *dice)
{
    turn_off(build, dice);
    build->policy.charge_off = false;
}

static void off_with_autostart_takes_room(struct build *build, struct dice *dice)
{
    off_takes_no_room(build, dice);
    for (size_t i = 0; i < build->sighting_count; i++) {
        build->sightings[i].guest.autostart = dice_one_in(dice, 2);
    }
}

static void owed_start_takes_room_and_is_offline(struct build *build, struct dice *dice)
{
    off_takes_no_room(build, dice);
    for (size_t i = 0; i < build->sighting_count; i++) {
        build->sightings[i].guest.owed_start =
            build->sightings[i].guest.state == GUEST_SHUTOFF && dice_one_in(dice, 2);
    }
}

static void unlisted_guest_takes_room(struct build *build, struct dice *dice)
{
    (void)build_sighting(build, "stranger", 2, any_host(build, dice)->name);
}

static void cpus_are_few(struct build *build, struct dice *dice)
{
    for (size_t i = 0; i < build->host_count; i++) {
        build->hosts[i].cpus = 1 + (uint32_t)dice_roll(dice, 4);
    }
}

static void cpus_are_few_and_strict(struct build *build, struct dice *dice)
{
    cpus_are_few(build, dice);
    build->policy.cpu_policy = POLICY_CPU_STRICT;
}

static void clusters_are_kept_apart(struct build *build, struct dice *dice)
{
    for (size_t i = 0; i < build->wish_count; i++) {
        build->wishes[i].cluster = dice_one_in(dice, 2) ? "c1" : "c2";
    }
}

static void guest_is_pinned(struct build *build, struct dice *dice)
{
    build_policy_of(build, any_guest(build, dice)->name)->pin = true;
}

static void guest_is_excluded(struct build *build, struct dice *dice)
{
    build_exclusion(build, any_guest(build, dice)->name, PLAN_HELD, "held");
}

static void guests_take_no_detour(struct build *build, struct dice *dice)
{
    for (size_t i = 0; i < build->sighting_count; i++) {
        if (!dice_one_in(dice, 3)) {
            build_policy_of(build, build->sightings[i].guest.name)->no_detour = true;
        }
    }
}

static void guests_may_be_parked(struct build *build, struct dice *dice)
{
    for (size_t i = 0; i < build->sighting_count; i++) {
        if (dice_one_in(dice, 2)) {
            build_policy_of(build, build->sightings[i].guest.name)->park = true;
        }
    }
}

static void guests_move_offline(struct build *build, struct dice *dice)
{
    for (size_t i = 0; i < build->sighting_count; i++) {
        if (dice_one_in(dice, 2)) {
            struct policy_guest *own = build_policy_of(build, build->sightings[i].guest.name);

            own->has_mode = true;
            own->mode = POLICY_MODE_OFFLINE;
        }
    }
}

static void host_is_in_maintenance(struct build *build, struct dice *dice)
{
    build_policy_host(build, any_host(build, dice)->name)->maintenance = true;
}

static void host_is_silent(struct build *build, struct dice *dice)
{
    any_host(build, dice)->reachable = false;
}

static void cpus_differ(struct build *build, struct dice *dice)
{
    any_host(build, dice)->cpu_fingerprint = "other";
    for (size_t i = 0; i < build->sighting_count; i++) {
        build->sightings[i].guest.cpu_mode = dice_one_in(dice, 2) ? "host-passthrough" : "custom";
    }
}

static void host_is_newer(struct build *build, struct dice *dice)
{
    any_host(build, dice)->qemu_version++;
}

static void host_lacks_a_machine_type(struct build *build, struct dice *dice)
{
    any_host(build, dice)->machine_count = 1; /* "pc" */
    for (size_t i = 0; i < build->sighting_count; i++) {
        build->sightings[i].guest.machine = dice_one_in(dice, 2) ? "q35" : "pc";
    }
}

static void host_devices_stay(struct build *build, struct dice *dice)
{
    any_guest(build, dice)->hostdevs = 1;
}

static void guests_take_huge_pages(struct build *build, struct dice *dice)
{
    draw_pools(build, dice, false);
}

static void guests_take_huge_pages_of_two_sizes(struct build *build, struct dice *dice)
{
    draw_pools(build, dice, true);
}

static void huge_pages_are_set_aside_for_nobody(struct build *build, struct dice *dice)
{
    build_pool(build, any_host(build, dice), 2048, 512);
}

static void pages_are_unknown(struct build *build, struct dice *dice)
{
    huge_pages_are_set_aside_for_nobody(build, dice);
    for (size_t i = 0; i < build->sighting_count; i++) {
        build->sightings[i].guest.hugepage_kib = dice_one_in(dice, 2) ? OBSERVED_UNKNOWN : 0;
    }
}

static void guests_are_bound_to_nodes(struct build *build, struct dice *dice)
{
    for (size_t i = 0; i < build->host_count; i++) {
        build->hosts[i].numa_nodes = 2;
    }
    any_host(build, dice)->numa_nodes = 1;
    for (size_t i = 0; i < build->sighting_count; i++) {
        build->sightings[i].guest.numa_nodes = (int32_t)dice_roll(dice, 3);
    }
}

static const struct {
    const char *name;
    rule_fn *rule;
} families[] = {
    { "the definition is larger", definition_is_larger },
    { "the live maximum is larger", live_maximum_is_larger },
    { "the file's size is larger", file_size_is_larger },
    { "guests have overhead", guests_have_overhead },
    { "hosts keep a reserve", hosts_keep_a_reserve },
    { "the file declares less memory", file_declares_less_memory },
    { "guests that are off take room", turn_off },
    { "guests that are off take no room", off_takes_no_room },
    { "guests that are off with autostart take room", off_with_autostart_takes_room },
    { "an owed start takes room and is offline", owed_start_takes_room_and_is_offline },
    { "an unlisted guest takes room", unlisted_guest_takes_room },
    { "CPUs are few", cpus_are_few },
    { "CPUs are few and strict", cpus_are_few_and_strict },
    { "clusters are kept apart", clusters_are_kept_apart },
    { "a guest is pinned", guest_is_pinned },
    { "a guest is excluded", guest_is_excluded },
    { "guests take no detour", guests_take_no_detour },
    { "guests may be parked", guests_may_be_parked },
    { "guests move offline", guests_move_offline },
    { "a host is in maintenance", host_is_in_maintenance },
    { "a host is silent", host_is_silent },
    { "CPUs differ", cpus_differ },
    { "a host is newer", host_is_newer },
    { "a host lacks a machine type", host_lacks_a_machine_type },
    { "host devices stay", host_devices_stay },
    { "guests take huge pages", guests_take_huge_pages },
    { "guests take huge pages of two sizes", guests_take_huge_pages_of_two_sizes },
    { "huge pages are set aside for nobody", huge_pages_are_set_aside_for_nobody },
    { "pages are unknown", pages_are_unknown },
    { "guests are bound to nodes", guests_are_bound_to_nodes },
};

/* The plan's cost, once it is seen to be the best; false if the search is too large. */
static bool price(struct build *build, const char *family, uint64_t seed, struct oracle_cost *cost)
{
    const struct plan_input *input = build_input(build);
    struct plan plan = plan_build(build->arena, input);
    struct oracle_cost best;
    struct err err;

    if (verify_plan(input, &plan, 0, &err) != 0) {
        ck_abort_msg("%s, seed %llu: %s", family, (unsigned long long)seed, err.text);
    }
    if (oracle_ask(input, BUDGET, &best) != ORACLE_KNOWS) {
        return false;
    }
    *cost = oracle_price(input, &plan);
    ck_assert_msg(cost->left == best.left && cost->interruptions == best.interruptions &&
                      cost->moves == best.moves,
                  "%s, seed %llu: %zu left, %zu interruptions, %zu moves; best: %zu, %zu, %zu",
                  family, (unsigned long long)seed, cost->left, cost->interruptions, cost->moves,
                  best.left, best.interruptions, best.moves);
    return true;
}

/* Returns whether the rule made a difference. */
static bool try_family(size_t family, uint64_t seed)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = draw_tight(&arena, seed);
    struct dice dice = { seed };
    struct oracle_cost without;
    struct oracle_cost with;
    bool known = price(build, "without a rule", seed, &without);

    families[family].rule(build, &dice);
    known = price(build, families[family].name, seed, &with) && known;
    return known && (with.left != without.left || with.interruptions != without.interruptions ||
                     with.moves != without.moves || with.kib != without.kib);
}

START_TEST(plans_are_the_best_that_the_rule_allows)
{
    const char *only = getenv("BERTH_SEED");
    uint64_t first = only == NULL ? 0 : strtoull(only, NULL, 10);
    uint64_t last = only == NULL ? FLEETS : first + 1;
    size_t family = (size_t)_i;
    size_t differences = 0;

    for (uint64_t seed = first; seed < last; seed++) {
        differences += try_family(family, seed);
    }
    /* Guests that are off and take room are as good as running; every other rule shows. */
    ck_assert_msg(only != NULL || differences >= DIFFERENCES || families[family].rule == turn_off,
                  "%s: only %zu fleets differ", families[family].name, differences);
}
END_TEST

/* In the order of the objective. */
static bool is_worse(const struct plan *a, const struct plan *b)
{
    if (a->block_count != b->block_count) {
        return a->block_count > b->block_count;
    }
    if (a->interruptions != b->interruptions) {
        return a->interruptions > b->interruptions;
    }
    return a->move_count > b->move_count;
}

/* One of three kinds: all live, some offline, some that may be stopped early. */
static struct build *draw_kind(struct arena *arena, uint64_t seed)
{
    struct build *build = draw_tight(arena, seed);
    struct dice dice = { seed };

    if (seed % 3 == 1) {
        guests_move_offline(build, &dice);
    } else if (seed % 3 == 2) {
        guests_may_be_parked(build, &dice);
    }
    return build;
}

/* With more memory on a host the best plan is no worse. */
START_TEST(more_memory_is_never_worse)
{
    size_t proven = 0;
    size_t interrupting = 0;

    for (uint64_t seed = 0; seed < 10 * (uint64_t)FLEETS; seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw_kind(&arena, seed);
        struct plan before = plan_build(&arena, build_input(build));
        struct plan after;

        build->hosts[seed % build->host_count].memory_kib += 2 * GIB;
        after = plan_build(&arena, build_input(build));
        if (before.optimal && after.optimal) {
            proven++;
            interrupting += before.interruptions > 0;
            ck_assert_msg(
                !is_worse(&after, &before),
                "seed %llu: %zu blocked, %zu interruptions, %zu moves became %zu, %zu, %zu",
                (unsigned long long)seed, before.block_count, before.interruptions,
                before.move_count, after.block_count, after.interruptions, after.move_count);
        }
    }
    ck_assert_uint_ge(proven, FLEETS);
    ck_assert_uint_ge(interrupting, FLEETS / 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_rules");
    TCase *tcase = tcase_create("families");

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, plans_are_the_best_that_the_rule_allows, 0, ARRAY_LEN(families));
    tcase_add_test(tcase, more_memory_is_never_worse);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
