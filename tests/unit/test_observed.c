/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "model/observed.h"
#include "tests/runner.h"

START_TEST(every_state_has_a_name_that_leads_back)
{
    for (int i = 0; i < GUEST_STATE_COUNT; i++) {
        ck_assert_int_eq(observed_state_from_name(observed_state_name((enum guest_state)i)), i);
    }
    ck_assert_int_eq(observed_state_from_name("asleep"), GUEST_STATE_COUNT);
}
END_TEST

START_TEST(every_reason_has_a_name_that_leads_back)
{
    for (int i = 0; i < GUEST_REASON_COUNT; i++) {
        ck_assert_int_eq(observed_reason_from_name(observed_reason_name((enum guest_reason)i)), i);
    }
    ck_assert_int_eq(observed_reason_from_name("boredom"), GUEST_REASON_COUNT);
}
END_TEST

START_TEST(every_job_has_a_name_that_leads_back)
{
    for (int i = 0; i < GUEST_JOB_COUNT; i++) {
        ck_assert_int_eq(observed_job_from_name(observed_job_name((enum guest_job)i)), i);
    }
    ck_assert_int_eq(observed_job_from_name("odd"), GUEST_JOB_COUNT);
}
END_TEST

START_TEST(names_are_those_of_the_contract)
{
    ck_assert_str_eq(observed_state_name(GUEST_SHUTOFF), "shutoff");
    ck_assert_str_eq(observed_reason_name(GUEST_REASON_POSTCOPY_FAILED), "postcopy-failed");
    ck_assert_str_eq(observed_job_name(GUEST_JOB_OUTGOING), "outgoing");
}
END_TEST

START_TEST(guests_are_sorted_by_name_then_uuid)
{
    struct observed_guest guests[] = {
        { .name = "vm2", .uuid = "a" },
        { .name = "vm10", .uuid = "b" },
        { .name = "vm1", .uuid = "d" },
        { .name = "vm1", .uuid = "c" },
    };

    observed_sort_guests(guests, ARRAY_LEN(guests));
    ck_assert_str_eq(guests[0].uuid, "c");
    ck_assert_str_eq(guests[1].uuid, "d");
    ck_assert_str_eq(guests[2].name, "vm10");
    ck_assert_str_eq(guests[3].name, "vm2");
    observed_sort_guests(NULL, 0);
}
END_TEST

START_TEST(a_host_is_found_by_name_among_sorted_ones)
{
    struct observed_host hosts[] = { { .name = "kvm3" }, { .name = "kvm1" }, { .name = "kvm2" } };
    const struct observed observed = { .hosts = hosts, .host_count = ARRAY_LEN(hosts) };
    const struct observed nothing = { 0 };

    observed_sort_hosts(hosts, ARRAY_LEN(hosts));
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        ck_assert_ptr_eq(observed_find_host(&observed, hosts[i].name), &hosts[i]);
    }
    ck_assert_ptr_null(observed_find_host(&observed, "kvm4"));
    ck_assert_ptr_null(observed_find_host(&nothing, "kvm1"));
}
END_TEST

START_TEST(a_guest_is_found_by_uuid_or_by_name)
{
    const struct observed_guest guests[] = {
        { .name = "vm1", .uuid = "aaa" },
        { .name = "vm2", .uuid = "bbb" },
    };
    const struct observed_host host = { .guests = guests, .guest_count = ARRAY_LEN(guests) };

    ck_assert_ptr_eq(observed_find_guest(&host, "bbb"), &guests[1]);
    ck_assert_ptr_eq(observed_find_guest_named(&host, "vm1"), &guests[0]);
    ck_assert_ptr_null(observed_find_guest(&host, "vm1"));
    ck_assert_ptr_null(observed_find_guest_named(&host, "aaa"));
}
END_TEST

/* A host with something in every member that points anywhere. */
static struct observed_host full_host(struct arena *arena)
{
    struct observed_guest *guest = ARENA_NEW(arena, struct observed_guest);
    struct observed_hugepages *pages = ARENA_NEW(arena, struct observed_hugepages);
    const char **machines = ARENA_ARRAY(arena, const char *, 2);

