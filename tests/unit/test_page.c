/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/document.h"
#include "cli/page.h"
#include "tests/runner.h"

#define HEAD                                                                                 \
    "{\"format\":\"berth.status/1\",\"at\":\"2026-11-24T12:00:10Z\",\"es_xml\":\"/es.xml\"," \
    "\"valid\":true,\"es_xml_sha256\":\"0123456789abcdef\",\"acted_on\":true,"               \
    "\"controller_pid\":7,\"looked\":\"2026-11-24T12:00:00Z\",\"next_look\":null"

static const char *page_of(struct arena *arena, const char *json, size_t width)
{
    AUTO(document) struct document document = { .root = NULL };
    struct text text = text_new(arena);
    struct err err;

    ck_assert_int_eq(document_parse(&document, json, strlen(json), "berth.status/1", &err), 0);
    page_print(&text, document.root, width);
    return text.data;
}

static void assert_shows(const char *page, const char *line)
{
    ck_assert_msg(strstr(page, line) != NULL, "'%s' is not in:\n%s", line, page);
}

START_TEST(a_fleet_that_needs_nobody_says_so_in_a_few_lines)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    ck_assert_str_eq(page_of(&arena,
                             HEAD ",\"conditions\":[{\"type\":\"InPlace\",\"status\":\"true\"}],"
                                  "\"hosts\":{\"reachable\":2,\"unreachable\":0},"
                                  "\"guests\":{\"placed\":3}}",
                             0),
                     "es.xml      /es.xml, revision 0123456789ab\n"
                     "controller  pid 7 is acting, looked at the hosts 10 s ago\n"
                     "fleet       2 of 2 hosts answer, 3 guests are placed\n"
                     "state       all is well: every guest is in its place\n");
}
END_TEST

START_TEST(a_copy_that_does_not_converge_has_no_end_in_sight)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *page = page_of(
        &arena,
        HEAD ",\"moving\":{\"guest\":\"vm1\",\"from\":\"kvm1\",\"to\":\"kvm2\",\"mode\":\"live\","
             "\"phase\":\"memory\",\"percent\":94,\"rate_bytes_s\":12582912,\"left_ms\":4000,"
             "\"throttle_percent\":20,\"converges\":false}}",
        0);

    assert_shows(page,
                 "moving      vm1: kvm1 -> kvm2, live, memory, 94 %, 12 MiB/s, slowed by 20 %, "
                 "more than 4.0 s left\n");
}
END_TEST

START_TEST(what_moves_waits_and_is_held_is_told_with_its_reason)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *page = page_of(
        &arena,
        HEAD ",\"moving\":{\"guest\":\"vm1\",\"from\":\"kvm1\",\"to\":\"kvm2\",\"mode\":\"live\","
             "\"phase\":\"memory\",\"percent\":42,\"rate_bytes_s\":125829120,\"left_ms\":12000,"
             "\"converges\":true},"
             "\"moves\":[{\"guest\":\"vm1\"},{\"guest\":\"vm9\",\"from\":\"kvm1\",\"to\":\"kvm2\","
             "\"mode\":\"cold\",\"begun\":\"2026-11-24T12:00:00Z\",\"unclear\":true}],"
             "\"queue\":[{\"guest\":\"vm2\",\"from\":\"kvm1\",\"to\":\"kvm2\",\"mode\":\"live\","
             "\"hop\":\"detour\"}],"
             "\"blocked\":[{\"guest\":\"vm3\",\"code\":\"window\",\"reason\":\"opens at 22:00\"},"
             "{\"guest\":\"vm4\",\"code\":\"backoff\",\"reason\":\"said below\"},"
             "{\"guest\":\"vm5\",\"code\":\"incompatible\","
             "\"reason\":\"no CPU ('berth retry vm5' tries again)\"}],"
             "\"retries\":[{\"guest\":\"vm4\",\"attempts\":2,\"next\":\"2026-11-24T12:01:10Z\","
             "\"reason\":\"no route\"},{\"guest\":\"vm10\",\"attempts\":1,"
             "\"next\":\"2026-11-24T12:01:10Z\",\"reason\":\"no room\"},"
             "{\"guest\":\"vm5\",\"parked\":true,\"reason\":\"no CPU\"},"
             "{\"guest\":\"vm6\",\"es_xml_sha256\":\"f\",\"parked\":true,\"reason\":\"old\"}],"
             "\"holds\":[{\"scope\":\"host\",\"name\":\"kvm3\",\"user\":\"ann\","
             "\"since\":\"2026-11-24T11:00:00Z\",\"reason\":\"new disk\"}],"
             "\"drift\":[{\"guest\":\"vm7\",\"text\":\"is on kvm2\",\"answer\":\"report\","
             "\"since\":\"2026-11-24T11:55:10Z\"}],"
             "\"owed_starts\":[{\"guest\":\"vm8\",\"host\":\"kvm1\"}],"
             "\"conditions\":[{\"type\":\"HostsReachable\",\"status\":\"false\","
             "\"since\":\"2026-11-24T12:00:00Z\",\"message\":\"kvm9: no route\"}]}",
        0);

    assert_shows(
        page,
        "moving      vm1: kvm1 -> kvm2, live, memory, 42 %, 120 MiB/s, 12 s left\n"
        "moving      vm9: kvm1 -> kvm2, cold, begun 10 s ago, unclear\n"
        "queue       vm2: kvm1 -> kvm2, live (on its way: a temporary host)\n"
        "blocked     vm3: window: opens at 22:00\n"
        "waiting     vm4: no route; tried 2 times, next in 60 s; 'berth retry vm4' tries at once\n"
        "waiting     vm10: no room; tried 1 time, next in 60 s; 'berth retry vm10' tries at once\n"
        "parked      vm5: no CPU; 'berth retry vm5' tries again\n"
        "held        host kvm3 by ann since 2026-11-24T11:00:00Z: new disk; "
        "'berth release kvm3' lets go\n"
        "drift       vm7 is on kvm2 (report, for 5 min 0 s)\n"
        "owed start  vm8: was stopped on 'kvm1' and must run again\n");
    assert_shows(page, "attention   HostsReachable for 10 s: kvm9: no route\n");
    ck_assert_ptr_null(strstr(page, "vm6"));
    ck_assert_ptr_null(strstr(page, "all is well"));
}
END_TEST

