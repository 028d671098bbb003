/* SPDX-License-Identifier: Apache-2.0 */

/* A controller that follows es.xml while people save it: in pieces, with faults, in quick succession, in the
 * middle of a move, and while it does not live. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/text.h"
#include "tests/runner.h"
#include "world.h"

#define HOUR_MS INT64_C(3600000)

static struct world world;

static const struct world_guest home[] = {
    { "vm1", "kvm1", "kvm1", "running", 96, false, false, NULL },
    { "vm2", "kvm1", "kvm1", "running", 96, false, false, NULL },
};
static const struct world_guest one_away[] = {
    { "vm1", "kvm1", "kvm2", "running", 96, false, false, NULL },
    { "vm2", "kvm1", "kvm1", "running", 96, false, false, NULL },
};
static const struct world_guest one_far[] = {
    { "vm1", "kvm1", "kvm3", "running", 96, false, false, NULL },
    { "vm2", "kvm1", "kvm1", "running", 96, false, false, NULL },
};
static const struct world_guest both_away[] = {
    { "vm1", "kvm1", "kvm2", "running", 96, false, false, NULL },
    { "vm2", "kvm1", "kvm2", "running", 96, false, false, NULL },
};

/* A file that wants the guests where they are wanted, and differs by 'note' alone from others of its kind. */
static const char *file_of(const struct world_guest guests[2], int note)
{
    const char *before = world.es_xml;
    const char *text;

    world_want(&world, guests, 2);
    text = text_format(&world.arena, "%s<!-- %d -->\n", world.es_xml, note);
    world.es_xml = before;
    return text;
}

/* What is there of 'text' when it has been written half. */
static const char *half(const char *text)
{
    return text_copy(&world.arena, text, strlen(text) / 2);
}

static void follow_edits(const struct world_edit *edits, size_t count, int64_t follow_ms)
{
    world.edits = edits;
    world.edit_count = count;
    world.follow_ms = follow_ms;
    world_live(&world, WORLD_KILL_NEVER, 0);
    world.edits = NULL;
    world.edit_count = 0;
}

static void follow(int64_t follow_ms)
{
    follow_edits(NULL, 0, follow_ms);
}

static void assert_runs(const char *guest, const char *host)
{
    ck_assert_msg(strcmp(world_state(&world, guest, host), "running") == 0,
                  "%s does not run on %s (%s)", guest, host, world.last_text);
}

static size_t count_moves(void)
{
    struct journal_move *moves;

    return world_moves(&world, &moves);
}

START_TEST(a_save_is_acted_on_within_half_a_second)
{
    struct world_edit edits[1] = { { .at_ms = 10000 } };

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = file_of(one_away, 1);
    follow_edits(edits, 1, 30000);
    assert_runs("vm1", "kvm2");
    ck_assert_uint_eq(world.moves_begun, 1);
    ck_assert_int_ge(world.first_move_ms, 10000);
    ck_assert_int_le(world.first_move_ms, 10500);
    world_deinit(&world);
}
END_TEST

START_TEST(saves_in_quick_succession_are_read_when_they_have_ceased)
{
    struct world_edit edits[5];

    world_init(&world, 1024, home, 2, "");
    for (int i = 0; i < 5; i++) {
        edits[i] = (struct world_edit){ .at_ms = 10000 + 150 * i, .es_xml = file_of(one_far, i) };
    }
    edits[4].es_xml = file_of(one_away, 5);
    follow_edits(edits, 5, 30000);
    ck_assert_uint_eq(count_moves(), 1);
    assert_runs("vm1", "kvm2");
    world_deinit(&world);
}
END_TEST

START_TEST(a_file_that_is_saved_without_end_is_read_all_the_same)
{
    struct world_edit edits[100];

    world_init(&world, 1024, home, 2, "");
    for (int i = 0; i < 100; i++) {
        edits[i] = (struct world_edit){ .at_ms = 10000 + 150 * i, .es_xml = file_of(one_away, i) };
    }
    follow_edits(edits, 100, 60000);
    ck_assert_uint_eq(count_moves(), 1);
    ck_assert_int_le(world.first_move_ms, 11200);
    world_deinit(&world);
}
END_TEST

