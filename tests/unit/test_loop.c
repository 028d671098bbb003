/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "base/loop.h"
#include "base/loop_manual.h"
#include "base/loop_uv.h"
#include "tests/runner.h"

#define WALL_MS INT64_C(1795435200000) /* 2026-11-23T12:00:00Z */

#define POSTERS        4
#define POSTS_A_THREAD 5000

/* What every loop must do is asked of both: test number _i is loop number _i. */
struct kind {
    struct loop *(*new)(void);
    void (*free)(struct loop *loop);
};

static struct loop *new_manual(void)
{
    return loop_manual_new(WALL_MS);
}

static const struct kind kinds[] = {
    { new_manual, loop_manual_free },
    { loop_uv_new, loop_uv_free },
};

/* What ran, one letter a callback. */
struct record {
    struct loop *loop;
    char text[64];
    size_t length;
};

struct letter {
    struct record *record;
    char letter;
    struct loop_timer timer;
    struct letter *other;
};

static void note(void *context)
{
    struct letter *letter = context;
    struct record *record = letter->record;

    ck_assert_uint_lt(record->length, sizeof(record->text) - 1);
    record->text[record->length++] = letter->letter;
}

static void note_and_stop_loop(void *context)
{
    struct letter *letter = context;

    note(letter);
    loop_stop(letter->record->loop);
}

static void stop_loop(void *context)
{
    struct letter *letter = context;

    loop_stop(letter->record->loop);
}

static void note_and_stop_other(void *context)
{
    struct letter *letter = context;

    note(letter);
    loop_timer_stop(letter->record->loop, &letter->other->timer);
}

static void note_and_rearm(void *context)
{
    struct letter *letter = context;

    ck_assert(!letter->timer.armed);
    note(letter);
    if (letter->record->length < 3) {
        loop_timer_start(letter->record->loop, &letter->timer, 0, note_and_rearm, letter);
    } else {
        loop_stop(letter->record->loop);
    }
}

static void note_and_post_other(void *context)
{
    struct letter *letter = context;

    loop_post(letter->record->loop, note, letter->other);
    note(letter);
}

static void start(struct letter *letter, int64_t delay_ms, loop_fn *fn)
{
    loop_timer_start(letter->record->loop, &letter->timer, delay_ms, fn, letter);
}

START_TEST(timers_run_in_the_order_they_fall_due)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };
    struct letter c = { .record = &record, .letter = 'c' };

    start(&c, 30, note_and_stop_loop);
    start(&a, 1, note);
    start(&b, 15, note);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "abc");
    ck_assert(!a.timer.armed && !b.timer.armed && !c.timer.armed);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_timer_never_runs_before_it_is_due)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };

    start(&a, 7, note_and_stop_loop);
    loop_run(record.loop);
    ck_assert_int_ge(loop_now_ms(record.loop), a.timer.due_ms);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_timer_never_runs_inside_the_call_that_arms_it)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };

    start(&a, 0, note_and_stop_loop);
    ck_assert_uint_eq(record.length, 0);
    ck_assert(a.timer.armed);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "a");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_stopped_timer_does_not_run_and_may_be_released_at_once)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter *a = calloc(1, sizeof(*a));
    struct letter b = { .record = &record, .letter = 'b' };

    ck_assert_ptr_nonnull(a);
    *a = (struct letter){ .record = &record, .letter = 'a' };
    start(a, 1, note);
    loop_timer_stop(record.loop, &a->timer);
    ck_assert(!a->timer.armed);
    free(a);
    start(&b, 5, note_and_stop_loop);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "b");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(stopping_a_timer_that_is_not_armed_does_nothing)
{
    struct loop *loop = kinds[_i].new();
    struct loop_timer timer = { 0 };

    loop_timer_stop(loop, &timer);
    loop_timer_stop(loop, &timer);
    ck_assert(!timer.armed);
    kinds[_i].free(loop);
}
END_TEST

