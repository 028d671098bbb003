/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Guests on huge pages, or bound to NUMA nodes: what they take, where they may go, and what verify says of
 * a plan that takes it lightly.
 */

#include "build_fleet.h"
#include "diff/capacity.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "diff/restart.h"
#include "diff/verify.h"
#include "tests/runner.h"

/* Three hosts of 16 GiB, 12 of them in pages of 2 MiB; 'a' runs on kvm1, on such pages, and belongs on
 * kvm2. */
static struct build *one_move(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = { "kvm1", "kvm2", "kvm3" };

        build_pool(build, build_host(build, names[i], 16), 2048, 12 * GIB / 2048);
        build->hosts[i].numa_nodes = 1;
    }
    build_guest(build, "a", 4, "kvm1", "kvm2")->hugepage_kib = 2048;
    return build;
}

static struct observed_guest *a(struct build *build)
{
    return &build->sightings[0].guest;
}

static struct plan_move only_move(struct build *build)
{
    struct plan plan = build_plan(build);

    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_uint_eq(plan.block_count, 0);
    return plan.moves[0];
}

static const struct plan_block *block_of(struct build *build, const char *guest,
                                         enum plan_code code, const char *reason)
{
    struct plan plan = build_plan(build);
    const struct plan_block *block = build_block_of(&plan, guest);

    ck_assert_str_eq(plan_code_name(block->code), plan_code_name(code));
    ck_assert_msg(strstr(block->reason, reason) != NULL, "\"%s\"", block->reason);
    return block;
}

START_TEST(guest_on_huge_pages_moves_with_the_proof_of_both_pools)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan_move move;

    build_guest(build, "b", 6, "kvm2", "kvm2")->hugepage_kib = 2048;
    (void)build_guest(build, "c", 4, "kvm2", "kvm2"); /* Ordinary memory is full: no matter. */
    move = only_move(build);
    ck_assert_uint_eq(move.hugepage_kib, 2048);
    ck_assert_uint_eq(move.source.limit_kib, 12 * GIB);
    ck_assert_uint_eq(move.source.before_kib, 4 * GIB);
    ck_assert_uint_eq(move.source.after_kib, 0);
    ck_assert_uint_eq(move.target.limit_kib, 12 * GIB);
    ck_assert_uint_eq(move.target.before_kib, 6 * GIB);
    ck_assert_uint_eq(move.target.during_kib, 10 * GIB);
}
END_TEST

START_TEST(ordinary_guest_finds_no_room_in_a_pool)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    a(build)->hugepage_kib = 0;
    ck_assert_uint_eq(only_move(build).target.limit_kib, 4 * GIB);
    a(build)->memory_kib = 5 * GIB;
    (void)block_of(build, "a", PLAN_NO_CAPACITY,
                   "needs 5 GiB on 'kvm2', which has 4 GiB free of 4 GiB");
}
END_TEST

START_TEST(guest_on_huge_pages_finds_no_room_in_ordinary_memory)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    const struct plan_block *block;

    build->hosts[1].hugepage_count = 0;
    block = block_of(build, "a", PLAN_NO_CAPACITY,
                     "needs 4 GiB in 2 MiB pages on 'kvm2', which has set aside none of them");
    ck_assert_str_eq(block->certificate.unblock[0],
                     "4 GiB more room in 2 MiB pages on 'kvm2' for 'a'");
    build_pool(build, &build->hosts[1], GIB, 8); /* Of another size. */
    (void)block_of(build, "a", PLAN_NO_CAPACITY, "which has set aside none of them");
    build_pool(build, &build->hosts[1], 2048, 2048);
    ck_assert_uint_eq(only_move(build).target.limit_kib, 4 * GIB);
}
END_TEST

START_TEST(full_pools_make_a_deadlock_however_much_other_memory_is_free)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    const struct plan_block *block;

    a(build)->memory_kib = 12 * GIB;
    build_guest(build, "b", 12, "kvm2", "kvm1")->hugepage_kib = 2048;
    build->hosts[2].hugepage_count = 0;
    block = block_of(build, "a", PLAN_DEADLOCK, "has nothing free of 12 GiB");
    ck_assert_str_eq(block->certificate.unblock[0],
                     "12 GiB free in 2 MiB pages on any third host that may take 'a'");
    build_pool(build, &build->hosts[2], 2048, 12 * GIB / 2048);
    ck_assert_uint_eq(build_plan(build).move_count, 3);
}
END_TEST

