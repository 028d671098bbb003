/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * World: a whole controller on the simulated seams, in one process and on a clock that only the test
 * moves: fleet, loop, journal and file source.  It can be killed at any journal commit and at any call
 * of the actuator, and started again on what it left behind.
 *
 * After every event the invariants of the product are checked: no guest runs twice, none is lost, no
 * host holds more memory than it has.
 */

#include <stdbool.h>
#include <stddef.h>

#include "actuators/sim.h"
#include "base/arena.h"
#include "reconciler/config.h"
#include "reconciler/journal/journal.h"
#include "reconciler/reconciler.h"

#define WORLD_HOSTS 3

struct life_hooks;

enum world_kill {
    WORLD_KILL_NEVER,
    WORLD_KILL_BEFORE_COMMIT, /* The batch is lost. */
    WORLD_KILL_AFTER_COMMIT,  /* The batch is kept, nobody is told. */
    WORLD_KILL_BEFORE_CALL,   /* The operation is never begun. */
    WORLD_KILL_AFTER_CALL,    /* The operation is begun. */
    WORLD_FAIL_COMMIT,        /* Nobody is killed: from here on the journal's disk is full. */
};

struct world_guest {
    const char *name;
    const char *host;   /* Where it is at first. */
    const char *wanted; /* Where the file wants it. */
    const char *state;  /* "running", "shutoff", "paused", "incoming". */
    unsigned memory_mib;
    bool autostart;
    bool deaf;
    const char *more; /* More members of its JSON, ",..." or NULL. */
};

/* What somebody does to es.xml while a controller lives. */
struct world_edit {
    int64_t at_ms;      /* After the start of the life. */
    const char *es_xml; /* The whole file from then on; NULL = there is none. */
    bool unnoticed;     /* Nobody tells the controller. */
    int64_t jump_ms;    /* The wall clock jumps just before. */
};

struct world {
    struct arena arena;
    char state_dir[96];
    struct config config;
    char *fleet;                    /* JSON of the simulated fleet, between lives. */
    const char *es_xml;             /* NULL = there is none. */
    const struct world_edit *edits; /* During the next life; the caller keeps them. */
    size_t edit_count;
    const struct life_hooks *hooks; /* Of lives to come (life.h); NULL = nobody looks on. */
    int64_t wall_ms;
    size_t
        cancel_at_commit; /* A person says stop right after this commit was asked for; 0 = never. */
    size_t cancel_at_call;   /* The same with a call of the actuator, ... */
    int64_t cancel_after_ms; /* ... so long after it. */
    size_t spoil_at_commit;  /* es.xml is no XML any more from this commit on; 0 = never. */
    int64_t
        follow_ms; /* Lives follow the file for so long, then are told to end; 0 = they do not. */
    const char *only; /* Of reconciler_options, as the next three. */
    const char *step;
    bool rest;
    bool back;
    size_t host_count;
    size_t guest_count;

    size_t commits; /* Of the last life. */
    size_t calls;
    size_t calls_at_cancel;
    bool killed;                     /* The last life was. */
    struct reconciler_result result; /* Of the last life, if it was not. */
    size_t moves_begun;
    size_t plans; /* Plans made in the last life, and the first of them. */
    size_t first_plan_moves;
    size_t first_plan_detours;
    size_t steps_failed;
    size_t reads;       /* Of the file, in the last life. */
    size_t faults_told; /* Faulty or unreadable files told, and ends of that. */
    size_t valid_told;
    int64_t first_move_ms; /* When the first move began, after the start of the life. */
    size_t starts;         /* Of guests, asked of the actuator. */
    size_t alarms;
    char last_alarm[512];
    char last_text[256]; /* Of the last move that ended other than done, or alarm. */
};

/* Makes and removes the folder that all state directories of this program live in: a test that fails in a
 * process of its own leaves nothing behind.  Before and after all tests. */
void world_set_up(void);
void world_tear_down(void);

/* A fleet kvm1..kvm3 of 'memory_mib' each with these guests, its faults as JSON ("" = none), and an
 * es.xml that wants them where they are wanted. */
void world_init(struct world *world, unsigned memory_mib, const struct world_guest *guests,
                size_t count, const char *faults);

/* The same with 'host_count' hosts of their own memory, nine at most. */
void world_init_hosts(struct world *world, const unsigned *memory_mib, size_t host_count,
                      const struct world_guest *guests, size_t count, const char *faults);

/* Lets a controller live: until it is done, or is killed at the 'at'-th commit or call (from 1). */
void world_live(struct world *world, enum world_kill kill, size_t at);

/* Edits es.xml: 'guest' belongs to 'host' from now on. */
void world_want(struct world *world, const struct world_guest *guests, size_t count);

/* Adds 'guest', which is the 'index'-th of the test's guests, to its host: behind the controller's back. */
void world_add(struct world *world, const struct world_guest *guest, size_t index);

/* Takes away the first 'guest' there is, with its definition: behind the controller's back. */
void world_remove(struct world *world, const char *guest);

/* Saves es.xml anew with the same placements: another revision. */
void world_touch(struct world *world);

/* Lets edit(context) meddle with the fleet while no controller lives. */
void world_edit(struct world *world, sim_edit_fn *edit, void *context);

/* Freezes or thaws the libvirtd of 'host': its guests run on, it answers nobody. */
void world_freeze(struct world *world, const char *host, bool frozen);

/* The same for any power. */
void world_power(struct world *world, const char *host, enum sim_power power);

/* Lets 'ms' pass with no controller alive. */
void world_wait(struct world *world, int64_t ms);

/* The running 'guest' shuts itself down while no controller lives. */
void world_turn_off(struct world *world, const char *guest);

/* The state of 'guest' on 'host' as the fleet has it: "absent", "running", "shutoff", "paused", ... */
const char *world_state(struct world *world, const char *guest, const char *host);

/* Fails unless that is 'state'. */
void world_assert_is(struct world *world, const char *guest, const char *host, const char *state);

/* The first host on which 'guest' runs, or NULL. */
const char *world_runs_on(struct world *world, const char *guest);

/* True if 'guest' has autostart on 'host'. */
bool world_has_autostart(struct world *world, const char *guest, const char *host);

/* The journal's moves, newest last, and its open moves, owed starts and holds. */
size_t world_moves(struct world *world, struct journal_move **moves);
size_t world_open_moves(struct world *world);
size_t world_owed(struct world *world);
size_t world_holds(struct world *world);

/* How many revisions of es.xml the journal has. */
size_t world_revisions(struct world *world);

/* Spoils every object that the journal names by its digest. */
void world_damage_objects(struct world *world);

/* Releases everything. */
void world_deinit(struct world *world);