START_TEST(arming_an_armed_timer_moves_it)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };

    start(&a, 1, note);
    start(&b, 10, note);
    start(&a, 30, note_and_stop_loop);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "ba");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_timer_may_stop_another_that_is_due_with_it)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };
    struct letter c = { .record = &record, .letter = 'c' };

    a.other = &b;
    start(&a, 1, note_and_stop_other);
    start(&b, 1, note);
    start(&c, 10, note_and_stop_loop);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "ac");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_timer_may_arm_itself_again_for_now)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };

    start(&a, 0, note_and_rearm);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "aaa");
    kinds[_i].free(record.loop);
}
END_TEST

static void rearm_for_ever(void *context)
{
    struct letter *letter = context;

    letter->record->length++;
    start(letter, 0, rearm_for_ever);
}

START_TEST(a_timer_that_arms_itself_for_ever_does_not_starve_posted_calls)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record };
    struct letter b = { .record = &record };

    start(&a, 0, rearm_for_ever);
    loop_post(record.loop, stop_loop, &b);
    loop_run(record.loop);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(posted_calls_run_in_the_order_of_posting)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };
    struct letter c = { .record = &record, .letter = 'c' };

    loop_post(record.loop, note, &a);
    loop_post(record.loop, note, &b);
    loop_post(record.loop, note_and_stop_loop, &c);
    ck_assert_uint_eq(record.length, 0);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "abc");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_call_posted_by_a_posted_call_runs_after_it_returned)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };
    struct letter c = { .record = &record, .letter = 'c' };

    a.other = &b;
    loop_post(record.loop, note_and_post_other, &a);
    start(&c, 5, note_and_stop_loop);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "abc");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_stop_holds_back_posted_calls_until_the_next_run)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };
    struct letter c = { .record = &record, .letter = 'c' };

    loop_post(record.loop, note_and_stop_loop, &a);
    loop_post(record.loop, note, &b);
    loop_post(record.loop, note_and_stop_loop, &c);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "a");
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "abc");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_stop_holds_back_timers_until_the_next_run)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };

    start(&a, 1, note_and_stop_loop);
    start(&b, 1, note_and_stop_loop);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "a");
    ck_assert(b.timer.armed);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "ab");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_stop_before_the_run_makes_it_return_at_once)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };

    loop_post(record.loop, note_and_stop_loop, &a);
    loop_stop(record.loop);
    loop_run(record.loop);
    ck_assert_uint_eq(record.length, 0);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "a");
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_loop_may_be_freed_with_timers_armed_and_calls_posted)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };

    loop_post(record.loop, note_and_stop_loop, &b);
    loop_post(record.loop, note, &a);
    start(&a, 1, note);
    start(&b, 60000, note);
    loop_run(record.loop);
    loop_post(record.loop, note, &a);
    kinds[_i].free(record.loop);
    ck_assert_str_eq(record.text, "b");
}
END_TEST

START_TEST(a_loop_may_be_freed_before_it_ran)
{
    struct record record = { .loop = kinds[_i].new() };
    struct letter a = { .record = &record, .letter = 'a' };

    loop_post(record.loop, note, &a);
    start(&a, 0, note);
    kinds[_i].free(record.loop);
    ck_assert_uint_eq(record.length, 0);
}
END_TEST

/* Threads that post at the same time; each counts upwards. */
struct storm {
    struct loop *loop;
    uint32_t next[POSTERS];
    uint32_t total;
};

struct drop {
    struct storm *storm;
    uint32_t thread;
    uint32_t number;
};

struct poster {
    pthread_t thread;
    struct storm *storm;
    struct drop *drops;
    uint32_t index;
};

static void receive(void *context)
{
    const struct drop *drop = context;
    struct storm *storm = drop->storm;

    ck_assert_uint_eq(drop->number, storm->next[drop->thread]);
    storm->next[drop->thread]++;
    storm->total++;
    if (storm->total == POSTERS * POSTS_A_THREAD) {
        loop_stop(storm->loop);
    }
}

