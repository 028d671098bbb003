/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_pool: threads for calls that block and may never return, and the way their results come
 * back to the loop.
 *
 * A job is a struct that its user embeds and the pool passes from hand to hand: the loop thread
 * submits it, a thread of its own runs it, the loop thread hears that it is done and releases it.  A
 * job that hangs can be written off: the loop then forgets it, another takes its place, and its own
 * thread releases it if it ever returns.  So a job belongs to exactly one side at a time, and whoever
 * comes last frees it; the pool's mutex is what settles who that is.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "actuators/actuator.h"

struct libvirt_pool;
struct loop;

/* Jobs under way at a time that are not written off and not 'apart'. */
#define LIBVIRT_POOL_WORKERS 32

/* Threads in all, those that hang included; when so many hang, jobs wait. */
#define LIBVIRT_POOL_CAP 256

struct libvirt_job;

struct libvirt_job_ops {
    void (*run)(struct libvirt_job *job); /* On a thread of its own; may block. */
    /* On the loop thread, never after a write-off or after the pool was closed. */
    void (*progress)(struct libvirt_job *job, const struct actuator_progress *progress);
    void (*done)(struct libvirt_job *job);
    /* Last call: after done() on the loop thread, else on the job's thread.  A job that was written
     * off before its turn is released without having run. */
    void (*release)(struct libvirt_job *job);
};

enum libvirt_job_state {
    LIBVIRT_JOB_QUEUED,
    LIBVIRT_JOB_RUNNING,
    LIBVIRT_JOB_ENDED,
};

struct libvirt_job {
    const struct libvirt_job_ops *ops;
    bool apart; /* May last by nature (an open, an operation): takes no worker's place. */

    /* The pool's own. */
    struct libvirt_pool *pool;
    struct libvirt_job *next; /* In the queue, then in the mail. */
    enum libvirt_job_state state;
    bool worker; /* Counted among the workers. */
    bool written_off;
    bool cancelled;
    bool mailed;
    bool has_progress;
    struct actuator_progress progress;
};

enum libvirt_job_wait {
    LIBVIRT_JOB_ELAPSED,
    LIBVIRT_JOB_CANCELLED,
    LIBVIRT_JOB_ABANDONED, /* Nobody hears the result any more. */
};

/* A pool whose results arrive on 'loop'. */
struct libvirt_pool *libvirt_pool_new(struct loop *loop);

/* Writes every job off and gives the pool up: no job's function is called on the loop thread any more.
 * Jobs that hang keep what they need; whoever comes last frees the rest, a thread or a posted call that
 * is still on its way. */
void libvirt_pool_close(struct libvirt_pool *pool);

/* Starts 'job' as soon as there is room.  The pool's until its release().  Loop thread. */
void libvirt_pool_submit(struct libvirt_pool *pool, struct libvirt_job *job);

/* Gives 'job' up: done() is not called and the caller may not touch it again.  Loop thread. */
void libvirt_pool_write_off(struct libvirt_job *job);

/* Makes libvirt_pool_wait() in the job return CANCELLED, now and from now on.  Loop thread. */
void libvirt_pool_cancel(struct libvirt_job *job);

/* Waits 'delay_ms' or until the job is cancelled or given up, whichever comes first.  The job's
 * thread. */
enum libvirt_job_wait libvirt_pool_wait(struct libvirt_job *job, int64_t delay_ms);

/* The same without waiting. */
enum libvirt_job_wait libvirt_pool_ask(struct libvirt_job *job);

/* Reports progress; one not yet delivered is replaced.  The job's thread. */
void libvirt_pool_report(struct libvirt_job *job, const struct actuator_progress *progress);

/* Starts a detached thread (joinable when 'thread' is not NULL) that takes no signals, so that the
 * process's signals stay with its loop and a lost connection's SIGPIPE ends nobody.  0 or an errno. */
int libvirt_pool_thread(pthread_t *thread, void *(*run)(void *), void *context);

/* Monotonic milliseconds, for the job's thread (the loop's clock is the loop thread's). */
int64_t libvirt_pool_now_ms(void);
