/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Life: one controller on the four simulated seams, from its start until it ends or is killed.
 *
 * The journal and the actuator that the controller sees are mortal: they hand everything on to the real
 * ones, say so to whoever watches, and can kill the controller or fail on the way.  World (world.h) owns
 * what outlives a life; whoever wants to look or to meddle more closely than world.h allows gives hooks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/actuator.h"
#include "actuators/sim.h"
#include "base/loop.h"
#include "reconciler/journal/journal.h"
#include "reconciler/order.h"
#include "reconciler/source.h"
#include "reconciler/watch.h"
#include "world.h"

struct event;
struct op;
struct reconciler;

/* How the journal's disk does. */
enum life_disk {
    LIFE_DISK_GOOD,
    LIFE_DISK_FULL,         /* Batches are lost, and the controller is told. */
    LIFE_DISK_UNCLEAR_KEPT, /* A batch is kept, and nobody can tell. */
    LIFE_DISK_UNCLEAR_LOST, /* A batch is lost, and nobody can tell. */
};

struct life {
    struct world *world;
    struct loop *loop;
    struct reconciler *reconciler;
    enum world_kill kill;
    size_t at;
    bool over;
    bool has_called; /* It was killed just when it had asked a host for something. */
    enum life_disk disk;
    struct loop_timer end;
    struct loop_timer cancel;

    struct journal journal; /* Counts, and dies. */
    struct journal *real_journal;
    struct actuator actuator;
    struct actuator *real_actuator;
    struct source source;
    struct watch_listener listener; /* Of the source; all NULL while nobody has subscribed. */
};

/* Who looks on; each function may be NULL, and may end the life. */
struct life_hooks {
    void *context;
    void (*began)(void *context, struct life *life); /* Before the controller does anything. */
    void (*kept)(void *context, const struct journal_batch *batch); /* In the journal, just now. */
    void (*looks)(void *context, const char *host);                 /* Before the host is asked. */
    void (*starts)(void *context, const struct op *op);             /* Before the host is asked. */
    void (*told)(void *context, const struct event *event);
    void (*ran)(void *context); /* After each callback of the loop. */
};

/* Kills the controller, as SIGKILL does: nothing of it runs any more. */
void life_kill(struct life *life);

/* Asks it to end, as SIGTERM does. */
void life_end(struct life *life);

/* Gives it an order about 'name' as "somebody", and does not wait for what comes of it. */
void life_order(struct life *life, enum order_verb verb, const char *name);

/* Tells the controller that es.xml may have changed, if it listens. */
void life_notice_save(struct life *life);

/* Lets edit(context) look at the fleet, or meddle with it. */
void life_edit(struct life *life, sim_edit_fn *edit, void *context);