static void *post_many(void *context)
{
    struct poster *poster = context;

    for (uint32_t i = 0; i < POSTS_A_THREAD; i++) {
        poster->drops[i] = (struct drop){ poster->storm, poster->index, i };
        loop_post(poster->storm->loop, receive, &poster->drops[i]);
    }
    return NULL;
}

static void start_posters(struct storm *storm, struct poster posters[POSTERS])
{
    for (uint32_t i = 0; i < POSTERS; i++) {
        posters[i].storm = storm;
        posters[i].index = i;
        posters[i].drops = calloc(POSTS_A_THREAD, sizeof(struct drop));
        ck_assert_ptr_nonnull(posters[i].drops);
        ck_assert_int_eq(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
    }
}

static void join_posters(struct poster posters[POSTERS])
{
    for (uint32_t i = 0; i < POSTERS; i++) {
        ck_assert_int_eq(pthread_join(posters[i].thread, NULL), 0);
    }
}

static void free_posters(struct poster posters[POSTERS])
{
    for (uint32_t i = 0; i < POSTERS; i++) {
        free(posters[i].drops);
    }
}

START_TEST(calls_posted_by_many_threads_all_run_in_each_threads_order)
{
    struct storm storm = { .loop = kinds[_i].new() };
    struct poster posters[POSTERS];

    start_posters(&storm, posters);
    while (storm.total < POSTERS * POSTS_A_THREAD) {
        loop_run(storm.loop); /* The manual loop returns whenever it has caught up. */
    }
    join_posters(posters);
    kinds[_i].free(storm.loop);
    free_posters(posters);
}
END_TEST

START_TEST(calls_of_other_threads_are_dropped_with_the_loop)
{
    struct storm storm = { .loop = kinds[_i].new() };
    struct poster posters[POSTERS];

    start_posters(&storm, posters);
    join_posters(posters);
    kinds[_i].free(storm.loop);
    free_posters(posters);
    ck_assert_uint_eq(storm.total, 0);
}
END_TEST

/* A pipe, and what is read from it; 'stop_at' ends the watch from its own callback, NUL never. */
struct reader {
    struct record *record;
    struct loop_watch watch;
    int ends[2];
    char stop_at;
    struct reader *other; /* Its watch is ended by any read, or NULL. */
};

static void open_reader(struct reader *reader, struct record *record)
{
    *reader = (struct reader){ .record = record };
    ck_assert_int_eq(pipe(reader->ends), 0);
}

static void put(const struct reader *reader, char letter)
{
    ck_assert_int_eq(write(reader->ends[1], &letter, 1), 1);
}

static void close_reader(struct reader *reader)
{
    loop_watch_stop(reader->record->loop, &reader->watch);
    close(reader->ends[0]);
    close(reader->ends[1]);
}

/* One byte a call, though more may be there. */
static void read_one(void *context)
{
    struct reader *reader = context;
    struct letter letter = { .record = reader->record };

    ck_assert_int_eq(read(reader->ends[0], &letter.letter, 1), 1);
    note(&letter);
    if (reader->other != NULL) {
        loop_watch_stop(reader->record->loop, &reader->other->watch);
    }
    if (letter.letter == reader->stop_at) {
        loop_watch_stop(reader->record->loop, &reader->watch);
    }
    if (letter.letter == '.') {
        loop_stop(reader->record->loop);
    }
}

static void watch_reader(struct reader *reader)
{
    loop_watch_start(reader->record->loop, &reader->watch, reader->ends[0], read_one, reader);
}

/* Lets the loop see that the descriptors of 'readers' can be read: by itself, or because it is told. */
static void run_ready(int kind, struct record *record, struct reader *const *readers, size_t count)
{
    if (kinds[kind].new == loop_uv_new) {
        loop_run(record->loop);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        while (loop_manual_ready(record->loop, readers[i]->ends[0])) {
            if (record->text[record->length - 1] == '.') {
                return;
            }
        }
    }
}

START_TEST(a_descriptor_is_told_as_long_as_it_can_be_read)
{
    struct record record = { .loop = kinds[_i].new() };
    struct reader a;
    struct reader *const readers[] = { &a };

    open_reader(&a, &record);
    watch_reader(&a);
    ck_assert(a.watch.armed);
    ck_assert_uint_eq(record.length, 0);
    put(&a, 'x');
    put(&a, 'y');
    put(&a, '.');
    run_ready(_i, &record, readers, 1);
    ck_assert_str_eq(record.text, "xy.");
    close_reader(&a);
    ck_assert(!a.watch.armed);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_watch_may_be_stopped_released_and_its_descriptor_closed_at_once)
{
    struct record record = { .loop = kinds[_i].new() };
    struct reader *a = calloc(1, sizeof(*a));
    struct reader b;
    struct reader *const readers[] = { &b };
    int fd;

    ck_assert_ptr_nonnull(a);
    open_reader(a, &record);
    watch_reader(a);
    put(a, 'a');
    fd = a->ends[0];
    close_reader(a);
    free(a);
    open_reader(&b, &record); /* The same number, another pipe. */
    ck_assert_int_eq(b.ends[0], fd);
    watch_reader(&b);
    put(&b, '.');
    run_ready(_i, &record, readers, 1);
    ck_assert_str_eq(record.text, ".");
    close_reader(&b);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_watch_may_stop_itself_and_be_started_again)
{
    struct record record = { .loop = kinds[_i].new() };
    struct reader a;
    struct reader *const readers[] = { &a };

    open_reader(&a, &record);
    a.stop_at = '.';
    watch_reader(&a);
    put(&a, '.');
    put(&a, '.');
    run_ready(_i, &record, readers, 1);
    ck_assert(!a.watch.armed);
    ck_assert_str_eq(record.text, ".");
    watch_reader(&a);
    run_ready(_i, &record, readers, 1);
    ck_assert_str_eq(record.text, "..");
    close_reader(&a);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_watch_may_stop_another_that_can_be_read_with_it)
{
    struct record record = { .loop = kinds[_i].new() };
    struct reader a;
    struct reader b;
    struct reader *const readers[] = { &a, &b };

    open_reader(&a, &record);
    open_reader(&b, &record);
    a.other = &b;
    b.other = &a;
    watch_reader(&a);
    watch_reader(&b);
    put(&a, '.');
    put(&b, '.');
    run_ready(_i, &record, readers, 2);
    ck_assert_str_eq(record.text, ".");
    ck_assert(a.watch.armed != b.watch.armed);
    close_reader(&a);
    close_reader(&b);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(stopping_a_watch_that_is_not_armed_does_nothing)
{
    struct record record = { .loop = kinds[_i].new() };
    struct loop_watch watch = { 0 };

    loop_watch_stop(record.loop, &watch);
    ck_assert(!watch.armed);
    kinds[_i].free(record.loop);
}
END_TEST

START_TEST(a_loop_may_be_freed_with_watches_armed)
{
    struct record record = { .loop = kinds[_i].new() };
    struct reader a;

    open_reader(&a, &record);
    watch_reader(&a);
    put(&a, '.');
    kinds[_i].free(record.loop);
    ck_assert_uint_eq(record.length, 0);
    close(a.ends[0]);
    close(a.ends[1]);
}
END_TEST

START_TEST(a_stop_holds_back_what_can_be_read_until_the_next_run)
{
    struct record record = { .loop = loop_uv_new() };
    struct reader a;
    struct reader b;

    open_reader(&a, &record);
    open_reader(&b, &record);
    watch_reader(&a);
    watch_reader(&b);
    put(&a, '.');
    put(&b, '.');
    loop_run(record.loop);
    ck_assert_str_eq(record.text, ".");
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "..");
    close_reader(&a);
    close_reader(&b);
    loop_uv_free(record.loop);
}
END_TEST

/* The second time it ends the watch. */
static void note_failure(void *context)
{
    struct reader *reader = context;
    struct letter letter = { .record = reader->record, .letter = 'e' };

    note(&letter);
    if (reader->record->length == 2) {
        loop_watch_stop(reader->record->loop, &reader->watch);
        loop_stop(reader->record->loop);
    }
}

START_TEST(a_descriptor_that_has_failed_is_told_until_its_watch_is_stopped)
{
    struct record record = { .loop = loop_uv_new() };
    struct reader a;

    open_reader(&a, &record);
    loop_watch_start(record.loop, &a.watch, a.ends[1], note_failure, &a);
    close(a.ends[0]); /* The end that writes reports an error from now on. */
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "ee");
    close(a.ends[1]);
    loop_uv_free(record.loop);
}
END_TEST

