/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Properties of every plan, on many small fleets drawn from a seed: tight ones, with clusters, silent
 * hosts, pins, duplicates, guests that are off and moves in flight.  A fleet that fails is made smaller
 * as long as it fails, then printed.  BERTH_SEED=N looks at one.
 */

#include "diff/plan.h"

#include <stdio.h>

#include "diff/plan_json.h"
#include "draw_fleet.h"
#include "oracle.h"
#include "tests/runner.h"

/* Debug builds, sanitizers among them, take their time: fewer fleets there. */
#ifdef MANY_FLEETS
#define FLEETS 100000
#define TIGHT  1000
#else
#define FLEETS 600
#define TIGHT  12
#endif

/* Placements that the exhaustive search looks at. */
#define BUDGET       3000
#define TIGHT_BUDGET 400000

static uint64_t first_seed(void)
{
    const char *seed = getenv("BERTH_SEED");

    return seed == NULL ? 0 : strtoull(seed, NULL, 10);
}

static uint64_t last_seed(uint64_t count)
{
    return getenv("BERTH_SEED") == NULL ? count : first_seed() + 1;
}

/* What is wrong with 'plan', which is the fleet's, or NULL. */
typedef const char *property_fn(struct build *build, const struct plan *plan);

static bool removes(const char *guest, const char *name)
{
    return guest != NULL && strcmp(guest, name) == 0;
}

/* A copy without 'guest'; NULL = with everybody. */
static struct build *copy_without(struct build *build, const char *guest)
{
    struct build *copy = ARENA_NEW(build->arena, struct build);

    *copy = *build;
    copy->wish_count = 0;
    copy->sighting_count = 0;
    copy->in_flight_count = 0;
    copy->exclusion_count = 0;
    for (size_t i = 0; i < build->wish_count; i++) {
        if (!removes(guest, build->wishes[i].guest.name)) {
            copy->wishes[copy->wish_count++] = build->wishes[i];
        }
    }
    for (size_t i = 0; i < build->sighting_count; i++) {
        if (!removes(guest, build->sightings[i].guest.name)) {
            copy->sightings[copy->sighting_count++] = build->sightings[i];
        }
    }
    for (size_t i = 0; i < build->in_flight_count; i++) {
        if (!removes(guest, build->in_flight[i].guest)) {
            copy->in_flight[copy->in_flight_count++] = build->in_flight[i];
        }
    }
    for (size_t i = 0; i < build->exclusion_count; i++) {
        if (!removes(guest, build->exclusions[i].guest)) {
            copy->exclusions[copy->exclusion_count++] = build->exclusions[i];
        }
    }
    return copy;
}

/* A copy in which 'guest' is on no host; the file wants it still, which CPU limits depend on. */
static struct build *copy_unseen(struct build *build, const char *guest)
{
    struct build *copy = copy_without(build, guest);

    memcpy(copy->wishes, build->wishes, sizeof(build->wishes));
    copy->wish_count = build->wish_count;
    return copy;
}

static void print_fleet(const struct build *build)
{
    for (size_t i = 0; i < build->host_count; i++) {
        (void)fprintf(stderr, "  host %s: %llu KiB, %u CPUs%s\n", build->hosts[i].name,
                      (unsigned long long)build->hosts[i].memory_kib, build->hosts[i].cpus,
                      build->hosts[i].reachable ? "" : ", silent");
        for (size_t p = 0; p < build->hosts[i].hugepage_count; p++) {
            (void)fprintf(stderr, "    %llu pages of %llu KiB\n",
                          (unsigned long long)build->hosts[i].hugepages[p].total,
                          (unsigned long long)build->hosts[i].hugepages[p].page_kib);
        }
    }
    for (size_t i = 0; i < build->sighting_count; i++) {
        const struct observed_guest *guest = &build->sightings[i].guest;

        (void)fprintf(stderr, "  seen %s on %s: %s, %llu KiB in pages of %d, %u vCPUs\n",
                      guest->name, build->sightings[i].host, observed_state_name(guest->state),
                      (unsigned long long)guest->config_memory_kib, (int)guest->hugepage_kib,
                      guest->vcpus);
    }
    for (size_t i = 0; i < build->wish_count; i++) {
        (void)fprintf(stderr, "  file %s on %s%s%s\n", build->wishes[i].guest.name,
                      build->wishes[i].host, build->wishes[i].cluster == NULL ? "" : ", cluster ",
                      build->wishes[i].cluster == NULL ? "" : build->wishes[i].cluster);
    }
}

