/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Properties of every plan, on some thousand small fleets drawn from a seed: tight ones, with clusters,
 * silent hosts, pins, duplicates, guests that are off and moves in flight.
 */

#include "diff/plan.h"

#include "build_fleet.h"

#define FLEETS 3000

struct dice {
    uint64_t state;
};

/* SplitMix64: the same fleets everywhere. */
static uint64_t roll(struct dice *dice, uint64_t sides)
{
    uint64_t z = dice->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (z ^ (z >> 31)) % sides;
}

static bool one_in(struct dice *dice, uint64_t sides)
{
    return roll(dice, sides) == 0;
}

static const char *pick_host(struct build *build, struct dice *dice)
{
    return build->file_hosts[roll(dice, build->file_host_count)].name;
}

static void disturb(struct build *build, struct dice *dice, const char *name,
                    struct observed_guest *guest, const char *at)
{
    static const enum guest_state states[] = { GUEST_SHUTOFF, GUEST_SHUTOFF, GUEST_PAUSED,
                                               GUEST_CRASHED };

    if (one_in(dice, 4)) {
        guest->state = states[roll(dice, ARRAY_LEN(states))];
        guest->reason = one_in(dice, 2) ? GUEST_REASON_USER : GUEST_REASON_IO_ERROR;
        guest->owed_start = guest->state == GUEST_SHUTOFF && one_in(dice, 3);
        guest->autostart = one_in(dice, 3);
    }
    guest->config_memory_kib += roll(dice, 3) * GIB / 2;
    guest->snapshots = one_in(dice, 12);
    guest->persistent = !one_in(dice, 12);
    guest->vcpus = 1 + (uint32_t)roll(dice, 8);
    if (one_in(dice, 15)) {
        build_policy_guest(build, name)->pin = true;
    }
    if (one_in(dice, 15)) {
        build_in_flight(build, name, at, pick_host(build, dice));
    }
    if (one_in(dice, 20)) {
        build_exclusion(build, name, PLAN_HELD, "held");
    }
}

static void add_guest(struct build *build, struct dice *dice, uint64_t number, bool calm)
{
    static const char *const clusters[] = { NULL, NULL, NULL, "c1", "c2" };
    const char *name = text_format(build->arena, "vm%02u", (unsigned)number);
    uint64_t gib = 1 + roll(dice, 6);
    const char *at = pick_host(build, dice);
    const char *goal = one_in(dice, 3) ? at : pick_host(build, dice);
    struct observed_guest *guest;

    build_wish(build, name, gib, goal)->cluster = clusters[roll(dice, ARRAY_LEN(clusters))];
    if (!calm && one_in(dice, 25)) {
        return; /* Seen nowhere. */
    }
    guest = build_sighting(build, name, gib, at);
    if (!calm) {
        disturb(build, dice, name, guest, at);
    }
    if (!calm && one_in(dice, 25)) {
        *build_sighting(build, name, gib, pick_host(build, dice)) = *guest;
    }
}

/* A fleet from 'seed'.  In a calm one nothing but room, order and clusters can be in the way. */
static struct build *draw(struct arena *arena, uint64_t seed, bool calm)
{
    static const char *const names[] = { "kvm1", "kvm2", "kvm3", "kvm4", "kvm5", "kvm6" };
    struct dice dice = { seed };
    struct build *build = build_fleet(arena);
    size_t hosts = 2 + roll(&dice, 5);
    uint64_t guests = 1 + roll(&dice, 14);

    for (size_t i = 0; i < hosts; i++) {
        struct observed_host *host = build_host(build, names[i], 4 + roll(&dice, 16));

        host->reachable = calm || !one_in(&dice, 15);
        host->cpus = 4 + (uint32_t)roll(&dice, 32);
        if (!calm && one_in(&dice, 15)) {
            build_policy_host(build, names[i])->maintenance = true;
        }
    }
    for (uint64_t i = 0; i < guests; i++) {
        add_guest(build, &dice, i, calm);
    }
    if (one_in(&dice, 3)) {
        (void)build_sighting(build, "stranger", 1 + roll(&dice, 5), pick_host(build, &dice));
    }
    build->policy.charge_off = one_in(&dice, 2);
    build->policy.mode = one_in(&dice, 4) ? POLICY_MODE_OFFLINE : POLICY_MODE_AUTO;
    build->policy.cpu_policy = one_in(&dice, 3) ? POLICY_CPU_STRICT : POLICY_CPU_WARN;
    build->policy.guest_overhead_kib = roll(&dice, 2) * 1024;
    return build;
}