START_TEST(pool_over_its_limit_gets_nothing_and_ordinary_memory_beside_it_does)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    build_sighting(build, "z", 13, "kvm2")->hugepage_kib = 2048;
    (void)build_guest(build, "b", 4, "kvm3", "kvm2");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_str_eq(plan.moves[0].guest, "b");
    ck_assert_uint_eq(plan.warning_count, 1);
    ck_assert_str_eq(plan.warnings[0],
                     "'kvm2' stays 1 GiB over its limit of 12 GiB in 2 MiB pages");
    (void)block_of(build, "a", PLAN_NO_CAPACITY, "is 1 GiB over its limit of 12 GiB");
}
END_TEST

START_TEST(file_that_asks_too_much_of_a_pool_is_warned_of)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    build_guest(build, "b", 10, "kvm3", "kvm2")->hugepage_kib = 2048;
    plan = build_plan(build);
    ck_assert_uint_eq(plan.warning_count, 1);
    ck_assert_str_eq(plan.warnings[0],
                     "the file puts 14 GiB on 'kvm2', which may hold 12 GiB in 2 MiB pages");
}
END_TEST

START_TEST(move_in_flight_takes_pages_on_both_hosts)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan_move move;
    struct plan plan;

    build_guest(build, "f", 7, "kvm3", "kvm2")->hugepage_kib = 2048;
    build_in_flight(build, "f", "kvm3", "kvm2");
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 1);
    move = plan.moves[0];
    ck_assert_uint_eq(move.target.before_kib, 7 * GIB);
    build->sightings[1].guest.memory_kib = 9 * GIB;
    (void)block_of(build, "a", PLAN_NO_CAPACITY, "which has 3 GiB free of 12 GiB");
}
END_TEST

/* More hosts than are searched to the end, all full of 'g00' to 'g11', each of which goes one on; only
 * 'spare' has pages left.  Every host has ordinary guests too, whose leaving would not help. */
START_TEST(ring_of_full_pools_is_untied_by_the_one_that_has_pages_left)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = build_fleet(&arena);
    const char *hosts[12];
    struct plan plan;

    for (unsigned i = 0; i < ARRAY_LEN(hosts); i++) {
        hosts[i] = text_format(&arena, "kvm%02u", i);
        build_pool(build, build_host(build, hosts[i], 20), 2048, 12 * GIB / 2048);
    }
    build_pool(build, build_host(build, "spare", 20), 2048, 12 * GIB / 2048);
    for (unsigned i = 0; i < ARRAY_LEN(hosts); i++) {
        build_guest(build, text_format(&arena, "g%02u", i), 12, hosts[i],
                    hosts[(i + 1) % ARRAY_LEN(hosts)])
            ->hugepage_kib = 2048;
        (void)build_guest(build, text_format(&arena, "o%02u", i), 4, hosts[i], hosts[i]);
    }
    plan = build_plan(build);
    ck_assert_int_eq(plan.method, PLAN_HEURISTIC);
    ck_assert(plan.complete);
    ck_assert_uint_eq(plan.move_count, ARRAY_LEN(hosts) + 1);
    ck_assert_uint_eq(plan.detours, 1);
}
END_TEST

START_TEST(guest_of_unknown_pages_is_moved_where_nobody_has_huge_pages_only)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    a(build)->hugepage_kib = OBSERVED_UNKNOWN;
    (void)block_of(build, "a", PLAN_INCOMPATIBLE,
                   "cannot tell whether it takes ordinary memory or huge pages");
    build->recorded = true;
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_uint_eq(plan.moves[0].hugepage_kib, 0);
    ck_assert_str_eq(plan.warnings[0],
                     "check skipped for 1 guest: size of memory pages (not in the observation)");
    build->recorded = false;
    build->hosts[0].hugepage_count = 0;
    (void)block_of(build, "a", PLAN_INCOMPATIBLE, "cannot tell whether");
    build->hosts[1].hugepage_count = 0;
    ck_assert_uint_eq(only_move(build).target.limit_kib, 16 * GIB);
}
END_TEST

