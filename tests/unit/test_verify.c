/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/verify.h"

#include "build_fleet.h"
#include "tests/runner.h"

/* A fleet whose plan has three moves: c makes room for b, b for a. */
struct subject {
    struct build *build;
    struct plan plan;
    struct plan_move moves[4]; /* plan.moves, to be spoilt. */
};

static struct subject three_moves(struct arena *arena)
{
    struct subject subject = { .build = build_fleet(arena) };
    struct build *build = subject.build;

    (void)build_host(build, "kvm1", 16);
    (void)build_host(build, "kvm2", 16);
    (void)build_host(build, "kvm3", 16);
    (void)build_host(build, "kvm4", 16);
    (void)build_guest(build, "a", 10, "kvm1", "kvm2");
    (void)build_guest(build, "b", 10, "kvm2", "kvm3");
    (void)build_guest(build, "c", 10, "kvm3", "kvm4");
    (void)build_guest(build, "d", 1, "kvm4", "kvm4");
    subject.plan = build_plan(build);
    ck_assert_uint_eq(subject.plan.move_count, 3);
    memcpy(subject.moves, subject.plan.moves, 3 * sizeof(subject.moves[0]));
    ck_assert_str_eq(subject.moves[2].guest, "a");
    return subject;
}

/* Verifies what the subject has become and expects a refusal that begins with 'words'. */
static void expect_refusal(struct subject *subject, const char *words)
{
    struct err err;

    subject->plan.moves = subject->moves;
    ck_assert_int_eq(verify_plan(build_input(subject->build), &subject->plan, 0, &err), -1);
    ck_assert_int_eq(err.code, ERR_REFUSED);
    ck_assert_msg(strncmp(err.text, words, strlen(words)) == 0, "\"%s\" does not begin \"%s\"",
                  err.text, words);
}

static struct observed_guest *seen(struct subject *subject, const char *name)
{
    for (size_t i = 0; i < subject->build->sighting_count; i++) {
        if (strcmp(subject->build->sightings[i].guest.name, name) == 0) {
            return &subject->build->sightings[i].guest;
        }
    }
    ck_abort_msg("'%s' is nowhere", name);
}

START_TEST(remainder_of_a_plan_verifies_in_the_world_its_beginning_left)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);
    struct err err;

    subject.build->sightings[2].host = "kvm4"; /* c has moved. */
    ck_assert_int_eq(verify_plan(build_input(subject.build), &subject.plan, 1, &err), 0);
    ck_assert_int_eq(verify_plan(build_input(subject.build), &subject.plan, 0, &err), -1);
    ck_assert_int_eq(verify_plan(build_input(subject.build), &subject.plan, 2, &err), -1);
}
END_TEST

START_TEST(move_before_there_is_room_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.moves[0] = subject.plan.moves[1];
    subject.moves[1] = subject.plan.moves[0];
    subject.moves[0].seq = 1;
    subject.moves[1].seq = 2;
    expect_refusal(&subject, "move 1 (b to kvm3): memory: 10 GiB + 10 GiB exceeds 16 GiB on kvm3");
}
END_TEST

START_TEST(gap_in_the_numbers_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.moves[1].seq = 3;
    expect_refusal(&subject, "move 2 (b to kvm3): seq");
}
END_TEST

START_TEST(unlisted_guest_or_host_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.moves[0].guest = "x";
    expect_refusal(&subject, "move 1 (x to kvm4): guest");
    subject.moves[0].guest = "c";
    subject.moves[0].to = "kvm9";
    expect_refusal(&subject, "move 1 (c to kvm9): host");
}
END_TEST

START_TEST(guest_that_is_not_where_the_move_begins_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.moves[0].from = "kvm1";
    expect_refusal(&subject, "move 1 (c to kvm4): presence");
    subject = three_moves(&arena);
    subject.moves[0].uuid = "other";
    expect_refusal(&subject, "move 1 (c to kvm4): presence: its UUID");
    subject = three_moves(&arena);
    (void)build_sighting(subject.build, "c", 1, "kvm1");
    expect_refusal(&subject, "move 1 (c to kvm4): presence: it is on 2 hosts");
    subject = three_moves(&arena);
    build_sighting(subject.build, "z", 1, "kvm4")->uuid = "uuid-of-c";
    expect_refusal(&subject, "move 1 (c to kvm4): presence: its UUID is taken");
}
END_TEST

START_TEST(guest_in_flight_or_with_a_job_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    build_in_flight(subject.build, "c", "kvm3", "kvm4");
    expect_refusal(&subject, "move 1 (c to kvm4): in-flight");
    subject.build->in_flight_count = 0;
    seen(&subject, "c")->job = GUEST_JOB_OTHER;
    expect_refusal(&subject, "move 1 (c to kvm4): in-flight");
}
END_TEST

