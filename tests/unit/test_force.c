/* SPDX-License-Identifier: Apache-2.0 */

/* Who may be started elsewhere by force, and what becomes of what stays behind: every condition by itself. */

#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "model/observed.h"
#include "model/policy.h"
#include "reconciler/force.h"
#include "reconciler/force_state.h"
#include "reconciler/force_step.h"
#include "reconciler/ledger.h"
#include "reconciler/leftover.h"
#include "tests/runner.h"

#define UUID "00000000-0000-4000-8000-000000000001"

/* Three hosts; the guest was on kvm1, which is silent, and is to run on kvm2. */
struct rig {
    struct arena arena;
    struct observed_guest guest[3]; /* On each host, if 'has' says so. */
    bool has[3];
    struct observed_host hosts[3];
    struct observed fleet;
    struct policy_host fenced[3]; /* Those that have a fence. */
    struct policy policy;
    struct journal_definition definition;
    struct journal_place place;
    struct journal_move open;
    struct journal_owed owed;
    struct ledger ledger;
    struct force_request request;
    struct force_order order;
    struct err err;
};

static void rig_init(struct rig *rig)
{
    static const char *const names[] = { "kvm1", "kvm2", "kvm3" };

    *rig = (struct rig){
        .has = { true, false, false },
        .definition = { .uuid = UUID, .guest = "vm1", .at_ms = 1 },
        .place = { .guest = "vm1", .uuid = UUID, .host = "kvm1", .running = true },
        .request = { .guest = "vm1", .to = "kvm2", .dead = "kvm1", .user = "alice" },
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        rig->guest[i] = (struct observed_guest){ .name = "vm1", .uuid = UUID, .persistent = true };
        rig->hosts[i] =
            (struct observed_host){ .name = names[i], .reachable = i > 0, .as_of_ms = 1 };
    }
    rig->policy = policy_default();
    rig->policy.hosts = rig->fenced;
    rig->ledger.definitions = &rig->definition;
    rig->ledger.definition_count = 1;
    rig->ledger.places = &rig->place;
    rig->ledger.place_count = 1;
}

static void rig_deinit(struct rig *rig)
{
    arena_deinit(&rig->arena);
}

AUTO_VALUE(rig, struct rig, rig_deinit);

static int judge(struct rig *rig)
{
    for (size_t i = 0; i < ARRAY_LEN(rig->hosts); i++) {
        rig->hosts[i].guests = &rig->guest[i];
        rig->hosts[i].guest_count = rig->has[i] ? 1 : 0;
    }
    rig->fleet = (struct observed){ .hosts = rig->hosts, .host_count = ARRAY_LEN(rig->hosts) };
    return force_judge(&rig->arena, &rig->request, &rig->fleet, &rig->policy, &rig->ledger,
                       &rig->order, &rig->err);
}

static void assert_may(struct rig *rig)
{
    ck_assert_msg(judge(rig) == 0, "%s", rig->err.text);
    ck_assert_str_eq(rig->order.uuid, UUID);
}

static void assert_may_not(struct rig *rig, enum err_code code, const char *words)
{
    ck_assert_int_eq(judge(rig), -1);
    ck_assert_int_eq(rig->err.code, code);
    ck_assert_msg(strstr(rig->err.text, words) != NULL, "%s", rig->err.text);
}

static void fence(struct rig *rig, const char *host)
{
    rig->fenced[rig->policy.host_count++] = (struct policy_host){ .name = host, .fenced = true };
}

static void leave_open(struct rig *rig, const char *from, const char *to, bool made)
{
    rig->open = (struct journal_move){
        .guest = "vm1",
        .uuid = UUID,
        .from = from,
        .to = to,
        .original = GUEST_RUNNING,
        .target_made = made,
    };
    rig->ledger.moves = &rig->open;
    rig->ledger.move_count = 1;
}

