/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/arena.h"
#include "base/base.h"
#include "model/observed.h"
#include "reconciler/locks.h"
#include "tests/runner.h"

/* The warning for hosts "kvm1" on, one for each of the 'count' lock managers. */
static const char *warning(struct arena *arena, const char *const *managers, size_t count)
{
    static const char *const names[] = { "kvm1", "kvm2", "kvm3", "kvm4", "kvm5" };
    struct observed_host *hosts = ARENA_ARRAY(arena, struct observed_host, count);
    const struct observed observed = { .hosts = hosts, .host_count = count };

    ck_assert_uint_le(count, ARRAY_LEN(names));
    for (size_t i = 0; i < count; i++) {
        hosts[i] = (struct observed_host){ .name = names[i], .lock_manager = managers[i] };
    }
    return locks_warning(arena, &observed);
}

START_TEST(hosts_with_a_lock_manager_or_of_which_nobody_knows_are_no_matter)
{
    static const char *const managers[] = { "lockd", "sanlock", NULL };
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_ptr_null(warning(&arena, managers, 3));
    ck_assert_ptr_null(warning(&arena, managers, 0));
}
END_TEST

START_TEST(hosts_without_one_are_named_and_the_others_not)
{
    static const char *const managers[] = { "nop", "lockd", "nop" };
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(
        warning(&arena, managers, 3),
        "no lock manager on 'kvm1', 'kvm3' keeps others from starting a guest on disks in "
        "use: set lock_manager in qemu.conf");
}
END_TEST

START_TEST(of_many_hosts_some_are_named)
{
    static const char *const managers[] = { "nop", "nop", "nop", "nop", "nop" };
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(
        warning(&arena, managers, 5),
        "no lock manager on 'kvm1', 'kvm2', 'kvm3' and 2 more keeps others from starting a "
        "guest on disks in use: set lock_manager in qemu.conf");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("locks");
    TCase *tcase = tcase_create("warning");

    tcase_add_test(tcase, hosts_with_a_lock_manager_or_of_which_nobody_knows_are_no_matter);
    tcase_add_test(tcase, hosts_without_one_are_named_and_the_others_not);
    tcase_add_test(tcase, of_many_hosts_some_are_named);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