START_TEST(a_file_written_in_pieces_is_acted_on_when_it_is_whole)
{
    struct world_edit edits[3] = { { .at_ms = 10000 }, { .at_ms = 10800 }, { .at_ms = 11600 } };

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = "";
    edits[1].es_xml = half(file_of(one_away, 1));
    edits[2].es_xml = file_of(one_away, 1);
    follow_edits(edits, 3, 30000);
    assert_runs("vm1", "kvm2");
    ck_assert_uint_eq(count_moves(), 1);
    ck_assert_uint_eq(world.faults_told, 2);
    ck_assert_uint_eq(world.valid_told, 1);
    world_deinit(&world);
}
END_TEST

START_TEST(a_save_that_changes_nothing_is_not_acted_on)
{
    struct world_edit edits[1] = { { .at_ms = 10000 } };
    size_t reads;

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = world.es_xml;
    follow(30000);
    reads = world.reads;
    follow_edits(edits, 1, 30000);
    ck_assert_uint_eq(world.reads, reads + 1); /* Looked at once, and no pass for it. */
    ck_assert_uint_eq(world.moves_begun, 0);
    world_deinit(&world);
}
END_TEST

START_TEST(a_faulty_save_changes_nothing_and_is_told_once)
{
    struct world_edit edits[4] = {
        { .at_ms = 10000, .es_xml = "<a>" },
        { .at_ms = 12000, .es_xml = "<a>" },
        { .at_ms = 150000, .es_xml = "<b>" },
        { .at_ms = 160000 },
    };

    world_init(&world, 1024, home, 2, "");
    edits[3].es_xml = world.es_xml;
    follow_edits(edits, 4, 200000); /* Several looks at the hosts, each with a reading. */
    ck_assert_uint_eq(world.moves_begun, 0);
    ck_assert_uint_eq(world.faults_told, 2);
    ck_assert_uint_eq(world.valid_told, 1);
    ck_assert_uint_eq(world_revisions(&world), 1);
    world_deinit(&world);
}
END_TEST

START_TEST(a_file_that_vanishes_and_comes_back_changes_nothing)
{
    struct world_edit edits[2] = { { .at_ms = 10000 }, { .at_ms = 90000 } };

    world_init(&world, 1024, home, 2, "");
    edits[1].es_xml = world.es_xml;
    follow_edits(edits, 2, 150000);
    ck_assert_uint_eq(world.moves_begun, 0);
    ck_assert_uint_eq(world.faults_told, 1);
    ck_assert_uint_eq(world.valid_told, 1);
    world_deinit(&world);
}
END_TEST

/* vm1 was moved behind the controller's back while it did not live. */
static void move_vm1_home(void)
{
    world_remove(&world, "vm1");
    world_add(&world, &home[0], 0);
}

static void init_with_vm1_moved_away_and_back(void)
{
    world_init(&world, 1024, one_away, 2, "");
    follow(10000);
    assert_runs("vm1", "kvm2");
    move_vm1_home();
}

START_TEST(the_last_good_revision_stands_across_a_restart_with_a_faulty_file)
{
    const char *good;

    init_with_vm1_moved_away_and_back();
    good = world.es_xml;
    world.es_xml = half(good);
    follow(10000);
    assert_runs("vm1", "kvm2");
    ck_assert_uint_eq(world.faults_told, 1);
    world.es_xml = good;
    follow(10000);
    ck_assert_uint_eq(world.moves_begun, 0);
    ck_assert_uint_eq(world_revisions(&world), 1);
    world_deinit(&world);
}
END_TEST

START_TEST(the_last_good_revision_stands_across_a_restart_without_a_file)
{
    init_with_vm1_moved_away_and_back();
    world.es_xml = NULL;
    follow(10000);
    assert_runs("vm1", "kvm2");
    world_deinit(&world);
}
END_TEST

