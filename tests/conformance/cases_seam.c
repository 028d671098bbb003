/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/cases.h"
#include "tests/conformance/rig.h"

#define SHORT_DEADLINE_MS 3000
#define LONG_DEADLINE_MS  20000

START_TEST(an_observation_says_what_there_is)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    const struct observed_host *host = rig_look(rig, "kvm1");
    const struct observed_guest *guest = observed_find_guest_named(host, rig->guest);

    ck_assert_str_eq(host->name, "kvm1");
    ck_assert_int_gt(host->as_of_ms, 0);
    ck_assert_uint_gt(host->memory_kib, 0);
    ck_assert_uint_gt(host->cpus, 0);
    ck_assert_uint_ge(host->numa_nodes, 1);
    ck_assert_uint_gt(host->qemu_version, 1000000);
    ck_assert_uint_gt(host->libvirt_version, 1000000);
    ck_assert_ptr_nonnull(host->arch);
    ck_assert_ptr_nonnull(host->cpu_fingerprint);
    ck_assert_uint_gt(host->machine_count, 0);
    for (size_t i = 1; i < host->machine_count; i++) {
        ck_assert_str_lt(host->machines[i - 1], host->machines[i]);
    }
    ck_assert_ptr_nonnull(guest);
    ck_assert_int_eq(guest->state, GUEST_RUNNING);
    ck_assert_int_eq(guest->reason, GUEST_REASON_BOOTED);
    ck_assert_int_eq(guest->job, GUEST_JOB_NONE);
    ck_assert_uint_eq(guest->memory_kib, 96 * 1024);
    ck_assert_uint_eq(guest->config_memory_kib, 96 * 1024);
    ck_assert_uint_eq(guest->vcpus, 1);
    ck_assert(guest->persistent);
    ck_assert(!guest->autostart);
    ck_assert_int_eq(guest->managed_save, 0);
    ck_assert_int_eq(guest->snapshots, 0);
    ck_assert_int_eq(guest->hostdevs, 0);
    ck_assert_int_eq(guest->hugepage_kib, 0);
    ck_assert_int_eq(guest->numa_nodes, 0);
    ck_assert_int_eq(guest->has_nvram, 0);
    ck_assert_int_eq(guest->has_tpm, 0);
    ck_assert_ptr_nonnull(guest->machine);
    ck_assert_ptr_nonnull(guest->cpu_mode);
    ck_assert_ptr_nonnull(guest->xml);
    ck_assert_ptr_nonnull(strstr(guest->xml, guest->uuid));
}
END_TEST

START_TEST(an_observation_tells_transient_paused_and_saved_guests)
{
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_TRANSIENT, false);

        ck_assert(!rig_guest(rig, "kvm1")->persistent);
    }
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_PAUSED, false);

        ck_assert_int_eq(rig_guest(rig, "kvm1")->state, GUEST_PAUSED);
        ck_assert_int_eq(rig_guest(rig, "kvm1")->reason, GUEST_REASON_USER);
    }
    {
        AUTO(rig) struct rig *rig = rig_open(WORLD_SAVED, false);

        ck_assert_int_eq(rig_guest(rig, "kvm1")->state, GUEST_SHUTOFF);
        ck_assert_int_eq(rig_guest(rig, "kvm1")->managed_save, 1);
    }
}
END_TEST

START_TEST(every_call_completes_exactly_once_and_never_from_inside_itself)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_AUTOSTART);
    size_t before = rig->done_count;
    uint64_t tickets[3];

    tickets[0] = rig_observe(rig, "kvm1", LONG_DEADLINE_MS);
    tickets[1] = rig_start(rig, &op);
    tickets[2] = rig_observe(rig, "kvm2", LONG_DEADLINE_MS);
    ck_assert_uint_eq(rig->done_count, before);
    rig_wait(rig, before + 3);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig->done_count, before + 3);
    for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
        ck_assert_int_eq(rig_result(rig, tickets[i])->status, 0);
    }
}
END_TEST

START_TEST(two_observations_of_one_host_complete_both)
{
    AUTO(rig) struct rig *rig = rig_open_empty();
    uint64_t first = rig_observe(rig, "kvm1", LONG_DEADLINE_MS);
    uint64_t second = rig_observe(rig, "kvm1", LONG_DEADLINE_MS);

    rig_wait(rig, 2);
    ck_assert(rig_result(rig, first)->host.reachable);
    ck_assert(rig_result(rig, second)->host.reachable);
}
END_TEST

START_TEST(an_operation_may_go_after_the_call)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_AUTOSTART);
    char guest[64];
    char uuid[64];
    char host[64];
    uint64_t ticket;

    (void)strcpy(guest, op.guest);
    (void)strcpy(uuid, op.uuid);
    (void)strcpy(host, op.host);
    op.guest = guest;
    op.uuid = uuid;
    op.host = host;
    op.enable = true;
    ticket = rig_start(rig, &op);
    memset(guest, 'x', sizeof(guest));
    memset(uuid, 'x', sizeof(uuid));
    memset(host, 'x', sizeof(host));
    memset(&op, 0, sizeof(op));
    rig_wait(rig, rig->done_count + 1);
    ck_assert_int_eq(rig_result(rig, ticket)->status, 0);
    ck_assert(rig_guest(rig, "kvm1")->autostart);
}
END_TEST

