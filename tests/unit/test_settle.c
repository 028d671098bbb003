/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "diff/settle.h"
#include "model/observed.h"
#include "tests/runner.h"

#define NAME "vm1.example.com"
#define UUID "0f0e0d0c-0b0a-4908-8706-050403020100"

/* Everything that settle_judge() can be asked, numbered. */
struct situation {
    enum settle_view source;
    enum settle_view target;
    struct settle_facts facts;
};

static const int64_t ages_ms[] = { 0, SETTLE_PATIENCE_MS - 1, SETTLE_PATIENCE_MS, INT64_MAX };

#define SITUATIONS ((size_t)SETTLE_VIEW_COUNT * (size_t)SETTLE_VIEW_COUNT * 16 * ARRAY_LEN(ages_ms))

static struct situation situation_at(size_t index)
{
    struct situation s = { 0 };

    s.facts.unchanged_ms = ages_ms[index % ARRAY_LEN(ages_ms)];
    index /= ARRAY_LEN(ages_ms);
    s.facts.live = (index & 1) != 0;
    s.facts.target_made = (index & 2) != 0;
    s.facts.target_same = (index & 4) != 0;
    s.facts.owed_start = (index & 8) != 0;
    index /= 16;
    s.source = (enum settle_view)(index % SETTLE_VIEW_COUNT);
    s.target = (enum settle_view)(index / SETTLE_VIEW_COUNT);
    return s;
}

static enum settle_verdict judge(const struct situation *s)
{
    return settle_judge(s->source, s->target, &s->facts);
}

/* Fails with the whole situation in words. */
static void demand(bool condition, const struct situation *s, const char *rule)
{
    ck_assert_msg(condition,
                  "%s: source %s, target %s, live %d, made %d, same %d, owed %d, unchanged %lld ms "
                  "gives %s",
                  rule, settle_view_name(s->source), settle_view_name(s->target), s->facts.live,
                  s->facts.target_made, s->facts.target_same, s->facts.owed_start,
                  (long long)s->facts.unchanged_ms, settle_verdict_name(judge(s)));
}

/*
 * migration.md's table once more, written in words and independently of diff/settle.c.  A cell is a
 * list of view names, "*" is any; 'when' lists what must hold, of: live, offline, 60s, made, same.
 */
struct expectation {
    const char *source;
    const char *target;
    const char *when;
    const char *verdict;
};

static const struct expectation table[] = {
    { "unreachable", "*", "", "wait" },
    { "*", "unreachable", "", "wait" },
    { "paused-postcopy", "*", "", "alarm" },
    { "*", "paused-postcopy", "", "alarm" },
    { "running-job", "*", "", "adopt" },
    { "running", "absent", "", "not-happened" },
    { "running", "paused-migration", "60s", "destroy-target" },
    { "running", "paused-migration", "", "wait" },
    { "running", "off off-migrated", "made", "undefine-target" },
    { "running", "off off-migrated", "", "hold" },
    { "running", "running paused-user paused-other", "", "alarm" },
    { "paused-migration", "running paused-user", "60s", "destroy-source" },
    { "paused-migration", "running paused-user", "", "wait" },
    { "paused-migration", "paused-migration", "60s", "destroy-target" },
    { "paused-migration", "paused-migration", "", "wait" },
    { "paused-migration", "absent", "", "resume-source" },
    { "paused-migration", "off off-migrated", "", "alarm" },
    { "paused-user", "absent", "", "not-happened" },
    { "off off-migrated", "running paused-user", "", "sweep-source" },
    { "absent", "running paused-user", "", "done" },
    { "off off-migrated", "absent", "live", "ended" },
    { "off off-migrated", "absent", "offline", "stopped" },
    { "off off-migrated", "off off-migrated", "offline same", "defined-twice" },
    { "off off-migrated", "off off-migrated", "offline made", "undefine-target" },
    { "off off-migrated", "off off-migrated", "offline", "hold" },
    { "off-migrated", "off off-migrated", "live", "sweep-source" },
    { "off", "off off-migrated", "live", "hold" },
    { "absent", "off off-migrated", "", "done-off" },
    { "absent", "absent", "", "lost" },
    { "*", "*", "", "alarm" },
};

