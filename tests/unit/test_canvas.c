/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/canvas.h"
#include "cli/document.h"
#include "tests/runner.h"

static const char *const status_json =
    "{\"format\":\"berth.status/1\",\"at\":\"2026-11-24T12:00:10Z\",\"es_xml\":\"/es.xml\","
    "\"valid\":true,\"es_xml_sha256\":\"0123456789abcdef\",\"controller_pid\":7,"
    "\"conditions\":[{\"type\":\"InPlace\",\"status\":\"false\",\"message\":\"2 of 9\"}],"
    "\"moving\":{\"guest\":\"vm1\",\"from\":\"kvm1\",\"to\":\"kvm2\",\"mode\":\"live\","
    "\"phase\":\"memory\",\"percent\":50},"
    "\"queue\":[{\"guest\":\"vm2\",\"from\":\"kvm1\",\"to\":\"kvm2\",\"mode\":\"live\"}],"
    "\"blocked\":[{\"guest\":\"vm3\",\"code\":\"held\",\"reason\":\"\\u001b[2J\"}]}";
static const char *const hosts_json =
    "{\"format\":\"berth.hosts/1\",\"hosts\":["
    "{\"name\":\"kvm1\",\"reachable\":true,\"memory_kib\":16777216,\"used_kib\":8388608,\"guests\":5},"
    "{\"name\":\"kvm2\",\"reachable\":true,\"memory_kib\":0,\"used_kib\":1},"
    "{\"name\":\"kvm9\",\"reachable\":false,\"error\":\"no route\"}]}";
static const char *const guests_json =
    "{\"format\":\"berth.guests/1\",\"guests\":["
    "{\"name\":\"vm0\",\"class\":\"placed\",\"wanted\":\"kvm1\",\"host\":\"kvm1\"},"
    "{\"name\":\"vm1\",\"class\":\"misplaced\",\"wanted\":\"kvm2\",\"host\":\"kvm1\"},"
    "{\"name\":\"vm4\",\"class\":\"missing\",\"wanted\":\"kvm2\"}]}";

/* A canvas, and what it was drawn from. */
struct rig {
    struct arena arena;
    struct document status;
    struct document hosts;
    struct document guests;
    struct canvas_view view;
    struct canvas canvas;
};

static void parse(struct document *document, const char *json)
{
    struct err err;

    ck_assert_int_eq(document_parse(document, json, strlen(json), NULL, &err), 0);
}

static void init(struct rig *rig, size_t rows, size_t columns)
{
    static const char *const events[] = { "first", "second", "third" };

    *rig = (struct rig){ .arena = ARENA_INIT };
    parse(&rig->status, status_json);
    parse(&rig->hosts, hosts_json);
    parse(&rig->guests, guests_json);
    rig->view = (struct canvas_view){
        .status = rig->status.root,
        .hosts = rig->hosts.root,
        .guests = rig->guests.root,
        .events = events,
        .event_count = ARRAY_LEN(events),
        .rows = rows,
        .columns = columns,
    };
}

static void deinit(struct rig *rig)
{
    document_deinit(&rig->status);
    document_deinit(&rig->hosts);
    document_deinit(&rig->guests);
    arena_deinit(&rig->arena);
}

/* Draws, proves that it fits, and gives the lines as one text. */
static const char *draw(struct rig *rig)
{
    struct text text = text_new(&rig->arena);

    rig->canvas = canvas_draw(&rig->arena, &rig->view);
    ck_assert_uint_eq(rig->canvas.count, rig->view.rows);
    for (size_t i = 0; i < rig->canvas.count; i++) {
        ck_assert_uint_le(strlen(rig->canvas.lines[i].text), rig->view.columns);
        ck_assert_ptr_null(strchr(rig->canvas.lines[i].text, '\033'));
        text_printf(&text, "%s\n", rig->canvas.lines[i].text);
    }
    return text.data;
}

