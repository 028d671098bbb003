/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "diff/diff.h"
#include "diff/diff_json.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "model/check.h"
#include "tests/runner.h"

#define UUID_1 "c0ffee00-0000-4000-8000-000000000001"
#define MAX    (UINT64_C(1) << 53)

#define PROOF                                                                     \
    "\"proof\":{\"from\":{\"limit_kib\":100,\"before_kib\":90,\"during_kib\":90," \
    "\"after_kib\":60},\"to\":{\"limit_kib\":9007199254740992,\"before_kib\":1,"  \
    "\"during_kib\":31,\"after_kib\":31}}"
#define SUMMARY(moves) \
    "\"summary\":{\"moves\":" moves ",\"detours\":1,\"interruptions\":1,\"memory_kib\":60}}\n"

/* Everything there is, exactly as it is written. */
static const char full[] =
    "{\"format\":\"berth.plan/1\",\"es_xml_sha256\":\"abc\",\"complete\":false,"
    "\"method\":\"exact\",\"optimal\":true,\"warnings\":[\"cpu \\\"full\\\"\",\"x\"],\"moves\":[\n"
    " {\"seq\":1,\"guest\":\"vm1\",\"uuid\":\"" UUID_1 "\",\"from\":\"kvm1\",\"to\":\"kvm3\","
    "\"mode\":\"live\",\"hop\":\"detour\",\"memory_kib\":30," PROOF ",\"reason\":\"makes room\"},\n"
    " {\"seq\":2,\"guest\":\"vm2\",\"from\":\"kvm2\",\"to\":\"kvm1\",\"mode\":\"offline\","
    "\"hop\":\"final\",\"memory_kib\":30," PROOF ",\"reason\":null}],\"blocked\":[\n"
    " {\"guest\":\"vm3\",\"code\":\"deadlock\",\"reason\":\"a swap\",\"certificate\":"
    "{\"guests\":[\"vm3\",\"vm4\"],\"hosts\":[\"kvm1\"],\"unblock\":[\"4 GiB on any host\"],"
    "\"proven\":true}},\n"
    " {\"guest\":\"vm5\",\"code\":\"unreachable-host\",\"reason\":\"no answer\"}]," SUMMARY("2");

static const struct plan_move moves[] = {
    { .seq = 1,
      .guest = "vm1",
      .uuid = UUID_1,
      .from = "kvm1",
      .to = "kvm3",
      .mode = MOVE_LIVE,
      .detour = true,
      .memory_kib = 30,
      .source = { 100, 90, 90, 60 },
      .target = { MAX, 1, 31, 31 },
      .reason = "makes room" },
    { .seq = 2,
      .guest = "vm2",
      .from = "kvm2",
      .to = "kvm1",
      .mode = MOVE_OFFLINE,
      .memory_kib = 30,
      .source = { 100, 90, 90, 60 },
      .target = { MAX, 1, 31, 31 } },
};
static const char *const stuck[] = { "vm3", "vm4" };
static const char *const stuck_on[] = { "kvm1" };
static const char *const unblock[] = { "4 GiB on any host" };
static const struct plan_block blocked[] = {
    { .guest = "vm3",
      .code = PLAN_DEADLOCK,
      .reason = "a swap",
      .certificate = { stuck, 2, stuck_on, 1, unblock, 1, true } },
    { .guest = "vm5", .code = PLAN_UNREACHABLE, .reason = "no answer" },
};
static const char *const warnings[] = { "cpu \"full\"", "x" };

static struct plan example(void)
{
    return (struct plan){
        .es_xml_sha256 = "abc",
        .method = PLAN_EXACT,
        .optimal = true,
        .warnings = warnings,
        .warning_count = ARRAY_LEN(warnings),
        .moves = moves,
        .move_count = ARRAY_LEN(moves),
        .blocked = blocked,
        .block_count = ARRAY_LEN(blocked),
        .detours = 1,
        .interruptions = 1,
        .memory_kib = 60,
    };
}

static const char *written(struct arena *arena, const struct plan *plan)
{
    struct text text = text_new(arena);

    plan_json_write(&text, plan);
    return text.data;
}

START_TEST(a_plan_is_written_as_the_contract_says)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct plan plan = example();

    ck_assert_str_eq(written(&arena, &plan), full);
}
END_TEST