static const char *check(struct build *build, property_fn *property)
{
    struct plan plan = plan_build(build->arena, build_input(build));

    return property(build, &plan);
}

/* Takes guests out of a fleet that fails as long as it fails still, prints it and ends the test. */
static void report(struct build *build, uint64_t seed, property_fn *property, const char *problem)
{
    for (size_t i = 0; i < build->wish_count;) {
        struct build *smaller = copy_without(build, build->wishes[i].guest.name);
        const char *still = check(smaller, property);

        if (still == NULL) {
            i++;
        } else {
            build = smaller;
            problem = still;
        }
    }
    print_fleet(build);
    ck_abort_msg("seed %llu: %s", (unsigned long long)seed, problem);
}

static const char *check_verifies(struct build *build, const struct plan *plan)
{
    struct err err;

    if (verify_plan(build_input(build), plan, 0, &err) != 0) {
        return text_format(build->arena, "%s", err.text);
    }
    if (plan->move_count + plan->block_count + plan->placed < build->wish_count) {
        return "somebody is neither moved, blocked nor in place";
    }
    return plan->complete == (plan->block_count == 0) ? NULL : "'complete' lies";
}

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
        swap_bytes(bytes + (i - 1) * size, bytes + dice_roll(dice, i) * size, size);
    }
}

static struct text bytes_of(struct build *build, const struct plan *plan)
{
    struct text text = text_new(build->arena);

    plan_json_write(&text, plan);
    return text;
}

static struct text bytes_of_another(struct build *build)
{
    struct plan plan = plan_build(build->arena, build_input(build));

    return bytes_of(build, &plan);
}

static const char *check_bytes(struct build *build, const struct plan *plan)
{
    struct build *copy = copy_without(build, NULL);
    struct dice dice = { build->sighting_count };
    struct text once = bytes_of(build, plan);
    struct text again = bytes_of_another(copy);
    struct text shuffled;

    /* build_input() sorts again; what is left over is the order in the arrays of clusters. */
    shuffle(&dice, copy->wishes, copy->wish_count, sizeof(copy->wishes[0]));
    shuffle(&dice, copy->sightings, copy->sighting_count, sizeof(copy->sightings[0]));
    shuffled = bytes_of_another(copy);
    if (strcmp(once.data, again.data) != 0) {
        return "the same input gives other bytes";
    }
    return strcmp(once.data, shuffled.data) == 0 ? NULL : "another order gives other bytes";
}

static struct build_sighting *seen_on(struct build *build, const char *guest, const char *host)
{
    for (size_t i = 0; i < build->sighting_count; i++) {
        if (strcmp(build->sightings[i].guest.name, guest) == 0 &&
            strcmp(build->sightings[i].host, host) == 0) {
            return &build->sightings[i];
        }
    }
    ck_abort_msg("'%s' is not on '%s'", guest, host);
}

static void make_move(struct build *build, const struct plan_move *move)
{
    struct build_sighting *sighting = seen_on(build, move->guest, move->from);
    struct observed_guest *guest = &sighting->guest;

    if (move->mode == MOVE_STOP) {
        guest->state = GUEST_SHUTOFF;
        guest->owed_start = true;
        return;
    }
    sighting->host = move->to;
    if (move->mode == MOVE_OFFLINE) {
        guest->state = GUEST_RUNNING;
        guest->owed_start = false;
    }
}

/* A copy on which the plan has been carried out. */
static struct build *carry_out(struct build *build, const struct plan *plan)
{
    struct build *copy = copy_without(build, NULL);

    for (size_t i = 0; i < plan->move_count; i++) {
        make_move(copy, &plan->moves[i]);
    }
    return copy;
}

static const char *check_rest(struct build *build, const struct plan *plan)
{
    struct build *copy = carry_out(build, plan);
    struct plan after = plan_build(copy->arena, build_input(copy));

    if (after.move_count > 0 || after.block_count != plan->block_count) {
        return text_format(
            copy->arena, "after %zu moves: %zu moves, and %zu blocks in place of %zu",
            plan->move_count, after.move_count, after.block_count, plan->block_count);
    }
    for (size_t i = 0; i < plan->block_count; i++) {
        if (strcmp(after.blocked[i].guest, plan->blocked[i].guest) != 0 ||
            after.blocked[i].code != plan->blocked[i].code) {
            return text_format(copy->arena, "'%s' was %s, now '%s' is %s", plan->blocked[i].guest,
                               plan_code_name(plan->blocked[i].code), after.blocked[i].guest,
                               plan_code_name(after.blocked[i].code));
        }
    }
    return NULL;
}

