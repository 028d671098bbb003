/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rescue: guests of silent hosts that people of a play (play.h) have started elsewhere by force, and what the
 * witness knows of that: who was asked for, what dead hosts keep, whose fence was lifted.
 *
 * People are careful: they vouch for the death of a host that has no power, give a fenced host its power back
 * only after they have removed the autostart links that Berth told them of, and let a forced move end first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/sim_fleet.h"
#include "cast.h"
#include "reconciler/journal/journal.h"

struct mishap;
struct op;
struct play;
struct witness;
struct witness_move;

#define RESCUE_ASKED 64

struct rescue_request {
    uint32_t guest;
    uint32_t to;
};

/* What a host that was dead keeps of a guest that runs elsewhere since, or is to get back. */
struct rescue_leftover {
    bool open;
    bool kept; /* And not lacked. */
    enum journal_protection protection;
};

struct rescue {
    struct rescue_request asked[RESCUE_ASKED];
    size_t asked_count;
    struct rescue_leftover left[CAST_GUESTS][CAST_HOSTS];
    int64_t begun_ms[CAST_GUESTS]; /* The last forced move. */
    bool cleaned[CAST_GUESTS];     /* A person has taken its autostart away. */
    size_t moved;                  /* Forced moves that brought their guest where it was to be. */
};

/* MISHAP_FORCE: one guest of a silent host is to run elsewhere; MISHAP_EVACUATE: all that find room. */
void rescue_ask(struct play *play, const struct mishap *mishap);

/* MISHAP_LIFT: a person gives a host that was fenced its power back, unless a forced move is under way. */
void rescue_lift(struct play *play, const struct mishap *mishap);

/* The same in the middle of whatever is under way. */
void rescue_lift_host(struct rescue *rescue, const struct witness *witness, struct sim_fleet *fleet,
                      struct sim_host *host);

/* True if a forced move of the guest is open. */
bool rescue_is_under_way(const struct witness *witness, uint32_t guest);

/* True if 'found' is shut off, and only what 'host' keeps of it since it was dead. */
bool rescue_is_left_off(const struct rescue *rescue, uint32_t guest, uint32_t host,
                        const struct sim_guest *found);

/* Blames a forced move that nobody asked for. */
void rescue_open(struct rescue *rescue, struct witness *witness, const struct witness_move *move);

/* Notes a record that was committed, and blames a forced move that ended without its guest where it says. */
void rescue_keep(struct rescue *rescue, struct witness *witness,
                 const struct journal_record *record);

/* True if 'op' removes what a dead host has kept, or gives back what it lacks, as the journal knows. */
bool rescue_is_sweep(const struct rescue *rescue, const struct cast *cast, const struct op *op);

/* Blames what is still kept at rest. */
void rescue_judge(const struct rescue *rescue, struct witness *witness);
