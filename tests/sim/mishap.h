/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Mishap: one thing that people or bad luck do around a controller: to es.xml, to the fleet behind its back, to
 * the hosts, the clock, the disk, the controller itself; and what a person asks of it.
 *
 * Mishaps are drawn before the play, each for itself, so that a play without some of them is the same play
 * otherwise.  One that is not possible when its time comes does not happen.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/sim_fleet.h"
#include "tests/unit/dice.h"

struct cast;
struct play;
struct text;

enum mishap_kind {
    MISHAP_PLACE,   /* The file wants 'guest' on 'host'. */
    MISHAP_SWAP,    /* It wants 'guest' and another one to change places. */
    MISHAP_LIST,    /* It names 'guest', or does not any more. */
    MISHAP_BREAK,   /* It is not in order, or gone; 'number' says how. */
    MISHAP_SAVE,    /* It is saved as it should be, as a new revision if 'number' is odd. */
    MISHAP_ORDER,   /* A person asks for something. */
    MISHAP_CARRY,   /* Somebody moves 'guest' to 'host' in no time. */
    MISHAP_MIGRATE, /* Somebody migrates 'guest' to 'host', which takes 'ms'. */
    MISHAP_STOP,    /* Somebody shuts 'guest' down, ... */
    MISHAP_START,   /* ... or starts it. */
    MISHAP_COPY,    /* Somebody defines 'guest' on 'host' too. */
    MISHAP_DELETE,  /* Somebody deletes 'guest'. */
    MISHAP_RESIZE,  /* Somebody gives 'guest' more memory at its next start. */
    MISHAP_HALF, /* Half of 'guest' shows where a move was to bring it, and nobody goes on with it. */
    MISHAP_FREEZE,   /* The libvirtd of 'host' stands still, ... */
    MISHAP_CUT,      /* ... or it loses its power, ... */
    MISHAP_WELL,     /* ... until this. */
    MISHAP_FAULT,    /* Operations, looks or notices go wrong as 'fault' says. */
    MISHAP_DISK,     /* The journal cannot be written; 'number' says how, 0 = it can again. */
    MISHAP_JUMP,     /* The controller's clock jumps by 'ms'. */
    MISHAP_KILL,     /* The controller is killed, ... */
    MISHAP_END,      /* ... or asked to end. */
    MISHAP_FORCE,    /* A guest of 'host', which is silent, is to run elsewhere, ... */
    MISHAP_EVACUATE, /* ... or all that find room. */
    MISHAP_LIFT,     /* 'host', whose power its fence took, gets it back. */
    MISHAP_HAND, /* The controller is asked to end, and a person takes steps of a move of 'guest' to 'host'. */
    MISHAP_KINDS,
};

struct mishap {
    int64_t at_ms; /* After the beginning of the play. */
    enum mishap_kind kind;
    uint32_t guest;
    uint32_t host;
    uint32_t number;
    int64_t ms;
    bool unnoticed; /* Nobody tells the controller of the save. */
    struct sim_fault fault;
};

/* Draws what happens within 'length_ms', but for disasters (disaster.h), sorted, in the cast's arena. */
struct mishap *mishap_draw(const struct cast *cast, struct dice *dice, int64_t length_ms,
                           size_t *count);

/* Sorts by the instant; who comes first at one stays so. */
void mishap_sort(struct mishap *mishaps, size_t count);

/* Lets it happen. */
void mishap_happen(struct play *play, const struct mishap *mishap);

/* Undoes what lasts: hosts and disk are well again, scripted faults are forgotten, the file is in order. */
void mishap_end_all(struct play *play);

/* Appends what it is. */
void mishap_print(struct text *text, const struct cast *cast, const struct mishap *mishap);