/* True if 'word' is one of the words of 'list'. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; *at != '\0';) {
        size_t span = strcspn(at, " ");

        if (span == length && strncmp(at, word, span) == 0) {
            return true;
        }
        at += span + (at[span] == ' ');
    }
    return false;
}

static bool cell_matches(const char *cell, enum settle_view view)
{
    return strcmp(cell, "*") == 0 || lists(cell, settle_view_name(view));
}

static bool when_matches(const char *when, const struct settle_facts *facts)
{
    return (!lists(when, "live") || facts->live) && (!lists(when, "offline") || !facts->live) &&
           (!lists(when, "60s") || facts->unchanged_ms >= 60000) &&
           (!lists(when, "made") || facts->target_made) &&
           (!lists(when, "same") || facts->target_same);
}

static const char *expected(const struct situation *s)
{
    size_t i = 0;

    while (!cell_matches(table[i].source, s->source) || !cell_matches(table[i].target, s->target) ||
           !when_matches(table[i].when, &s->facts)) {
        i++;
    }
    return table[i].verdict;
}

START_TEST(every_situation_has_the_verdict_of_the_first_matching_row)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);

        demand(strcmp(settle_verdict_name(judge(&s)), expected(&s)) == 0, &s, expected(&s));
    }
}
END_TEST

START_TEST(every_verdict_can_be_reached)
{
    bool seen[SETTLE_VERDICT_COUNT] = { false };

    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);

        seen[judge(&s)] = true;
    }
    for (size_t i = 0; i < SETTLE_VERDICT_COUNT; i++) {
        ck_assert_msg(seen[i], "%s", settle_verdict_name((enum settle_verdict)i));
    }
}
END_TEST

/* The rows, one test each, stated for the facts that matter. */

static enum settle_verdict live(enum settle_view source, enum settle_view target)
{
    return settle_judge(source, target, &(struct settle_facts){ .live = true });
}

static enum settle_verdict offline(enum settle_view source, enum settle_view target)
{
    return settle_judge(source, target, &(struct settle_facts){ .live = false });
}

static enum settle_verdict live_after(enum settle_view source, enum settle_view target, int64_t ms)
{
    return settle_judge(source, target, &(struct settle_facts){ .live = true, .unchanged_ms = ms });
}

START_TEST(an_unreachable_host_is_waited_for)
{
    for (size_t view = 0; view < SETTLE_VIEW_COUNT; view++) {
        ck_assert_int_eq(live(SETTLE_UNREACHABLE, (enum settle_view)view), SETTLE_WAIT);
        ck_assert_int_eq(live((enum settle_view)view, SETTLE_UNREACHABLE), SETTLE_WAIT);
    }
}
END_TEST

START_TEST(post_copy_on_either_side_raises_the_alarm)
{
    ck_assert_int_eq(live(SETTLE_PAUSED_POSTCOPY, SETTLE_RUNNING), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_PAUSED_POSTCOPY, SETTLE_ABSENT), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_RUNNING_JOB, SETTLE_PAUSED_POSTCOPY), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_OFF, SETTLE_PAUSED_POSTCOPY), SETTLE_ALARM);
}
END_TEST

START_TEST(a_running_migration_job_is_adopted)
{
    ck_assert_int_eq(live(SETTLE_RUNNING_JOB, SETTLE_PAUSED_MIGRATION), SETTLE_ADOPT);
    ck_assert_int_eq(live(SETTLE_RUNNING_JOB, SETTLE_RUNNING), SETTLE_ADOPT);
    ck_assert_int_eq(live(SETTLE_RUNNING_JOB, SETTLE_ABSENT), SETTLE_ADOPT);
}
END_TEST

START_TEST(a_guest_running_at_the_source_alone_did_not_move)
{
    ck_assert_int_eq(live(SETTLE_RUNNING, SETTLE_ABSENT), SETTLE_NOT_HAPPENED);
    ck_assert_int_eq(offline(SETTLE_RUNNING, SETTLE_ABSENT), SETTLE_NOT_HAPPENED);
}
END_TEST

START_TEST(an_incoming_leftover_beside_a_running_source_is_destroyed_after_a_minute)
{
    ck_assert_int_eq(live_after(SETTLE_RUNNING, SETTLE_PAUSED_MIGRATION, 0), SETTLE_WAIT);
    ck_assert_int_eq(live_after(SETTLE_RUNNING, SETTLE_PAUSED_MIGRATION, 59999), SETTLE_WAIT);
    ck_assert_int_eq(live_after(SETTLE_RUNNING, SETTLE_PAUSED_MIGRATION, 60000),
                     SETTLE_DESTROY_TARGET);
}
END_TEST

