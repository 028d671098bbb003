/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "model/check.h"
#include "model/platform.h"
#include "tests/runner.h"

/* The rules of configs/profiles/exascale.conf. */
static const struct platform_rules vendor = {
    .live_generation = "X10M",
    .live_release = "26.1",
    .offline_generation = "X8M-2",
    .offline_release = "25.1",
    .same_model = PLATFORM_LIVE,
    .same_cpus = PLATFORM_LIVE,
    .target_release = PLATFORM_ALWAYS,
    .secure_fabric = PLATFORM_LIVE,
    .storage_servers = PLATFORM_ALWAYS,
    .live_update = PLATFORM_ALWAYS,
};

static struct platform_host good_host(const char *name)
{
    return (struct platform_host){
        .name = name,
        .facts = {
            [PLATFORM_GENERATION] = { .text = "X10M" },
            [PLATFORM_MODEL] = { .text = "ORACLE SERVER E5-2L" },
            [PLATFORM_CPUS] = { .text = "384 of AMD EPYC 9J14" },
            [PLATFORM_RELEASE] = { .text = "26.1.0.0.0.260115" },
            [PLATFORM_SECURE_FABRIC] = { .text = "yes" },
            [PLATFORM_STORAGE_SERVERS] = { .text = "192.168.10.1 192.168.10.2" },
            [PLATFORM_LIVE_UPDATE] = { .text = "no" },
        },
    };
}

/* The one check that fails of a move between good hosts but for 'fact', or CHECK_KIND_COUNT if none does. */
static const struct check *judged(struct arena *arena, enum move_mode mode, enum platform_fact fact,
                                  const char *source, const char *target)
{
    struct check_list list = check_list(arena);
    struct platform_host hosts[] = { good_host("kvm1"), good_host("kvm2") };
    const struct check *failed = NULL;

    hosts[0].facts[fact].text = source;
    hosts[1].facts[fact].text = target;
    platform_judge(&list, &vendor, mode, &hosts[0], &hosts[1]);
    ck_assert_uint_gt(list.count, 0);
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].result == CHECK_FAILED) {
            ck_assert_ptr_null(failed);
            ck_assert_ptr_nonnull(list.items[i].change);
            failed = &list.items[i];
        } else {
            ck_assert_int_eq(list.items[i].result, CHECK_PASSED);
        }
    }
    return failed;
}

