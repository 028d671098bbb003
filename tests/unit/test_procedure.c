/* SPDX-License-Identifier: Apache-2.0 */

/* A move told in the steps of the procedure that Berth replaces. */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "model/observed.h"
#include "reconciler/procedure.h"
#include "tests/runner.h"

static const struct supply some_supplies[] = {
    { .kind = SUPPLY_BRIDGE, .name = "br7" },
    { .kind = SUPPLY_VOLUME, .name = "v", .device = "/dev/v" },
    { .kind = SUPPLY_CONFIG, .name = "c", .device = "/dev/c" }
};
static const struct supply_list supplies = { some_supplies, ARRAY_LEN(some_supplies) };

static struct journal_move move_of(enum move_mode mode, enum guest_state original)
{
    return (struct journal_move){
        .guest = "vm1", .from = "kvm1", .to = "kvm2", .mode = mode, .original = original
    };
}

static struct journal_step done(enum op_kind op, enum supply_kind supply, const char *host)
{
    return (struct journal_step){
        .kind = op,
        .supply = supply,
        .host = host,
        .state = JOURNAL_STEP_DONE,
        .begun_ms = 1000,
        .ended_ms = 2000,
    };
}

/* The states of all steps, a letter each: done, next, remaining, skipped, failed, unclear, in progress. */
static const char *letters(const struct procedure_row rows[PROCEDURE_STEPS])
{
    static char text[PROCEDURE_STEPS + 1];
    static const char of_states[] = { 'r', 'n', 'i', 'd', 'f', 'u', 's' };

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        text[i] = of_states[rows[i].state];
    }
    return text;
}

static const char *tell(const struct journal_move *move, const struct journal_step *steps,
                        size_t count)
{
    static struct procedure_row rows[PROCEDURE_STEPS];

    procedure_tell(move, &supplies, steps, count, rows);
    return letters(rows);
}

START_TEST(a_move_that_has_just_begun_has_its_first_step_next)
{
    const struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);

    /* Bridges, NAT, stop, interfaces, volumes off, on, state, migrate, interfaces, start, bridges, NAT. */
    ck_assert_str_eq(tell(&move, NULL, 0), "nsrsrrsrsrrs");
}
END_TEST

START_TEST(a_step_is_done_when_each_of_its_parts_is)
{
    const struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct journal_step steps[] = {
        done(OP_PROVIDE, SUPPLY_BRIDGE, "kvm2"),  done(OP_STOP, SUPPLY_NONE, "kvm1"),
        done(OP_WITHDRAW, SUPPLY_CONFIG, "kvm1"), done(OP_WITHDRAW, SUPPLY_VOLUME, "kvm1"),
        done(OP_PROVIDE, SUPPLY_VOLUME, "kvm2"),  done(OP_PROVIDE, SUPPLY_CONFIG, "kvm2"),
        done(OP_DEFINE, SUPPLY_NONE, "kvm2"),     done(OP_UNDEFINE, SUPPLY_NONE, "kvm1"),
        done(OP_START, SUPPLY_NONE, "kvm2"),
    };
    static const char *const after[] = { "dsnsrrsrsrrs", "dsdsnrsrsrrs", "dsdsnrsrsrrs",
                                         "dsdsdnsrsrrs", "dsdsdnsrsrrs", "dsdsddsnsrrs",
                                         "dsdsddsnsrrs", "dsdsddsdsnrs", "dsdsddsdsdns" };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        ck_assert_str_eq(tell(&move, steps, i + 1), after[i]);
    }
}
END_TEST

START_TEST(a_step_that_failed_or_was_cut_short_says_so_and_nothing_is_next)
{
    const struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct journal_step step = done(OP_PROVIDE, SUPPLY_BRIDGE, "kvm2");

    step.state = JOURNAL_STEP_FAILED;
    ck_assert_str_eq(tell(&move, &step, 1), "fsrsrrsrsrrs");
    step.state = JOURNAL_STEP_UNCLEAR;
    ck_assert_str_eq(tell(&move, &step, 1), "usrsrrsrsrrs");
    step.state = JOURNAL_STEP_INTENDED;
    ck_assert_str_eq(tell(&move, &step, 1), "isrsrrsrsrrs");
}
END_TEST

