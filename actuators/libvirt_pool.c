/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "base/heap.h"
#include "base/loop.h"

struct job_list {
    struct libvirt_job *first;
    struct libvirt_job **last; /* The link that the next job goes into. */
};

struct libvirt_pool {
    struct loop *loop;
    pthread_mutex_t mutex;  /* Guards everything below, and the pool's part of every job. */
    pthread_cond_t changed; /* A job was cancelled or given up. */
    struct job_list queue;  /* Not started. */
    struct job_list mail;   /* With something to tell the loop thread. */
    size_t threads;         /* Alive. */
    size_t workers;         /* Of these, not apart and not written off. */
    bool posted;            /* on_mail() is on its way, and will find this pool. */
    bool closed;
};

static void list_init(struct job_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void list_add(struct job_list *list, struct libvirt_job *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
}

/* Takes the job that '*link' points to out of 'list'. */
static struct libvirt_job *list_take(struct job_list *list, struct libvirt_job **link)
{
    struct libvirt_job *job = *link;

    *link = job->next;
    if (list->last == &job->next) {
        list->last = link;
    }
    return job;
}

/* True if nobody will come back to the pool: it is closed, and neither a thread nor a posted call nor a
 * job knows it. */
static bool is_deserted(const struct libvirt_pool *pool)
{
    return pool->closed && pool->threads == 0 && !pool->posted && pool->queue.first == NULL;
}

/* Unlocks the pool and frees it if this was its last user. */
static void leave(struct libvirt_pool *pool)
{
    bool deserted = is_deserted(pool);

    (void)pthread_mutex_unlock(&pool->mutex);
    if (deserted) {
        (void)pthread_cond_destroy(&pool->changed);
        (void)pthread_mutex_destroy(&pool->mutex);
        free(pool);
    }
}

static bool is_abandoned(const struct libvirt_job *job)
{
    return job->written_off || job->pool->closed;
}

/* The next mail, or NULL: progress if the job has any, else its end. */
static struct libvirt_job *take_mail(struct libvirt_pool *pool, struct actuator_progress *progress,
                                     bool *is_progress)
{
    struct libvirt_job *job = pool->mail.first;

    if (job == NULL) {
        return NULL;
    }
    *is_progress = job->has_progress && !job->written_off;
    if (*is_progress) {
        *progress = job->progress;
        job->has_progress = false;
    }
    if (!*is_progress || job->state != LIBVIRT_JOB_ENDED) {
        (void)list_take(&pool->mail, &pool->mail.first);
        job->mailed = false;
    }
    return job;
}

/* Delivers one mail; false if there is none.  What is called may close the pool or write the job off,
 * so nothing of either is touched afterwards but the mutex, which 'posted' keeps alive. */
static bool deliver(struct libvirt_pool *pool)
{
    struct actuator_progress progress;
    bool is_progress = false;
    struct libvirt_job *job;
    bool ended;
    bool wanted;

    (void)pthread_mutex_lock(&pool->mutex);
    job = take_mail(pool, &progress, &is_progress);
    ended = job != NULL && job->state == LIBVIRT_JOB_ENDED;
    wanted = job != NULL && !is_abandoned(job);
    (void)pthread_mutex_unlock(&pool->mutex);
    if (job == NULL) {
        return false;
    }
    if (is_progress) {
        job->ops->progress(job, &progress);
    } else if (ended) {
        if (wanted) {
            job->ops->done(job);
        }
        job->ops->release(job);
    }
    return true;
}

/* The loop has ended with a call to on_mail() on its way. */
static void drop_mail(void *context)
{
    struct libvirt_pool *pool = context;

    (void)pthread_mutex_lock(&pool->mutex);
    pool->posted = false;
    leave(pool);
}

static void on_mail(void *context)
{
    struct libvirt_pool *pool = context;

    while (deliver(pool)) {
    }
    (void)pthread_mutex_lock(&pool->mutex);
    pool->posted = false;
    /* What was mailed after the last look posted nothing, because this call was still under way. */
    if (pool->mail.first != NULL && !pool->closed) {
        pool->posted = true;
        loop_post_owned(pool->loop, on_mail, drop_mail, pool);
    }
    leave(pool);
}

/* Puts 'job' in the mail unless it is there.  Under the mutex: once the pool is closed the loop may be
 * gone, and nobody may post to it. */
static void send_mail(struct libvirt_job *job)
{
    struct libvirt_pool *pool = job->pool;

    if (!job->mailed) {
        job->mailed = true;
        list_add(&pool->mail, job);
    }
    if (!pool->posted) {
        pool->posted = true;
        loop_post_owned(pool->loop, on_mail, drop_mail, pool);
    }
}

static void start_jobs(struct libvirt_pool *pool);

static void end_job(struct libvirt_job *job)
{
    struct libvirt_pool *pool = job->pool;
    bool orphan;

    (void)pthread_mutex_lock(&pool->mutex);
    orphan = is_abandoned(job);
    job->state = LIBVIRT_JOB_ENDED;
    pool->workers -= job->worker ? 1 : 0;
    job->worker = false;
    if (!orphan) {
        send_mail(job);
    } else if (job->mailed) {
        orphan = false; /* The mail's reader releases it. */
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    if (orphan) {
        job->ops->release(job);
    }
    (void)pthread_mutex_lock(&pool->mutex);
    pool->threads--;
    start_jobs(pool);
    leave(pool);
}

static void *run_job(void *context)
{
    struct libvirt_job *job = context;

    (void)pthread_setname_np(pthread_self(), "berth-host");
    if (libvirt_pool_ask(job) != LIBVIRT_JOB_ABANDONED) {
        job->ops->run(job);
    }
    end_job(job);
    return NULL;
}

/* Starts 'job'; false if the system has no thread to give. */
static bool start_job(struct libvirt_pool *pool, struct libvirt_job *job)
{
    job->state = LIBVIRT_JOB_RUNNING;
    job->worker = !job->apart && !is_abandoned(job);
    pool->threads++;
    pool->workers += job->worker ? 1 : 0;
    if (libvirt_pool_thread(NULL, run_job, job) == 0) {
        return true;
    }
    pool->threads--;
    pool->workers -= job->worker ? 1 : 0;
    job->worker = false;
    job->state = LIBVIRT_JOB_QUEUED;
    return false;
}

/* Starts every queued job that there is room for, in order.  Under the mutex. */
static void start_jobs(struct libvirt_pool *pool)
{
    struct libvirt_job **link = &pool->queue.first;

    while (*link != NULL && pool->threads < LIBVIRT_POOL_CAP) {
        struct libvirt_job *job = *link;

        if (!job->apart && !is_abandoned(job) && pool->workers >= LIBVIRT_POOL_WORKERS) {
            link = &job->next;
            continue;
        }
        (void)list_take(&pool->queue, link);
        if (!start_job(pool, job)) {
            list_add(&pool->queue, job);
            return;
        }
    }
}

struct libvirt_pool *libvirt_pool_new(struct loop *loop)
{
    struct libvirt_pool *pool = HEAP_NEW(struct libvirt_pool);
    pthread_condattr_t attributes;

    pool->loop = loop;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    list_init(&pool->queue);
    list_init(&pool->mail);
    return pool;
}

/* Empties the mail: what ended is handed to 'ended', what still runs belongs to its thread. */
static void discard_mail(struct libvirt_pool *pool, struct job_list *ended)
{
    while (pool->mail.first != NULL) {
        struct libvirt_job *job = list_take(&pool->mail, &pool->mail.first);

        job->mailed = false;
        if (job->state == LIBVIRT_JOB_ENDED) {
            list_add(ended, job);
        }
    }
}

void libvirt_pool_close(struct libvirt_pool *pool)
{
    struct job_list ended;

    list_init(&ended);
    (void)pthread_mutex_lock(&pool->mutex);
    pool->closed = true;
    (void)pthread_cond_broadcast(&pool->changed);
    discard_mail(pool, &ended);
    start_jobs(pool); /* Each only to release itself: that may block, and must not do so here. */
    leave(pool);
    while (ended.first != NULL) {
        struct libvirt_job *job = list_take(&ended, &ended.first);

        job->ops->release(job);
    }
}

void libvirt_pool_submit(struct libvirt_pool *pool, struct libvirt_job *job)
{
    job->pool = pool;
    job->state = LIBVIRT_JOB_QUEUED;
    (void)pthread_mutex_lock(&pool->mutex);
    list_add(&pool->queue, job);
    start_jobs(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
}

void libvirt_pool_write_off(struct libvirt_job *job)
{
    struct libvirt_pool *pool = job->pool;

    (void)pthread_mutex_lock(&pool->mutex);
    job->written_off = true;
    pool->workers -= job->worker ? 1 : 0;
    job->worker = false;
    (void)pthread_cond_broadcast(&pool->changed);
    start_jobs(pool);
    (void)pthread_mutex_unlock(&pool->mutex);
}

void libvirt_pool_cancel(struct libvirt_job *job)
{
    struct libvirt_pool *pool = job->pool;

    (void)pthread_mutex_lock(&pool->mutex);
    job->cancelled = true;
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->mutex);
}

static enum libvirt_job_wait verdict(const struct libvirt_job *job)
{
    if (is_abandoned(job)) {
        return LIBVIRT_JOB_ABANDONED;
    }
    return job->cancelled ? LIBVIRT_JOB_CANCELLED : LIBVIRT_JOB_ELAPSED;
}

static struct timespec instant_in(int64_t delay_ms)
{
    struct timespec instant;

    (void)clock_gettime(CLOCK_MONOTONIC, &instant);
    instant.tv_sec += delay_ms / 1000;
    instant.tv_nsec += delay_ms % 1000 * 1000000;
    if (instant.tv_nsec >= 1000000000) {
        instant.tv_nsec -= 1000000000;
        instant.tv_sec++;
    }
    return instant;
}

enum libvirt_job_wait libvirt_pool_wait(struct libvirt_job *job, int64_t delay_ms)
{
    struct timespec until = instant_in(delay_ms);
    struct libvirt_pool *pool = job->pool;
    enum libvirt_job_wait result;

    (void)pthread_mutex_lock(&pool->mutex);
    while (verdict(job) == LIBVIRT_JOB_ELAPSED &&
           pthread_cond_timedwait(&pool->changed, &pool->mutex, &until) != ETIMEDOUT) {
    }
    result = verdict(job);
    (void)pthread_mutex_unlock(&pool->mutex);
    return result;
}

enum libvirt_job_wait libvirt_pool_ask(struct libvirt_job *job)
{
    enum libvirt_job_wait result;

    (void)pthread_mutex_lock(&job->pool->mutex);
    result = verdict(job);
    (void)pthread_mutex_unlock(&job->pool->mutex);
    return result;
}

void libvirt_pool_report(struct libvirt_job *job, const struct actuator_progress *progress)
{
    (void)pthread_mutex_lock(&job->pool->mutex);
    if (!is_abandoned(job)) {
        job->progress = *progress;
        job->has_progress = true;
        send_mail(job);
    }
    (void)pthread_mutex_unlock(&job->pool->mutex);
}

int libvirt_pool_thread(pthread_t *thread, void *(*run)(void *), void *context)
{
    pthread_attr_t attributes;
    pthread_t started;
    sigset_t all;
    int error;

    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setsigmask_np(&attributes, &all);
    (void)pthread_attr_setdetachstate(&attributes, thread == NULL ? PTHREAD_CREATE_DETACHED
                                                                  : PTHREAD_CREATE_JOINABLE);
    error = pthread_create(thread == NULL ? &started : thread, &attributes, run, context);
    (void)pthread_attr_destroy(&attributes);
    return error;
}

int64_t libvirt_pool_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