START_TEST(a_shut_off_copy_beside_a_running_source_is_removed_only_if_we_made_it)
{
    struct settle_facts made = { .live = true, .target_made = true };

    ck_assert_int_eq(settle_judge(SETTLE_RUNNING, SETTLE_OFF, &made), SETTLE_UNDEFINE_TARGET);
    ck_assert_int_eq(live(SETTLE_RUNNING, SETTLE_OFF), SETTLE_HOLD);
    ck_assert_int_eq(live(SETTLE_RUNNING, SETTLE_OFF_MIGRATED), SETTLE_HOLD);
}
END_TEST

START_TEST(a_guest_alive_on_both_sides_raises_the_alarm)
{
    ck_assert_int_eq(live(SETTLE_RUNNING, SETTLE_RUNNING), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_RUNNING, SETTLE_PAUSED_USER), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_RUNNING, SETTLE_PAUSED_OTHER), SETTLE_ALARM);
}
END_TEST

START_TEST(a_paused_leftover_at_the_source_is_destroyed_after_a_minute_if_the_target_lives)
{
    ck_assert_int_eq(live_after(SETTLE_PAUSED_MIGRATION, SETTLE_RUNNING, 59999), SETTLE_WAIT);
    ck_assert_int_eq(live_after(SETTLE_PAUSED_MIGRATION, SETTLE_RUNNING, 60000),
                     SETTLE_DESTROY_SOURCE);
    ck_assert_int_eq(live_after(SETTLE_PAUSED_MIGRATION, SETTLE_PAUSED_USER, 60000),
                     SETTLE_DESTROY_SOURCE);
}
END_TEST

START_TEST(of_two_half_states_the_targets_is_destroyed_after_a_minute)
{
    ck_assert_int_eq(live_after(SETTLE_PAUSED_MIGRATION, SETTLE_PAUSED_MIGRATION, 59999),
                     SETTLE_WAIT);
    ck_assert_int_eq(live_after(SETTLE_PAUSED_MIGRATION, SETTLE_PAUSED_MIGRATION, 60000),
                     SETTLE_DESTROY_TARGET);
}
END_TEST

START_TEST(a_source_paused_by_a_migration_is_resumed_if_the_target_has_nothing)
{
    ck_assert_int_eq(live(SETTLE_PAUSED_MIGRATION, SETTLE_ABSENT), SETTLE_RESUME_SOURCE);
}
END_TEST

START_TEST(a_source_paused_by_a_migration_is_left_alone_if_the_target_may_have_run)
{
    ck_assert_int_eq(live_after(SETTLE_PAUSED_MIGRATION, SETTLE_OFF, INT64_MAX), SETTLE_ALARM);
    ck_assert_int_eq(live_after(SETTLE_PAUSED_MIGRATION, SETTLE_OFF_MIGRATED, INT64_MAX),
                     SETTLE_ALARM);
}
END_TEST

START_TEST(a_guest_its_user_paused_at_the_source_alone_did_not_move)
{
    ck_assert_int_eq(live(SETTLE_PAUSED_USER, SETTLE_ABSENT), SETTLE_NOT_HAPPENED);
}
END_TEST

START_TEST(a_guest_alive_on_the_target_alone_is_done_and_its_old_definition_swept)
{
    ck_assert_int_eq(live(SETTLE_ABSENT, SETTLE_RUNNING), SETTLE_DONE);
    ck_assert_int_eq(live(SETTLE_ABSENT, SETTLE_PAUSED_USER), SETTLE_DONE);
    ck_assert_int_eq(live(SETTLE_OFF_MIGRATED, SETTLE_RUNNING), SETTLE_SWEEP_SOURCE);
    ck_assert_int_eq(offline(SETTLE_OFF, SETTLE_RUNNING), SETTLE_SWEEP_SOURCE);
    ck_assert_int_eq(live(SETTLE_OFF, SETTLE_PAUSED_USER), SETTLE_SWEEP_SOURCE);
}
END_TEST

START_TEST(a_guest_shut_off_at_the_source_alone_ended_or_has_not_moved_yet)
{
    ck_assert_int_eq(live(SETTLE_OFF, SETTLE_ABSENT), SETTLE_ENDED);
    ck_assert_int_eq(offline(SETTLE_OFF, SETTLE_ABSENT), SETTLE_STOPPED);
}
END_TEST