START_TEST(guest_bound_to_nodes_moves_only_where_they_exist_and_with_a_warning)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan plan;

    a(build)->numa_nodes = 2;
    (void)block_of(build, "a", PLAN_INCOMPATIBLE,
                   "it is bound to NUMA node 1 (numatune), and 'kvm2' has 1 node:");
    build->hosts[1].numa_nodes = 2;
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 1);
    ck_assert_str_eq(plan.warnings[0], "1 guest that moves is bound to NUMA nodes: the memory of "
                                       "single nodes is not counted");
    build->hosts[1].numa_nodes = 0;
    (void)block_of(build, "a", PLAN_INCOMPATIBLE, "'kvm2' did not report it (NUMA nodes)");
    a(build)->numa_nodes = 1; /* Node 0 is everywhere. */
    (void)only_move(build);
}
END_TEST

START_TEST(guest_of_unknown_binding_leaves_a_host_of_one_node_only)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);

    a(build)->numa_nodes = OBSERVED_UNKNOWN;
    (void)only_move(build);
    build->hosts[0].numa_nodes = 2;
    (void)block_of(build, "a", PLAN_INCOMPATIBLE, "cannot tell which NUMA nodes it is bound to");
}
END_TEST

START_TEST(stopped_guest_runs_again_where_pages_are_left_for_it)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct observed_guest *z = build_sighting(build, "z", 10, "kvm1");
    struct restart_room room;

    a(build)->state = GUEST_SHUTOFF;
    a(build)->owed_start = true;
    for (size_t listed = 2; listed-- > 0;) {
        build->wish_count = listed;
        z->hugepage_kib = 2048;
        room = restart_room(build_input(build), a(build), "kvm1", NULL, 0);
        ck_assert_int_eq(room.fit, CAPACITY_NO_MEMORY);
        ck_assert_uint_eq(room.needs_kib, 4 * GIB);
        ck_assert_uint_eq(room.free_kib, 2 * GIB);
        z->hugepage_kib = 0; /* More than there is: of no matter to 'a'. */
        room = restart_room(build_input(build), a(build), "kvm1", NULL, 0);
        ck_assert_int_eq(room.fit, CAPACITY_FITS);
        ck_assert_uint_eq(room.free_kib, 12 * GIB);
    }
}
END_TEST

/* b makes room in the pool of kvm2 for a; the hosts' memory would hold both. */
static struct plan two_moves(struct build *build, struct plan_move moves[2])
{
    struct plan plan;

    build_guest(build, "b", 10, "kvm2", "kvm3")->hugepage_kib = 2048;
    plan = build_plan(build);
    ck_assert_uint_eq(plan.move_count, 2);
    ck_assert_str_eq(plan.moves[0].guest, "b");
    memcpy(moves, plan.moves, 2 * sizeof(*moves));
    plan.moves = moves;
    return plan;
}

static void expect_refusal(struct build *build, const struct plan *plan, const char *words)
{
    struct err err;

    ck_assert_int_eq(verify_plan(build_input(build), plan, 0, &err), -1);
    ck_assert_int_eq(err.code, ERR_REFUSED);
    ck_assert_msg(strncmp(err.text, words, strlen(words)) == 0, "\"%s\"", err.text);
}

START_TEST(plan_that_overfills_a_pool_but_not_the_host_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan_move moves[2];
    struct plan plan = two_moves(build, moves);
    struct plan_move first = moves[0];

    moves[0] = moves[1];
    moves[0].seq = 1;
    moves[1] = first;
    moves[1].seq = 2;
    expect_refusal(build, &plan,
                   "move 1 (a to kvm2): memory: 10 GiB + 4 GiB exceeds 12 GiB in pages of 2 MiB on "
                   "kvm2");
}
END_TEST

