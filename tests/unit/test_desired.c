/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/desired.h"
#include "tests/runner.h"

static struct desired three_of_each(void)
{
    static const struct desired_host hosts[] = { { .name = "Kvm1" },
                                                 { .name = "kvm1" },
                                                 { .name = "kvm2" } };
    static const struct desired_guest guests[] = { { .name = "a", .host = 2 },
                                                   { .name = "a.b", .host = 0 },
                                                   { .name = "b", .host = 2 } };

    return (struct desired){ .hosts = hosts,
                             .host_count = ARRAY_LEN(hosts),
                             .guests = guests,
                             .guest_count = ARRAY_LEN(guests) };
}

START_TEST(every_host_and_guest_is_found_by_its_name)
{
    struct desired desired = three_of_each();

    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(desired_find_host(&desired, desired.hosts[i].name), i);
        ck_assert_uint_eq(desired_find_guest(&desired, desired.guests[i].name), i);
    }
}
END_TEST

START_TEST(unknown_names_are_not_found)
{
    static const char *const names[] = { "", "A", "aa", "a.", "kvm", "kvm3", "z" };
    struct desired desired = three_of_each();

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ck_assert_uint_eq(desired_find_host(&desired, names[i]), DESIRED_NONE);
        ck_assert_uint_eq(desired_find_guest(&desired, names[i]), DESIRED_NONE);
    }
    ck_assert_uint_eq(desired_find_host(&desired, "a"), DESIRED_NONE);
    ck_assert_uint_eq(desired_find_guest(&desired, "kvm1"), DESIRED_NONE);
}
END_TEST

START_TEST(the_host_of_a_guest_is_where_it_belongs_and_of_nobody_none)
{
    struct desired desired = three_of_each();

    ck_assert_str_eq(desired_host_of(&desired, "a"), "kvm2");
    ck_assert_str_eq(desired_host_of(&desired, "a.b"), "Kvm1");
    ck_assert_str_eq(desired_host_of(&desired, "b"), "kvm2");
    ck_assert_ptr_null(desired_host_of(&desired, "kvm2"));
    ck_assert_ptr_null(desired_host_of(&desired, ""));
}
END_TEST

START_TEST(empty_state_has_nobody)
{
    struct desired desired = { 0 };

    ck_assert_uint_eq(desired_find_host(&desired, "kvm1"), DESIRED_NONE);
    ck_assert_uint_eq(desired_find_guest(&desired, "vm1"), DESIRED_NONE);
}
END_TEST

/* A state with one of everything, in memory that may be changed. */
struct whole {
    struct desired_host hosts[2];
    struct desired_guest guests[2];
    const char *clusters[2];
    uint32_t cluster_refs[2];
    struct desired_volume volumes[2];
    uint32_t volume_refs[2];
    struct desired desired;
};

static void fill(struct whole *whole)
{
    *whole = (struct whole){
        .hosts = { { .name = "kvm1", .id = "h1" },
                   { .name = "kvm2", .id = "h2", .rack_family = "X", .memory_kib = 1 } },
        .guests = { { .name = "vm1", .id = "g1", .cluster_count = 1, .volume_count = 1 },
                    { .name = "vm2",
                      .id = "g2",
                      .memory_kib = 1,
                      .vcpus = 1,
                      .host = 1,
                      .first_cluster = 1,
                      .cluster_count = 1,
                      .first_volume = 1,
                      .volume_count = 1,
                      .pending_action = "28" } },
        .clusters = { "c1", "c2" },
        .cluster_refs = { 0, 1 },
        .volumes = { { .id = "v1" }, { .id = "v2", .name = "sys", .device = "/dev/sys" } },
        .volume_refs = { 0, 1 },
    };
    whole->desired = (struct desired){
        whole->hosts,   2, whole->guests,     2, whole->clusters, 2, whole->cluster_refs,
        whole->volumes, 2, whole->volume_refs
    };
}

START_TEST(whatever_differs_but_lines_is_told)
{
    struct whole a;
    struct whole b;
    struct desired_guest *guest = &b.guests[1];
#define CHANGE(member, value, word)                                    \
    fill(&b);                                                          \
    member = value;                                                    \
    ck_assert_ptr_nonnull(desired_difference(&a.desired, &b.desired)); \
    ck_assert_ptr_nonnull(strstr(desired_difference(&a.desired, &b.desired), word))

    fill(&a);
    fill(&b);
    guest->line = 7;
    b.hosts[1].line = 9;
    ck_assert_ptr_null(desired_difference(&a.desired, &b.desired));
    CHANGE(b.hosts[1].name, "kvm3", "host's name");
    CHANGE(b.hosts[1].id, "h3", "host's id");
    CHANGE(b.hosts[1].rack_family, NULL, "rack family");
    CHANGE(b.hosts[1].memory_kib, 2, "host's memory");
    CHANGE(guest->name, "vm3", "guest's name");
    CHANGE(guest->id, "g3", "guest's id");
    CHANGE(guest->memory_kib, 2, "guest's memory");
    CHANGE(guest->vcpus, 2, "vCPUs");
    CHANGE(guest->host, 0, "guest's host");
    CHANGE(guest->first_cluster, 0, "first cluster");
    CHANGE(guest->cluster_count, 0, "number of clusters");
    CHANGE(guest->first_volume, 0, "first volume");
    CHANGE(guest->volume_count, 0, "number of volumes");
    CHANGE(guest->pending_action, NULL, "pending action");
    CHANGE(b.clusters[1], "c3", "cluster's name");
    CHANGE(b.cluster_refs[1], 0, "guest's clusters");
    CHANGE(b.volumes[1].id, "v3", "volume's id");
    CHANGE(b.volumes[1].name, NULL, "volume's name");
    CHANGE(b.volumes[1].device, "/dev/x", "volume's device");
    CHANGE(b.volume_refs[1], 0, "guest's volumes");
    CHANGE(b.desired.host_count, 1, "number of hosts");
    CHANGE(b.desired.guest_count, 1, "number of guests");
    CHANGE(b.desired.cluster_count, 1, "number of clusters");
    CHANGE(b.desired.volume_count, 1, "number of volumes");
#undef CHANGE
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("desired");
    TCase *tcase = tcase_create("find");

    tcase_add_test(tcase, every_host_and_guest_is_found_by_its_name);
    tcase_add_test(tcase, unknown_names_are_not_found);
    tcase_add_test(tcase, the_host_of_a_guest_is_where_it_belongs_and_of_nobody_none);
    tcase_add_test(tcase, empty_state_has_nobody);
    tcase_add_test(tcase, whatever_differs_but_lines_is_told);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