START_TEST(what_was_done_on_the_way_back_counts_for_no_step)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct journal_step steps[] = { done(OP_PROVIDE, SUPPLY_BRIDGE, "kvm2"),
                                    done(OP_PROVIDE, SUPPLY_VOLUME, "kvm1"),
                                    done(OP_START, SUPPLY_NONE, "kvm1") };

    move.back = true;
    ck_assert_str_eq(tell(&move, steps, ARRAY_LEN(steps)), "dsrsrrsrsrrs");
}
END_TEST

START_TEST(state_is_copied_once_the_source_has_put_its_own_aside)
{
    static const struct supply nvram[] = {
        { .kind = SUPPLY_STATE, .name = SUPPLY_NVRAM, .device = "/nvram/vm1" }
    };
    const struct supply_list state = { nvram, 1 };
    const struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    struct journal_step steps[] = { done(OP_PROVIDE, SUPPLY_STATE, "kvm2"),
                                    done(OP_WITHDRAW, SUPPLY_STATE, "kvm1") };
    struct procedure_row rows[PROCEDURE_STEPS];
    size_t place = procedure_find("COPY_STATE");

    procedure_tell(&move, &state, steps, 1, rows);
    ck_assert_int_eq(rows[place].state, PROCEDURE_REMAINING);
    procedure_tell(&move, &state, steps, 2, rows);
    ck_assert_int_eq(rows[place].state, PROCEDURE_DONE);
    ck_assert_str_eq(rows[place].host, "kvm2");
}
END_TEST

START_TEST(a_move_that_is_done_has_every_step_done_or_skipped)
{
    struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);

    move.state = JOURNAL_MOVE_DONE;
    ck_assert_str_eq(tell(&move, NULL, 0), "dsdsddsdsdds");
    move = move_of(MOVE_COLD, GUEST_SHUTOFF);
    move.state = JOURNAL_MOVE_DONE;
    ck_assert_str_eq(tell(&move, NULL, 0), "dsssddsdssds");
}
END_TEST

START_TEST(of_a_host_that_cannot_be_asked_nothing_is_asked)
{
    const struct journal_move move = move_of(MOVE_FORCED, GUEST_RUNNING);
    const struct journal_step step = done(OP_DEFINE, SUPPLY_NONE, "kvm2");

    ck_assert_str_eq(tell(&move, NULL, 0), "nssssrsrsrss");
    ck_assert_str_eq(tell(&move, &step, 1), "nssssrsdsrss");
}
END_TEST

START_TEST(an_operation_belongs_to_the_step_that_the_procedure_has_for_it)
{
    ck_assert_str_eq(procedure_name(OP_WITHDRAW, SUPPLY_CONFIG), "DETACH_VOLUMES");
    ck_assert_str_eq(procedure_name(OP_PROVIDE, SUPPLY_BRIDGE), "CREATE_BRIDGES");
    ck_assert_str_eq(procedure_name(OP_WITHDRAW, SUPPLY_NAT_BRIDGE), "REMOVE_NAT_BRIDGE_SRC");
    ck_assert_str_eq(procedure_name(OP_UNDEFINE, SUPPLY_NONE), "MIGRATE_GUEST");
    ck_assert_str_eq(procedure_name(OP_PROVIDE, SUPPLY_STATE), "COPY_STATE");
    ck_assert_str_eq(procedure_name(OP_WITHDRAW, SUPPLY_STATE), "COPY_STATE");
    ck_assert_str_eq(procedure_name(OP_STOP, SUPPLY_NONE), "STOP_GUEST");
    ck_assert_ptr_null(procedure_name(OP_PREFLIGHT, SUPPLY_NONE));
    ck_assert_ptr_null(procedure_name(OP_MIGRATE, SUPPLY_NONE));
    ck_assert_uint_eq(procedure_find("STARTUP_GUEST"), 9);
    ck_assert_uint_eq(procedure_find("startup_guest"), PROCEDURE_STEPS);
}
END_TEST