START_TEST(silent_host_is_refused_at_either_end)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.build->hosts[2].reachable = false;
    expect_refusal(&subject, "move 1 (c to kvm4): unreachable-host: 'kvm3'");
    subject.build->hosts[2].reachable = true;
    subject.build->hosts[3].reachable = false;
    expect_refusal(&subject, "move 1 (c to kvm4): unreachable-host: 'kvm4'");
}
END_TEST

START_TEST(host_in_maintenance_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    build_policy_host(subject.build, "kvm3")->maintenance = true;
    expect_refusal(&subject, "move 2 (b to kvm3): maintenance");
}
END_TEST

START_TEST(guest_that_people_keep_in_place_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    build_policy_guest(subject.build, "a")->pin = true;
    expect_refusal(&subject, "move 3 (a to kvm2): pinned");
    subject = three_moves(&arena);
    build_exclusion(subject.build, "b", PLAN_HELD, "held");
    expect_refusal(&subject, "move 2 (b to kvm3): excluded");
    subject = three_moves(&arena);
    build_wish_of(subject.build, "a")->guest.pending_action = "28";
    expect_refusal(&subject, "move 3 (a to kvm2): policy");
}
END_TEST

START_TEST(hop_that_says_the_wrong_thing_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.moves[0].detour = true;
    expect_refusal(&subject, "move 1 (c to kvm4): hop");
    subject = three_moves(&arena);
    subject.moves[0].to = "kvm1"; /* And no final hop later. */
    subject.moves[0].detour = true;
    expect_refusal(&subject, "move 1 (c to kvm1): hop: it ends on 'kvm1'");
}
END_TEST

START_TEST(mode_that_does_not_suit_the_guest_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.moves[0].mode = MOVE_OFFLINE;
    expect_refusal(&subject, "move 1 (c to kvm4): mode: offline");
    subject.moves[0].mode = MOVE_COLD;
    expect_refusal(&subject, "move 1 (c to kvm4): mode: cold");
    subject.moves[0].mode = MOVE_FORCED;
    expect_refusal(&subject, "move 1 (c to kvm4): mode: a forced");
    subject.moves[0].mode = MOVE_STOP;
    expect_refusal(&subject, "move 1 (c to kvm4): mode: policy");
    subject.moves[0].mode = MOVE_LIVE;
    seen(&subject, "c")->state = GUEST_SHUTOFF;
    expect_refusal(&subject, "move 1 (c to kvm4): mode: live");
    seen(&subject, "c")->owed_start = true;
    subject.moves[0].mode = MOVE_COLD;
    expect_refusal(&subject, "move 1 (c to kvm4): mode: cold");
}
END_TEST

START_TEST(guest_that_must_not_be_touched_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);
    struct observed_guest clean = *seen(&subject, "c");

    seen(&subject, "c")->state = GUEST_PAUSED;
    expect_refusal(&subject, "move 1 (c to kvm4): unsafe: it is paused (booted)");
    *seen(&subject, "c") = clean;
    seen(&subject, "c")->state = GUEST_CRASHED;
    expect_refusal(&subject, "move 1 (c to kvm4): unsafe: its state");
    *seen(&subject, "c") = clean;
    seen(&subject, "c")->managed_save = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): unsafe: managed save");
    *seen(&subject, "c") = clean;
    seen(&subject, "c")->snapshots = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): unsafe: snapshots");
    *seen(&subject, "c") = clean;
    seen(&subject, "c")->has_nvram = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): unsafe: NVRAM");
    *seen(&subject, "c") = clean;
    seen(&subject, "c")->has_tpm = OBSERVED_UNKNOWN;
    expect_refusal(&subject, "move 1 (c to kvm4): unsafe: emulated TPM is unknown");
    *seen(&subject, "c") = clean;
    seen(&subject, "c")->state = GUEST_SHUTOFF;
    seen(&subject, "c")->persistent = false;
    subject.moves[0].mode = MOVE_COLD;
    expect_refusal(&subject, "move 1 (c to kvm4): unsafe: it is transient");
}
END_TEST

START_TEST(target_that_cannot_run_the_guest_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);
    struct observed_host clean = subject.build->hosts[3];
    struct observed_host *target = &subject.build->hosts[3];

    seen(&subject, "c")->hostdevs = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): incompatible: host devices");
    seen(&subject, "c")->hostdevs = 0;
    target->arch = "aarch64";
    expect_refusal(&subject, "move 1 (c to kvm4): incompatible: architecture");
    *target = clean;
    target->machine_count = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): incompatible: machine type");
    *target = clean;
    target->cpu_fingerprint = "other";
    seen(&subject, "c")->cpu_mode = "host-passthrough";
    expect_refusal(&subject, "move 1 (c to kvm4): incompatible: CPU");
    *target = clean;
    target->qemu_version = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): incompatible: QEMU");
    *target = clean;
    target->libvirt_version = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): incompatible: libvirt");
}
END_TEST

