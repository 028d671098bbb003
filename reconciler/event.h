/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Events: what the controller tells whoever watches it, the terminal of 'berth apply' or the log of
 * berthd.  Values are valid during the call.  Loop thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "actuators/actuator.h"
#include "model/op.h"

struct drift_item;
struct err;
struct faults;
struct journal_move;
struct observed;
struct order;
struct plan;

enum event_kind {
    EVENT_FAULTS,      /* es.xml is not acted on: 'faults' or 'err'. */
    EVENT_FILE_VALID,  /* es.xml is in order again. */
    EVENT_FILE_POLLED, /* 'err': its changes are noticed late, because it has to be polled. */
    EVENT_FOLLOWING, /* The run has begun: changes of the file and the hosts are noticed from now on. */
    EVENT_CONFIG_FAULTS,  /* berth.conf was read anew and is not acted on: 'faults' or 'err'. */
    EVENT_CONFIG_RESTART, /* 'text': what of it takes effect with a restart only. */
    EVENT_CONFIG_TAKEN,   /* It is in force. */
    EVENT_OBSERVED,       /* 'observed': every host has been looked at. */
    EVENT_NO_LOCKS, /* 'text': hosts where no lock manager keeps a guest from being started twice; once a run. */
    EVENT_PASS,         /* A pass has decided what to do; 'elapsed_ms' since it began. */
    EVENT_PLAN,         /* 'plan': a fresh plan is followed from now on. */
    EVENT_MOVE_BEGIN,   /* 'move', 'number' of 'total'. */
    EVENT_MOVE_RESUME,  /* 'move': left open by an earlier run. */
    EVENT_STEP_BEGIN,   /* 'move', 'op', 'host'. */
    EVENT_STEP_END,     /* The same, and 'err' or NULL; 'elapsed_ms', 'note' or NULL. */
    EVENT_STEP_SKIPPED, /* 'guest', 'step': there is nothing to do in it; 'text'. */
    EVENT_STEP_REFUSED, /* 'guest', 'step', which a person asked for: why it may not be taken, 'text'. */
    EVENT_PROGRESS,   /* 'move', 'progress'. */
    EVENT_FORECAST,   /* 'move': its predicted_ms is known now; 'text'. */
    EVENT_MOVE_END,   /* 'move' with its outcome; 'err' or NULL; 'elapsed_ms'. */
    EVENT_MOVE_STUCK, /* 'move', 'text': stays open, guest held. */
    EVENT_RETRY,      /* 'guest', 'text', 'wait_ms' (-1 = parked). */
    EVENT_ALARM,      /* 'guest' or NULL, 'text': a person must look, now. */
    EVENT_DRIFT,      /* 'drift': what differs though the file did not change, noticed just now. */
    EVENT_DRIFT_OVER, /* 'drift': differs no longer. */
    EVENT_ORDER,      /* 'order': a person's, carried out. */
    EVENT_RELEASE, /* 'host' was told to start what its guard held, 'guest' or all; 'err' or NULL. */
    EVENT_SWEPT,   /* 'guest', 'host', 'text': what a dead host had kept of it is gone there. */
    EVENT_JOURNAL_LOST, /* 'err': the journal cannot be written; acting stops. */
};

struct event {
    enum event_kind kind;
    const struct faults *faults;
    const struct observed *observed;
    const struct plan *plan;
    const struct journal_move *move;
    const struct actuator_progress *progress;
    const struct drift_item *drift;
    const struct order *order;
    const struct err *err;
    const char *guest;
    const char *host;
    const char *text;
    const char *step; /* The procedure's name for the step ("STOP_GUEST"), or NULL. */
    const char *note; /* Why it had less to do than it could have. */
    enum op_kind op;
    enum supply_kind supply; /* Of PROVIDE and WITHDRAW. */
    size_t number;
    size_t total;
    int64_t elapsed_ms;
    int64_t wait_ms;
};

struct event_sink {
    void *context;
    void (*emit)(void *context, const struct event *event);
};

/* Hands 'event' to 'sink'. */
static inline void event_emit(const struct event_sink *sink, const struct event *event)
{
    sink->emit(sink->context, event);
}
