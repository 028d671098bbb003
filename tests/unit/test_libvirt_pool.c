/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "actuators/libvirt_pool.h"
#include "base/base.h"
#include "base/loop.h"
#include "base/loop_uv.h"
#include "tests/runner.h"

/* Everything that a test's jobs share; what threads touch is atomic. */
struct bench {
    struct loop *loop;
    struct libvirt_pool *pool;
    pthread_t loop_thread;
    pthread_mutex_t gate; /* Held while jobs are to hang. */
    atomic_size_t ran;
    atomic_size_t released;
    size_t expected; /* Ends the loop when so many are done. */
    size_t done;
    size_t reports;
    bool off_loop; /* A callback came on another thread. */
};

struct task {
    struct libvirt_job job;
    struct bench *bench;
    bool hangs;
    bool waits;
    bool reports;
    enum libvirt_job_wait waited;
};

static struct task *task_of(struct libvirt_job *job)
{
    return CONTAINER_OF(job, struct task, job);
}

static void run_task(struct libvirt_job *job)
{
    struct task *task = task_of(job);
    const struct actuator_progress progress = { .iteration = 7 };

    atomic_fetch_add(&task->bench->ran, 1);
    if (task->reports) {
        libvirt_pool_report(job, &progress);
    }
    if (task->hangs) {
        (void)pthread_mutex_lock(&task->bench->gate);
        (void)pthread_mutex_unlock(&task->bench->gate);
    }
    if (task->waits) {
        task->waited = libvirt_pool_wait(job, INT64_C(3600) * 1000);
    }
}

static void check_thread(struct bench *bench)
{
    bench->off_loop |= !pthread_equal(pthread_self(), bench->loop_thread);
}

static void progress_task(struct libvirt_job *job, const struct actuator_progress *progress)
{
    struct task *task = task_of(job);

    check_thread(task->bench);
    ck_assert_uint_eq(progress->iteration, 7);
    task->bench->reports++;
    if (task->waits) {
        libvirt_pool_cancel(job);
    }
}

static void done_task(struct libvirt_job *job)
{
    struct task *task = task_of(job);
    struct bench *bench = task->bench;

    check_thread(bench);
    if (task->waits) {
        ck_assert_int_eq(task->waited, LIBVIRT_JOB_CANCELLED);
    }
    if (++bench->done == bench->expected) {
        loop_stop(bench->loop);
    }
}

static void release_task(struct libvirt_job *job)
{
    struct task *task = task_of(job);

    atomic_fetch_add(&task->bench->released, 1);
    free(task);
}

static const struct libvirt_job_ops task_ops = {
    .run = run_task,
    .progress = progress_task,
    .done = done_task,
    .release = release_task,
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){ .loop = loop_uv_new(), .loop_thread = pthread_self() };
    bench->pool = libvirt_pool_new(bench->loop);
    (void)pthread_mutex_init(&bench->gate, NULL);
}

/* Waits for threads that nobody joins. */
static void await(atomic_size_t *counter, size_t value)
{
    const struct timespec pause = { .tv_nsec = 1000000 };

    while (atomic_load(counter) < value) {
        (void)nanosleep(&pause, NULL);
    }
}

static void stop(void *context)
{
    loop_stop(context);
}

/* Closes the pool and lets the loop run once more, over a call that may still be on its way. */
static void close_pool(struct bench *bench)
{
    libvirt_pool_close(STEAL(bench->pool));
    loop_post(bench->loop, stop, bench->loop);
    loop_run(bench->loop);
}

static void bench_deinit(struct bench *bench, size_t tasks)
{
    if (bench->pool != NULL) {
        close_pool(bench);
    }
    await(&bench->released, tasks);
    ck_assert(!bench->off_loop);
    loop_uv_free(bench->loop);
    (void)pthread_mutex_destroy(&bench->gate);
}

static struct task *submit(struct bench *bench, struct task task)
{
    struct task *copy = malloc(sizeof(*copy));

    ck_assert_ptr_nonnull(copy);
    *copy = task;
    copy->job.ops = &task_ops;
    copy->bench = bench;
    libvirt_pool_submit(bench->pool, &copy->job);
    return copy;
}

START_TEST(results_arrive_once_on_the_loop_thread)
{
    const size_t count = 100;
    struct bench bench;

    bench_init(&bench);
    bench.expected = count;
    for (size_t i = 0; i < count; i++) {
        (void)submit(&bench, (struct task){ 0 });
    }
    ck_assert_uint_eq(bench.done, 0);
    loop_run(bench.loop);
    ck_assert_uint_eq(bench.done, count);
    bench_deinit(&bench, count);
    ck_assert_uint_eq(atomic_load(&bench.ran), count);
}
END_TEST

START_TEST(progress_arrives_before_the_result)
{
    struct bench bench;

    bench_init(&bench);
    bench.expected = 1;
    (void)submit(&bench, (struct task){ .reports = true });
    loop_run(bench.loop);
    ck_assert_uint_eq(bench.reports, 1);
    bench_deinit(&bench, 1);
}
END_TEST

