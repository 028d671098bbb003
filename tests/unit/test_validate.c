/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/fault.h"
#include "model/policy.h"
#include "model/validate.h"
#include "tests/runner.h"

#define GIB (UINT64_C(1) << 20)

/* One host with two guests, and what berth.conf says of it. */
static const struct {
    const char *sentence;
    uint64_t host_kib;
    uint64_t guest_kib[2];
    uint64_t overhead_kib;
    struct policy_reserve reserve;
    struct policy_host own; /* Used if it has a name. */
    const char *fault;      /* NULL = none. */
} cases[] = {
    { "guests that fit exactly fit",
      64 * GIB,
      { 32 * GIB, 24 * GIB },
      0,
      { .kib = 8 * GIB },
      { 0 },
      NULL },
    { "one KiB more does not fit",
      64 * GIB,
      { 32 * GIB, 24 * GIB + 1 },
      0,
      { .kib = 8 * GIB },
      { 0 },
      "they need 56.0 GiB, it has 56 GiB (64 GiB declared, 8 GiB reserved)" },
    { "every guest's overhead counts",
      64 * GIB,
      { 32 * GIB, 23 * GIB },
      GIB,
      { .kib = 8 * GIB },
      { 0 },
      "they need 57 GiB, it has 56 GiB (64 GiB declared, 8 GiB reserved)" },
    { "a guest of undeclared memory counts with its overhead",
      10 * GIB,
      { 9 * GIB, 0 },
      GIB,
      { 0 },
      { 0 },
      "they need 11 GiB, it has 10 GiB (10 GiB declared, 0 KiB reserved)" },
    { "a reserve may be a share",
      100 * GIB,
      { 91 * GIB, 0 },
      0,
      { .percent = 10 },
      { 0 },
      "they need 91 GiB, it has 90 GiB (100 GiB declared, 10 GiB reserved)" },
    { "nothing declared is nothing to exceed",
      0,
      { 1 << 30, 1 << 30 },
      0,
      { .kib = 8 * GIB },
      { 0 },
      NULL },
    { "berth.conf may declare alone",
      0,
      { 32 * GIB, 32 * GIB },
      0,
      { 0 },
      { .name = "kvm1", .memory_kib = 48 * GIB },
      "they need 64 GiB, it has 48 GiB (48 GiB declared, 0 KiB reserved)" },
    { "the smaller of two declarations counts",
      64 * GIB,
      { 32 * GIB, 32 * GIB },
      0,
      { 0 },
      { .name = "kvm1", .memory_kib = 48 * GIB },
      "they need 64 GiB, it has 48 GiB (48 GiB declared, 0 KiB reserved)" },
    { "the smaller may be the file's",
      48 * GIB,
      { 32 * GIB, 32 * GIB },
      0,
      { 0 },
      { .name = "kvm1", .memory_kib = 64 * GIB },
      "they need 64 GiB, it has 48 GiB (48 GiB declared, 0 KiB reserved)" },
    { "a host's own reserve replaces the fleet's",
      64 * GIB,
      { 32 * GIB, 32 * GIB },
      0,
      { .kib = 8 * GIB },
      { .name = "kvm1", .has_reserve = true },
      NULL },
    { "another host's settings do not matter",
      64 * GIB,
      { 32 * GIB, 32 * GIB },
      0,
      { 0 },
      { .name = "kvm2", .memory_kib = GIB },
      NULL },
    { "sums do not wrap around",
      64 * GIB,
      { UINT64_MAX, UINT64_MAX },
      0,
      { 0 },
      { 0 },
      "they need 17179869184.0 TiB, it has 64 GiB (64 GiB declared, 0 KiB reserved)" },
};

START_TEST(host_is_judged_by_its_declared_memory)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);
    const struct desired_host host = { .name = "kvm1",
                                       .memory_kib = cases[_i].host_kib,
                                       .line = 7 };
    const struct desired_guest guests[] = {
        { .name = "vm1", .memory_kib = cases[_i].guest_kib[0] },
        { .name = "vm2", .memory_kib = cases[_i].guest_kib[1] },
    };
    const struct desired desired = {
        .hosts = &host, .host_count = 1, .guests = guests, .guest_count = ARRAY_LEN(guests)
    };
    struct policy policy = policy_default();

    policy.reserve = cases[_i].reserve;
    policy.guest_overhead_kib = cases[_i].overhead_kib;
    policy.hosts = &cases[_i].own;
    policy.host_count = cases[_i].own.name != NULL;
    validate_capacity(&desired, &policy, &faults);
    ck_assert_msg(faults.count == (cases[_i].fault != NULL), "%s", cases[_i].sentence);
    if (cases[_i].fault != NULL) {
        ck_assert_uint_eq(faults.items[0].line, 7);
        ck_assert_str_eq(faults.items[0].text,
                         text_format(&arena, "host 'kvm1' cannot hold the guests placed on it: %s",
                                     cases[_i].fault));
    }
}
END_TEST

START_TEST(each_host_answers_for_its_own_guests_only)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);
    const struct desired_host hosts[] = {
        { .name = "kvm1", .memory_kib = 20 * GIB, .line = 1 },
        { .name = "kvm2", .memory_kib = 20 * GIB, .line = 2 },
        { .name = "kvm3", .memory_kib = 20 * GIB, .line = 3 },
    };
    const struct desired_guest guests[] = {
        { .name = "a", .memory_kib = 12 * GIB, .host = 0 },
        { .name = "b", .memory_kib = 13 * GIB, .host = 2 },
        { .name = "c", .memory_kib = 1 * GIB, .host = 1 },
    };
    const struct desired desired = { .hosts = hosts,
                                     .host_count = ARRAY_LEN(hosts),
                                     .guests = guests,
                                     .guest_count = ARRAY_LEN(guests) };
    const struct policy policy = policy_default();

    validate_capacity(&desired, &policy, &faults);
    ck_assert_uint_eq(faults.count, 1);
    ck_assert_uint_eq(faults.items[0].line, 3);
}
END_TEST

START_TEST(reserve_beyond_the_memory_harms_only_hosts_with_guests)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct faults faults = fault_list(&arena);
    const struct desired_host host = { .name = "kvm1", .memory_kib = GIB };
    const struct desired desired = { .hosts = &host, .host_count = 1 };
    const struct policy policy = policy_default();

    validate_capacity(&desired, &policy, &faults);
    ck_assert_uint_eq(faults.count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("validate");
    TCase *tcase = tcase_create("capacity");

    tcase_add_loop_test(tcase, host_is_judged_by_its_declared_memory, 0, ARRAY_LEN(cases));
    tcase_add_test(tcase, each_host_answers_for_its_own_guests_only);
    tcase_add_test(tcase, reserve_beyond_the_memory_harms_only_hosts_with_guests);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
