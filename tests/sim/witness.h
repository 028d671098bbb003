/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Witness: looks at a controller's life after every callback and at everything it commits and begins, and
 * says what broke which promise.
 *
 * It shares no rule with the product: what takes room, who may move and what was intended is worked out
 * here from the fleet as it really is and from what was committed.  What people and bad luck do to the fleet
 * (mishap.h) is told to it, because a host that somebody else overfills is not the controller's doing, and
 * nobody can act on what happened while it looked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "cast.h"
#include "model/op.h"
#include "reconciler/journal/journal.h"

struct event;
struct life;
struct outfit;
struct play;
struct rescue;
struct sim_fleet;

#define WITNESS_MOVES 32
#define WITNESS_HOLDS 64

/* A move that is open in the journal. */
struct witness_move {
    struct journal_key key; /* seq 0 = none. */
    uint32_t guest;
    uint32_t from;
    uint32_t to;
    enum move_mode mode;
    bool by_hand; /* A person takes its steps. */
};

struct witness_hold {
    enum journal_scope scope;
    char name[16];
};

/* A file that was in order, and what it wanted. */
struct witness_revision {
    struct witness_revision *next;
    char digest[DIGEST_TEXT_SIZE];
    struct cast cast;
};

struct witness {
    struct arena *arena;
    const struct cast *cast; /* As the file is now. */
    const struct policy *policy;
    const struct outfit *outfit;
    struct rescue *rescue;
    struct life *life; /* NULL between lives. */
    int64_t life_began_ms;
    int64_t now_ms; /* Of the play. */

    uint64_t allowed_kib[CAST_HOSTS];
    uint64_t regained_kib
        [CAST_HOSTS]; /* By guests that are off and count since they have autostart again, or a start is owed. */
    int64_t disturbed_ms[CAST_HOSTS]; /* When somebody else last changed what is there. */
    int64_t asked_ms[CAST_HOSTS];     /* When it was last asked what is there, ... */
    int64_t known_ms[CAST_HOSTS]; /* ... and when what the pass that plans now knows; -1 = never. */

    struct witness_revision *revisions; /* The newest first. */
    bool in_order;                      /* The file is. */
    int64_t saved_ms;                   /* Since when it is as it is. */

    struct witness_move moves[WITNESS_MOVES];
    uint64_t last_seq; /* Of the moves that have begun. */
    struct witness_hold holds[WITNESS_HOLDS];
    size_t hold_count;

    bool owed[CAST_GUESTS];          /* A start. */
    bool early[CAST_GUESTS];         /* Because of an early stop. */
    bool migrating[CAST_GUESTS];     /* By a migration that a controller has begun. */
    bool stopping[CAST_GUESTS];      /* A controller has asked it to shut down. */
    bool down[CAST_GUESTS];          /* It did, and has not run since. */
    bool gone[CAST_GUESTS];          /* Somebody else has deleted it. */
    bool meddled[CAST_GUESTS];       /* Somebody else has touched it. */
    bool turned[CAST_GUESTS];        /* A move of it has ended without it on its target. */
    char strangers[CAST_GUESTS][32]; /* Where each is, and how. */

    size_t moves_begun; /* Of the whole play, as the others. */
    size_t operations;
    size_t checks;
    char blame[512]; /* The first broken promise; "" = none. */
};

/* Looks at 'play', of which it is a part, from now on. */
void witness_init(struct witness *witness, struct play *play);

/* Notes a broken promise, the first one only. */
void witness_blame(struct witness *witness, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The file was saved: it holds 'es_xml' (NULL = gone), which is in order or not. */
void witness_save(struct witness *witness, const char *es_xml, bool in_order);

/* Somebody else does something to 'guest' now. */
void witness_meddle(struct witness *witness, uint32_t guest);

/* Somebody else has done something to the fleet, just now. */
void witness_disturb(struct witness *witness, const struct sim_fleet *fleet);

/* What life.h's hooks are for. */
void witness_begin(struct witness *witness, struct life *life);
void witness_keep(struct witness *witness, const struct journal_batch *batch);
void witness_look(struct witness *witness, const char *host);
void witness_start(struct witness *witness, const struct op *op);
void witness_hear(struct witness *witness, const struct event *event);
void witness_check(struct witness *witness, struct sim_fleet *fleet);

/* Memory that is taken on a host, charged as docs/planner.md says. */
uint64_t witness_charge_kib(const struct witness *witness, const struct sim_fleet *fleet,
                            uint32_t host);

/* True if somebody holds the guest, the host 'at' or 'goal' (CAST_NOBODY = none), or the fleet. */
bool witness_is_held(const struct witness *witness, uint32_t guest, uint32_t at, uint32_t goal);

/* The open move of a guest, or NULL. */
const struct witness_move *witness_move_of(const struct witness *witness, uint32_t guest);