START_TEST(the_manual_loop_says_whether_anybody_watches_a_descriptor)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct reader a;
    struct reader b;

    open_reader(&a, &record);
    open_reader(&b, &record);
    watch_reader(&a);
    watch_reader(&b);
    put(&a, 'a');
    ck_assert(loop_manual_ready(record.loop, a.ends[0]));
    ck_assert(!loop_manual_ready(record.loop, a.ends[1]));
    loop_watch_stop(record.loop, &a.watch);
    ck_assert(!loop_manual_ready(record.loop, a.ends[0]));
    put(&b, 'b');
    ck_assert(loop_manual_ready(record.loop, b.ends[0]));
    ck_assert_str_eq(record.text, "ab");
    close_reader(&a);
    close_reader(&b);
    loop_manual_free(record.loop);
}
END_TEST

START_TEST(the_manual_clock_starts_at_zero_and_moves_only_with_timers)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct letter a = { .record = &record, .letter = 'a' };

    ck_assert_int_eq(loop_now_ms(record.loop), 0);
    ck_assert_int_eq(loop_wall_ms(record.loop), WALL_MS);
    start(&a, 90000, note);
    loop_run(record.loop);
    ck_assert_int_eq(loop_now_ms(record.loop), 90000);
    ck_assert_int_eq(loop_wall_ms(record.loop), WALL_MS + 90000);
    loop_manual_free(record.loop);
}
END_TEST

