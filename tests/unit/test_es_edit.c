/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_edit.h"
#include "tests/runner.h"
#include "tests/unit/dice.h"
#include "tests/unit/read_es_xml.h"

#define SEEDS 500

/* What makes a machine a host or a guest, in one line. */
#define HOST(name)  "<hostName>" name "</hostName><osType>LinuxKVM</osType><virtual>false</virtual>"
#define GUEST(name) "<machine id='" name "'><hostName>" name "</hostName>" IS_GUEST "</machine>\n"
#define IS_GUEST    "<osType>LinuxKVMGuest</osType><virtual>true</virtual>"

/* A file whose machines are 'a', 'b' and the guests g1, g2 and g3. */
#define FILE_OF(a, b) "<engineeredSystem><machines>\n" a b GUESTS "</machines></engineeredSystem>"
#define GUESTS        GUEST("g1") GUEST("g2") GUEST("g3")

struct example {
    const char *before;
    const char *after;
    struct es_edit edits[2];
};

static const struct example examples[] = {
    /* Lines of their own: the line goes, its target's last line has its indentation. */
    { FILE_OF("  <machine id='a'>\n    " HOST("a") "\n    <machine id='g1'/>\n  </machine>\n",
              "<machine id='b'>\n\t" HOST("b") "\n\t<machine id='g2'/>\n\t<machine id='g3'/>\n"
                                               "\t<x/>\n</machine>\n"),
      FILE_OF("  <machine id='a'>\n    " HOST("a") "\n  </machine>\n",
              "<machine id='b'>\n\t" HOST("b") "\n\t<machine id='g2'/>\n\t<machine id='g3'/>\n"
                                               "\t<machine id='g1'/>\n\t<x/>\n</machine>\n"),
      { { "g1", "b" } } },
    /* A comment behind the reference goes along, one on a line of its own stays. */
    { FILE_OF(
          "<machine id='a'>" HOST("a") "\n  <!-- of a -->\n"
                                       "  <machine id='g1'/>  <!-- the first -->  \n</machine>\n",
          "<machine id='b'>" HOST("b") "\n  <machine id='g2'/><!-- 2 -->\n"
                                       "  <machine id='g3'/>\n</machine>\n"),
      FILE_OF(
          "<machine id='a'>" HOST("a") "\n  <!-- of a -->\n</machine>\n",
          "<machine id='b'>" HOST(
              "b") "\n  <machine id='g2'/><!-- 2 -->\n"
                   "  <machine id='g3'/>\n  <machine id='g1'/>  <!-- the first -->\n</machine>\n"),
      { { "g1", "b" } } },
    /* CRLF. */
    { FILE_OF("<machine id='a'>\r\n " HOST("a") "\r\n <machine id='g1'/>\r\n</machine>\r\n",
              "<machine id='b'>\r\n " HOST("b") "\r\n <machine id='g2'/>\r\n <machine id='g3'/>\r\n"
                                                "</machine>\r\n"),
      FILE_OF("<machine id='a'>\r\n " HOST("a") "\r\n</machine>\r\n",
              "<machine id='b'>\r\n " HOST("b") "\r\n <machine id='g2'/>\r\n <machine id='g3'/>\r\n"
                                                " <machine id='g1'/>\r\n</machine>\r\n"),
      { { "g1", "b" } } },
    /* A host without references: as its last line is indented, in its line ends. */
    { FILE_OF(
          "<machine id='a'>\n" HOST("a") "\n   <machine id='g1'/>\n</machine>\n",
          "<machine id='b'>\r\n        " HOST(
              "b") "\r\n\r\n    </machine>\n"
                   "<machine id='c'>" HOST("c") "<machine id='g2'/><machine id='g3'/></machine>\n"),
      FILE_OF(
          "<machine id='a'>\n" HOST("a") "\n</machine>\n",
          "<machine id='b'>\r\n        " HOST(
              "b") "\r\n\r\n        <machine id='g1'/>\r\n"
                   "    </machine>\n"
                   "<machine id='c'>" HOST("c") "<machine id='g2'/><machine id='g3'/></machine>\n"),
      { { "g1", "b" } } },
    /* A host whose only line is that of its start tag: one step more than its end tag. */
    { FILE_OF("<machine id='a'>" HOST("a") "<machine id='g1'/><machine id='g2'/></machine>\n",
              "\t<machine id='b'>" HOST("b") "\n\t</machine>\n"
                                             "  <machine id='c'>" HOST(
                                                 "c") "<machine id='g3'/>\n  </machine>\n"
                                                      "  <machine id='d'>" HOST(
                                                          "d") "\n  </machine>\n"),
      FILE_OF("<machine id='a'>" HOST("a") "</machine>\n",
              "\t<machine id='b'>" HOST(
                  "b") "\n\t\t<machine id='g1'/>\n\t</machine>\n"
                       "  <machine id='c'>" HOST(
                           "c") "<machine id='g3'/>\n  </machine>\n"
                                "  <machine id='d'>" HOST(
                                    "d") "\n    <machine id='g2'/>\n  </machine>\n"),
      { { "g1", "b" }, { "g2", "d" } } },
    /* Everything in one line. */
    { FILE_OF("<machine id='a'>" HOST("a") "<machine id='g1'/></machine>",
              "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/></machine>"),
      FILE_OF("<machine id='a'>" HOST("a") "</machine>",
              "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/>"
                                           "<machine id='g1'/></machine>"),
      { { "g1", "b" } } },
    /* Several in one line, with blanks between them. */
    { FILE_OF(
          "<machine id='a'>" HOST("a") "\n  <machine id='g1'/> <machine id='g2'/>\n</machine>\n",
          "<machine id='b'>" HOST("b") " <machine id='g3'/></machine>"),
      FILE_OF("<machine id='a'>" HOST("a") "\n  <machine id='g2'/>\n</machine>\n",
              "<machine id='b'>" HOST("b") " <machine id='g3'/> <machine id='g1'/></machine>"),
      { { "g1", "b" } } },
    { FILE_OF(
          "<machine id='a'>" HOST("a") "\n  <machine id='g1'/> <machine id='g2'/>\n</machine>\n",
          "<machine id='b'>" HOST("b") "\n<machine id='g3'/> <x/>\n</machine>"),
      FILE_OF(
          "<machine id='a'>" HOST("a") "\n  <machine id='g1'/>\n</machine>\n",
          "<machine id='b'>" HOST("b") "\n<machine id='g3'/><machine id='g2'/> <x/>\n</machine>"),
      { { "g2", "b" } } },
    /* Start and end tag, attributes, a comment and lines inside. */
    { FILE_OF(
          "<machine id='a'>" HOST(
              "a") "\n  <machine\n    note='>/' id = \"g1\" ></machine >\n"
                   "  <machine id='g2'>\n    <!-- <machine id='g9'/> -->\n  </machine>\n</machine>\n",
          "<machine id='b'>" HOST("b") "\n <machine id='g3'/>\n</machine>\n"),
      FILE_OF("<machine id='a'>" HOST("a") "\n</machine>\n",
              "<machine id='b'>" HOST(
                  "b") "\n <machine id='g3'/>\n"
                       " <machine id='g2'>\n    <!-- <machine id='g9'/> -->\n  </machine>\n"
                       " <machine\n    note='>/' id = \"g1\" ></machine >\n</machine>\n"),
      { { "g2", "b" }, { "g1", "b" } } },
    /* Two change places. */
    { FILE_OF(
          "<machine id='a'>" HOST("a") "\n  <machine id='g1'/>\n</machine>\n",
          "<machine id='b'>" HOST("b") "\n <machine id='g2'/>\n <machine id='g3'/>\n</machine>\n"),
      FILE_OF(
          "<machine id='a'>" HOST("a") "\n  <machine id='g3'/>\n</machine>\n",
          "<machine id='b'>" HOST("b") "\n <machine id='g2'/>\n <machine id='g1'/>\n</machine>\n"),
      { { "g1", "b" }, { "g3", "a" } } },
    /* Ids with references to characters, a byte order mark, other machines' references. */
    { "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n<!-- \xc3\xa9 <machine id='g1'/> -->\n" FILE_OF(
          "<machine id='a&amp;'>" HOST(
              "a") "<![CDATA[<machine id='g1'/>]]><machine id='&#103;1'/>"
                   "<machine id='nobody'/></machine><machine id='nobody'><machine id='g1'/></machine>",
          "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/></machine>"),
      "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n<!-- \xc3\xa9 <machine id='g1'/> -->\n" FILE_OF(
          "<machine id='a&amp;'>" HOST(
              "a") "<![CDATA[<machine id='g1'/>]]>"
                   "<machine id='nobody'/></machine><machine id='nobody'><machine id='g1'/></machine>",
          "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/>"
                                       "<machine id='&#103;1'/></machine>"),
      { { "g1", "b" } } },
    /* Declared as ASCII, which libxml2 converts. */
    { "<?xml version='1.0' encoding='US-ASCII'?>\n" FILE_OF(
          "<machine id='a'>" HOST("a") "<machine id='g1'/></machine>",
          "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/></machine>"),
      "<?xml version='1.0' encoding='US-ASCII'?>\n" FILE_OF(
          "<machine id='a'>" HOST("a") "<machine id='g1'/><machine id='g2'/></machine>",
          "<machine id='b'>" HOST("b") "<machine id='g3'/></machine>"),
      { { "g2", "a" } } },
    /* Nothing to do: not a byte changes. */
    { FILE_OF("<machine id='a'>" HOST("a") "<machine id='g1'/></machine>",
              "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/></machine>"),
      FILE_OF("<machine id='a'>" HOST("a") "<machine id='g1'/></machine>",
              "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/></machine>"),
      { { "g1", "a" } } },
};