START_TEST(an_offline_move_goes_on_only_with_the_definition_it_journaled)
{
    struct settle_facts same = { .target_made = true, .target_same = true };
    struct settle_facts made = { .target_made = true };

    ck_assert_int_eq(settle_judge(SETTLE_OFF, SETTLE_OFF, &same), SETTLE_DEFINED_TWICE);
    ck_assert_int_eq(settle_judge(SETTLE_OFF, SETTLE_OFF, &made), SETTLE_UNDEFINE_TARGET);
    ck_assert_int_eq(offline(SETTLE_OFF, SETTLE_OFF), SETTLE_HOLD);
}
END_TEST

START_TEST(a_live_move_that_ended_shut_off_is_swept_only_if_the_source_says_migrated)
{
    struct settle_facts facts = { .live = true, .target_made = true, .target_same = true };

    ck_assert_int_eq(settle_judge(SETTLE_OFF_MIGRATED, SETTLE_OFF, &facts), SETTLE_SWEEP_SOURCE);
    ck_assert_int_eq(settle_judge(SETTLE_OFF, SETTLE_OFF, &facts), SETTLE_HOLD);
}
END_TEST

START_TEST(a_guest_shut_off_on_the_target_alone_has_moved)
{
    ck_assert_int_eq(offline(SETTLE_ABSENT, SETTLE_OFF), SETTLE_DONE_OFF);
    ck_assert_int_eq(live(SETTLE_ABSENT, SETTLE_OFF), SETTLE_DONE_OFF);
}
END_TEST

START_TEST(a_guest_on_neither_host_is_lost)
{
    ck_assert_int_eq(live(SETTLE_ABSENT, SETTLE_ABSENT), SETTLE_LOST);
    ck_assert_int_eq(offline(SETTLE_ABSENT, SETTLE_ABSENT), SETTLE_LOST);
}
END_TEST

START_TEST(what_the_table_does_not_name_raises_the_alarm)
{
    ck_assert_int_eq(live(SETTLE_OTHER, SETTLE_ABSENT), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_ABSENT, SETTLE_OTHER), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_PAUSED_OTHER, SETTLE_ABSENT), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_RUNNING, SETTLE_RUNNING_JOB), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_ABSENT, SETTLE_PAUSED_MIGRATION), SETTLE_ALARM);
    ck_assert_int_eq(live(SETTLE_PAUSED_USER, SETTLE_RUNNING), SETTLE_ALARM);
}
END_TEST

/* What must hold whatever the table says. */

static bool acts_on_source(enum settle_verdict verdict)
{
    return verdict == SETTLE_DESTROY_SOURCE || verdict == SETTLE_RESUME_SOURCE ||
           verdict == SETTLE_SWEEP_SOURCE || verdict == SETTLE_DEFINED_TWICE;
}

static bool acts_on_target(enum settle_verdict verdict)
{
    return verdict == SETTLE_DESTROY_TARGET || verdict == SETTLE_UNDEFINE_TARGET;
}

/* A verdict after which the executor may start, stop or remove something. */
static bool acts(enum settle_verdict verdict)
{
    return acts_on_source(verdict) || acts_on_target(verdict) || verdict == SETTLE_STOPPED ||
           verdict == SETTLE_DONE_OFF;
}

static bool is_off(enum settle_view view)
{
    return view == SETTLE_OFF || view == SETTLE_OFF_MIGRATED;
}

static bool runs(enum settle_view view)
{
    return view == SETTLE_RUNNING || view == SETTLE_RUNNING_JOB;
}

/* Its user sees it there, running or paused by that user's own wish. */
static bool lives(enum settle_view view)
{
    return view == SETTLE_RUNNING || view == SETTLE_PAUSED_USER;
}

START_TEST(nothing_is_done_while_a_host_does_not_answer)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        bool blind = s.source == SETTLE_UNREACHABLE || s.target == SETTLE_UNREACHABLE;

        demand(!blind || judge(&s) == SETTLE_WAIT, &s, "blind");
    }
}
END_TEST

START_TEST(a_guest_in_post_copy_is_never_touched)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        bool split = s.source == SETTLE_PAUSED_POSTCOPY || s.target == SETTLE_PAUSED_POSTCOPY;

        demand(!split || judge(&s) == SETTLE_ALARM || judge(&s) == SETTLE_WAIT, &s, "post-copy");
    }
}
END_TEST