START_TEST(the_manual_loop_runs_timers_of_one_instant_in_the_order_of_arming)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };
    struct letter c = { .record = &record, .letter = 'c' };

    start(&a, 10, note);
    start(&b, 10, note);
    start(&c, 10, note);
    start(&a, 10, note); /* Armed last now. */
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "bca");
    loop_manual_free(record.loop);
}
END_TEST

struct parcel {
    int opened;
    int dropped;
};

static void open_parcel(void *context)
{
    ((struct parcel *)context)->opened++;
}

static void drop_parcel(void *context)
{
    ((struct parcel *)context)->dropped++;
}

START_TEST(what_a_posted_call_owns_is_given_back_if_it_never_runs)
{
    struct parcel manual = { 0 };
    struct parcel uv = { 0 };
    struct loop *loops[] = { loop_manual_new(WALL_MS), loop_uv_new() };

    loop_post_owned(loops[0], open_parcel, drop_parcel, &manual);
    loop_post_owned(loops[1], open_parcel, drop_parcel, &uv);
    loop_manual_free(loops[0]);
    loop_uv_free(loops[1]);
    ck_assert_int_eq(manual.dropped, 1);
    ck_assert_int_eq(uv.dropped, 1);
    ck_assert_int_eq(manual.opened + uv.opened, 0);
}
END_TEST

START_TEST(what_a_posted_call_owns_is_its_own_once_it_ran)
{
    struct parcel parcel = { 0 };
    struct loop *loop = loop_manual_new(WALL_MS);

    loop_post_owned(loop, open_parcel, drop_parcel, &parcel);
    loop_run(loop);
    loop_manual_free(loop);
    ck_assert_int_eq(parcel.opened, 1);
    ck_assert_int_eq(parcel.dropped, 0);
}
END_TEST