START_TEST(word_that_the_host_is_dead_is_enough_with_autostart_off)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    assert_may(&rig);
    ck_assert_str_eq(rig.order.from, "kvm1");
    ck_assert_uint_eq(rig.order.suspect_count, 1);
    ck_assert(rig.order.suspects[0].attested && rig.order.suspects[0].holds);
    ck_assert_int_eq(rig.order.suspects[0].protection, JOURNAL_PROTECTION_AUTOSTART_OFF);
    ck_assert_int_eq(rig.order.original, GUEST_RUNNING);
}
END_TEST

START_TEST(silent_host_without_a_word_or_a_fence_is_named_with_what_would_help)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    rig.request.dead = NULL;
    assert_may_not(&rig, ERR_REFUSED, "--source-is-dead=kvm1");
    fence(&rig, "kvm1");
    assert_may(&rig);
    ck_assert(!rig.order.suspects[0].attested);
}
END_TEST

START_TEST(every_other_silent_host_must_be_fenced_too)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    rig.hosts[2].reachable = false;
    assert_may_not(&rig, ERR_REFUSED, "kvm3");
    fence(&rig, "kvm3");
    assert_may(&rig);
    ck_assert_uint_eq(rig.order.suspect_count, 2);
    ck_assert(!rig.order.suspects[1].attested);
    ck_assert(!rig.order.suspects[1].holds); /* It was seen without the guest. */
    rig.hosts[2].as_of_ms = 0;               /* Nobody has seen it in this run. */
    assert_may(&rig);
    ck_assert(rig.order.suspects[1].holds);
}
END_TEST

START_TEST(guest_that_would_start_by_itself_needs_a_guard_a_fence_or_no_volumes)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    rig.guest[0].autostart = true;
    assert_may_not(&rig, ERR_REFUSED, "autostart off, berth-guard");
    rig.hosts[0].guard = OBSERVED_GUARD_NONE;
    rig.place.guarded = true; /* Older than what was seen. */
    assert_may_not(&rig, ERR_REFUSED, "run twice");
    rig.hosts[0].guard = OBSERVED_GUARD_RELEASED;
    assert_may(&rig);
    ck_assert_int_eq(rig.order.suspects[0].protection, JOURNAL_PROTECTION_GUARDED);
    ck_assert(rig.order.autostart);
    rig.guest[0].exempt = true;
    assert_may_not(&rig, ERR_REFUSED, "run twice");
    rig.hosts[0].guard = OBSERVED_GUARD_NONE;
    rig.request.revokes = true;
    assert_may(&rig);
    ck_assert_int_eq(rig.order.suspects[0].protection, JOURNAL_PROTECTION_REVOKED);
    rig.request.revokes = false;
    rig.request.dead = NULL;
    fence(&rig, "kvm1");
    assert_may(&rig);
    ck_assert_int_eq(rig.order.suspects[0].protection, JOURNAL_PROTECTION_FENCED);
}
END_TEST

START_TEST(journal_tells_of_a_host_that_has_not_answered_since_the_controller_began)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    rig.has[0] = false;
    rig.hosts[0].as_of_ms = 0;
    rig.place.autostart = true;
    assert_may_not(&rig, ERR_REFUSED, "run twice");
    rig.place.guarded = true;
    assert_may(&rig);
    rig.place.guarded = false;
    rig.place.autostart = false;
    assert_may(&rig);
    rig.place.running = false;
    assert_may(&rig);
    ck_assert_int_eq(rig.order.original, GUEST_SHUTOFF);
    rig.owed = (struct journal_owed){ .uuid = UUID, .guest = "vm1", .host = "kvm1" };
    rig.ledger.owed = &rig.owed;
    rig.ledger.owed_count = 1;
    assert_may(&rig);
    ck_assert_int_eq(rig.order.original, GUEST_RUNNING);
    rig.ledger.place_count = 0; /* Nothing is known of autostart. */
    assert_may_not(&rig, ERR_REFUSED, "run twice");
}
END_TEST

START_TEST(guest_on_a_host_that_answers_is_moved_in_the_ordinary_way)
{
    static const enum guest_state states[] = { GUEST_RUNNING, GUEST_SHUTOFF, GUEST_PAUSED,
                                               GUEST_CRASHED };
    AUTO(rig) struct rig rig;

    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        rig_init(&rig);
        rig.has[2] = true;
        rig.guest[2].state = states[i];
        assert_may_not(&rig, ERR_CONFLICT, "kvm3");
        arena_deinit(&rig.arena);
    }
}
END_TEST

