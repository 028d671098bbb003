/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "model/observed.h"
#include "reconciler/guard.h"
#include "reconciler/ledger.h"
#include "tests/runner.h"

#define UUID_1 "00000000-0000-4000-8000-000000000001"
#define UUID_2 "00000000-0000-4000-8000-000000000002"

/* kvm1 has booted with vm1 and vm2 held back and vm3 not; kvm2 answers and has nobody. */
struct scene {
    struct arena arena;
    struct observed_guest guests[3];
    struct observed_guest others[1];
    struct observed_host hosts[2];
    struct observed observed;
    struct ledger ledger;
};

static void scene_init(struct scene *scene)
{
    *scene = (struct scene){
        .guests = { { .name = "vm1", .uuid = UUID_1, .state = GUEST_SHUTOFF, .held = true },
                    { .name = "vm2", .uuid = UUID_2, .state = GUEST_SHUTOFF, .held = true },
                    { .name = "vm3", .uuid = "3", .state = GUEST_SHUTOFF } },
        .others = { { .name = "vm1", .uuid = UUID_1 } },
        .hosts = { { .name = "kvm1",
                     .reachable = true,
                     .guard = OBSERVED_GUARD_HOLDING,
                     .guests = scene->guests,
                     .guest_count = 3 },
                   { .name = "kvm2", .reachable = true, .guests = scene->others } },
        .observed = { .hosts = scene->hosts, .host_count = 2 },
    };
}

static void scene_deinit(struct scene *scene)
{
    arena_deinit(&scene->arena);
}

AUTO_VALUE(scene, struct scene, scene_deinit);

static struct guard_judgement judge(struct scene *scene)
{
    ck_assert(guard_holds(&scene->hosts[0]));
    return guard_judge(&scene->arena, &scene->observed, &scene->ledger, &scene->hosts[0]);
}

static void assert_waits(struct scene *scene, const char *why)
{
    struct guard_judgement judgement = judge(scene);

    ck_assert_ptr_nonnull(judgement.waits);
    ck_assert_msg(strstr(judgement.waits, why) != NULL, "%s", judgement.waits);
    ck_assert(!judgement.all);
    ck_assert_uint_eq(judgement.guest_count, 0);
}

/* vm1 is kept, vm2 is not. */
static void assert_keeps(struct scene *scene, const char *why, bool needs_a_person)
{
    struct guard_judgement judgement = judge(scene);

    ck_assert_ptr_null(judgement.waits);
    ck_assert(!judgement.all);
    ck_assert_uint_eq(judgement.kept_count, 1);
    ck_assert_str_eq(judgement.kept[0].guest, "vm1");
    ck_assert_msg(strstr(judgement.kept[0].reason, why) != NULL, "%s", judgement.kept[0].reason);
    ck_assert(judgement.kept[0].needs_a_person == needs_a_person);
    ck_assert_uint_eq(judgement.guest_count, 1);
    ck_assert_str_eq(judgement.guests[0], "vm2");
}

START_TEST(a_host_with_nothing_unsettled_is_released_as_a_whole)
{
    AUTO(scene) struct scene scene;

    scene_init(&scene);
    ck_assert(judge(&scene).all);
    scene.hosts[0].guest_count = 0; /* It holds nobody, and is not released before it is told. */
    ck_assert(judge(&scene).all);
}
END_TEST

START_TEST(a_host_holds_while_it_answers_and_anybody_is_held)
{
    AUTO(scene) struct scene scene;

    scene_init(&scene);
    scene.hosts[0].guard = OBSERVED_GUARD_NONE; /* Left over from a boot before. */
    ck_assert(guard_holds(&scene.hosts[0]));
    scene.hosts[0].reachable = false;
    ck_assert(!guard_holds(&scene.hosts[0]));
    ck_assert(!guard_holds(&scene.hosts[1]));
}
END_TEST

START_TEST(a_move_that_is_not_settled_keeps_both_of_its_hosts_waiting)
{
    static const char *const ends[][2] = { { "kvm1", "kvm2" }, { "kvm2", "kvm1" } };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        AUTO(scene) struct scene scene;
        struct journal_move move = { .guest = "vm9", .from = ends[i][0], .to = ends[i][1] };

        scene_init(&scene);
        scene.ledger.moves = &move;
        scene.ledger.move_count = 1;
        assert_waits(&scene, "the move of 'vm9'");
        move.from = "kvm3";
        move.to = "kvm4";
        ck_assert(judge(&scene).all);
    }
}
END_TEST

