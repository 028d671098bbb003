/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "cli/sse.h"
#include "tests/runner.h"

/* What came, as "NAME=DATA;" one after the other. */
struct rig {
    struct arena arena;
    struct text seen;
    struct sse sse;
};

static void on_event(void *context, const char *name, const char *data)
{
    struct rig *rig = context;

    text_printf(&rig->seen, "%s=%s;", name, data);
}

static void init(struct rig *rig)
{
    *rig = (struct rig){ .arena = ARENA_INIT };
    rig->seen = text_new(&rig->arena);
    sse_init(&rig->sse, on_event, rig);
}

static void deinit(struct rig *rig)
{
    sse_deinit(&rig->sse);
    arena_deinit(&rig->arena);
}

/* Feeds 'stream' in pieces of 'size' bytes. */
static void feed(struct rig *rig, const char *stream, size_t size)
{
    size_t length = strlen(stream);

    for (size_t at = 0; at < length; at += size) {
        ck_assert(sse_feed(&rig->sse, stream + at, length - at < size ? length - at : size));
    }
}

START_TEST(an_event_is_the_same_in_pieces_of_any_size_and_with_any_line_end)
{
    static const char *const streams[] = {
        "retry: 2000\n\n:\n\nid: 7-1\nevent: plan\ndata: {\"a\":1}\n\ndata:b\n\n",
        "retry: 2000\r\n\r\n:\r\n\r\nid: 7-1\r\nevent: plan\r\ndata: {\"a\":1}\r\n\r\ndata:b\r\n\r\n",
        "retry: 2000\r\r:\r\rid: 7-1\revent: plan\rdata: {\"a\":1}\r\rdata:b\r\r",
    };

    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        for (size_t size = 1; size <= strlen(streams[i]); size++) {
            struct rig rig;

            init(&rig);
            feed(&rig, streams[i], size);
            ck_assert_str_eq(rig.seen.data, "plan={\"a\":1};message=b;");
            ck_assert_str_eq(rig.sse.id, "7-1");
            ck_assert_int_eq(rig.sse.retry_ms, 2000);
            deinit(&rig);
        }
    }
}
END_TEST

START_TEST(lines_of_data_are_joined_and_what_is_not_known_is_passed_over)
{
    struct rig rig;

    init(&rig);
    feed(&rig, "data: a\ndata\ndata: b\nnosuch: x\nretry: soon\n\nevent: none\n\n", 64);
    ck_assert_str_eq(rig.seen.data, "message=a\n\nb;");
    ck_assert_int_eq(rig.sse.retry_ms, 0);
    deinit(&rig);
}
END_TEST

START_TEST(a_stream_that_was_cut_keeps_its_place_and_nothing_that_was_half_there)
{
    struct rig rig;

    init(&rig);
    feed(&rig, "id: 7-1\nevent: plan\ndata: 1\n\nevent: alarm\ndata: ha", 64);
    sse_restart(&rig.sse);
    feed(&rig, "data: 2\n\n", 64);
    ck_assert_str_eq(rig.seen.data, "plan=1;message=2;");
    ck_assert_str_eq(rig.sse.id, "7-1");
    deinit(&rig);
}
END_TEST

START_TEST(an_event_without_end_and_an_id_without_end_are_not_kept)
{
    static const char id[] =
        "id: 0123456789012345678901234567890123456789012345678901234567890123\n";
    struct rig rig;
    char *much = malloc(SSE_EVENT_MAX);

    ck_assert_ptr_nonnull(much);
    memset(much, 'x', SSE_EVENT_MAX);
    init(&rig);
    feed(&rig, id, 64);
    ck_assert_str_eq(rig.sse.id, "");
    ck_assert(sse_feed(&rig.sse, much, SSE_EVENT_MAX));
    ck_assert(!sse_feed(&rig.sse, "x", 1));
    sse_restart(&rig.sse);
    ck_assert(sse_feed(&rig.sse, "data:", 5));
    ck_assert(sse_feed(&rig.sse, much, SSE_EVENT_MAX / 2));
    ck_assert(sse_feed(&rig.sse, "\ndata:", 6));
    ck_assert(sse_feed(&rig.sse, much, SSE_EVENT_MAX / 2));
    ck_assert(!sse_feed(&rig.sse, "\n", 1));
    deinit(&rig);
    free(much);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sse");
    TCase *tcase = tcase_create("sse");

    tcase_add_test(tcase, an_event_is_the_same_in_pieces_of_any_size_and_with_any_line_end);
    tcase_add_test(tcase, lines_of_data_are_joined_and_what_is_not_known_is_passed_over);
    tcase_add_test(tcase, a_stream_that_was_cut_keeps_its_place_and_nothing_that_was_half_there);
    tcase_add_test(tcase, an_event_without_end_and_an_id_without_end_are_not_kept);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