START_TEST(definition_that_an_unfinished_move_of_ours_made_on_the_target_is_used)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    rig.has[1] = true;
    rig.guest[1].state = GUEST_SHUTOFF;
    assert_may_not(&rig, ERR_CONFLICT, "kvm2");
    leave_open(&rig, "kvm1", "kvm2", false);
    assert_may_not(&rig, ERR_CONFLICT, "kvm2");
    rig.open.target_made = true;
    assert_may(&rig);
    ck_assert(rig.order.target_made);
    ck_assert(!rig.order.source_removed);
    rig.open.source_removed = true;
    assert_may(&rig);
    ck_assert(rig.order.source_removed);
    rig.guest[1].state = GUEST_RUNNING;
    assert_may_not(&rig, ERR_CONFLICT, "kvm2");
}
END_TEST

START_TEST(both_ends_of_an_unfinished_move_are_suspects)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    leave_open(&rig, "kvm1", "kvm3", true);
    rig.hosts[2].reachable = false;
    fence(&rig, "kvm3");
    assert_may(&rig);
    ck_assert(rig.order.suspects[1].holds);
    ck_assert_int_eq(rig.order.suspects[1].protection, JOURNAL_PROTECTION_FENCED);
}
END_TEST

START_TEST(host_that_the_file_names_no_more_is_a_suspect_if_the_guest_was_there)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    rig.place.host = "kvm9";
    fence(&rig, "kvm9");
    assert_may(&rig);
    ck_assert_uint_eq(rig.order.suspect_count, 2);
    ck_assert_str_eq(rig.order.suspects[1].host, "kvm9");
}
END_TEST

START_TEST(words_that_do_not_fit_are_refused)
{
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    rig.request.dead = "kvm3";
    fence(&rig, "kvm1");
    assert_may_not(&rig, ERR_REFUSED, "is not dead");
    rig.request.dead = "kvm9";
    assert_may_not(&rig, ERR_NOT_FOUND, "kvm9");
    rig.request.dead = "kvm1";
    rig.request.to = "kvm1";
    assert_may_not(&rig, ERR_CONFLICT, "does not answer");
    rig.request.to = "kvm2";
    rig.ledger.definition_count = 0;
    assert_may_not(&rig, ERR_NOT_FOUND, "definition");
    rig.ledger.definition_count = 1;
    rig.request.dead = NULL;
    rig.has[0] = false;
    rig.hosts[0].reachable = true;
    assert_may_not(&rig, ERR_CONFLICT, "every host answers");
}
END_TEST

/* Whatever was tried took its time, in which somebody may have switched a host on. */
START_TEST(every_fenced_host_is_uncertain_again_after_anything_else_was_tried)
{
    const struct force_suspect suspects[] = { { .host = "kvm1" }, { .host = "kvm3" } };
    struct force_state state = { .suspects = suspects, .count = ARRAY_LEN(suspects) };

    force_state_note(&state, OP_FENCE, true);
    ck_assert_str_eq(force_state_host(&state), "kvm3");
    force_state_note(&state, OP_FENCE, true);
    ck_assert_ptr_null(force_state_host(&state));
    force_state_note(&state, OP_START, false);
    ck_assert_str_eq(force_state_host(&state), "kvm1");
    force_state_note(&state, OP_FENCE, true);
    force_state_note(&state, OP_FENCE, false);
    ck_assert_str_eq(force_state_host(&state), "kvm1");
}
END_TEST