START_TEST(a_side_with_a_migration_job_is_never_acted_on)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        bool busy = s.source == SETTLE_RUNNING_JOB || s.target == SETTLE_RUNNING_JOB;

        demand(!busy || !acts(judge(&s)), &s, "job");
    }
}
END_TEST

START_TEST(only_half_states_of_a_migration_are_destroyed_and_only_after_a_minute)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        enum settle_verdict verdict = judge(&s);
        bool waited = s.facts.unchanged_ms >= 60000;

        demand(verdict != SETTLE_DESTROY_SOURCE ||
                   (s.source == SETTLE_PAUSED_MIGRATION && lives(s.target) && waited),
               &s, "destroy source");
        demand(verdict != SETTLE_DESTROY_TARGET ||
                   (s.target == SETTLE_PAUSED_MIGRATION && waited &&
                    (s.source == SETTLE_RUNNING || s.source == SETTLE_PAUSED_MIGRATION)),
               &s, "destroy target");
    }
}
END_TEST

START_TEST(only_shut_off_definitions_are_removed)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        enum settle_verdict verdict = judge(&s);

        demand(verdict != SETTLE_UNDEFINE_TARGET || is_off(s.target), &s, "undefine target");
        demand(verdict != SETTLE_SWEEP_SOURCE || is_off(s.source), &s, "sweep source");
        demand(verdict != SETTLE_DEFINED_TWICE || is_off(s.source), &s, "undefine source");
    }
}
END_TEST

START_TEST(the_last_definition_of_a_guest_is_never_removed)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        enum settle_verdict verdict = judge(&s);

        demand(!acts_on_source(verdict) || verdict == SETTLE_RESUME_SOURCE || lives(s.target) ||
                   is_off(s.target),
               &s, "remove at the source");
        demand(!acts_on_target(verdict) || s.source == SETTLE_RUNNING || is_off(s.source) ||
                   s.source == SETTLE_PAUSED_MIGRATION,
               &s, "remove on the target");
    }
}
END_TEST

START_TEST(a_definition_that_is_not_ours_is_never_removed_from_the_target)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);

        demand(judge(&s) != SETTLE_UNDEFINE_TARGET || s.facts.target_made, &s, "not ours");
    }
}
END_TEST

START_TEST(nothing_is_started_or_ended_when_both_sides_run)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);

        demand(!runs(s.source) || !runs(s.target) || !acts(judge(&s)), &s, "both run");
    }
}
END_TEST

START_TEST(the_source_is_resumed_only_if_the_target_answers_that_it_has_nothing)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);

        demand(judge(&s) != SETTLE_RESUME_SOURCE ||
                   (s.source == SETTLE_PAUSED_MIGRATION && s.target == SETTLE_ABSENT),
               &s, "resume");
    }
}
END_TEST

START_TEST(a_guest_may_be_started_only_where_the_other_side_has_none)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        enum settle_verdict verdict = judge(&s);

        demand(verdict != SETTLE_STOPPED || (is_off(s.source) && s.target == SETTLE_ABSENT), &s,
               "start at the source");
        demand(verdict != SETTLE_DONE_OFF || (s.source == SETTLE_ABSENT && is_off(s.target)), &s,
               "start on the target");
    }
}
END_TEST

START_TEST(a_move_is_called_done_only_if_the_guest_is_on_the_target)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        enum settle_verdict verdict = judge(&s);

        demand(verdict != SETTLE_DONE || (s.source == SETTLE_ABSENT && lives(s.target)), &s,
               "done");
        demand(verdict != SETTLE_SWEEP_SOURCE || lives(s.target) || is_off(s.target), &s, "swept");
        demand(verdict != SETTLE_NOT_HAPPENED || (lives(s.source) && s.target == SETTLE_ABSENT), &s,
               "not happened");
    }
}
END_TEST

START_TEST(waiting_longer_never_undoes_an_act)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        enum settle_verdict verdict = judge(&s);

        s.facts.unchanged_ms = INT64_MAX;
        demand(verdict == judge(&s) || verdict == SETTLE_WAIT, &s, settle_verdict_name(verdict));
    }
}
END_TEST

START_TEST(an_owed_start_changes_no_verdict)
{
    for (size_t i = 0; i < SITUATIONS; i++) {
        struct situation s = situation_at(i);
        enum settle_verdict verdict = judge(&s);

        s.facts.owed_start = !s.facts.owed_start;
        demand(verdict == judge(&s), &s, settle_verdict_name(verdict));
    }
}
END_TEST