START_TEST(what_is_written_is_read_back_to_the_byte)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct plan plan;
    struct err err;

    ck_assert_msg(plan_json_read(&arena, full, strlen(full), &plan, &err) == 0, "%s", err.text);
    ck_assert_str_eq(written(&arena, &plan), full);
    ck_assert_uint_eq(plan.move_count, 2);
    ck_assert_uint_eq(plan.moves[0].target.limit_kib, MAX);
    ck_assert_uint_eq(plan.moves[0].source.after_kib, 60);
    ck_assert(plan.moves[0].detour && !plan.moves[1].detour);
    ck_assert_ptr_null(plan.moves[1].uuid);
    ck_assert_int_eq(plan.method, PLAN_EXACT);
    ck_assert_int_eq(plan.blocked[0].code, PLAN_DEADLOCK);
    ck_assert_uint_eq(plan.blocked[0].certificate.guest_count, 2);
    ck_assert(plan.blocked[0].certificate.proven);
    ck_assert_uint_eq(plan.blocked[1].certificate.guest_count, 0);
    ck_assert_uint_eq(plan.interruptions, 1);
}
END_TEST

START_TEST(the_plan_of_a_satisfied_fleet_has_empty_lists)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct plan plan = { .es_xml_sha256 = "abc", .complete = true, .optimal = true };

    ck_assert_str_eq(written(&arena, &plan),
                     "{\"format\":\"berth.plan/1\",\"es_xml_sha256\":\"abc\",\"complete\":true,"
                     "\"method\":\"direct\",\"optimal\":true,\"warnings\":[],\"moves\":[],"
                     "\"blocked\":[],\"summary\":{\"moves\":0,\"detours\":0,"
                     "\"interruptions\":0,\"memory_kib\":0}}\n");
}
END_TEST

START_TEST(every_code_and_mode_survives)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct plan_block all[PLAN_CODE_COUNT];
    struct plan_move modes[MOVE_MODE_COUNT];
    struct plan plan = { .moves = modes, .move_count = MOVE_MODE_COUNT };
    const char *json;
    struct plan back;
    struct err err;

    for (int i = 0; i < PLAN_CODE_COUNT; i++) {
        all[i] = (struct plan_block){ .guest = "vm", .code = (enum plan_code)i };
    }
    for (int i = 0; i < MOVE_MODE_COUNT; i++) {
        modes[i] = moves[0];
        modes[i].seq = (uint32_t)i + 1;
        modes[i].mode = (enum move_mode)i;
    }
    plan.blocked = all;
    plan.block_count = PLAN_CODE_COUNT;
    json = written(&arena, &plan);
    ck_assert_msg(plan_json_read(&arena, json, strlen(json), &back, &err) == 0, "%s", err.text);
    for (int i = 0; i < PLAN_CODE_COUNT; i++) {
        ck_assert_int_eq(back.blocked[i].code, i);
    }
    for (int i = 0; i < MOVE_MODE_COUNT; i++) {
        ck_assert_int_eq(back.moves[i].mode, i);
    }
}
END_TEST