START_TEST(the_manual_loop_runs_posted_calls_before_timers)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };

    start(&b, 0, note);
    loop_post(record.loop, note, &a);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "ab");
    loop_manual_free(record.loop);
}
END_TEST

START_TEST(the_manual_loop_returns_when_nothing_is_left)
{
    struct loop *loop = loop_manual_new(WALL_MS);

    loop_run(loop);
    ck_assert(!loop_manual_is_exhausted(loop));
    loop_manual_free(loop);
}
END_TEST

START_TEST(advancing_runs_what_falls_due_on_the_way_and_nothing_later)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct letter a = { .record = &record, .letter = 'a' };
    struct letter b = { .record = &record, .letter = 'b' };
    struct letter c = { .record = &record, .letter = 'c' };

    loop_post(record.loop, note, &a);
    start(&b, 1000, note);
    start(&c, 1001, note);
    loop_manual_advance(record.loop, 1000);
    ck_assert_str_eq(record.text, "ab");
    ck_assert(c.timer.armed);
    ck_assert_int_eq(loop_now_ms(record.loop), 1000);
    ck_assert_int_eq(loop_wall_ms(record.loop), WALL_MS + 1000);
    loop_manual_free(record.loop);
}
END_TEST

START_TEST(a_wall_clock_jump_moves_no_timer)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct letter a = { .record = &record, .letter = 'a' };

    start(&a, 1000, note);
    loop_manual_jump(record.loop, -3600000);
    ck_assert_int_eq(loop_now_ms(record.loop), 0);
    ck_assert_int_eq(loop_wall_ms(record.loop), WALL_MS - 3600000);
    loop_manual_advance(record.loop, 999);
    ck_assert_uint_eq(record.length, 0);
    loop_manual_advance(record.loop, 1);
    ck_assert_str_eq(record.text, "a");
    loop_manual_free(record.loop);
}
END_TEST

START_TEST(the_limit_ends_a_livelock)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct letter a = { .record = &record };

    loop_manual_limit(record.loop, 1000);
    start(&a, 0, rearm_for_ever);
    loop_run(record.loop);
    ck_assert(loop_manual_is_exhausted(record.loop));
    ck_assert_uint_eq(record.length, 1000);
    loop_manual_free(record.loop);
}
END_TEST

START_TEST(a_run_that_ends_just_at_the_limit_is_not_exhausted)
{
    struct record record = { .loop = loop_manual_new(WALL_MS) };
    struct letter a = { .record = &record, .letter = 'a' };

    loop_manual_limit(record.loop, 2);
    loop_post(record.loop, note, &a);
    loop_post(record.loop, note, &a);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "aa");
    ck_assert(!loop_manual_is_exhausted(record.loop));
    loop_manual_free(record.loop);
}
END_TEST

START_TEST(a_signal_runs_its_callback_in_place_of_its_default_effect)
{
    struct record record = { .loop = loop_uv_new() };
    struct letter t = { .record = &record, .letter = 't' };
    struct letter h = { .record = &record, .letter = 'h' };

    loop_uv_on_signal(record.loop, SIGTERM, note_and_stop_loop, &t);
    loop_uv_on_signal(record.loop, SIGHUP, note_and_stop_loop, &h);
    ck_assert_int_eq(raise(SIGHUP), 0);
    loop_run(record.loop);
    ck_assert_int_eq(raise(SIGTERM), 0);
    loop_run(record.loop);
    ck_assert_int_eq(raise(SIGTERM), 0);
    loop_run(record.loop);
    ck_assert_str_eq(record.text, "htt");
    loop_uv_free(record.loop);
}
END_TEST