/* From an observation to a view. */

static enum settle_view view_in(enum guest_state state, enum guest_reason reason,
                                enum guest_job job)
{
    struct observed_guest guest = {
        .name = NAME,
        .uuid = UUID,
        .state = state,
        .reason = reason,
        .job = job,
    };
    struct observed_host host = { .reachable = true, .guests = &guest, .guest_count = 1 };

    return settle_view_of(&host, NAME, UUID);
}

static enum settle_view view_idle(enum guest_state state, enum guest_reason reason)
{
    return view_in(state, reason, GUEST_JOB_NONE);
}

START_TEST(a_host_that_does_not_answer_is_never_empty)
{
    struct observed_guest guest = { .name = NAME, .uuid = UUID };
    struct observed_host host = { .reachable = false, .guests = &guest, .guest_count = 1 };

    ck_assert_int_eq(settle_view_of(NULL, NAME, UUID), SETTLE_UNREACHABLE);
    ck_assert_int_eq(settle_view_of(&host, NAME, UUID), SETTLE_UNREACHABLE);
    host.guest_count = 0;
    ck_assert_int_eq(settle_view_of(&host, NAME, UUID), SETTLE_UNREACHABLE);
    host.reachable = true;
    ck_assert_int_eq(settle_view_of(&host, NAME, UUID), SETTLE_ABSENT);
}
END_TEST

START_TEST(a_guest_is_the_same_only_if_name_and_uuid_agree)
{
    struct observed_guest guests[] = {
        { .name = "other.example.com", .uuid = "ffffffff-0b0a-4908-8706-050403020100" },
        { .name = NAME, .uuid = UUID, .state = GUEST_RUNNING },
    };
    struct observed_host host = { .reachable = true, .guests = guests, .guest_count = 2 };

    ck_assert_int_eq(settle_view_of(&host, NAME, UUID), SETTLE_RUNNING);
    ck_assert_int_eq(settle_view_of(&host, NAME, "11111111-0b0a-4908-8706-050403020100"),
                     SETTLE_OTHER);
    ck_assert_int_eq(settle_view_of(&host, "vm2.example.com", UUID), SETTLE_OTHER);
    ck_assert_int_eq(
        settle_view_of(&host, "vm2.example.com", "11111111-0b0a-4908-8706-050403020100"),
        SETTLE_ABSENT);
    guests[0].name = NAME; /* A second guest under the name. */
    ck_assert_int_eq(settle_view_of(&host, NAME, UUID), SETTLE_OTHER);
}
END_TEST

START_TEST(an_outgoing_migration_is_a_job_in_every_state_but_post_copy)
{
    for (size_t state = 0; state < GUEST_STATE_COUNT; state++) {
        for (size_t reason = 0; reason < GUEST_REASON_COUNT; reason++) {
            bool is_postcopy =
                (state == GUEST_RUNNING || state == GUEST_PAUSED) &&
                (reason == GUEST_REASON_POSTCOPY || reason == GUEST_REASON_POSTCOPY_FAILED);

            ck_assert_int_eq(
                view_in((enum guest_state)state, (enum guest_reason)reason, GUEST_JOB_OUTGOING),
                is_postcopy ? SETTLE_PAUSED_POSTCOPY : SETTLE_RUNNING_JOB);
        }
    }
}
END_TEST

START_TEST(post_copy_is_seen_in_a_running_and_in_a_paused_guest)
{
    ck_assert_int_eq(view_idle(GUEST_RUNNING, GUEST_REASON_POSTCOPY), SETTLE_PAUSED_POSTCOPY);
    ck_assert_int_eq(view_idle(GUEST_RUNNING, GUEST_REASON_POSTCOPY_FAILED),
                     SETTLE_PAUSED_POSTCOPY);
    ck_assert_int_eq(view_idle(GUEST_PAUSED, GUEST_REASON_POSTCOPY), SETTLE_PAUSED_POSTCOPY);
    ck_assert_int_eq(view_idle(GUEST_PAUSED, GUEST_REASON_POSTCOPY_FAILED), SETTLE_PAUSED_POSTCOPY);
    ck_assert_int_eq(view_in(GUEST_RUNNING, GUEST_REASON_POSTCOPY, GUEST_JOB_INCOMING),
                     SETTLE_PAUSED_POSTCOPY);
}
END_TEST

