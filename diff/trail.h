/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Trail: the steps made on a fleet so far, and the way back.
 *
 * Every search of the planner tries steps here, looks at what came of them and takes them back or keeps
 * them.  Knows who is away from where the file puts it, sorted by target, and what each step costs; the
 * rules of who may go where are asked here too, so that no search can forget one.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct compat;
struct fleet;
struct room;

struct trail_step {
    uint32_t guest;
    uint32_t from;
    uint32_t to;   /* A stop's: where the guest belongs. */
    bool stop;     /* It is stopped where it is, and moved by a later step. */
    bool resumes;  /* It was stopped before. */
    bool relieves; /* It brings the source under its limit. */
};

/* What the steps come to, in the order of planner.md's objective. */
struct trail_cost {
    size_t left; /* Guests that are away from where the file puts them. */
    size_t interruptions;
    size_t steps;
    uint64_t moved_kib;
    uint64_t relief; /* Sum of the numbers of the steps that brought a host under its limit. */
};

struct trail {
    struct arena *arena;
    struct fleet *fleet;
    struct compat *compat;
    struct room *room; /* Kept up to date if there is one. */
    struct trail_step *steps;
    size_t count;
    size_t capacity;
    uint32_t *first; /* By host: the guests that are away from it, the largest first. */
    uint32_t *next;  /* By guest. */
    uint32_t *previous;
    uint64_t *inbound; /* By account: what they take together, KiB. */
    size_t left;
    size_t astray; /* Guests left that have moved or were stopped: they must not stay so. */
    size_t interruptions;
    uint64_t moved_kib;
    uint64_t relief;
};

/* A trail of no steps.  'compat' judges hops that were not judged before. */
struct trail trail_new(struct arena *arena, struct fleet *fleet, struct compat *compat);

/* Enters the guests of the fleet that wait and are not hopeless. */
void trail_load(struct trail *trail);

/* True if the guest may go to 'host' now: there is room, the host takes guests, no rival is there, and
 * it can run there.  To another host than its own it may go only where it can come home from. */
bool trail_may_enter(const struct trail *trail, uint32_t guest, uint32_t host);

/* True if the guest may be stopped now to free its room. */
bool trail_may_stop(const struct trail *trail, uint32_t guest);

/* Make one step, which the caller knows to be allowed. */
void trail_move(struct trail *trail, uint32_t guest, uint32_t to);
void trail_stop(struct trail *trail, uint32_t guest);

/* Makes the step again that another trail, or this one, has made before. */
void trail_make(struct trail *trail, const struct trail_step *step);

/* Takes steps back, the last first, until 'count' are left. */
void trail_undo(struct trail *trail, size_t count);

/* What the trail costs as it is. */
struct trail_cost trail_cost(const struct trail *trail);

/* True if 'a' is better than 'b'. */
bool trail_is_better(const struct trail_cost *a, const struct trail_cost *b);