/* 'fails' is the check, or CHECK_KIND_COUNT: none. */
static const struct {
    enum move_mode mode;
    enum platform_fact fact;
    const char *source;
    const char *target;
    enum check_kind fails;
} table[] = {
    { MOVE_LIVE, PLATFORM_GENERATION, "X10M", "X10M", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_GENERATION, "X10M", "X11M", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_GENERATION, "Exadata X10M Elastic", "X10M-2", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_GENERATION, "X9M-2", "X10M", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_GENERATION, "X10M", "X9M-2", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_GENERATION, "X10", "X10M", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_GENERATION, "BX10M", "X10M", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_GENERATION, "X10Mega", "X10M", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_GENERATION, "", "X10M", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_GENERATION, "X", "X10M", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_GENERATION, "10", "X10M", CHECK_GENERATION },
    { MOVE_OFFLINE, PLATFORM_GENERATION, "X8M-2", "X8M-2", CHECK_KIND_COUNT },
    { MOVE_OFFLINE, PLATFORM_GENERATION, "X9M-2", "X11M", CHECK_KIND_COUNT },
    { MOVE_OFFLINE, PLATFORM_GENERATION, "X8-2", "X8M-2", CHECK_GENERATION },
    { MOVE_OFFLINE, PLATFORM_GENERATION, "X7-2", "X8M-2", CHECK_GENERATION },
    { MOVE_OFFLINE, PLATFORM_GENERATION, "X8M-2", "X8M-8", CHECK_GENERATION },
    { MOVE_COLD, PLATFORM_GENERATION, "X8M-2", "X7-2", CHECK_GENERATION },
    { MOVE_STOP, PLATFORM_GENERATION, "X8M-2", "X7-2", CHECK_GENERATION },
    { MOVE_LIVE, PLATFORM_MODEL, "E5-2L", "E5-2L", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_MODEL, "E5-2L", "E6-2L", CHECK_MODEL },
    { MOVE_OFFLINE, PLATFORM_MODEL, "E5-2L", "E6-2L", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_CPUS, "96 of A", "192 of A", CHECK_SAME_CPUS },
    { MOVE_OFFLINE, PLATFORM_CPUS, "96 of A", "192 of A", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1", "26.1", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1.0", "26.1", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1.0", "26.10.0", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.10.0", "26.9.0", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "25.2.1", "26.1.0", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.0.9", "27.1", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1.1", "26.1.0.9.9", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1", "unknown", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1", "", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1", "26.", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1", "26..2", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1", "26.2 beta", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_RELEASE, "26.1", "99999999999999999999.1", CHECK_KIND_COUNT },
    { MOVE_OFFLINE, PLATFORM_RELEASE, "25.1.0", "25.1.0", CHECK_KIND_COUNT },
    { MOVE_OFFLINE, PLATFORM_RELEASE, "25.1.0", "26.1.0", CHECK_KIND_COUNT },
    { MOVE_OFFLINE, PLATFORM_RELEASE, "25.1.1", "25.1.0", CHECK_RELEASE },
    { MOVE_OFFLINE, PLATFORM_RELEASE, "24.1.0", "25.1.0", CHECK_RELEASE },
    { MOVE_LIVE, PLATFORM_SECURE_FABRIC, "yes", "no", CHECK_FABRIC },
    { MOVE_LIVE, PLATFORM_SECURE_FABRIC, "no", "yes", CHECK_FABRIC },
    { MOVE_LIVE, PLATFORM_SECURE_FABRIC, "yes", "", CHECK_FABRIC },
    { MOVE_OFFLINE, PLATFORM_SECURE_FABRIC, "no", "no", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_STORAGE_SERVERS, "a", "a b", CHECK_SERVERS },
    { MOVE_OFFLINE, PLATFORM_STORAGE_SERVERS, "a", "a b", CHECK_SERVERS },
    { MOVE_LIVE, PLATFORM_LIVE_UPDATE, "none", "no", CHECK_KIND_COUNT },
    { MOVE_LIVE, PLATFORM_LIVE_UPDATE, "kernel", "no", CHECK_LIVE_UPDATE },
    { MOVE_OFFLINE, PLATFORM_LIVE_UPDATE, "no", "yes", CHECK_LIVE_UPDATE },
    { MOVE_OFFLINE, PLATFORM_LIVE_UPDATE, "no", "", CHECK_LIVE_UPDATE },
};

START_TEST(each_rule_is_judged_as_the_table_says)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct check *failed =
        judged(&arena, table[_i].mode, table[_i].fact, table[_i].source, table[_i].target);

    if (table[_i].fails == CHECK_KIND_COUNT) {
        ck_assert_msg(failed == NULL, "row %d: %s", _i, failed == NULL ? "" : failed->evidence);
    } else {
        ck_assert_msg(failed != NULL && failed->kind == table[_i].fails, "row %d", _i);
        ck_assert_int_eq(failed->code, ERR_INCOMPATIBLE);
    }
}
END_TEST

START_TEST(a_fact_that_is_not_told_by_either_host_fails_its_check)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
        const struct platform_host hosts[] = { good_host("kvm1"), good_host("kvm2") };
        const char *told = hosts[0].facts[fact].text;

        ck_assert_ptr_nonnull(judged(&arena, MOVE_LIVE, fact, NULL, told));
        ck_assert_ptr_nonnull(judged(&arena, MOVE_LIVE, fact, told, NULL));
    }
}
END_TEST