/* A forced move to kvm3 after one to kvm2, which has died, too: kvm1 still has what it kept then. */
static void assert_keeps_earlier_leftover(bool resumed, int64_t since_ms)
{
    const struct force_suspect suspects[] = {
        { .host = "kvm1", .holds = true, .protection = JOURNAL_PROTECTION_FENCED },
        { .host = "kvm2", .holds = true, .protection = JOURNAL_PROTECTION_FENCED },
    };
    const struct journal_move move = { .key = { .epoch = 1, .seq = 9 },
                                       .uuid = UUID,
                                       .guest = "vm1",
                                       .from = "kvm2",
                                       .to = "kvm3",
                                       .state = JOURNAL_MOVE_FAILED,
                                       .begun_ms = 100,
                                       .ended_ms = 120 };
    struct journal_leftover left[2] = { { .uuid = UUID,
                                          .guest = "vm1",
                                          .host = "kvm1",
                                          .to = "kvm2",
                                          .since_ms = since_ms,
                                          .key = { .epoch = 1, .seq = 4 },
                                          .protection = JOURNAL_PROTECTION_FENCED } };
    struct ledger ledger = { .leftovers = left, .leftover_count = 1 };
    struct force_state state = { .suspects = suspects, .count = ARRAY_LEN(suspects) };
    struct force_records records;
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    records = force_state_start(&state, &rig.arena, &ledger, &move, 110);
    ck_assert_uint_eq(records.count, 2);
    if (resumed) {
        left[0] = records.items[0].leftover;
        left[1] = records.items[1].leftover;
        ledger.leftover_count = 2;
        state = (struct force_state){ .started = true };
    }
    records = force_state_end(&state, &rig.arena, &ledger, &move, false);
    ck_assert_uint_eq(records.count, 2);
    ck_assert_str_eq(records.items[0].leftover.host, "kvm1");
    ck_assert(!records.items[0].leftover.cleared);
    ck_assert_str_eq(records.items[0].leftover.to, "kvm2");
    ck_assert_str_eq(records.items[1].leftover.host, "kvm2");
    ck_assert(records.items[1].leftover.cleared);
}

START_TEST(start_that_comes_to_nothing_does_not_forget_what_a_host_had_kept_before)
{
    assert_keeps_earlier_leftover(false, 50);
}
END_TEST

START_TEST(clock_that_was_set_back_between_two_forced_moves_makes_nothing_forgotten)
{
    assert_keeps_earlier_leftover(false, 150);
    assert_keeps_earlier_leftover(true, 150);
}
END_TEST

START_TEST(start_that_a_later_run_gives_up_does_not_forget_what_a_host_had_kept_before)
{
    assert_keeps_earlier_leftover(true, 50);
}
END_TEST

/* Somebody has undefined it there: libvirt knows no autostart of what goes with its process. */
START_TEST(guest_that_has_become_transient_where_it_was_started_is_owed_no_autostart)
{
    const struct journal_move move = { .mode = MOVE_FORCED, .autostart = true };
    struct observed_guest guest = { .state = GUEST_RUNNING, .persistent = true };
    struct step_facts facts = { .guests = { NULL, &guest },
                                .views = { SETTLE_UNREACHABLE, SETTLE_RUNNING },
                                .started = true };

    ck_assert_int_eq(force_step_next(&move, &facts).op, OP_AUTOSTART);
    guest.persistent = false;
    ck_assert_int_eq(force_step_next(&move, &facts).action, STEP_END);
    ck_assert_int_eq(force_step_next(&move, &facts).state, JOURNAL_MOVE_DONE);
}
END_TEST

struct standing {
    int host;  /* State there; -1 absent, -2 silent. */
    int to;    /* The same of the host where it runs since. */
    int third; /* And of another; -3: shut off, kept since that one was dead, too. */
    enum leftover_standing standing;
};

