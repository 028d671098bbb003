/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State: what becomes of a file that a guest keeps of itself on its host (SUPPLY_STATE), when it moves to another.
 *
 * The guest is off meanwhile, and one host has the file under its name.  It is copied to the target; then the
 * source puts its own aside, under another name, and what has been put aside is never deleted.  So that no older
 * file ever takes the place of a newer one, and nothing that is not the move's is touched, every operation
 * decides by what it finds on both hosts, whatever was begun before.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

struct arena;

/* What is found, here being the host where the operation is done, and there the move's other host. */
struct state_sight {
    bool here; /* In its place. */
    bool there;
    bool same;       /* If it is on both, its contents. */
    bool here_aside; /* Put aside by this move. */
    bool there_aside;
    bool aside_same; /* If both have put it aside, its contents. */
};

enum state_act {
    STATE_DONE,       /* There is nothing to do. */
    STATE_COPY,       /* From the other host. */
    STATE_COPY_ASIDE, /* From what the other host has put aside. */
    STATE_RESTORE,    /* What was put aside here comes back. */
    STATE_PUT_ASIDE,
    STATE_KEEP,     /* It is not what this move has brought: it stays, and that is success. */
    STATE_FOREIGN,  /* Refused: there is another file in its place here. */
    STATE_LOST,     /* Refused: neither host has it. */
    STATE_UNCOPIED, /* Refused: the other host has no copy, or it is another by now. */
};

/* What PROVIDE has to do; 'back': on the way back to the source (struct op). */
enum state_act state_provide(const struct state_sight *sight, bool back);

/* What WITHDRAW has to do. */
enum state_act state_withdraw(const struct state_sight *sight, bool back);

/* True if the file that PROVIDE would bring here is the guest's for certain, as the other host has it or this move
 * had it; else it has never been started there. */
bool state_is_known(const struct state_sight *sight);

/* Whether what PROVIDE and WITHDRAW would do depends on state_sight.same, or .aside_same. */
bool state_compares(const struct state_sight *sight);
bool state_compares_aside(const struct state_sight *sight);

/* What 'path' is called when the move that began at 'begun_ms' (wall clock) has put it aside. */
const char *state_aside(struct arena *arena, const char *path, int64_t begun_ms);

/* What it is called while that move writes it. */
const char *state_coming(struct arena *arena, const char *path, int64_t begun_ms);