START_TEST(why_a_fact_is_not_told_is_told)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct check_list list = check_list(&arena);
    struct platform_host source = good_host("kvm1");
    struct platform_host target = good_host("kvm2");

    target.facts[PLATFORM_RELEASE] = (struct platform_value){ .why = "no such command" };
    platform_judge(&list, &vendor, MOVE_OFFLINE, &source, &target);
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].kind == CHECK_RELEASE) {
            ck_assert_str_eq(list.items[i].evidence,
                             "'kvm2' does not tell its 'release': no such command");
            return;
        }
    }
    ck_abort_msg("no such check");
}
END_TEST

START_TEST(a_forced_move_is_judged_by_its_target_alone)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct check_list list = check_list(&arena);
    const struct platform_host source = { .name = "kvm1" };
    struct platform_host target = good_host("kvm2");

    platform_judge(&list, &vendor, MOVE_FORCED, &source, &target);
    ck_assert_uint_gt(list.count, 0);
    ck_assert_uint_eq(check_count(list.items, list.count, CHECK_PASSED), list.count);
    list.count = 0;
    target.facts[PLATFORM_LIVE_UPDATE].text = "yes";
    target.facts[PLATFORM_GENERATION].text = "X7-2";
    platform_judge(&list, &vendor, MOVE_FORCED, &source, &target);
    ck_assert_uint_eq(check_count(list.items, list.count, CHECK_FAILED), 2);
}
END_TEST

START_TEST(without_rules_nothing_is_needed_and_nothing_checked)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const struct platform_rules none = { 0 };
    const struct platform_host host = { .name = "kvm1" };

    for (enum move_mode mode = 0; mode < MOVE_MODE_COUNT; mode++) {
        struct check_list list = check_list(&arena);

        platform_judge(&list, &none, mode, &host, &host);
        ck_assert_uint_eq(list.count, 0);
    }
}
END_TEST

START_TEST(only_facts_of_rules_that_hold_are_needed)
{
    ck_assert(platform_needs(&vendor, MOVE_LIVE, PLATFORM_MODEL));
    ck_assert(!platform_needs(&vendor, MOVE_OFFLINE, PLATFORM_MODEL));
    ck_assert(!platform_needs(&vendor, MOVE_COLD, PLATFORM_SECURE_FABRIC));
    ck_assert(platform_needs(&vendor, MOVE_COLD, PLATFORM_RELEASE));
    ck_assert(platform_needs(&vendor, MOVE_FORCED, PLATFORM_GENERATION));
}
END_TEST

START_TEST(names_are_read_back)
{
    for (enum platform_fact fact = 0; fact < PLATFORM_FACT_COUNT; fact++) {
        ck_assert_int_eq(platform_fact_from_name(platform_fact_name(fact)), fact);
    }
    for (enum platform_scope scope = 0; scope < PLATFORM_SCOPE_COUNT; scope++) {
        ck_assert_int_eq(platform_scope_from_name(platform_scope_name(scope)), scope);
    }
    ck_assert_int_eq(platform_fact_from_name("shoe-size"), PLATFORM_FACT_COUNT);
    ck_assert_int_eq(platform_scope_from_name("yes"), PLATFORM_SCOPE_COUNT);
    ck_assert_ptr_null(platform_bad_generation("X8M-2"));
    ck_assert_ptr_nonnull(platform_bad_generation("Exadata X8M-2"));
    ck_assert_ptr_null(platform_bad_release("25.1"));
    ck_assert_ptr_nonnull(platform_bad_release("v25"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("platform");
    TCase *tcase = tcase_create("platform");

    tcase_add_loop_test(tcase, each_rule_is_judged_as_the_table_says, 0, (int)ARRAY_LEN(table));
    tcase_add_test(tcase, a_fact_that_is_not_told_by_either_host_fails_its_check);
    tcase_add_test(tcase, why_a_fact_is_not_told_is_told);
    tcase_add_test(tcase, a_forced_move_is_judged_by_its_target_alone);
    tcase_add_test(tcase, without_rules_nothing_is_needed_and_nothing_checked);
    tcase_add_test(tcase, only_facts_of_rules_that_hold_are_needed);
    tcase_add_test(tcase, names_are_read_back);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