/* With the file as the fleet is there is nothing to move, whatever else is wrong with it. */
static const char *check_satisfied(struct build *build, const struct plan *unused)
{
    struct build *copy = copy_without(build, NULL);
    struct plan plan;

    (void)unused;
    for (size_t i = 0; i < copy->wish_count; i++) {
        for (size_t j = 0; j < copy->sighting_count; j++) {
            if (strcmp(copy->sightings[j].guest.name, copy->wishes[i].guest.name) == 0) {
                copy->wishes[i].host = copy->sightings[j].host;
            }
        }
    }
    plan = plan_build(copy->arena, build_input(copy));
    return plan.move_count == 0 ? NULL : "a satisfied fleet is not left alone";
}

static const char *check_resumes(struct build *build, const struct plan *plan)
{
    struct build *copy = copy_without(build, NULL);
    struct err err;

    for (size_t i = 0; i < plan->move_count; i++) {
        if (verify_plan(build_input(copy), plan, i, &err) != 0) {
            return text_format(copy->arena, "taken up at %zu: %s", i + 1, err.text);
        }
        make_move(copy, &plan->moves[i]);
    }
    return NULL;
}

struct verdict {
    const char *problem;
    bool known;
    bool fewest;
};

/* Compares the plan with the best there is. */
static struct verdict compare(struct build *build, const struct plan *plan, size_t budget)
{
    const struct plan_input *input = build_input(build);
    struct verdict verdict = { 0 };
    struct oracle_cost best;
    struct oracle_cost cost;
    bool same;

    if (oracle_ask(input, budget, &best) != ORACLE_KNOWS) {
        return verdict;
    }
    cost = oracle_price(input, plan);
    same = cost.interruptions == best.interruptions && cost.moves == best.moves &&
           cost.kib == best.kib;
    verdict.known = true;
    verdict.fewest = cost.left == best.left && cost.moves <= best.moves;
    if (cost.left != best.left || (plan->optimal && !same)) {
        verdict.problem = text_format(
            build->arena,
            "%zu left, %zu interruptions, %zu moves, %llu KiB; best: %zu, %zu, %zu, %llu",
            cost.left, cost.interruptions, cost.moves, (unsigned long long)cost.kib, best.left,
            best.interruptions, best.moves, (unsigned long long)best.kib);
    }
    return verdict;
}

static const char *check_best(struct build *build, const struct plan *plan)
{
    return compare(build, plan, BUDGET).problem;
}

static const char *check_tight(struct build *build, const struct plan *plan)
{
    return compare(build, plan, TIGHT_BUDGET).problem;
}

static bool names(const struct plan_certificate *certificate, const char *guest)
{
    for (size_t i = 0; i < certificate->guest_count; i++) {
        if (strcmp(certificate->guests[i], guest) == 0) {
            return true;
        }
    }
    return false;
}

/* With nobody left but those of a proven certificate, its guest cannot move; it can if any other of them
 * is not there either. */
static const char *check_certificate(struct build *world, const struct plan *plan,
                                     const struct plan_block *block)
{
    const struct plan_certificate *certificate = &block->certificate;
    bool yes;

    for (size_t b = 0; b < plan->block_count; b++) {
        if (plan->blocked[b].certificate.guest_count > 0 &&
            !names(certificate, plan->blocked[b].guest)) {
            world = copy_unseen(world, plan->blocked[b].guest);
        }
    }
    if (oracle_brings_home(build_input(world), BUDGET, block->guest, &yes) == ORACLE_KNOWS && yes) {
        return text_format(world->arena, "'%s' is blocked, and could move", block->guest);
    }
    for (size_t i = 0; i < certificate->guest_count; i++) {
        struct build *without = copy_unseen(world, certificate->guests[i]);

        if (strcmp(certificate->guests[i], block->guest) != 0 &&
            oracle_brings_home(build_input(without), BUDGET, block->guest, &yes) == ORACLE_KNOWS &&
            !yes) {
            return text_format(world->arena, "'%s' is blocked without '%s' too", block->guest,
                               certificate->guests[i]);
        }
    }
    return NULL;
}