START_TEST(checks_of_a_move_are_written_and_read_back)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct check_list list = check_list(&arena);
    struct plan_move move = moves[0];
    struct plan plan = { .moves = &move, .move_count = 1 };
    const char *json;
    struct plan back;
    struct err err;

    for (unsigned i = 0; i < CHECK_KIND_COUNT; i++) {
        check_pass(&list, i, "passed");
    }
    check_skip(&list, CHECK_NAME, NULL, "not asked");
    check_fail(&list, CHECK_NAME, ERR_EXISTS, "rename it", "taken");
    move.checks = list.items;
    move.check_count = list.count;
    json = written(&arena, &plan);
    ck_assert_ptr_nonnull(strstr(json, "\n  {\"name\":\"name\",\"result\":\"failed\","
                                       "\"evidence\":\"taken\",\"change\":\"rename it\"}]"));
    ck_assert_msg(plan_json_read(&arena, json, strlen(json), &back, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(back.moves[0].check_count, list.count);
    ck_assert_str_eq(written(&arena, &back), json);
}
END_TEST

/* A change to 'full', and what is said about it. */
static const struct {
    const char *from;
    const char *to;
    const char *message;
} refusals[] = {
    { "berth.plan/1", "berth.plan/2", "format: must be \"berth.plan/1\"" },
    { "\"complete\":false,", "", "complete: is missing" },
    { "\"seq\":2", "\"seq\":3", "moves[1].seq: must be 2" },
    { "\"summary\":{\"moves\":2", "\"summary\":{\"moves\":3", "summary.moves: 3, but there are 2" },
    { "\"hop\":\"final\"", "\"hop\":\"last\"", "moves[1].hop: must be one of final, detour" },
    { "\"mode\":\"offline\"", "\"mode\":\"warp\"",
      "moves[1].mode: must be one of live, offline, cold, stop, forced" },
    { "\"limit_kib\":100", "\"limit_kib\":-1",
      "moves[0].proof.from.limit_kib: must be an integer from 0 to 9007199254740992" },
    { "\"to\":\"kvm3\"", "\"to\":\"kvm 3\"", "moves[0].to: not a host name" },
    { "\"proven\":true", "\"proven\":1", "blocked[0].certificate.proven: must be true or false" },
};

START_TEST(anything_else_is_refused_with_its_place)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *at = strstr(full, refusals[_i].from);
    struct plan plan = { .detours = 42 };
    struct err err;
    const char *json;

    ck_assert_ptr_nonnull(at);
    json = text_format(&arena, "%.*s%s%s", (int)(at - full), full, refusals[_i].to,
                       at + strlen(refusals[_i].from));
    ck_assert_int_eq(plan_json_read(&arena, json, strlen(json), &plan, &err), -1);
    ck_assert_int_eq(err.code, ERR_INVALID);
    ck_assert_str_eq(err.text, refusals[_i].message);
    ck_assert_uint_eq(plan.detours, 42);
}
END_TEST

START_TEST(a_plan_cut_anywhere_is_refused)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    for (size_t length = 0; length < sizeof(full) - 2; length++) {
        struct plan plan;
        struct err err;

        ck_assert_int_eq(plan_json_read(&arena, full, length, &plan, &err), -1);
    }
}
END_TEST

START_TEST(a_diff_lists_what_is_not_placed_and_counts_everything)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    static const char *const found[] = { "kvm1", "kvm2" };
    static const struct diff_guest guests[] = {
        { .name = "vm1", .class = DIFF_PLACED, .wanted = "kvm1", .found = found, .found_count = 1 },
        { .name = "vm2",
          .class = DIFF_DUPLICATE,
          .wanted = "kvm1",
          .found = found,
          .found_count = 2 },
        { .name = "vm3", .class = DIFF_UNMANAGED, .found = found, .found_count = 1 },
        { .name = "vm4", .class = DIFF_MISSING, .wanted = "kvm2" },
    };
    const struct diff diff = {
        .guests = guests,
        .count = ARRAY_LEN(guests),
        .counts = { [DIFF_PLACED] = 1,
                    [DIFF_MISSING] = 1,
                    [DIFF_DUPLICATE] = 1,
                    [DIFF_UNMANAGED] = 1 },
    };
    struct text text = text_new(&arena);

    diff_json_write(&text, &diff);
    ck_assert_str_eq(
        text.data,
        "{\"format\":\"berth.diff/1\",\"guests\":[\n"
        " {\"guest\":\"vm2\",\"class\":\"duplicate\",\"wanted\":\"kvm1\","
        "\"found\":[\"kvm1\",\"kvm2\"]},\n"
        " {\"guest\":\"vm3\",\"class\":\"unmanaged\",\"wanted\":null,\"found\":[\"kvm1\"]},\n"
        " {\"guest\":\"vm4\",\"class\":\"missing\",\"wanted\":\"kvm2\",\"found\":[]}],"
        "\"counts\":{\"placed\":1,\"misplaced\":0,\"missing\":1,\"duplicate\":1,"
        "\"unmanaged\":1,\"unknown\":0}}\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_json");
    TCase *tcase = tcase_create("plan_json");

    tcase_add_test(tcase, a_plan_is_written_as_the_contract_says);
    tcase_add_test(tcase, what_is_written_is_read_back_to_the_byte);
    tcase_add_test(tcase, the_plan_of_a_satisfied_fleet_has_empty_lists);
    tcase_add_test(tcase, every_code_and_mode_survives);
    tcase_add_test(tcase, checks_of_a_move_are_written_and_read_back);
    tcase_add_loop_test(tcase, anything_else_is_refused_with_its_place, 0,
                        (int)ARRAY_LEN(refusals));
    tcase_add_test(tcase, a_plan_cut_anywhere_is_refused);
    tcase_add_test(tcase, a_diff_lists_what_is_not_placed_and_counts_everything);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