START_TEST(the_real_clock_moves_within_one_callback)
{
    struct loop *loop = loop_uv_new();
    int64_t before_ms = loop_now_ms(loop);

    while (loop_now_ms(loop) == before_ms) {
    }
    ck_assert_int_gt(loop_now_ms(loop), before_ms);
    ck_assert_int_gt(loop_wall_ms(loop), INT64_C(1577836800000)); /* 2020 */
    loop_uv_free(loop);
}
END_TEST

static void add_common(TCase *tcase)
{
    const TTest *const tests[] = {
        timers_run_in_the_order_they_fall_due,
        a_timer_never_runs_before_it_is_due,
        a_timer_never_runs_inside_the_call_that_arms_it,
        a_stopped_timer_does_not_run_and_may_be_released_at_once,
        stopping_a_timer_that_is_not_armed_does_nothing,
        arming_an_armed_timer_moves_it,
        a_timer_may_stop_another_that_is_due_with_it,
        a_timer_may_arm_itself_again_for_now,
        a_timer_that_arms_itself_for_ever_does_not_starve_posted_calls,
        posted_calls_run_in_the_order_of_posting,
        a_call_posted_by_a_posted_call_runs_after_it_returned,
        a_stop_holds_back_posted_calls_until_the_next_run,
        a_stop_holds_back_timers_until_the_next_run,
        a_stop_before_the_run_makes_it_return_at_once,
        a_loop_may_be_freed_with_timers_armed_and_calls_posted,
        a_loop_may_be_freed_before_it_ran,
        calls_posted_by_many_threads_all_run_in_each_threads_order,
        calls_of_other_threads_are_dropped_with_the_loop,
        a_descriptor_is_told_as_long_as_it_can_be_read,
        a_watch_may_be_stopped_released_and_its_descriptor_closed_at_once,
        a_watch_may_stop_itself_and_be_started_again,
        a_watch_may_stop_another_that_can_be_read_with_it,
        stopping_a_watch_that_is_not_armed_does_nothing,
        a_loop_may_be_freed_with_watches_armed,
    };

    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        tcase_add_loop_test(tcase, tests[i], 0, ARRAY_LEN(kinds));
    }
}

static void add_manual(TCase *tcase)
{
    tcase_add_test(tcase, the_manual_clock_starts_at_zero_and_moves_only_with_timers);
    tcase_add_test(tcase, the_manual_loop_runs_timers_of_one_instant_in_the_order_of_arming);
    tcase_add_test(tcase, what_a_posted_call_owns_is_given_back_if_it_never_runs);
    tcase_add_test(tcase, what_a_posted_call_owns_is_its_own_once_it_ran);
    tcase_add_test(tcase, the_manual_loop_runs_posted_calls_before_timers);
    tcase_add_test(tcase, the_manual_loop_returns_when_nothing_is_left);
    tcase_add_test(tcase, advancing_runs_what_falls_due_on_the_way_and_nothing_later);
    tcase_add_test(tcase, a_wall_clock_jump_moves_no_timer);
    tcase_add_test(tcase, the_limit_ends_a_livelock);
    tcase_add_test(tcase, a_run_that_ends_just_at_the_limit_is_not_exhausted);
    tcase_add_test(tcase, the_manual_loop_says_whether_anybody_watches_a_descriptor);
}

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *common = tcase_create("common");
    TCase *manual = tcase_create("manual");
    TCase *uv = tcase_create("uv");

    add_common(common);
    add_manual(manual);
    tcase_add_test(uv, a_signal_runs_its_callback_in_place_of_its_default_effect);
    tcase_add_test(uv, a_stop_holds_back_what_can_be_read_until_the_next_run);
    tcase_add_test(uv, a_descriptor_that_has_failed_is_told_until_its_watch_is_stopped);
    tcase_add_test(uv, the_real_clock_moves_within_one_callback);
    tcase_set_timeout(common, 60); /* The storm under a sanitizer. */
    suite_add_tcase(suite, common);
    suite_add_tcase(suite, manual);
    suite_add_tcase(suite, uv);
    return runner_run(suite);
}