static const char *edit(struct arena *arena, const char *bytes, const struct es_edit *edits,
                        size_t count)
{
    const char *edited = NULL;
    size_t length = 0;
    struct err err;

    if (es_edit_apply(arena, bytes, strlen(bytes), edits, count, &edited, &length, &err) != 0) {
        ck_abort_msg("%s\n%s", err.text, bytes);
    }
    ck_assert_uint_eq(length, strlen(edited));
    return edited;
}

START_TEST(references_move_as_a_person_would_move_them)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const struct example *example = &examples[_i];

    ck_assert_str_eq(
        edit(&arena, example->before, example->edits, example->edits[1].guest == NULL ? 1 : 2),
        example->after);
}
END_TEST

static void assert_refused(const char *bytes, const struct es_edit *edits, size_t count,
                           enum err_code code, const char *word)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *edited = NULL;
    size_t length = 0;
    struct err err = { .code = ERR_NONE };

    ck_assert_int_eq(
        es_edit_apply(&arena, bytes, strlen(bytes), edits, count, &edited, &length, &err), -1);
    ck_assert_msg(err.code == code && strstr(err.text, word) != NULL, "%s", err.text);
    ck_assert_ptr_null(edited);
}

START_TEST(what_cannot_be_done_is_refused_with_its_reason)
{
    const char *file = examples[0].before;
    const struct es_edit unknown_guest = { "g9", "a" };
    const struct es_edit unknown_host = { "g1", "z" };
    const struct es_edit no_guest = { "a", "b" };
    const struct es_edit fine = { "g1", "b" };
    const struct es_edit twice[] = { { "g1", "b" }, { "g1", "a" } };

    assert_refused(file, &unknown_guest, 1, ERR_NOT_FOUND, "no guest 'g9'");
    assert_refused(file, &unknown_host, 1, ERR_NOT_FOUND, "no host 'z'");
    assert_refused(file, &no_guest, 1, ERR_NOT_FOUND, "no guest 'a'");
    assert_refused(file, twice, 2, ERR_INVALID, "two places");
    assert_refused("", &fine, 1, ERR_INVALID, "empty");
    assert_refused("<engineeredSystem>", &fine, 1, ERR_INVALID, "line 1: not well-formed");
}
END_TEST

