/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Actuator: the one seam between decisions and the world (R3).
 *
 * Contract, checked for every implementation by tests/conformance:
 *   - observe() and start() return at once; each yields exactly one completion with its ticket.
 *   - Completions, progress and notices arrive on the loop thread, never from inside another call of
 *     the seam.
 *   - observe() of a host completes by its deadline, whatever the host does: an answer that is late
 *     is an answer of 'unreachable', never of 'empty'.
 *   - At most one operation a guest is under way at a time (the caller's duty).
 *   - start() copies what it needs: 'op' and its strings may go after the call.
 *   - start() of an operation whose effect already holds succeeds.
 *   - cancel() is advice: the completion still arrives and says what really happened.  Only MIGRATE,
 *     ADOPT and STOP can be cancelled; STOP cannot take a shutdown request back, only stop waiting.
 *   - A notice says 'look again' and is never a fact to act on: it may be lost, come twice, late or out
 *     of order, and what it tells of may be over.  Whoever needs to know looks, now and then without any.
 *   - No notice tells of a host that is not watched.
 *   - close() may be called with operations under way and hosts watched; nothing is reported after it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/supply.h"

struct actuator;
struct check_list;
struct observed_host;
struct op;

/* Final figures of a live migration; a member that the host did not report is 0. */
struct actuator_stats {
    int64_t total_ms;
    int64_t downtime_ms;
    uint64_t bytes;
    uint64_t iterations;
    uint32_t throttle_percent; /* The most that the guest was slowed down by. */
    bool postcopy;             /* It was finished by post-copy. */
};

struct actuator_completion {
    uint64_t ticket;
    int status; /* 0, or -1 with 'err' filled. */
    struct err err;
    const struct observed_host
        *observed;               /* Of observe(); valid during the call.  Also when status is
                                             -1: the host's name, reachable = false and the error. */
    struct actuator_stats stats; /* Of MIGRATE and ADOPT. */
    const struct check_list
        *checks; /* Of PREFLIGHT, passed or not: everything that was looked at; NULL
                                        if it was not come to that.  Valid during the call. */
    uint32_t present
        [2]; /* Of PREFLIGHT: kinds of its supplies that are all there, on the source and on the
                            target; of those that it could find out, 'known' (SUPPLY_BIT).  Of PROVIDE,
                            the first: its kind, if all of it was there before. */
    uint32_t known[2];
    struct supply_list
        supplies; /* Of PREFLIGHT that succeeded on two hosts: those of the operation, with
                                    what is behind them on the source; or none.  Valid during the call. */
    const char
        *note; /* Of PROVIDE and WITHDRAW that had less to do than asked: why ("already there",
                         "kept: used by 'g2'"); of MIGRATE and ADOPT that succeeded all the same:
                         what did not ("QEMU on 'kvm2' did not announce ..."); or NULL.  Valid
                         during the call. */
};

enum actuator_phase {
    ACTUATOR_PHASE_SETUP,
    ACTUATOR_PHASE_MEMORY,
    ACTUATOR_PHASE_POSTCOPY, /* It runs at the target, the rest of its memory follows: no way back. */
    ACTUATOR_PHASE_SWITCHOVER,
    ACTUATOR_PHASE_CLEANUP,
    ACTUATOR_PHASE_WAIT, /* STOP: waiting for the guest to shut down. */
};

/* As the host reports it: raw, may run backwards (whoever shows it makes it monotone). */
struct actuator_progress {
    uint64_t ticket;
    enum actuator_phase phase;
    int64_t elapsed_ms;
    uint64_t total_bytes;
    uint64_t remaining_bytes;
    uint64_t processed_bytes;
    uint64_t rate_bytes_s;
    uint64_t dirty_bytes_s;
    uint64_t iteration;
    uint32_t throttle_percent; /* By how much the guest is slowed down now. */
    bool has_written;          /* 'written_bytes_s' is known. */
    uint64_t written_bytes_s;  /* What the guest wrote as the migration began. */
};

/* What may have changed on a watched host, the weightier the later: of notices that are merged the last
 * in this list stays. */
enum actuator_notice_kind {
    ACTUATOR_NOTICE_ITERATION, /* A migration away from here begins a pass over the guest's memory. */
    ACTUATOR_NOTICE_JOB_ENDED, /* A job is over; a migration that was given up is told at its target. */
    ACTUATOR_NOTICE_LIFECYCLE, /* Defined, started, paused, stopped, arrived, gone ... */
    ACTUATOR_NOTICE_MANY,      /* More guests than are told one by one. */
    ACTUATOR_NOTICE_LINK_DOWN, /* The host is not heard any more; it is being tried again. */
    ACTUATOR_NOTICE_LINK_UP,   /* It is heard from now on; what happened before was not told. */
};

/* 'guest' is its name as the host gives it, of any shape; NULL of the last three kinds, which are of the
 * host as a whole. */
struct actuator_notice {
    enum actuator_notice_kind kind;
    const char *host;
    const char *guest;
};

/* Where an actuator reports to; functions run on the loop thread. */
struct actuator_sink {
    void *context;
    void (*done)(void *context, const struct actuator_completion *completion);
    void (*progress)(void *context, const struct actuator_progress *progress); /* May be NULL. */
    void (*notice)(void *context, const struct actuator_notice *notice);       /* May be NULL. */
};

struct actuator_ops {
    const char *name;
    void (*observe)(struct actuator *self, const char *host, int64_t deadline_ms, uint64_t ticket);
    void (*start)(struct actuator *self, const struct op *op, uint64_t ticket);
    void (*cancel)(struct actuator *self, uint64_t ticket);
    void (*watch)(struct actuator *self, const char *const *hosts, size_t count);
    void (*close)(struct actuator *self);
};

struct actuator {
    const struct actuator_ops *ops;
    struct actuator_sink sink; /* Set by the user before the first call. */
};

/* Looks at 'host'; the answer arrives within 'deadline_ms' from now. */
static inline void actuator_observe(struct actuator *actuator, const char *host,
                                    int64_t deadline_ms, uint64_t ticket)
{
    actuator->ops->observe(actuator, host, deadline_ms, ticket);
}

/* Begins 'op'; it has no deadline of its own but what 'op' says: whoever waits cancels. */
static inline void actuator_start(struct actuator *actuator, const struct op *op, uint64_t ticket)
{
    actuator->ops->start(actuator, op, ticket);
}

/* Asks the operation behind 'ticket' to end early. */
static inline void actuator_cancel(struct actuator *actuator, uint64_t ticket)
{
    actuator->ops->cancel(actuator, ticket);
}

/* Keeps an ear on exactly these hosts from now on, and gives notices of what changes there; the set is
 * copied and replaces the one before.  A host that was watched already stays so without a gap; one that
 * no longer is among them is let go at once, and one that nobody knows is passed over.  A link that is
 * lost is made again with growing, uneven pauses for as long as the host is watched. */
static inline void actuator_watch(struct actuator *actuator, const char *const *hosts, size_t count)
{
    actuator->ops->watch(actuator, hosts, count);
}

/* Ends the actuator and releases it. */
static inline void actuator_close(struct actuator *actuator)
{
    actuator->ops->close(actuator);
}