START_TEST(cluster_members_that_would_meet_are_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    (void)build_guest(subject.build, "e", 1, "kvm2", "kvm1");
    build_wish_of(subject.build, "a")->cluster = "c1";
    build_wish_of(subject.build, "e")->cluster = "c1";
    subject.moves[1].source.before_kib += GIB;
    subject.moves[1].source.during_kib += GIB;
    subject.moves[1].source.after_kib += GIB;
    subject.plan.complete = false;
    expect_refusal(&subject, "move 3 (a to kvm2): apart: 'e'");
}
END_TEST

START_TEST(too_many_cpus_are_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.build->policy.cpu_policy = POLICY_CPU_STRICT;
    subject.build->hosts[3].cpus = 1;
    expect_refusal(&subject, "move 1 (c to kvm4): cpu: 1 + 1 vCPUs exceeds 1 on kvm4");
}
END_TEST

START_TEST(every_number_of_the_proof_is_checked)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    for (size_t i = 0; i < 9; i++) {
        uint64_t *numbers[] = {
            &subject.moves[1].source.limit_kib,  &subject.moves[1].source.before_kib,
            &subject.moves[1].source.during_kib, &subject.moves[1].source.after_kib,
            &subject.moves[1].target.limit_kib,  &subject.moves[1].target.before_kib,
            &subject.moves[1].target.during_kib, &subject.moves[1].target.after_kib,
            &subject.moves[1].memory_kib,
        };

        ++*numbers[i];
        expect_refusal(&subject, "move 2 (b to kvm3): proof");
        --*numbers[i];
    }
}
END_TEST

START_TEST(false_claims_of_the_whole_plan_are_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = three_moves(&arena);

    subject.plan.memory_kib++;
    expect_refusal(&subject, "plan: summary");
    subject = three_moves(&arena);
    subject.plan.interruptions = 1;
    expect_refusal(&subject, "plan: summary");
    subject = three_moves(&arena);
    subject.plan.move_count = 2;
    subject.plan.memory_kib -= subject.moves[2].memory_kib;
    expect_refusal(&subject, "plan: complete: 'a' does not end on 'kvm2'");
}
END_TEST

/* Writes move 'i' of 'subject' with the proof that the replay expects. */
static void write_move(struct subject *subject, size_t i, const char *guest, const char *from,
                       const char *to, enum move_mode mode)
{
    static const char *const uuids[] = { "uuid-of-a", "uuid-of-b" };

    subject->moves[i] = (struct plan_move){
        .seq = (uint32_t)i + 1,
        .guest = guest,
        .uuid = uuids[guest[0] - 'a'],
        .from = from,
        .to = to,
        .mode = mode,
        .memory_kib = 4 * GIB,
        .source = { 4 * GIB, 4 * GIB, 4 * GIB, 0 },
        .target = { 4 * GIB, 0, 4 * GIB, 4 * GIB },
    };
    subject->plan.memory_kib += 4 * GIB;
    subject->plan.interruptions += mode == MOVE_OFFLINE;
    subject->plan.move_count = i + 1;
    subject->plan.moves = subject->moves;
}

/* Two full hosts whose guests swap. */
static struct subject swap(struct arena *arena)
{
    struct subject subject = { .build = build_fleet(arena) };

    (void)build_host(subject.build, "kvm1", 4);
    (void)build_host(subject.build, "kvm2", 4);
    (void)build_guest(subject.build, "a", 4, "kvm1", "kvm2");
    (void)build_guest(subject.build, "b", 4, "kvm2", "kvm1");
    return subject;
}

START_TEST(detour_verifies_when_the_final_hop_follows)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = swap(&arena);
    struct err err;

    (void)build_host(subject.build, "kvm3", 4);
    write_move(&subject, 0, "a", "kvm1", "kvm3", MOVE_LIVE);
    write_move(&subject, 1, "b", "kvm2", "kvm1", MOVE_LIVE);
    write_move(&subject, 2, "a", "kvm3", "kvm2", MOVE_LIVE);
    subject.moves[0].detour = true;
    subject.plan.detours = 1;
    subject.plan.complete = true;
    ck_assert_int_eq(verify_plan(build_input(subject.build), &subject.plan, 0, &err), 0);
    build_policy_guest(subject.build, "a")->no_detour = true;
    expect_refusal(&subject, "move 1 (a to kvm3): detour");
}
END_TEST