/* The rest of each test goes over fleets that come from a seed: reads the one in the environment, to
 * look at a single failure, else all. */
static uint64_t first_seed(void)
{
    const char *seed = getenv("BERTH_SEED");

    return seed == NULL ? 0 : strtoull(seed, NULL, 10);
}

static uint64_t last_seed(void)
{
    return getenv("BERTH_SEED") == NULL ? FLEETS : first_seed() + 1;
}

static void check_same(uint64_t seed, const struct plan *one, const struct plan *two)
{
    ck_assert_msg(one->move_count == two->move_count && one->block_count == two->block_count,
                  "seed %llu: other counts", (unsigned long long)seed);
    for (size_t i = 0; i < one->move_count; i++) {
        ck_assert_msg(strcmp(one->moves[i].guest, two->moves[i].guest) == 0 &&
                          strcmp(one->moves[i].to, two->moves[i].to) == 0 &&
                          strcmp(one->moves[i].reason, two->moves[i].reason) == 0,
                      "seed %llu: move %zu differs", (unsigned long long)seed, i + 1);
    }
    for (size_t i = 0; i < one->block_count; i++) {
        ck_assert_msg(strcmp(one->blocked[i].guest, two->blocked[i].guest) == 0 &&
                          strcmp(one->blocked[i].reason, two->blocked[i].reason) == 0,
                      "seed %llu: block of %s differs", (unsigned long long)seed,
                      one->blocked[i].guest);
    }
}

/* Fleets that are all alike prove nothing. */
static void expect_variety(size_t moves, const size_t blocks[PLAN_CODE_COUNT])
{
    static const enum plan_code codes[] = {
        PLAN_NO_CAPACITY, PLAN_UNREACHABLE, PLAN_MISSING,     PLAN_DUPLICATE,
        PLAN_APART,       PLAN_PINNED,      PLAN_MAINTENANCE, PLAN_DEADLOCK,
        PLAN_UNSAFE,      PLAN_HELD,        PLAN_IN_FLIGHT,
    };

    if (getenv("BERTH_SEED") != NULL) {
        return;
    }
    ck_assert_uint_ge(moves, FLEETS);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        ck_assert_msg(blocks[codes[i]] >= 10, "only %zu guests blocked as %s", blocks[codes[i]],
                      plan_code_name(codes[i]));
    }
}

START_TEST(every_plan_verifies_and_leaves_nobody_out)
{
    size_t moves = 0;
    size_t blocks[PLAN_CODE_COUNT] = { 0 };

    for (uint64_t seed = first_seed(); seed < last_seed(); seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw(&arena, seed, seed % 2 == 0);
        const struct plan_input *input = build_input(build);
        struct plan plan = plan_build(&arena, input);
        struct err err;

        if (verify_plan(input, &plan, 0, &err) != 0) {
            ck_abort_msg("seed %llu: %s", (unsigned long long)seed, err.text);
        }
        ck_assert_uint_ge(plan.move_count + plan.block_count + plan.placed, build->wish_count);
        ck_assert_int_eq(plan.complete, plan.block_count == 0);
        moves += plan.move_count;
        for (size_t i = 0; i < plan.block_count; i++) {
            blocks[plan.blocked[i].code]++;
        }
    }
    expect_variety(moves, blocks);
}
END_TEST

static void swap_bytes(void *a, void *b, size_t size)
{
    unsigned char spare[sizeof(struct observed_guest) * 2];

    ck_assert_uint_le(size, sizeof(spare));
    memcpy(spare, a, size);
    memcpy(a, b, size);
    memcpy(b, spare, size);
}

