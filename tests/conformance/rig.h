/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rig: a world, an actuator on it, and everything that the actuator reported, in order.
 *
 * Waiting is by the loop alone, so the same case runs on a clock of its own and in real time.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/actuator.h"
#include "base/arena.h"
#include "base/base.h"
#include "model/check.h"
#include "model/observed.h"
#include "model/op.h"
#include "tests/conformance/world.h"

#define RIG_DONE_MAX     64
#define RIG_NOTICE_MAX   256
#define RIG_PROGRESS_MAX 1024

struct rig_done {
    uint64_t ticket;
    int status;
    struct err err;
    struct actuator_stats stats;
    struct observed_host host; /* Of an observation; in the rig's arena. */
    struct check_list checks;  /* Of a preflight; likewise. */
    uint32_t present[2];       /* Likewise, as the next. */
    uint32_t known[2];
    struct supply_list supplies; /* Likewise. */
    const char *note;            /* In the rig's arena, or NULL. */
};

struct rig_notice {
    enum actuator_notice_kind kind;
    char host[32];
    char guest[64]; /* "" = of the host as a whole. */
};

struct rig {
    struct world *world;
    struct loop *loop;
    struct actuator *actuator;
    struct arena arena;
    pthread_t thread;
    bool calling; /* Inside a call of the actuator. */
    uint64_t ticket;
    struct rig_done done[RIG_DONE_MAX];
    size_t done_count;
    struct actuator_progress progress[RIG_PROGRESS_MAX];
    size_t progress_count;
    struct rig_notice notices[RIG_NOTICE_MAX];
    size_t notice_count;
    const struct rig_notice *wanted_notice; /* That somebody waits for, or NULL. */
    size_t wanted; /* Completions, and progress, that somebody waits for. */
    size_t wanted_progress;
    char guest[64]; /* The guest of the test; "" if it has none. */
    char volume[64];
    const char *uuid;
    const char *xml;
};

/* A rig whose guest of 'kind' is on kvm1; with 'disk', on a volume that both hosts have. */
struct rig *rig_open(enum world_kind kind, bool disk);

/* The same with a volume that kvm1 alone has. */
struct rig *rig_open_with_lone_disk(enum world_kind kind);

/* A rig without a guest. */
struct rig *rig_open_empty(void);
void rig_close(struct rig *rig);
AUTO_POINTER(rig, struct rig, rig_close);

/* A name no other test of this run uses. */
const char *rig_new_name(struct rig *rig);

/* Closes the actuator and opens another on the same fleet. */
void rig_reopen(struct rig *rig);

/* Begins; returns the ticket.  Fails the test if anything is reported from inside the call. */
uint64_t rig_observe(struct rig *rig, const char *host, int64_t deadline_ms);
uint64_t rig_start(struct rig *rig, const struct op *op);
void rig_cancel(struct rig *rig, uint64_t ticket);

/* Runs the loop until 'count' completions, or reports of progress, are there in all. */
void rig_wait(struct rig *rig, size_t count);
void rig_wait_progress(struct rig *rig, size_t count);

/* Runs the loop until a report is of the 'pass'-th pass over the guest's memory, or of a later one. */
void rig_wait_pass(struct rig *rig, uint64_t pass);

/* Watches these hosts, either of which may be NULL. */
void rig_watch(struct rig *rig, const char *first, const char *second);

/* Watches both hosts and waits until both are heard; then forgets the notices of that. */
void rig_watch_all(struct rig *rig);

/* Runs the loop until a notice of 'kind' is there, of 'guest' on 'host' or of the host as a whole. */
void rig_await_notice(struct rig *rig, enum actuator_notice_kind kind, const char *host,
                      const char *guest);

/* How many notices of 'kind' there are of 'host' and any guest. */
size_t rig_count_notices(const struct rig *rig, enum actuator_notice_kind kind, const char *host);

/* Descriptors that this process has open. */
size_t rig_count_descriptors(void);

/* Runs the loop for 'ms'. */
void rig_pass(struct rig *rig, int64_t ms);

/* The one completion of 'ticket'. */
const struct rig_done *rig_result(const struct rig *rig, uint64_t ticket);

/* An operation on the rig's guest, on kvm1 and towards kvm2. */
struct op rig_op(const struct rig *rig, enum op_kind kind);

/* Does 'op' to its end, which must be a success, or a failure with 'code'. */
const struct rig_done *rig_succeed(struct rig *rig, const struct op *op);
const struct rig_done *rig_fail(struct rig *rig, const struct op *op, enum err_code code);

/* The first of its checks that is of 'kind', or NULL. */
const struct check *rig_check(const struct rig_done *done, enum check_kind kind);

/* What 'host' says now; it must answer. */
const struct observed_host *rig_look(struct rig *rig, const char *host);

/* Looks until 'host' answers. */
void rig_await_answer(struct rig *rig, const char *host);

/* The rig's guest on 'host' now, or NULL. */
const struct observed_guest *rig_guest(struct rig *rig, const char *host);

/* The guest is on 'host' in 'state' and not on the other. */
void rig_assert_only_on(struct rig *rig, const char *host, enum guest_state state);
