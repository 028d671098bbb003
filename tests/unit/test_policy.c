/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/base.h"
#include "model/policy.h"
#include "tests/runner.h"

#define GIB (UINT64_C(1024) * 1024)

static const struct policy_host hosts[] = {
    { .name = "kvm1", .memory_kib = 100 * GIB },
    { .name = "kvm2", .has_reserve = true, .reserve = { .percent = 10 } },
    { .name = "kvm3", .has_reserve = true },
    { .name = "kvm4",
      .memory_kib = 50 * GIB,
      .has_reserve = true,
      .reserve = { .kib = 60 * GIB, .percent = 1 } },
};

static const struct policy_guest guests[] = {
    { .name = "vm1", .has_mode = true, .mode = POLICY_MODE_OFFLINE },
    { .name = "vm2", .pin = true },
};

static struct policy example(void)
{
    struct policy policy = policy_default();

    policy.mode = POLICY_MODE_LIVE;
    policy.hosts = hosts;
    policy.host_count = ARRAY_LEN(hosts);
    policy.guests = guests;
    policy.guest_count = ARRAY_LEN(guests);
    return policy;
}

START_TEST(the_defaults_are_those_of_the_contract)
{
    struct policy policy = policy_default();

    ck_assert_uint_eq(policy.reserve.kib, 8 * GIB);
    ck_assert_uint_eq(policy.guest_overhead_kib, 0);
    ck_assert_uint_eq(policy.cpu_overcommit_milli, 1000);
    ck_assert_int_eq(policy.cpu_policy, POLICY_CPU_WARN);
    ck_assert(policy.charge_off);
    ck_assert_int_eq(policy.mode, POLICY_MODE_AUTO);
    ck_assert_int_eq(policy.timeout_ms, 600000);
    ck_assert_int_eq(policy.stop_timeout_ms, 300000);
    ck_assert_int_eq(policy.start_timeout_ms, 120000);
    ck_assert_int_eq(policy.outage_wait_ms, 900000);
    ck_assert_uint_eq(policy.outage_limit, 3);
    ck_assert_uint_le(policy.max_downtime_ms, 2000);
    ck_assert(!policy.postcopy);
    ck_assert(!policy.allow_downgrade);
    ck_assert(!policy.adopt_pending_actions);
}
END_TEST

START_TEST(settings_are_found_by_name)
{
    struct policy policy = example();
    struct policy nothing = policy_default();

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        ck_assert_ptr_eq(policy_find_host(&policy, hosts[i].name), &hosts[i]);
    }
    ck_assert_ptr_eq(policy_find_guest(&policy, "vm2"), &guests[1]);
    ck_assert_ptr_null(policy_find_host(&policy, "kvm"));
    ck_assert_ptr_null(policy_find_guest(&policy, "vm3"));
    ck_assert_ptr_null(policy_find_host(&nothing, "kvm1"));
    ck_assert_ptr_null(policy_find_guest(&nothing, "vm1"));
}
END_TEST

START_TEST(a_guest_without_a_mode_of_its_own_has_that_of_the_fleet)
{
    struct policy policy = example();

    ck_assert_int_eq(policy_guest_mode(&policy, "vm1"), POLICY_MODE_OFFLINE);
    ck_assert_int_eq(policy_guest_mode(&policy, "vm2"), POLICY_MODE_LIVE);
    ck_assert_int_eq(policy_guest_mode(&policy, "vm3"), POLICY_MODE_LIVE);
}
END_TEST

static const struct {
    const char *host;
    uint64_t memory_kib;
    uint64_t usable_kib;
} limits[] = {
    { "kvm9", 64 * GIB, 56 * GIB },  /* The fleet's reserve. */
    { "kvm9", 8 * GIB, 0 },          /* All of it. */
    { "kvm9", GIB, 0 },              /* Never below nothing. */
    { "kvm9", 0, 0 },                /* Unknown gives nothing. */
    { "kvm1", 128 * GIB, 92 * GIB }, /* Capped, then less reserve. */
    { "kvm1", 64 * GIB, 56 * GIB },  /* A cap above what there is. */
    { "kvm2", 1000, 900 },           /* A share of its own. */
    { "kvm3", 64 * GIB, 64 * GIB },  /* A reserve of nothing is not the fleet's. */
    { "kvm4", 64 * GIB, 0 },         /* A reserve above the cap. */
    { "kvm2", UINT64_MAX, UINT64_MAX - UINT64_MAX / 100 * 10 },
};

START_TEST(a_host_gives_what_it_has_less_its_reserve)
{
    struct policy policy = example();

    ck_assert_uint_eq(policy_usable_kib(&policy, limits[_i].host, limits[_i].memory_kib),
                      limits[_i].usable_kib);
}
END_TEST

START_TEST(every_mode_has_a_name_and_no_other_name_is_one)
{
    static const char *const others[] = { "", "Live", "cold", "live " };
    enum policy_mode mode = POLICY_MODE_LIVE;

    ck_assert(policy_mode_from_name("auto", &mode));
    ck_assert_int_eq(mode, POLICY_MODE_AUTO);
    ck_assert(policy_mode_from_name("live", &mode));
    ck_assert_int_eq(mode, POLICY_MODE_LIVE);
    ck_assert(policy_mode_from_name("offline", &mode));
    ck_assert_int_eq(mode, POLICY_MODE_OFFLINE);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        ck_assert(!policy_mode_from_name(others[i], &mode));
        ck_assert_int_eq(mode, POLICY_MODE_OFFLINE);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tcase = tcase_create("policy");

    tcase_add_test(tcase, the_defaults_are_those_of_the_contract);
    tcase_add_test(tcase, settings_are_found_by_name);
    tcase_add_test(tcase, a_guest_without_a_mode_of_its_own_has_that_of_the_fleet);
    tcase_add_loop_test(tcase, a_host_gives_what_it_has_less_its_reserve, 0,
                        (int)ARRAY_LEN(limits));
    tcase_add_test(tcase, every_mode_has_a_name_and_no_other_name_is_one);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