START_TEST(a_terminal_of_eighty_columns_shows_all_there_is)
{
    struct rig rig;

    init(&rig, 24, 80);
    ck_assert_str_eq(draw(&rig),
                     "2026-11-24T12:00:10Z  pid 7  0123456789ab  /es.xml\n"
                     "InPlace: 2 of 9\n"
                     "vm1: kvm1 -> kvm2, live, memory, 50 %\n"
                     "[####################....................]  50 %\n"
                     "\n"
                     "Hosts\n"
                     "  kvm1                     [########........] 8 GiB of 16 GiB, 5 guests\n"
                     "  kvm2                     [................] 1 KiB of 0 KiB, 0 guests\n"
                     "  kvm9                     does not answer: no route\n"
                     "\n"
                     "Not in their place\n"
                     "  vm1                      misplaced: is on kvm1, belongs on kvm2\n"
                     "  vm4                      missing: belongs on kvm2\n"
                     "\n"
                     "Queue\n"
                     "  vm2: kvm1 -> kvm2, live\n"
                     "\n"
                     "Blocked\n"
                     "  vm3: held: ?[2J\n"
                     "Events\n"
                     "first\n"
                     "second\n"
                     "third\n"
                     "q quit  ? help\n");
    ck_assert_int_eq(rig.canvas.lines[1].style, CANVAS_BAD);
    ck_assert_int_eq(rig.canvas.lines[3].style, CANVAS_BUSY);
    deinit(&rig);
}
END_TEST

START_TEST(every_size_is_filled_and_nothing_is_wider_than_it)
{
    for (size_t rows = 0; rows < 40; rows++) {
        for (size_t columns = 0; columns < 140; columns += 7) {
            struct rig rig;

            init(&rig, rows, columns);
            (void)draw(&rig);
            rig.view.help = true;
            (void)draw(&rig);
            rig.view.status = NULL;
            rig.view.hosts = NULL;
            rig.view.guests = NULL;
            rig.view.trouble = "berthd does not answer";
            rig.view.help = false;
            (void)draw(&rig);
            deinit(&rig);
        }
    }
}
END_TEST

START_TEST(a_small_screen_keeps_what_is_wrong_and_what_moves_and_scrolls_the_rest)
{
    struct rig rig;
    const char *text;

    init(&rig, 8, 60);
    text = draw(&rig);
    ck_assert_ptr_nonnull(strstr(text, "InPlace: 2 of 9\nvm1: kvm1 -> kvm2"));
    ck_assert_ptr_nonnull(strstr(text, "Hosts\n  kvm1 8 GiB of 16 GiB, 5 guests\n"));
    ck_assert_ptr_null(strstr(text, "Events"));
    ck_assert_ptr_nonnull(strstr(text, "0 above, 11"));
    rig.view.scroll = 2;
    text = draw(&rig);
    ck_assert_ptr_null(strstr(text, "kvm1 8 GiB"));
    ck_assert_ptr_nonnull(strstr(text, "InPlace: 2 of 9\n"));
    rig.view.scroll = SIZE_MAX / 2;
    text = draw(&rig);
    ck_assert_uint_eq(rig.canvas.scroll, 11);
    ck_assert_ptr_nonnull(strstr(text, "vm3: held: ?[2J\n"));
    deinit(&rig);
}
END_TEST

START_TEST(characters_are_not_cut_in_the_middle)
{
    struct rig rig;

    init(&rig, 3, 5);
    rig.view.trouble = "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xc3\x9f!";
    rig.canvas = canvas_draw(&rig.arena, &rig.view);
    ck_assert_str_eq(rig.canvas.lines[1].text, "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac~");
    rig.view.trouble = "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xc3\x9f";
    rig.canvas = canvas_draw(&rig.arena, &rig.view);
    ck_assert_str_eq(rig.canvas.lines[1].text, rig.view.trouble);
    deinit(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("canvas");
    TCase *tcase = tcase_create("canvas");

    tcase_add_test(tcase, a_terminal_of_eighty_columns_shows_all_there_is);
    tcase_add_test(tcase, every_size_is_filled_and_nothing_is_wider_than_it);
    tcase_add_test(tcase, a_small_screen_keeps_what_is_wrong_and_what_moves_and_scrolls_the_rest);
    tcase_add_test(tcase, characters_are_not_cut_in_the_middle);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