/* Whatever the order, a step needs this much. */
static const struct {
    const char *step;
    const char *needs; /* In the order of the procedure. */
} premises[PROCEDURE_STEPS] = {
    { "CREATE_BRIDGES", "" },
    { "CREATE_NAT_BRIDGE_TGT", "" },
    { "STOP_GUEST", "" },
    { "DETACH_INTERFACES", " STOP_GUEST" },
    { "DETACH_VOLUMES", " STOP_GUEST" },
    { "ATTACH_VOLUMES", " STOP_GUEST DETACH_VOLUMES" },
    { "COPY_STATE", " STOP_GUEST" },
    { "MIGRATE_GUEST", " STOP_GUEST COPY_STATE" },
    { "ATTACH_INTERFACES", " STOP_GUEST DETACH_INTERFACES" },
    { "STARTUP_GUEST",
      " CREATE_BRIDGES CREATE_NAT_BRIDGE_TGT STOP_GUEST DETACH_INTERFACES DETACH_VOLUMES"
      " ATTACH_VOLUMES COPY_STATE MIGRATE_GUEST ATTACH_INTERFACES" },
    { "REMOVE_BRIDGES", " MIGRATE_GUEST STARTUP_GUEST" },
    { "REMOVE_NAT_BRIDGE_SRC", " MIGRATE_GUEST STARTUP_GUEST" },
};

START_TEST(each_step_builds_upon_others_and_on_nothing_but_those)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct text needs = text_new(&arena);
    size_t place = procedure_find(premises[_i].step);

    for (size_t i = 0; i < PROCEDURE_STEPS; i++) {
        if ((procedure_needs(place) & PROCEDURE_BIT(i)) != 0) {
            text_printf(&needs, " %s", procedure_step(i));
        }
    }
    ck_assert_uint_eq(place, (size_t)_i);
    ck_assert_str_eq(needs.data, premises[_i].needs);
}
END_TEST

START_TEST(a_step_that_lacks_something_says_what_where_and_which_step_brings_it_about)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    const struct observed_guest off = { .state = GUEST_SHUTOFF };
    const struct observed_guest on = { .state = GUEST_RUNNING };
    const struct observed_guest *const guests[] = { &on, NULL };
    struct procedure_row rows[PROCEDURE_STEPS];
    size_t attach = procedure_find("ATTACH_VOLUMES");
    const char *why;

    procedure_tell(&move, &supplies, NULL, 0, rows);
    ck_assert_int_eq(procedure_judge(&arena, rows, attach, guests, &why), PROCEDURE_REFUSE);
    ck_assert_str_eq(
        why,
        "it is not shut off on 'kvm1' (STOP_GUEST brings that about); its volumes have not been "
        "detached from 'kvm1' (DETACH_VOLUMES brings that about)");
    ck_assert_int_eq(procedure_judge(&arena, rows, procedure_find("STOP_GUEST"), guests, &why),
                     PROCEDURE_TAKE);
    ck_assert_ptr_null(why);
    ck_assert_int_eq(procedure_judge(&arena, rows, procedure_find("DETACH_VOLUMES"),
                                     (const struct observed_guest *const[]){ &off, NULL }, &why),
                     PROCEDURE_TAKE);
}
END_TEST

START_TEST(a_step_that_is_done_or_skipped_is_left)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    const struct observed_guest off = { .state = GUEST_SHUTOFF };
    const struct observed_guest on = { .state = GUEST_RUNNING };
    const struct journal_step step = done(OP_STOP, SUPPLY_NONE, "kvm1");
    const struct observed_guest *guests[] = { &off, NULL };
    size_t stop = procedure_find("STOP_GUEST");
    struct procedure_row rows[PROCEDURE_STEPS];
    const char *why;

    procedure_tell(&move, &supplies, &step, 1, rows);
    ck_assert_int_eq(procedure_judge(&arena, rows, stop, guests, &why), PROCEDURE_LEAVE);
    ck_assert_str_eq(why, "it is done already");
    ck_assert_int_eq(
        procedure_judge(&arena, rows, procedure_find("DETACH_INTERFACES"), guests, &why),
        PROCEDURE_LEAVE);
    ck_assert_str_eq(why, "the platform provides nothing of the kind for the guest");
    guests[0] = &on; /* Somebody has started it again. */
    ck_assert_int_eq(procedure_judge(&arena, rows, stop, guests, &why), PROCEDURE_TAKE);
}
END_TEST