START_TEST(a_host_with_a_namespace_of_its_own_is_left_alone)
{
    const struct es_edit to = { "g2", "a" };
    const struct es_edit from = { "g1", "b" };
    const char *file =
        FILE_OF("<m:machine id='a' xmlns:m='model'>" HOST("a") "<m:machine id='g1'/></m:machine>",
                "<machine id='b'>" HOST("b") "<machine id='g2'/><machine id='g3'/></machine>");

    assert_refused(file, &to, 1, ERR_REFUSED, "namespace");
    assert_refused(file, &from, 1, ERR_REFUSED, "namespace");
}
END_TEST

/* A file drawn from a seed: hosts h0.., guests g0.., in the forms that people and programs write. */
struct draw {
    struct arena *arena;
    struct dice dice;
    struct text text;
    unsigned hosts;
    unsigned guests;
};

static const char *pick(struct draw *draw, const char *const *choices, size_t count)
{
    return choices[dice_roll(&draw->dice, count)];
}

static void draw_gap(struct draw *draw)
{
    static const char *const gaps[] = { "",
                                        "\n",
                                        "\n    ",
                                        "\r\n  ",
                                        "\n\t",
                                        " ",
                                        "\n\n      ",
                                        " <!-- <x> -->\n  ",
                                        "\n   ",
                                        "\r",
                                        "<!--\n</machine>-->",
                                        "<x y='/>'>\n</x>" };

    text_append(&draw->text, pick(draw, gaps, ARRAY_LEN(gaps)));
}