static const char *check_certificates(struct build *build, const struct plan *plan)
{
    struct build *after = carry_out(build, plan);
    const char *problem = NULL;

    for (size_t b = 0; b < plan->block_count && problem == NULL; b++) {
        if (plan->blocked[b].certificate.proven) {
            problem = check_certificate(after, plan, &plan->blocked[b]);
        }
    }
    return problem;
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The word between the first two quotes after 'from'. */
static const char *quoted(struct build *build, const char *from)
{
    const char *begin = strchr(from, '\'') + 1;

    return text_copy(build->arena, begin, (size_t)(strchr(begin, '\'') - begin));
}

/* "1.6 GiB more ...", in KiB. */
static uint64_t amount_of(const char *sentence)
{
    char *unit;
    double amount = strtod(sentence, &unit);
    const char *units = " KMGT";

    for (const char *letter = strchr(units, unit[1]); letter > units + 1; letter--) {
        amount *= 1024;
    }
    return (uint64_t)amount + 1;
}

/* "... in 2 MiB pages ...", in KiB; 0 = ordinary memory. */
static uint64_t page_of(const char *sentence)
{
    return strstr(sentence, " in 2 MiB pages ") != NULL   ? 2048
           : strstr(sentence, " in 1 GiB pages ") != NULL ? GIB
                                                          : 0;
}

static void give_room(struct build *build, const char *name, const char *sentence)
{
    struct observed_host *host = NULL;
    uint64_t page_kib = page_of(sentence);
    uint64_t kib = amount_of(sentence);

    for (size_t i = 0; i < build->host_count; i++) {
        if (strcmp(build->hosts[i].name, name) == 0) {
            host = &build->hosts[i];
        }
    }
    if (host == NULL) {
        host = build_host(build, "spare", 0);
    }
    if (page_kib > 0) {
        kib = (kib + page_kib - 1) / page_kib * page_kib;
        build_pool(build, host, page_kib, kib / page_kib);
    }
    host->memory_kib += kib;
}

/* "'a' and 'b' leaving 'kvm2'": to where they are in nobody's way. */
static void send_away(struct build *build, const char *sentence)
{
    const char *end = strstr(sentence, " leaving ");

    for (const char *at = sentence; at < end; at = strchr(strchr(at, '\'') + 1, '\'') + 1) {
        *build = *copy_unseen(build, quoted(build, at));
    }
}

/* Does what a sentence of a certificate asks for.  False if it is of another kind than these. */
static bool obey(struct build *build, const char *sentence)
{
    if (sentence[0] == '\'' && strstr(sentence, " leaving ") != NULL) {
        send_away(build, sentence);
        return true;
    }
    if (strstr(sentence, " and ") != NULL) {
        return false;
    }
    if (strstr(sentence, " on any third host") != NULL) {
        give_room(build, "spare", sentence);
    } else if (strstr(sentence, " more room ") != NULL) {
        give_room(build, quoted(build, sentence), sentence);
    } else if (starts_with(sentence, "park = yes")) {
        build_policy_of(build, quoted(build, sentence))->park = true;
    } else if (starts_with(sentence, "detour = yes")) {
        build_policy_of(build, quoted(build, sentence))->no_detour = false;
    } else {
        return false;
    }
    return true;
}

/* True if 'guest' moves now, or at least there are fewer that do not: a plan may prefer another. */
static bool has_helped(struct build *build, const char *guest, size_t blocked)
{
    struct plan plan = plan_build(build->arena, build_input(build));

    for (size_t i = 0; i < plan.block_count && plan.block_count >= blocked; i++) {
        if (strcmp(plan.blocked[i].guest, guest) == 0) {
            return false;
        }
    }
    return true;
}

static const char *check_advice(struct build *build, const struct plan *plan)
{
    struct build *after = carry_out(build, plan);

    for (size_t b = 0; b < plan->block_count; b++) {
        const struct plan_certificate *certificate = &plan->blocked[b].certificate;

        for (size_t i = 0; i < certificate->unblock_count; i++) {
            struct build *changed = copy_without(after, NULL);

            if (obey(changed, certificate->unblock[i]) &&
                !has_helped(changed, plan->blocked[b].guest, plan->block_count)) {
                return text_format(build->arena, "'%s' stays blocked in spite of: %s",
                                   plan->blocked[b].guest, certificate->unblock[i]);
            }
        }
    }
    return NULL;
}

/* One of the three kinds of fleet, every fourth with huge pages. */
static struct build *draw_any(struct arena *arena, uint64_t seed)
{
    struct build *build =
        seed % 3 == 0 ? draw_tight(arena, seed) : draw_fleet(arena, seed, seed % 3 == 1);
    struct dice dice = { seed };

    if (seed % 4 == 3) {
        draw_pools(build, &dice, seed % 8 == 3);
    }
    return build;
}

/* Fleets that are all alike prove nothing. */
static void expect_variety(size_t detours, size_t interruptions,
                           const size_t blocks[PLAN_CODE_COUNT])
{
    static const enum plan_code codes[] = {
        PLAN_NO_CAPACITY, PLAN_UNREACHABLE, PLAN_MISSING,     PLAN_DUPLICATE,
        PLAN_APART,       PLAN_PINNED,      PLAN_MAINTENANCE, PLAN_DEADLOCK,
        PLAN_UNSAFE,      PLAN_HELD,        PLAN_IN_FLIGHT,
    };

    ck_assert_uint_ge(detours, 50);
    ck_assert_uint_ge(interruptions, 100);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        ck_assert_msg(blocks[codes[i]] >= 10, "only %zu guests blocked as %s", blocks[codes[i]],
                      plan_code_name(codes[i]));
    }
}