START_TEST(a_host_nobody_knows_is_an_error_never_empty)
{
    AUTO(rig) struct rig *rig = rig_open_empty();
    uint64_t ticket = rig_observe(rig, "kvm9", SHORT_DEADLINE_MS);
    const struct rig_done *done;

    rig_wait(rig, 1);
    done = rig_result(rig, ticket);
    ck_assert_int_eq(done->status, -1);
    ck_assert_int_eq(done->err.code, ERR_NOT_FOUND);
    ck_assert_str_eq(done->host.name, "kvm9");
    ck_assert(!done->host.reachable);
    ck_assert_ptr_nonnull(done->host.error);
}
END_TEST

/* By the order of completions, not by a clock: the frozen host's comes last, at its deadline. */
START_TEST(a_frozen_host_is_unreachable_by_its_deadline_and_delays_nobody)
{
    AUTO(rig) struct rig *rig = rig_open_empty();
    const struct rig_done *frozen;
    uint64_t tickets[2];

    (void)rig_look(rig, "kvm1"); /* So that connections are open, as in a daemon's life. */
    (void)rig_look(rig, "kvm2");
    world_freeze(rig->world, "kvm1");
    tickets[0] = rig_observe(rig, "kvm1", SHORT_DEADLINE_MS);
    tickets[1] = rig_observe(rig, "kvm2", SHORT_DEADLINE_MS);
    rig_wait(rig, 4);
    ck_assert_uint_eq(rig->done[2].ticket, tickets[1]);
    ck_assert_int_eq(rig->done[2].status, 0);
    frozen = rig_result(rig, tickets[0]);
    ck_assert_int_eq(frozen->status, -1);
    ck_assert(frozen->err.code == ERR_UNREACHABLE || frozen->err.code == ERR_TIMEOUT);
    ck_assert_str_eq(frozen->host.name, "kvm1");
    ck_assert(!frozen->host.reachable);
    ck_assert_ptr_nonnull(frozen->host.error);
    world_thaw(rig->world, "kvm1");
    rig_await_answer(rig, "kvm1");
}
END_TEST

START_TEST(a_host_without_power_is_unreachable_until_it_has_booted)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_IDLE, false);
    struct op op = rig_op(rig, OP_AUTOSTART);
    uint64_t ticket;

    op.enable = true;
    (void)rig_succeed(rig, &op);
    world_crash(rig->world, "kvm1");
    ticket = rig_observe(rig, "kvm1", SHORT_DEADLINE_MS);
    rig_wait(rig, rig->done_count + 1);
    ck_assert_int_eq(rig_result(rig, ticket)->status, -1);
    ck_assert(!rig_result(rig, ticket)->host.reachable);
    (void)rig_look(rig, "kvm2");
    world_boot(rig->world, "kvm1");
    rig_await_answer(rig, "kvm1");
    /* Marked autostart: libvirt started it before it answered. */
    ck_assert_int_eq(rig_guest(rig, "kvm1")->state, GUEST_RUNNING);
}
END_TEST

START_TEST(nothing_is_reported_after_closing)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_DEAF, false);
    struct op op = rig_op(rig, OP_STOP);
    size_t before = rig->done_count;
    size_t progress;

    (void)rig_start(rig, &op);
    (void)rig_observe(rig, "kvm1", LONG_DEADLINE_MS);
    (void)rig_observe(rig, "kvm2", LONG_DEADLINE_MS);
    progress = rig->progress_count;
    rig_reopen(rig);
    rig_pass(rig, 2000);
    ck_assert_uint_eq(rig->done_count, before);
    ck_assert_uint_eq(rig->progress_count, progress);
}
END_TEST

START_TEST(cancelling_what_is_not_under_way_does_nothing)
{
    AUTO(rig) struct rig *rig = rig_open(WORLD_OFF, false);
    struct op op = rig_op(rig, OP_AUTOSTART);
    uint64_t ticket;

    rig_cancel(rig, 4711);
    op.enable = true;
    ticket = rig_start(rig, &op);
    rig_cancel(rig, ticket);
    rig_wait(rig, rig->done_count + 1);
    ck_assert_int_eq(rig_result(rig, ticket)->status, 0);
    rig_cancel(rig, ticket);
    ck_assert(rig_guest(rig, "kvm1")->autostart);
}
END_TEST

TCase *cases_seam(void)
{
    TCase *cases = tcase_create("seam");

    tcase_add_test(cases, an_observation_says_what_there_is);
    tcase_add_test(cases, an_observation_tells_transient_paused_and_saved_guests);
    tcase_add_test(cases, every_call_completes_exactly_once_and_never_from_inside_itself);
    tcase_add_test(cases, two_observations_of_one_host_complete_both);
    tcase_add_test(cases, an_operation_may_go_after_the_call);
    tcase_add_test(cases, a_host_nobody_knows_is_an_error_never_empty);
    tcase_add_test(cases, a_frozen_host_is_unreachable_by_its_deadline_and_delays_nobody);
    tcase_add_test(cases, a_host_without_power_is_unreachable_until_it_has_booted);
    tcase_add_test(cases, nothing_is_reported_after_closing);
    tcase_add_test(cases, cancelling_what_is_not_under_way_does_nothing);
    return cases;
}