START_TEST(a_half_state_of_a_migration_is_told_from_other_pauses)
{
    ck_assert_int_eq(view_idle(GUEST_PAUSED, GUEST_REASON_MIGRATION), SETTLE_PAUSED_MIGRATION);
    ck_assert_int_eq(view_idle(GUEST_PAUSED, GUEST_REASON_STARTING_UP), SETTLE_PAUSED_MIGRATION);
    ck_assert_int_eq(view_in(GUEST_PAUSED, GUEST_REASON_USER, GUEST_JOB_INCOMING),
                     SETTLE_PAUSED_MIGRATION);
    ck_assert_int_eq(view_in(GUEST_SHUTOFF, GUEST_REASON_SHUTDOWN, GUEST_JOB_INCOMING),
                     SETTLE_PAUSED_MIGRATION);
    ck_assert_int_eq(view_idle(GUEST_PAUSED, GUEST_REASON_USER), SETTLE_PAUSED_USER);
    ck_assert_int_eq(view_idle(GUEST_PAUSED, GUEST_REASON_IO_ERROR), SETTLE_PAUSED_OTHER);
    ck_assert_int_eq(view_idle(GUEST_PAUSED, GUEST_REASON_UNKNOWN), SETTLE_PAUSED_OTHER);
}
END_TEST

START_TEST(an_incoming_guest_that_has_run_is_no_leftover)
{
    ck_assert_int_eq(view_in(GUEST_RUNNING, GUEST_REASON_MIGRATED, GUEST_JOB_INCOMING),
                     SETTLE_RUNNING);
    ck_assert_int_eq(view_in(GUEST_PAUSED, GUEST_REASON_IO_ERROR, GUEST_JOB_INCOMING),
                     SETTLE_PAUSED_OTHER);
    ck_assert_int_eq(view_in(GUEST_CRASHED, GUEST_REASON_CRASHED, GUEST_JOB_INCOMING),
                     SETTLE_OTHER);
}
END_TEST

START_TEST(running_and_shut_off_guests_are_seen_as_such)
{
    ck_assert_int_eq(view_idle(GUEST_RUNNING, GUEST_REASON_BOOTED), SETTLE_RUNNING);
    ck_assert_int_eq(view_idle(GUEST_RUNNING, GUEST_REASON_MIGRATED), SETTLE_RUNNING);
    ck_assert_int_eq(view_in(GUEST_RUNNING, GUEST_REASON_BOOTED, GUEST_JOB_OTHER), SETTLE_RUNNING);
    ck_assert_int_eq(view_idle(GUEST_SHUTOFF, GUEST_REASON_SHUTDOWN), SETTLE_OFF);
    ck_assert_int_eq(view_idle(GUEST_SHUTOFF, GUEST_REASON_UNKNOWN), SETTLE_OFF);
    ck_assert_int_eq(view_idle(GUEST_SHUTOFF, GUEST_REASON_MIGRATED), SETTLE_OFF_MIGRATED);
    ck_assert_int_eq(view_idle(GUEST_CRASHED, GUEST_REASON_CRASHED), SETTLE_OTHER);
    ck_assert_int_eq(view_idle(GUEST_OTHER, GUEST_REASON_SHUTTING_DOWN), SETTLE_OTHER);
}
END_TEST

START_TEST(names_and_texts_are_complete_and_unique)
{
    for (size_t i = 0; i < SETTLE_VERDICT_COUNT; i++) {
        ck_assert_ptr_nonnull(settle_verdict_text((enum settle_verdict)i));
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(settle_verdict_name((enum settle_verdict)i),
                             settle_verdict_name((enum settle_verdict)j));
            ck_assert_str_ne(settle_verdict_text((enum settle_verdict)i),
                             settle_verdict_text((enum settle_verdict)j));
        }
    }
    for (size_t i = 0; i < SETTLE_VIEW_COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(settle_view_name((enum settle_view)i),
                             settle_view_name((enum settle_view)j));
        }
    }
}
END_TEST