START_TEST(plan_made_before_pages_or_nodes_were_known_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct plan_move moves[2];
    struct plan plan = two_moves(build, moves);

    a(build)->hugepage_kib = OBSERVED_UNKNOWN;
    expect_refusal(build, &plan,
                   "move 2 (a to kvm2): incompatible: size of memory pages is unknown");
    a(build)->hugepage_kib = 0;
    expect_refusal(build, &plan, "move 2 (a to kvm2): proof: it takes pages of 0 KiB, not of 2048");
    a(build)->hugepage_kib = 2048;
    a(build)->numa_nodes = 2;
    expect_refusal(build, &plan, "move 2 (a to kvm2): incompatible: NUMA nodes");
    build->hosts[0].numa_nodes = 2;
    a(build)->numa_nodes = OBSERVED_UNKNOWN;
    expect_refusal(build, &plan, "move 2 (a to kvm2): incompatible: NUMA nodes is unknown");
    a(build)->numa_nodes = 0;
    moves[1].hugepage_kib = 0;
    expect_refusal(build, &plan, "move 2 (a to kvm2): proof");
}
END_TEST

START_TEST(page_size_of_a_move_reads_back)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct build *build = one_move(&arena);
    struct text text = text_new(&arena);
    struct plan plan;
    struct plan again;
    struct err err;

    a(build)->uuid = "00000000-0000-4000-8000-000000000001";
    plan = build_plan(build);
    plan_json_write(&text, &plan);
    ck_assert_ptr_nonnull(strstr(text.data, "\"hugepage_kib\":2048,\"proof\""));
    ck_assert_int_eq(plan_json_read(&arena, text.data, text.length, &again, &err), 0);
    ck_assert_uint_eq(again.moves[0].hugepage_kib, 2048);
}
END_TEST

START_TEST(pool_larger_than_any_machine_is_not_believed)
{
    const struct observed_hugepages pages = { .page_kib = GIB, .total = UINT64_MAX };
    const struct observed_host host = { .hugepages = &pages, .hugepage_count = 1 };

    ck_assert_uint_eq(capacity_pool_kib(&host, GIB), CAPACITY_SIZE_MAX_KIB);
    ck_assert_uint_eq(capacity_pool_kib(&host, 2048), 0);
    ck_assert_uint_eq(capacity_ordinary_kib(&host, 16 * GIB), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_pools");
    TCase *pools = tcase_create("pools");
    TCase *verify = tcase_create("verify");

    tcase_add_test(pools, guest_on_huge_pages_moves_with_the_proof_of_both_pools);
    tcase_add_test(pools, ordinary_guest_finds_no_room_in_a_pool);
    tcase_add_test(pools, guest_on_huge_pages_finds_no_room_in_ordinary_memory);
    tcase_add_test(pools, full_pools_make_a_deadlock_however_much_other_memory_is_free);
    tcase_add_test(pools, pool_over_its_limit_gets_nothing_and_ordinary_memory_beside_it_does);
    tcase_add_test(pools, file_that_asks_too_much_of_a_pool_is_warned_of);
    tcase_add_test(pools, move_in_flight_takes_pages_on_both_hosts);
    tcase_add_test(pools, ring_of_full_pools_is_untied_by_the_one_that_has_pages_left);
    tcase_add_test(pools, guest_of_unknown_pages_is_moved_where_nobody_has_huge_pages_only);
    tcase_add_test(pools, guest_bound_to_nodes_moves_only_where_they_exist_and_with_a_warning);
    tcase_add_test(pools, guest_of_unknown_binding_leaves_a_host_of_one_node_only);
    tcase_add_test(pools, stopped_guest_runs_again_where_pages_are_left_for_it);
    tcase_add_test(pools, pool_larger_than_any_machine_is_not_believed);
    tcase_add_test(verify, plan_that_overfills_a_pool_but_not_the_host_is_refused);
    tcase_add_test(verify, plan_made_before_pages_or_nodes_were_known_is_refused);
    tcase_add_test(verify, page_size_of_a_move_reads_back);
    suite_add_tcase(suite, pools);
    suite_add_tcase(suite, verify);
    return runner_run(suite);
}
