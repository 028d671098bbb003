/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/room.h"

#include "diff/capacity.h"
#include "search_fleet.h"
#include "tests/runner.h"

/* Hosts with 1, 2, 4, 8 and 16 GiB, empty; the last two take nobody. */
static struct search_fleet *hosts(struct arena *arena)
{
    struct build *build = build_fleet(arena);

    (void)build_host(build, "kvm1", 1);
    (void)build_host(build, "kvm2", 2);
    (void)build_host(build, "kvm3", 4);
    (void)build_host(build, "kvm4", 8);
    build_host(build, "kvm5", 16)->reachable = false;
    build_policy_host(build, "kvm4")->maintenance = true;
    (void)build_guest(build, "a", 1, "kvm3", "kvm3");
    return search_fleet(build);
}

START_TEST(fullest_host_with_room_comes_first)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct room *room = room_new(&arena, &hosts(&arena)->fleet);

    ck_assert_uint_eq(room_first(room, 0, 0), 0);
    ck_assert_uint_eq(room_next(room, 0, 0), 1);
    ck_assert_uint_eq(room_next(room, 0, 1), 2);
    ck_assert_uint_eq(room_next(room, 0, 2), FLEET_NONE);
    ck_assert_uint_eq(room_first(room, 0, 2 * GIB), 1);
    ck_assert_uint_eq(room_first(room, 0, 4 * GIB), FLEET_NONE);
}
END_TEST

START_TEST(downwards_the_emptiest_host_comes_first)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct room *room = room_new(&arena, &hosts(&arena)->fleet);

    ck_assert_uint_eq(room_first_below(room, 0, 16 * GIB), 2);
    ck_assert_uint_eq(room_next_below(room, 0, 2), 1);
    ck_assert_uint_eq(room_next_below(room, 0, 1), 0);
    ck_assert_uint_eq(room_next_below(room, 0, 0), FLEET_NONE);
}
END_TEST

START_TEST(host_moves_with_its_room)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct search_fleet *search = hosts(&arena);
    struct room *room = room_new(&arena, &search->fleet);

    search->fleet.hosts[2].ordinary.charged_kib = 4 * GIB;
    room_update(room, 0, 2);
    ck_assert_uint_eq(room_first(room, 0, 0), 2);
    ck_assert_uint_eq(room_first(room, 0, 3 * GIB), FLEET_NONE);
    search->fleet.hosts[3].ordinary.charged_kib = 0; /* In maintenance: never indexed. */
    room_update(room, 0, 3);
    ck_assert_uint_eq(room_first(room, 0, 3 * GIB), FLEET_NONE);
}
END_TEST

START_TEST(every_host_with_enough_room_is_reached)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct search_fleet *search = hosts(&arena);

    for (uint64_t kib = 1; kib < 8 * GIB; kib = kib * 9 / 8 + 1) {
        struct room *room;
        bool found = false;

        search->fleet.hosts[1].ordinary.limit_kib = kib;
        room = room_new(&arena, &search->fleet);
        for (uint32_t h = room_first(room, 0, kib); h != FLEET_NONE; h = room_next(room, 0, h)) {
            found = found || h == 1;
        }
        ck_assert(found);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("room");
    TCase *tcase = tcase_create("core");

    tcase_add_test(tcase, fullest_host_with_room_comes_first);
    tcase_add_test(tcase, downwards_the_emptiest_host_comes_first);
    tcase_add_test(tcase, host_moves_with_its_room);
    tcase_add_test(tcase, every_host_with_enough_room_is_reached);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