START_TEST(a_cancelled_job_stops_waiting)
{
    struct bench bench;

    bench_init(&bench);
    bench.expected = 1;
    (void)submit(&bench, (struct task){ .reports = true, .waits = true });
    loop_run(bench.loop);
    ck_assert_uint_eq(bench.done, 1);
    bench_deinit(&bench, 1);
}
END_TEST

START_TEST(hung_jobs_take_all_places_until_they_are_written_off)
{
    struct task *hung[LIBVIRT_POOL_WORKERS];
    struct bench bench;

    bench_init(&bench);
    bench.expected = 1;
    (void)pthread_mutex_lock(&bench.gate);
    for (size_t i = 0; i < ARRAY_LEN(hung); i++) {
        hung[i] = submit(&bench, (struct task){ .hangs = true });
    }
    await(&bench.ran, ARRAY_LEN(hung));
    (void)submit(&bench, (struct task){ 0 });
    ck_assert_uint_eq(atomic_load(&bench.ran), ARRAY_LEN(hung));
    libvirt_pool_write_off(&hung[0]->job);
    loop_run(bench.loop);
    ck_assert_uint_eq(bench.done, 1); /* The new one; the one written off says nothing. */
    bench.expected = ARRAY_LEN(hung);
    (void)pthread_mutex_unlock(&bench.gate);
    loop_run(bench.loop);
    bench_deinit(&bench, ARRAY_LEN(hung) + 1);
}
END_TEST

START_TEST(jobs_apart_take_no_workers_place)
{
    struct bench bench;

    bench_init(&bench);
    bench.expected = 1;
    (void)pthread_mutex_lock(&bench.gate);
    for (size_t i = 0; i < LIBVIRT_POOL_WORKERS + 5; i++) {
        (void)submit(&bench, (struct task){ .hangs = true, .job.apart = true });
    }
    (void)submit(&bench, (struct task){ 0 });
    loop_run(bench.loop);
    ck_assert_uint_eq(bench.done, 1);
    bench.expected += LIBVIRT_POOL_WORKERS + 5;
    (void)pthread_mutex_unlock(&bench.gate);
    loop_run(bench.loop);
    bench_deinit(&bench, LIBVIRT_POOL_WORKERS + 6);
}
END_TEST

START_TEST(a_job_written_off_before_its_turn_never_runs)
{
    struct bench bench;
    struct task *last;

    bench_init(&bench);
    bench.expected = LIBVIRT_POOL_WORKERS;
    (void)pthread_mutex_lock(&bench.gate);
    for (size_t i = 0; i < LIBVIRT_POOL_WORKERS; i++) {
        (void)submit(&bench, (struct task){ .hangs = true });
    }
    last = submit(&bench, (struct task){ 0 });
    libvirt_pool_write_off(&last->job);
    await(&bench.released, 1);
    (void)pthread_mutex_unlock(&bench.gate);
    loop_run(bench.loop);
    bench_deinit(&bench, LIBVIRT_POOL_WORKERS + 1);
    ck_assert_uint_eq(atomic_load(&bench.ran), LIBVIRT_POOL_WORKERS);
}
END_TEST

START_TEST(closing_waits_for_nobody)
{
    struct bench bench;

    bench_init(&bench);
    (void)pthread_mutex_lock(&bench.gate);
    for (size_t i = 0; i < LIBVIRT_POOL_WORKERS + 3; i++) {
        (void)submit(&bench, (struct task){ .hangs = true });
    }
    (void)submit(&bench, (struct task){ .waits = true, .job.apart = true });
    close_pool(&bench);
    (void)pthread_mutex_unlock(&bench.gate);
    bench_deinit(&bench, LIBVIRT_POOL_WORKERS + 4);
    ck_assert_uint_eq(bench.done, 0);
}
END_TEST

START_TEST(results_that_nobody_has_read_go_with_the_pool)
{
    struct bench bench;

    bench_init(&bench);
    bench.expected = 1;
    for (size_t i = 0; i < 10; i++) {
        (void)submit(&bench, (struct task){ .reports = true });
    }
    loop_run(bench.loop); /* Some have been read, some not. */
    close_pool(&bench);
    bench_deinit(&bench, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_pool");
    TCase *cases = tcase_create("pool");

    tcase_add_test(cases, results_arrive_once_on_the_loop_thread);
    tcase_add_test(cases, progress_arrives_before_the_result);
    tcase_add_test(cases, a_cancelled_job_stops_waiting);
    tcase_add_test(cases, hung_jobs_take_all_places_until_they_are_written_off);
    tcase_add_test(cases, jobs_apart_take_no_workers_place);
    tcase_add_test(cases, a_job_written_off_before_its_turn_never_runs);
    tcase_add_test(cases, closing_waits_for_nobody);
    tcase_add_test(cases, results_that_nobody_has_read_go_with_the_pool);
    suite_add_tcase(suite, cases);
    return runner_run(suite);
}