START_TEST(fleets_drawn_here_are_of_every_kind)
{
    size_t detours = 0;
    size_t interruptions = 0;
    size_t blocks[PLAN_CODE_COUNT] = { 0 };

    for (uint64_t seed = 0; seed < 3000; seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct plan plan = plan_build(&arena, build_input(draw_any(&arena, seed)));

        detours += plan.detours;
        interruptions += plan.interruptions;
        for (size_t i = 0; i < plan.block_count; i++) {
            blocks[plan.blocked[i].code]++;
        }
    }
    expect_variety(detours, interruptions, blocks);
}
END_TEST

/* What is true of every plan, and how many fleets' plans are looked at for it: some take their time.
 * The numbers have no factor in common with those of draw_any(). */
static const struct {
    const char *promise;
    property_fn *property;
    uint64_t one_in;
} promises[] = {
    { "every plan verifies and leaves nobody out", check_verifies, 1 },
    { "the same fleet in any order gives the same bytes", check_bytes, 11 },
    { "a plan that was made leaves nothing to move and the same blocks", check_rest, 1 },
    { "a satisfied fleet is left alone", check_satisfied, 1 },
    { "a plan can be taken up at any move", check_resumes, 5 },
    { "nobody is left whom an exhaustive search brings home", check_best, 1 },
    { "nobody is named in a proven certificate who has no part in it", check_certificates, 5 },
    { "what a certificate asks for unblocks the guest", check_advice, 5 },
};

/* One plan of each fleet, because making it is most of the work. */
START_TEST(every_plan_keeps_what_is_promised)
{
    for (uint64_t seed = first_seed(); seed < last_seed(FLEETS); seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw_any(&arena, seed);
        struct plan plan = plan_build(&arena, build_input(build));

        for (size_t i = 0; i < ARRAY_LEN(promises); i++) {
            const char *problem = seed % promises[i].one_in == 0 || getenv("BERTH_SEED") != NULL
                                      ? promises[i].property(build, &plan)
                                      : NULL;

            if (problem != NULL) {
                (void)fprintf(stderr, "%s:\n", promises[i].promise);
                report(build, seed, promises[i].property, problem);
            }
        }
    }
}
END_TEST

START_TEST(tight_fleets_are_solved_with_the_fewest_moves)
{
    size_t known = 0;
    size_t fewest = 0;

    for (uint64_t seed = first_seed(); seed < last_seed(TIGHT); seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct build *build = draw_tight(&arena, seed);
        struct dice dice = { seed };
        struct plan plan;
        struct verdict verdict;

        if (seed % 4 == 3) {
            draw_pools(build, &dice, seed % 8 == 3);
        }
        plan = plan_build(&arena, build_input(build));
        verdict = compare(build, &plan, TIGHT_BUDGET);
        if (verdict.problem != NULL) {
            report(build, seed, check_tight, verdict.problem);
        }
        known += verdict.known;
        fewest += verdict.fewest;
    }
    printf("%zu tight fleets searched to the end, %zu with the fewest moves\n", known, fewest);
    ck_assert_uint_ge(100 * fewest, 99 * known);
    ck_assert(getenv("BERTH_SEED") != NULL || 100 * known >= 90 * TIGHT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_random");
    TCase *tcase = tcase_create("properties");

    tcase_set_timeout(tcase, 900);
    tcase_add_test(tcase, fleets_drawn_here_are_of_every_kind);
    tcase_add_test(tcase, every_plan_keeps_what_is_promised);
    tcase_add_test(tcase, tight_fleets_are_solved_with_the_fewest_moves);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