    *guest = (struct observed_guest){
        .name = arena_strdup(arena, "vm1"),
        .uuid = arena_strdup(arena, "c0ffee00-0000-4000-8000-000000000001"),
        .state = GUEST_PAUSED,
        .memory_kib = 4096,
        .snapshots = OBSERVED_UNKNOWN,
        .machine = arena_strdup(arena, "pc-q35-7.2"),
        .cpu_mode = arena_strdup(arena, "custom"),
        .xml = arena_strdup(arena, "<domain/>"),
    };
    *pages = (struct observed_hugepages){ .page_kib = 2048, .total = 8, .free = 3 };
    machines[0] = arena_strdup(arena, "pc");
    machines[1] = arena_strdup(arena, "q35");
    return (struct observed_host){
        .name = arena_strdup(arena, "kvm1"),
        .error = arena_strdup(arena, "no route"),
        .hostname = arena_strdup(arena, "kvm1.example.com"),
        .arch = arena_strdup(arena, "x86_64"),
        .cpu_model = arena_strdup(arena, "EPYC"),
        .cpu_fingerprint = arena_strdup(arena, "f00d"),
        .memory_kib = 8192,
        .machines = machines,
        .machine_count = 2,
        .hugepages = pages,
        .hugepage_count = 1,
        .guests = guest,
        .guest_count = 1,
    };
}

START_TEST(a_host_has_the_machine_types_that_it_names)
{
    static const char *const machines[] = { "pc", "pc-q35-7.2", "q35" };
    const struct observed_host host = { .machines = machines, .machine_count = 3 };
    const struct observed_host silent = { .name = "kvm2" };

    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        ck_assert(observed_has_machine(&host, machines[i]));
    }
    ck_assert(!observed_has_machine(&host, "pc-q35-8.2"));
    ck_assert(!observed_has_machine(&silent, "pc"));
}
END_TEST

START_TEST(a_copied_host_outlives_its_original)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct arena doomed = ARENA_INIT;
    struct observed_host original = full_host(&doomed);
    struct observed_host copy = observed_copy_host(&arena, &original);

    arena_deinit(&doomed);
    ck_assert_str_eq(copy.name, "kvm1");
    ck_assert_str_eq(copy.error, "no route");
    ck_assert_str_eq(copy.hostname, "kvm1.example.com");
    ck_assert_str_eq(copy.arch, "x86_64");
    ck_assert_str_eq(copy.cpu_model, "EPYC");
    ck_assert_str_eq(copy.cpu_fingerprint, "f00d");
    ck_assert_uint_eq(copy.memory_kib, 8192);
    ck_assert_str_eq(copy.machines[1], "q35");
    ck_assert_uint_eq(copy.hugepages[0].free, 3);
    ck_assert_str_eq(copy.guests[0].uuid, "c0ffee00-0000-4000-8000-000000000001");
    ck_assert_str_eq(copy.guests[0].machine, "pc-q35-7.2");
    ck_assert_str_eq(copy.guests[0].cpu_mode, "custom");
    ck_assert_str_eq(copy.guests[0].xml, "<domain/>");
    ck_assert_int_eq(copy.guests[0].snapshots, OBSERVED_UNKNOWN);
}
END_TEST

START_TEST(a_host_of_which_nothing_is_known_can_be_copied)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct observed_host original = { .name = "kvm1" };
    struct observed_host copy = observed_copy_host(&arena, &original);

    ck_assert_str_eq(copy.name, "kvm1");
    ck_assert_ptr_null(copy.error);
    ck_assert_ptr_null(copy.arch);
    ck_assert_uint_eq(copy.guest_count, 0);
    ck_assert_uint_eq(copy.machine_count, 0);
}
END_TEST

static const struct {
    enum guest_state state;
    bool active;
} activities[] = {
    { GUEST_RUNNING, true }, { GUEST_PAUSED, true },   { GUEST_CRASHED, true },
    { GUEST_OTHER, true },   { GUEST_SHUTOFF, false },
};

START_TEST(only_a_guest_that_is_shut_off_has_no_process)
{
    const struct observed_guest guest = { .state = activities[_i].state };

    ck_assert_int_eq(observed_is_active(&guest), activities[_i].active);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("observed");
    TCase *tcase = tcase_create("observed");

    tcase_add_test(tcase, every_state_has_a_name_that_leads_back);
    tcase_add_test(tcase, every_reason_has_a_name_that_leads_back);
    tcase_add_test(tcase, every_job_has_a_name_that_leads_back);
    tcase_add_test(tcase, names_are_those_of_the_contract);
    tcase_add_test(tcase, guests_are_sorted_by_name_then_uuid);
    tcase_add_test(tcase, a_host_is_found_by_name_among_sorted_ones);
    tcase_add_test(tcase, a_guest_is_found_by_uuid_or_by_name);
    tcase_add_test(tcase, a_host_has_the_machine_types_that_it_names);
    tcase_add_test(tcase, a_copied_host_outlives_its_original);
    tcase_add_test(tcase, a_host_of_which_nothing_is_known_can_be_copied);
    tcase_add_loop_test(tcase, only_a_guest_that_is_shut_off_has_no_process, 0,
                        (int)ARRAY_LEN(activities));
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