static const char *draw_reference(struct draw *draw, unsigned guest)
{
    static const struct {
        const char *before;
        const char *after;
    } forms[] = { { "<machine id='", "'/>" },
                  { "<machine id=\"", "\" />" },
                  { "<machine\n id='", "' a='b'></machine>" },
                  { "<machine id='", "'><!-- here --></machine>" },
                  { "<machine b='>/' id='&#103;", "'>\r\n</machine >" } };
    size_t form = dice_roll(&draw->dice, ARRAY_LEN(forms));

    return text_format(draw->arena, "%s%s%u%s", forms[form].before, form == 4 ? "" : "g", guest,
                       forms[form].after);
}

static void draw_file(struct draw *draw, const char **references)
{
    for (unsigned i = 0; i < draw->guests; i++) {
        references[i] = draw_reference(draw, i);
    }
    text_append(&draw->text, dice_one_in(&draw->dice, 4) ? "\xef\xbb\xbf" : "");
    text_append(&draw->text, "<engineeredSystem>\n<machines>");
    for (unsigned h = 0; h < draw->hosts; h++) {
        draw_gap(draw);
        text_printf(&draw->text, "<machine id='h%u'>", h);
        draw_gap(draw);
        text_printf(&draw->text, "<hostName>h%u</hostName><virtual>false</virtual>", h);
        draw_gap(draw);
        text_append(&draw->text, "<osType>LinuxKVM</osType>");
        for (unsigned i = 0; i < draw->guests; i++) {
            if (i % draw->hosts == h) {
                draw_gap(draw);
                text_append(&draw->text, references[i]);
            }
        }
        draw_gap(draw);
        text_append(&draw->text, "</machine>");
    }
    for (unsigned i = 0; i < draw->guests; i++) {
        text_printf(&draw->text, "\n<machine id='g%u'><hostName>g%u</hostName>" IS_GUEST, i, i);
        text_append(&draw->text, "</machine>");
    }
    text_append(&draw->text, "</machines></engineeredSystem>");
}

/* 'xml' without blanks, without 'reference', and without the comments that may go with one. */
static const char *rest_of(struct arena *arena, const char *xml, const char *reference)
{
    static const char blanks[] = " \t\r\n";
    static const char comment[] = "<!--<x>-->";
    struct text text = text_new(arena);
    struct text skip = text_new(arena);
    struct text rest = text_new(arena);

    for (const char *s = xml; *s != '\0'; s++) {
        text_append_bytes(&text, s, strchr(blanks, *s) == NULL);
    }
    for (const char *s = reference; *s != '\0'; s++) {
        text_append_bytes(&skip, s, strchr(blanks, *s) == NULL);
    }
    for (const char *s = text.data; *s != '\0'; s++) {
        if (strncmp(s, skip.data, skip.length) == 0) {
            s += skip.length - 1;
        } else if (strncmp(s, comment, strlen(comment)) == 0) {
            s += strlen(comment) - 1;
        } else {
            text_append_bytes(&rest, s, 1);
        }
    }
    return rest.data;
}