static void add_rows(TCase *tcase)
{
    tcase_add_test(tcase, an_unreachable_host_is_waited_for);
    tcase_add_test(tcase, post_copy_on_either_side_raises_the_alarm);
    tcase_add_test(tcase, a_running_migration_job_is_adopted);
    tcase_add_test(tcase, a_guest_running_at_the_source_alone_did_not_move);
    tcase_add_test(tcase, an_incoming_leftover_beside_a_running_source_is_destroyed_after_a_minute);
    tcase_add_test(tcase, a_shut_off_copy_beside_a_running_source_is_removed_only_if_we_made_it);
    tcase_add_test(tcase, a_guest_alive_on_both_sides_raises_the_alarm);
    tcase_add_test(tcase,
                   a_paused_leftover_at_the_source_is_destroyed_after_a_minute_if_the_target_lives);
    tcase_add_test(tcase, of_two_half_states_the_targets_is_destroyed_after_a_minute);
    tcase_add_test(tcase, a_source_paused_by_a_migration_is_resumed_if_the_target_has_nothing);
    tcase_add_test(tcase, a_source_paused_by_a_migration_is_left_alone_if_the_target_may_have_run);
    tcase_add_test(tcase, a_guest_its_user_paused_at_the_source_alone_did_not_move);
    tcase_add_test(tcase, a_guest_alive_on_the_target_alone_is_done_and_its_old_definition_swept);
    tcase_add_test(tcase, a_guest_shut_off_at_the_source_alone_ended_or_has_not_moved_yet);
    tcase_add_test(tcase, an_offline_move_goes_on_only_with_the_definition_it_journaled);
    tcase_add_test(tcase,
                   a_live_move_that_ended_shut_off_is_swept_only_if_the_source_says_migrated);
    tcase_add_test(tcase, a_guest_shut_off_on_the_target_alone_has_moved);
    tcase_add_test(tcase, a_guest_on_neither_host_is_lost);
    tcase_add_test(tcase, what_the_table_does_not_name_raises_the_alarm);
}

static void add_rules(TCase *tcase)
{
    tcase_add_test(tcase, every_situation_has_the_verdict_of_the_first_matching_row);
    tcase_add_test(tcase, every_verdict_can_be_reached);
    tcase_add_test(tcase, nothing_is_done_while_a_host_does_not_answer);
    tcase_add_test(tcase, a_guest_in_post_copy_is_never_touched);
    tcase_add_test(tcase, a_side_with_a_migration_job_is_never_acted_on);
    tcase_add_test(tcase, only_half_states_of_a_migration_are_destroyed_and_only_after_a_minute);
    tcase_add_test(tcase, only_shut_off_definitions_are_removed);
    tcase_add_test(tcase, the_last_definition_of_a_guest_is_never_removed);
    tcase_add_test(tcase, a_definition_that_is_not_ours_is_never_removed_from_the_target);
    tcase_add_test(tcase, nothing_is_started_or_ended_when_both_sides_run);
    tcase_add_test(tcase, the_source_is_resumed_only_if_the_target_answers_that_it_has_nothing);
    tcase_add_test(tcase, a_guest_may_be_started_only_where_the_other_side_has_none);
    tcase_add_test(tcase, a_move_is_called_done_only_if_the_guest_is_on_the_target);
    tcase_add_test(tcase, waiting_longer_never_undoes_an_act);
    tcase_add_test(tcase, an_owed_start_changes_no_verdict);
}

static void add_views(TCase *tcase)
{
    tcase_add_test(tcase, a_host_that_does_not_answer_is_never_empty);
    tcase_add_test(tcase, a_guest_is_the_same_only_if_name_and_uuid_agree);
    tcase_add_test(tcase, an_outgoing_migration_is_a_job_in_every_state_but_post_copy);
    tcase_add_test(tcase, post_copy_is_seen_in_a_running_and_in_a_paused_guest);
    tcase_add_test(tcase, a_half_state_of_a_migration_is_told_from_other_pauses);
    tcase_add_test(tcase, an_incoming_guest_that_has_run_is_no_leftover);
    tcase_add_test(tcase, running_and_shut_off_guests_are_seen_as_such);
    tcase_add_test(tcase, names_and_texts_are_complete_and_unique);
}

int main(void)
{
    Suite *suite = suite_create("settle");
    TCase *rows = tcase_create("rows");
    TCase *rules = tcase_create("rules");
    TCase *views = tcase_create("views");

    add_rows(rows);
    add_rules(rules);
    add_views(views);
    suite_add_tcase(suite, rows);
    suite_add_tcase(suite, rules);
    suite_add_tcase(suite, views);
    return runner_run(suite);
}