static const struct standing standings[] = {
    { -2, GUEST_RUNNING, -1, LEFTOVER_SILENT },
    { -1, GUEST_RUNNING, -1, LEFTOVER_GONE },
    { GUEST_SHUTOFF, GUEST_RUNNING, -1, LEFTOVER_SWEEP },
    { GUEST_SHUTOFF, GUEST_PAUSED, -1, LEFTOVER_SWEEP },
    { GUEST_SHUTOFF, GUEST_SHUTOFF, -1, LEFTOVER_SWEEP },
    { GUEST_SHUTOFF, -1, GUEST_RUNNING, LEFTOVER_SWEEP },
    { GUEST_SHUTOFF, -1, -1, LEFTOVER_NOWHERE },
    { GUEST_SHUTOFF, -2, -1, LEFTOVER_NOWHERE },
    { GUEST_SHUTOFF, -1, GUEST_SHUTOFF, LEFTOVER_SWEEP }, /* Moved on from there. */
    { GUEST_SHUTOFF, -1, -3, LEFTOVER_NOWHERE },
    { GUEST_RUNNING, GUEST_RUNNING, -1, LEFTOVER_TWICE },
    { GUEST_PAUSED, GUEST_RUNNING, -1, LEFTOVER_TWICE },
    { GUEST_RUNNING, -1, GUEST_RUNNING, LEFTOVER_TWICE },
    { GUEST_RUNNING, -2, -1, LEFTOVER_DOUBTFUL },
    { GUEST_RUNNING, GUEST_SHUTOFF, -1, LEFTOVER_DOUBTFUL },
    { GUEST_RUNNING, -1, -1, LEFTOVER_RETURNED },
};

START_TEST(what_a_dead_host_kept_is_swept_only_when_the_guest_is_elsewhere)
{
    const struct standing *row = &standings[_i];
    struct journal_leftover leftovers[] = { { .uuid = UUID, .host = "kvm1", .to = "kvm2" },
                                            { .uuid = UUID, .host = "kvm3", .to = "kvm1" } };
    const struct ledger ledger = { .leftovers = leftovers,
                                   .leftover_count = row->third == -3 ? 2 : 1 };
    const int states[] = { row->host, row->to, row->third };
    AUTO(rig) struct rig rig;

    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        rig.hosts[i].reachable = states[i] != -2;
        rig.hosts[i].guests = &rig.guest[i];
        rig.hosts[i].guest_count = states[i] == -1 ? 0 : 1;
        rig.guest[i].state = states[i] == -3 ? GUEST_SHUTOFF
                             : states[i] < 0 ? GUEST_RUNNING
                                             : (enum guest_state)states[i];
    }
    rig.fleet = (struct observed){ .hosts = rig.hosts, .host_count = ARRAY_LEN(rig.hosts) };
    ck_assert_int_eq(leftover_judge(&leftovers[0], &ledger, &rig.fleet), row->standing);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("force");
    TCase *tcase = tcase_create("force");

    tcase_add_test(tcase, word_that_the_host_is_dead_is_enough_with_autostart_off);
    tcase_add_test(tcase, silent_host_without_a_word_or_a_fence_is_named_with_what_would_help);
    tcase_add_test(tcase, every_other_silent_host_must_be_fenced_too);
    tcase_add_test(tcase, guest_that_would_start_by_itself_needs_a_guard_a_fence_or_no_volumes);
    tcase_add_test(tcase, journal_tells_of_a_host_that_has_not_answered_since_the_controller_began);
    tcase_add_test(tcase, guest_on_a_host_that_answers_is_moved_in_the_ordinary_way);
    tcase_add_test(tcase, definition_that_an_unfinished_move_of_ours_made_on_the_target_is_used);
    tcase_add_test(tcase, both_ends_of_an_unfinished_move_are_suspects);
    tcase_add_test(tcase, host_that_the_file_names_no_more_is_a_suspect_if_the_guest_was_there);
    tcase_add_test(tcase, words_that_do_not_fit_are_refused);
    tcase_add_test(tcase, every_fenced_host_is_uncertain_again_after_anything_else_was_tried);
    tcase_add_test(tcase,
                   guest_that_has_become_transient_where_it_was_started_is_owed_no_autostart);
    tcase_add_test(tcase, start_that_comes_to_nothing_does_not_forget_what_a_host_had_kept_before);
    tcase_add_test(tcase, clock_that_was_set_back_between_two_forced_moves_makes_nothing_forgotten);
    tcase_add_test(tcase,
                   start_that_a_later_run_gives_up_does_not_forget_what_a_host_had_kept_before);
    tcase_add_loop_test(tcase, what_a_dead_host_kept_is_swept_only_when_the_guest_is_elsewhere, 0,
                        (int)ARRAY_LEN(standings));
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