static void shuffle(struct dice *dice, void *items, size_t count, size_t size)
{
    char *bytes = items;

    for (size_t i = count; i > 1; i--) {
        swap_bytes(bytes + (i - 1) * size, bytes + roll(dice, i) * size, size);
    }
}

START_TEST(order_of_the_input_changes_nothing)
{
    for (uint64_t seed = first_seed(); seed < last_seed(); seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw(&arena, seed, seed % 2 == 0);
        struct dice dice = { seed };
        struct plan one = plan_build(&arena, build_input(build));
        struct plan two;

        /* build_input() sorts again; what is left over is the order in the arrays of clusters. */
        shuffle(&dice, build->wishes, build->wish_count, sizeof(build->wishes[0]));
        shuffle(&dice, build->sightings, build->sighting_count, sizeof(build->sightings[0]));
        two = plan_build(&arena, build_input(build));
        check_same(seed, &one, &two);
    }
}
END_TEST

static struct observed_guest *seen_on(struct build *build, const char *guest, const char *host,
                                      struct build_sighting **sighting)
{
    for (size_t i = 0; i < build->sighting_count; i++) {
        if (strcmp(build->sightings[i].guest.name, guest) == 0 &&
            strcmp(build->sightings[i].host, host) == 0) {
            *sighting = &build->sightings[i];
            return &build->sightings[i].guest;
        }
    }
    ck_abort_msg("'%s' is not on '%s'", guest, host);
}

static void make_moves(struct build *build, const struct plan *plan)
{
    for (size_t i = 0; i < plan->move_count; i++) {
        const struct plan_move *move = &plan->moves[i];
        struct build_sighting *sighting;
        struct observed_guest *guest = seen_on(build, move->guest, move->from, &sighting);

        sighting->host = move->to;
        if (move->mode == MOVE_OFFLINE) {
            guest->state = GUEST_RUNNING;
            guest->owed_start = false;
        }
    }
}

START_TEST(made_plan_leaves_nothing_to_move_and_the_same_blocks)
{
    for (uint64_t seed = first_seed(); seed < last_seed(); seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw(&arena, seed, seed % 2 == 0);
        struct plan plan = plan_build(&arena, build_input(build));
        struct plan after;

        make_moves(build, &plan);
        after = plan_build(&arena, build_input(build));
        ck_assert_msg(after.move_count == 0, "seed %llu: moves again", (unsigned long long)seed);
        ck_assert_msg(after.block_count == plan.block_count, "seed %llu: %zu blocks, then %zu",
                      (unsigned long long)seed, plan.block_count, after.block_count);
        for (size_t i = 0; i < plan.block_count; i++) {
            ck_assert_str_eq(after.blocked[i].guest, plan.blocked[i].guest);
            ck_assert_msg(after.blocked[i].code == plan.blocked[i].code,
                          "seed %llu: '%s' was %s, now %s", (unsigned long long)seed,
                          plan.blocked[i].guest, plan_code_name(plan.blocked[i].code),
                          plan_code_name(after.blocked[i].code));
        }
    }
}
END_TEST

START_TEST(plan_can_be_taken_up_at_any_move)
{
    for (uint64_t seed = first_seed(); seed < last_seed(); seed += 10) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw(&arena, seed, true);
        struct plan plan = plan_build(&arena, build_input(build));
        struct err err;

        for (size_t i = 0; i < plan.move_count; i++) {
            struct plan one = plan;

            if (verify_plan(build_input(build), &plan, i, &err) != 0) {
                ck_abort_msg("seed %llu: %s", (unsigned long long)seed, err.text);
            }
            one.moves = &plan.moves[i];
            one.move_count = 1;
            make_moves(build, &one);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_random");
    TCase *tcase = tcase_create("properties");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_plan_verifies_and_leaves_nobody_out);
    tcase_add_test(tcase, order_of_the_input_changes_nothing);
    tcase_add_test(tcase, made_plan_leaves_nothing_to_move_and_the_same_blocks);
    tcase_add_test(tcase, plan_can_be_taken_up_at_any_move);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