START_TEST(what_was_started_elsewhere_is_swept_first)
{
    AUTO(scene) struct scene scene;
    struct journal_leftover leftover = {
        .uuid = UUID_1, .host = "kvm1", .guest = "vm1", .to = "kvm2"
    };

    scene_init(&scene);
    scene.ledger.leftovers = &leftover;
    scene.ledger.leftover_count = 1;
    assert_waits(&scene, "a definition of 'vm1', which runs on 'kvm2'");
    leftover.host = "kvm3";
    ck_assert(judge(&scene).all);
}
END_TEST

START_TEST(a_hold_of_the_host_or_the_fleet_is_waited_for)
{
    AUTO(scene) struct scene scene;
    struct journal_hold hold = { .scope = JOURNAL_SCOPE_HOST, .name = "kvm1", .user = "ann" };

    scene_init(&scene);
    scene.ledger.holds = &hold;
    scene.ledger.hold_count = 1;
    assert_waits(&scene, "ann");
    hold = (struct journal_hold){ .scope = JOURNAL_SCOPE_FLEET, .name = "", .user = "ann" };
    assert_waits(&scene, "ann");
    hold = (struct journal_hold){ .scope = JOURNAL_SCOPE_HOST, .name = "kvm2", .user = "ann" };
    ck_assert(judge(&scene).all);
    hold = (struct journal_hold){ .scope = JOURNAL_SCOPE_GUEST, .name = "vm1", .user = "ann" };
    assert_keeps(&scene, "ann", false);
}
END_TEST

START_TEST(a_guest_that_another_host_knows_is_kept_whether_that_answers_or_not)
{
    AUTO(scene) struct scene scene;

    scene_init(&scene);
    scene.hosts[1].guest_count = 1;
    for (int i = 0; i < GUEST_STATE_COUNT; i++) {
        scene.others[0].state = (enum guest_state)i;
        scene.hosts[1].reachable = true;
        assert_keeps(&scene, "because 'kvm2' knows it, too", true);
        scene.hosts[1].reachable = false;
        assert_keeps(&scene, "does not answer", true);
    }
}
END_TEST

START_TEST(a_guest_that_was_last_where_nobody_answers_is_kept)
{
    AUTO(scene) struct scene scene;
    struct journal_place place = { .guest = "vm1", .uuid = UUID_1, .host = "kvm2" };
    struct journal_place sighting = place;

    scene_init(&scene);
    scene.ledger.places = &place;
    scene.ledger.place_count = 1;
    ck_assert(judge(&scene).all); /* kvm2 answers, and does not know it. */
    scene.hosts[1].reachable = false;
    assert_keeps(&scene, "last seen on 'kvm2'", true);
    place.host = "kvm3"; /* Nobody asks that one any more. */
    assert_keeps(&scene, "last seen on 'kvm3'", true);
    place.host = "kvm1";
    ck_assert(judge(&scene).all);
    place.host = "kvm2";
    place.uuid = UUID_2; /* Another guest of that name, then. */
    ck_assert(judge(&scene).all);
    place.uuid = UUID_1;
    place.host = "kvm1";
    scene.ledger.sightings = &sighting; /* It has left its place since. */
    scene.ledger.sighting_count = 1;
    assert_keeps(&scene, "last seen on 'kvm2'", true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("guard");

    tcase_add_test(tcase, a_host_with_nothing_unsettled_is_released_as_a_whole);
    tcase_add_test(tcase, a_host_holds_while_it_answers_and_anybody_is_held);
    tcase_add_test(tcase, a_move_that_is_not_settled_keeps_both_of_its_hosts_waiting);
    tcase_add_test(tcase, what_was_started_elsewhere_is_swept_first);
    tcase_add_test(tcase, a_hold_of_the_host_or_the_fleet_is_waited_for);
    tcase_add_test(tcase, a_guest_that_another_host_knows_is_kept_whether_that_answers_or_not);
    tcase_add_test(tcase, a_guest_that_was_last_where_nobody_answers_is_kept);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