START_TEST(parked_guest_frees_its_host_until_it_is_moved)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = swap(&arena);
    struct err err;

    build_policy_guest(subject.build, "a")->park = true;
    write_move(&subject, 0, "a", "kvm1", "kvm2", MOVE_STOP);
    write_move(&subject, 1, "b", "kvm2", "kvm1", MOVE_LIVE);
    write_move(&subject, 2, "a", "kvm1", "kvm2", MOVE_OFFLINE);
    subject.moves[0].target = (struct plan_side){ 4 * GIB, 4 * GIB, 4 * GIB, 4 * GIB };
    subject.moves[2].source = (struct plan_side){ 4 * GIB, 4 * GIB, 4 * GIB, 4 * GIB };
    subject.plan.complete = true;
    if (verify_plan(build_input(subject.build), &subject.plan, 0, &err) != 0) {
        ck_abort_msg("%s", err.text);
    }
    subject.plan.move_count = 2;
    subject.plan.complete = false;
    expect_refusal(&subject, "move 1 (a to kvm2): mode: stopped and never moved");
}
END_TEST

/* An earlier plan had stopped it and broke off. */
START_TEST(guest_that_is_off_may_stay_off_for_others_if_it_is_owed_a_start_and_may_be_parked)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = swap(&arena);
    struct err err;

    build_policy_guest(subject.build, "a")->park = true;
    seen(&subject, "a")->state = GUEST_SHUTOFF;
    seen(&subject, "a")->owed_start = true;
    subject.plan = build_plan(subject.build);
    ck_assert_uint_eq(subject.plan.move_count, 3);
    ck_assert_int_eq(subject.plan.moves[0].mode, MOVE_STOP);
    ck_assert_str_eq(subject.plan.moves[0].reason, "stays off to make room on 'kvm1' for 'b'");
    if (verify_plan(build_input(subject.build), &subject.plan, 0, &err) != 0) {
        ck_abort_msg("%s", err.text);
    }
    seen(&subject, "a")->owed_start = false;
    ck_assert_int_ne(verify_plan(build_input(subject.build), &subject.plan, 0, &err), 0);
    seen(&subject, "a")->owed_start = true;
    build_policy_guest(subject.build, "a")->park = false;
    ck_assert_int_ne(verify_plan(build_input(subject.build), &subject.plan, 0, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "policy does not let it be parked"));
}
END_TEST

START_TEST(guest_that_the_plan_has_stopped_takes_no_room_in_its_remainder)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct subject subject = swap(&arena);
    struct err err;

    build_policy_guest(subject.build, "a")->park = true;
    subject.plan = build_plan(subject.build);
    ck_assert_uint_eq(subject.plan.move_count, 3);
    ck_assert_int_eq(subject.plan.moves[0].mode, MOVE_STOP);
    ck_assert_int_ne(verify_plan(build_input(subject.build), &subject.plan, 1, &err), 0);
    seen(&subject, "a")->state = GUEST_SHUTOFF;
    ck_assert_int_ne(verify_plan(build_input(subject.build), &subject.plan, 1, &err), 0);
    seen(&subject, "a")->owed_start = true;
    if (verify_plan(build_input(subject.build), &subject.plan, 1, &err) != 0) {
        ck_abort_msg("%s", err.text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify");
    TCase *tcase = tcase_create("mutations");

    tcase_add_test(tcase, remainder_of_a_plan_verifies_in_the_world_its_beginning_left);
    tcase_add_test(tcase, move_before_there_is_room_is_refused);
    tcase_add_test(tcase, gap_in_the_numbers_is_refused);
    tcase_add_test(tcase, unlisted_guest_or_host_is_refused);
    tcase_add_test(tcase, guest_that_is_not_where_the_move_begins_is_refused);
    tcase_add_test(tcase, guest_in_flight_or_with_a_job_is_refused);
    tcase_add_test(tcase, silent_host_is_refused_at_either_end);
    tcase_add_test(tcase, host_in_maintenance_is_refused);
    tcase_add_test(tcase, guest_that_people_keep_in_place_is_refused);
    tcase_add_test(tcase, hop_that_says_the_wrong_thing_is_refused);
    tcase_add_test(tcase, mode_that_does_not_suit_the_guest_is_refused);
    tcase_add_test(tcase, guest_that_must_not_be_touched_is_refused);
    tcase_add_test(tcase, target_that_cannot_run_the_guest_is_refused);
    tcase_add_test(tcase, cluster_members_that_would_meet_are_refused);
    tcase_add_test(tcase, too_many_cpus_are_refused);
    tcase_add_test(tcase, every_number_of_the_proof_is_checked);
    tcase_add_test(tcase, false_claims_of_the_whole_plan_are_refused);
    tcase_add_test(tcase, detour_verifies_when_the_final_hop_follows);
    tcase_add_test(tcase, parked_guest_frees_its_host_until_it_is_moved);
    tcase_add_test(
        tcase, guest_that_is_off_may_stay_off_for_others_if_it_is_owed_a_start_and_may_be_parked);
    tcase_add_test(tcase, guest_that_the_plan_has_stopped_takes_no_room_in_its_remainder);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