START_TEST(lines_are_broken_between_words_and_never_wider_than_the_page)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *page =
        page_of(&arena,
                HEAD ",\"blocked\":[{\"guest\":\"vm3\",\"code\":\"no-capacity\","
                     "\"reason\":\"its host has no room for it, and no order of the "
                     "moves changes that: move another guest away or buy memory\"}]}",
                60);

    assert_shows(page, "blocked     vm3: no-capacity: its host has no room for it,\n"
                       "            and no order of the moves changes that: move\n");
    for (const char *line = page; *line != '\0'; line += strcspn(line, "\n") + 1) {
        ck_assert_uint_le(strcspn(line, "\n"), 60);
    }
}
END_TEST

START_TEST(a_document_of_wrong_types_is_a_page_all_the_same)
{
    static const char *const values[] = { "null", "7", "true", "\"x\"", "[]", "[7,[],{}]", "{}" };
    static const char *const names[] = { "at",      "es_xml", "conditions",  "moving", "queue",
                                         "blocked", "moves",  "retries",     "holds",  "drift",
                                         "hosts",   "guests", "owed_starts", "valid",  "last_run" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        for (size_t k = 0; k < ARRAY_LEN(values); k++) {
            AUTO(arena) struct arena arena = ARENA_INIT;
            const char *json = text_format(&arena, "{\"format\":\"berth.status/1\",\"%s\":%s}",
                                           names[i], values[k]);

            assert_shows(page_of(&arena, json, 80), "controller  none is acting\n");
        }
    }
}
END_TEST

START_TEST(text_from_outside_steers_no_terminal)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    assert_shows(page_of(&arena,
                         HEAD ",\"blocked\":[{\"guest\":\"vm3\",\"code\":\"unsafe\","
                              "\"reason\":\"\\u001b[2J\\n\\u202e\"}]}",
                         0),
                 "blocked     vm3: unsafe: ?[2J??\n");
}
END_TEST

START_TEST(a_document_of_another_version_or_kind_is_refused)
{
    static const char *const texts[] = { "",
                                         "[]",
                                         "{",
                                         "{}",
                                         "7",
                                         "\"x\"",
                                         "{\"format\":\"berth.status/2\"}",
                                         "{\"format\":\"berth.hosts/1\"}",
                                         "{\"format\":7}" };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct document document = { .root = NULL };
        struct err err;

        ck_assert_int_eq(
            document_parse(&document, texts[i], strlen(texts[i]), "berth.status/1", &err), -1);
        ck_assert_ptr_null(document.root);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page");
    TCase *tcase = tcase_create("page");

    tcase_add_test(tcase, a_fleet_that_needs_nobody_says_so_in_a_few_lines);
    tcase_add_test(tcase, a_copy_that_does_not_converge_has_no_end_in_sight);
    tcase_add_test(tcase, what_moves_waits_and_is_held_is_told_with_its_reason);
    tcase_add_test(tcase, lines_are_broken_between_words_and_never_wider_than_the_page);
    tcase_add_test(tcase, a_document_of_wrong_types_is_a_page_all_the_same);
    tcase_add_test(tcase, text_from_outside_steers_no_terminal);
    tcase_add_test(tcase, a_document_of_another_version_or_kind_is_refused);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