START_TEST(where_the_guest_is_the_hosts_tell_and_not_the_journal)
{
    const struct journal_move move = move_of(MOVE_OFFLINE, GUEST_RUNNING);
    const struct observed_guest off = { .state = GUEST_SHUTOFF };
    const struct observed_guest on = { .state = GUEST_RUNNING };
    const struct journal_step step = done(OP_STOP, SUPPLY_NONE, "kvm1");
    const uint32_t stop = PROCEDURE_BIT(procedure_find("STOP_GUEST"));
    const uint32_t migrate = PROCEDURE_BIT(procedure_find("MIGRATE_GUEST"));
    const uint32_t startup = PROCEDURE_BIT(procedure_find("STARTUP_GUEST"));
    const uint32_t all = stop | migrate | startup;
    struct procedure_row rows[PROCEDURE_STEPS];

    procedure_tell(&move, &supplies, &step, 1, rows);
    ck_assert_uint_eq(procedure_held(rows) & all, stop);
    ck_assert_uint_eq(procedure_held_now(rows, &on, NULL) & all, 0);
    ck_assert_uint_eq(procedure_held_now(rows, &off, NULL) & all, stop);
    ck_assert_uint_eq(procedure_held_now(rows, &off, &off) & all, stop);
    ck_assert_uint_eq(procedure_held_now(rows, NULL, &off) & all, stop | migrate);
    ck_assert_uint_eq(procedure_held_now(rows, NULL, &on) & all, all);
}
END_TEST

START_TEST(a_guest_that_was_off_and_runs_now_is_for_a_person_to_shut_down)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct journal_move move = move_of(MOVE_COLD, GUEST_SHUTOFF);
    const struct observed_guest on = { .state = GUEST_RUNNING };
    struct procedure_row rows[PROCEDURE_STEPS];
    const char *why;

    procedure_tell(&move, &supplies, NULL, 0, rows);
    ck_assert_int_eq(procedure_judge(&arena, rows, procedure_find("MIGRATE_GUEST"),
                                     (const struct observed_guest *const[]){ &on, NULL }, &why),
                     PROCEDURE_REFUSE);
    ck_assert_str_eq(
        why,
        "it is not shut off on 'kvm1' (STOP_GUEST is skipped: the guest was off when the move began)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("procedure");
    TCase *tcase = tcase_create("procedure");

    tcase_add_test(tcase, a_move_that_has_just_begun_has_its_first_step_next);
    tcase_add_test(tcase, a_step_is_done_when_each_of_its_parts_is);
    tcase_add_test(tcase, a_step_that_failed_or_was_cut_short_says_so_and_nothing_is_next);
    tcase_add_test(tcase, what_was_done_on_the_way_back_counts_for_no_step);
    tcase_add_test(tcase, state_is_copied_once_the_source_has_put_its_own_aside);
    tcase_add_test(tcase, a_move_that_is_done_has_every_step_done_or_skipped);
    tcase_add_test(tcase, of_a_host_that_cannot_be_asked_nothing_is_asked);
    tcase_add_test(tcase, an_operation_belongs_to_the_step_that_the_procedure_has_for_it);
    tcase_add_loop_test(tcase, each_step_builds_upon_others_and_on_nothing_but_those, 0,
                        PROCEDURE_STEPS);
    tcase_add_test(tcase,
                   a_step_that_lacks_something_says_what_where_and_which_step_brings_it_about);
    tcase_add_test(tcase, a_step_that_is_done_or_skipped_is_left);
    tcase_add_test(tcase, where_the_guest_is_the_hosts_tell_and_not_the_journal);
    tcase_add_test(tcase, a_guest_that_was_off_and_runs_now_is_for_a_person_to_shut_down);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