START_TEST(a_faulty_file_mended_to_what_stood_before_the_restart_is_no_new_revision)
{
    struct world_edit edits[1] = { { .at_ms = 10000 } };

    init_with_vm1_moved_away_and_back();
    edits[0].es_xml = world.es_xml;
    world.es_xml = "<a>";
    follow_edits(edits, 1, 30000);
    ck_assert_uint_eq(world.moves_begun, 1);
    ck_assert_uint_eq(world.valid_told, 1);
    ck_assert_uint_eq(world_revisions(&world), 1);
    world_deinit(&world);
}
END_TEST

START_TEST(a_run_that_does_not_follow_refuses_a_faulty_file_whatever_stood_before)
{
    init_with_vm1_moved_away_and_back();
    world.es_xml = "<a>";
    world.follow_ms = 0;
    world_live(&world, WORLD_KILL_NEVER, 0);
    ck_assert_int_eq(world.result.status, RECONCILER_INVALID);
    ck_assert_uint_eq(world.moves_begun, 0);
    assert_runs("vm1", "kvm1");
    world_deinit(&world);
}
END_TEST

START_TEST(a_faulty_file_that_nothing_stood_before_is_waited_for)
{
    struct world_edit edits[1] = { { .at_ms = 130000 } };

    world_init(&world, 1024, home, 2, "");
    world.es_xml = "<a>";
    edits[0].es_xml = file_of(one_away, 1);
    follow_edits(edits, 1, 150000);
    ck_assert_uint_eq(world.faults_told, 1);
    ck_assert_int_ge(world.first_move_ms, 130000);
    assert_runs("vm1", "kvm2");
    world_deinit(&world);
}
END_TEST

START_TEST(the_revision_in_force_at_last_stands_though_the_clock_went_back)
{
    struct world_edit edits[2] = { { .at_ms = 10000, .jump_ms = -HOUR_MS }, { .at_ms = 20000 } };

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = file_of(one_far, 1);
    edits[1].es_xml = file_of(one_away, 2);
    follow_edits(edits, 2, 60000);
    assert_runs("vm1", "kvm2");
    move_vm1_home();
    world.es_xml = "<a>";
    follow(10000);
    assert_runs("vm1", "kvm2");
    world_deinit(&world);
}
END_TEST

START_TEST(a_clock_that_jumps_postpones_no_save)
{
    const int64_t jumps[] = { -HOUR_MS, HOUR_MS };
    struct world_edit edits[2] = { { .at_ms = 10000 }, { .at_ms = 10100 } };

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = file_of(one_away, 1);
    edits[1].es_xml = file_of(one_away, 2);
    edits[1].jump_ms = jumps[_i];
    follow_edits(edits, 2, 60000);
    assert_runs("vm1", "kvm2");
    ck_assert_int_le(world.first_move_ms, 10500);
    world_deinit(&world);
}
END_TEST

START_TEST(a_good_revision_that_cannot_be_read_back_is_an_alarm_and_nothing_is_done)
{
    init_with_vm1_moved_away_and_back();
    world_damage_objects(&world);
    world.es_xml = "<a>";
    follow(10000);
    ck_assert_ptr_nonnull(strstr(world.last_text, "cannot fall back on the last good es.xml"));
    ck_assert_uint_eq(world.moves_begun, 0);
    assert_runs("vm1", "kvm1");
    world_deinit(&world);
}
END_TEST

START_TEST(of_two_edits_within_a_second_the_second_is_what_comes_about)
{
    struct world_edit edits[2] = { { .at_ms = 10000 }, { .at_ms = 10700 } };

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = file_of(one_away, 1);
    edits[1].es_xml = file_of(one_far, 2);
    follow_edits(edits, 2, 60000);
    assert_runs("vm1", "kvm3");
    ck_assert_int_le(world.first_move_ms, 10500);
    ck_assert_uint_eq(world_open_moves(&world), 0);
    world_deinit(&world);
}
END_TEST