static void assert_only_moves(struct draw *draw, const char *reference, unsigned guest)
{
    struct arena *arena = draw->arena;
    struct desired before = read_text(arena, draw->text.data);
    struct es_edit there = {
        .guest = text_format(arena, "g%u", guest),
        .host = text_format(arena, "h%u", (unsigned)dice_roll(&draw->dice, draw->hosts)),
    };
    struct es_edit back = { there.guest, text_format(arena, "h%u", guest % draw->hosts) };
    const char *moved = edit(arena, draw->text.data, &there, 1);
    struct desired between = read_text(arena, moved);
    struct desired after = read_text(arena, edit(arena, moved, &back, 1));
    const char *difference = desired_difference(&before, &after);
    uint32_t index = desired_find_guest(&between, there.guest);

    ck_assert_msg(difference == NULL, "%s\n%s", difference, draw->text.data);
    ck_assert_str_eq(between.hosts[between.guests[index].host].name, there.host);
    ck_assert_str_eq(rest_of(arena, draw->text.data, reference), rest_of(arena, moved, reference));
}

START_TEST(moving_any_guest_there_and_back_changes_nothing_else)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct draw draw = { .arena = &arena, .dice.state = seed, .text = text_new(&arena) };
        const char *references[12];

        draw.hosts = 1 + (unsigned)dice_roll(&draw.dice, 4);
        draw.guests = 1 + (unsigned)dice_roll(&draw.dice, ARRAY_LEN(references));
        draw_file(&draw, references);
        for (unsigned i = 0; i < draw.guests; i++) {
            assert_only_moves(&draw, references[i], i);
        }
    }
}
END_TEST

START_TEST(moving_all_guests_at_once_is_moving_one_after_the_other)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct draw draw = { .arena = &arena, .dice.state = seed, .text = text_new(&arena) };
        const char *references[12];
        struct es_edit edits[12];
        const char *step;
        struct desired one_by_one;
        struct desired at_once;

        draw.hosts = 2 + (unsigned)dice_roll(&draw.dice, 4);
        draw.guests = 1 + (unsigned)dice_roll(&draw.dice, ARRAY_LEN(references));
        draw_file(&draw, references);
        step = draw.text.data;
        for (unsigned i = 0; i < draw.guests; i++) {
            edits[i] = (struct es_edit){ text_format(&arena, "g%u", i),
                                         text_format(&arena, "h%u",
                                                     (unsigned)dice_roll(&draw.dice, draw.hosts)) };
            step = edit(&arena, step, &edits[i], 1);
        }
        one_by_one = read_text(&arena, step);
        at_once = read_text(&arena, edit(&arena, draw.text.data, edits, draw.guests));
        ck_assert_ptr_null(desired_difference(&one_by_one, &at_once));
    }
}
END_TEST

/* Beyond the first few kilobytes libxml2 no longer has the file's beginning in its hands. */
START_TEST(every_guest_of_an_example_can_be_moved_to_every_host)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *root = getenv("BERTH_SOURCE_DIR");
    struct desired desired;
    struct err err;
    char *bytes = NULL;
    size_t length = 0;

    ck_assert_ptr_nonnull(root);
    ck_assert_msg(file_read(&arena,
                            text_format(&arena, "%s/configs/examples/twelve-hosts.xml", root),
                            ES_XML_MAX_BYTES, &bytes, &length, &err) == 0,
                  "%s", err.text);
    desired = read_text(&arena, bytes);
    ck_assert_uint_gt(length, 16384);
    for (size_t i = 0; i < desired.guest_count; i++) {
        for (size_t h = 0; h < desired.host_count; h++) {
            const struct es_edit one = { desired.guests[i].name, desired.hosts[h].name };

            (void)edit(&arena, bytes, &one, 1);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("es_edit");
    TCase *tcase = tcase_create("edit");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, references_move_as_a_person_would_move_them, 0, ARRAY_LEN(examples));
    tcase_add_test(tcase, what_cannot_be_done_is_refused_with_its_reason);
    tcase_add_test(tcase, a_host_with_a_namespace_of_its_own_is_left_alone);
    tcase_add_test(tcase, moving_any_guest_there_and_back_changes_nothing_else);
    tcase_add_test(tcase, moving_all_guests_at_once_is_moving_one_after_the_other);
    tcase_add_test(tcase, every_guest_of_an_example_can_be_moved_to_every_host);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