START_TEST(a_revision_saved_in_the_middle_of_a_move_is_read_right_after_it)
{
    struct world_edit edits[2] = { { .at_ms = 10000 }, { .at_ms = 10250 } };

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = file_of(both_away, 1);
    edits[1].es_xml = file_of(one_away, 2); /* vm2 shall stay after all. */
    follow_edits(edits, 2, 60000);
    assert_runs("vm1", "kvm2");
    assert_runs("vm2", "kvm1");
    ck_assert_uint_eq(count_moves(), 1);
    ck_assert_int_lt(world.first_move_ms, 10250);
    world_deinit(&world);
}
END_TEST

/* The look waits for a host that does not answer; what it began with is out of date when it ends. */
START_TEST(a_revision_saved_in_the_middle_of_a_look_is_the_one_that_is_acted_on)
{
    struct world_edit edits[1] = { { .at_ms = 1000 } };

    world_init(&world, 1024, one_far, 2, "");
    world_freeze(&world, "kvm2", true);
    edits[0].es_xml = file_of(home, 1);
    follow_edits(edits, 1, 120000);
    ck_assert_uint_eq(world.moves_begun, 0);
    ck_assert_uint_eq(world_revisions(&world), 2); /* The first was read. */
    world_deinit(&world);
}
END_TEST

START_TEST(a_save_that_nobody_told_of_is_found_by_the_next_look)
{
    struct world_edit edits[1] = { { .at_ms = 10000, .unnoticed = true } };

    world_init(&world, 1024, home, 2, "");
    edits[0].es_xml = file_of(one_away, 1);
    follow_edits(edits, 1, 90000);
    assert_runs("vm1", "kvm2");
    world_deinit(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("saves");
    TCase *tcase = tcase_create("saves");
    int status;

    tcase_add_test(tcase, a_save_is_acted_on_within_half_a_second);
    tcase_add_test(tcase, saves_in_quick_succession_are_read_when_they_have_ceased);
    tcase_add_test(tcase, a_file_that_is_saved_without_end_is_read_all_the_same);
    tcase_add_test(tcase, a_file_written_in_pieces_is_acted_on_when_it_is_whole);
    tcase_add_test(tcase, a_save_that_changes_nothing_is_not_acted_on);
    tcase_add_test(tcase, a_faulty_save_changes_nothing_and_is_told_once);
    tcase_add_test(tcase, a_file_that_vanishes_and_comes_back_changes_nothing);
    tcase_add_test(tcase, the_last_good_revision_stands_across_a_restart_with_a_faulty_file);
    tcase_add_test(tcase, the_last_good_revision_stands_across_a_restart_without_a_file);
    tcase_add_test(tcase, a_faulty_file_mended_to_what_stood_before_the_restart_is_no_new_revision);
    tcase_add_test(tcase, a_run_that_does_not_follow_refuses_a_faulty_file_whatever_stood_before);
    tcase_add_test(tcase, a_faulty_file_that_nothing_stood_before_is_waited_for);
    tcase_add_test(tcase, the_revision_in_force_at_last_stands_though_the_clock_went_back);
    tcase_add_loop_test(tcase, a_clock_that_jumps_postpones_no_save, 0, 2);
    tcase_add_test(tcase, a_good_revision_that_cannot_be_read_back_is_an_alarm_and_nothing_is_done);
    tcase_add_test(tcase, of_two_edits_within_a_second_the_second_is_what_comes_about);
    tcase_add_test(tcase, a_revision_saved_in_the_middle_of_a_move_is_read_right_after_it);
    tcase_add_test(tcase, a_revision_saved_in_the_middle_of_a_look_is_the_one_that_is_acted_on);
    tcase_add_test(tcase, a_save_that_nobody_told_of_is_found_by_the_next_look);
    suite_add_tcase(suite, tcase);
    world_set_up();
    status = runner_run(suite);
    world_tear_down();
    return status;
}
