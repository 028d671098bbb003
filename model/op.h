/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Operations: the only verbs the system knows (R2).
 *
 * The core decides on them, the journal stores them, actuators carry them out.  This header is the
 * waist between those three; none of them includes another.  Every operation is idempotent: one whose
 * effect already holds succeeds.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/supply.h"

struct arena;
struct profile;

/* How a guest gets from one host to another (contract.md §5, "mode"). */
enum move_mode {
    MOVE_LIVE,    /* Running, keeps running. */
    MOVE_OFFLINE, /* Stopped, moved, started. */
    MOVE_COLD,    /* Is off, its definition moves, stays off. */
    MOVE_STOP,    /* An offline move begun early to free memory. */
    MOVE_FORCED,  /* The source cannot be asked. */
    MOVE_MODE_COUNT,
};

#define OP_KINDS                                                                                    \
    OP_KIND(PREFLIGHT, "preflight") /* Prove that 'guest' can move host → peer; touch nothing. */ \
    OP_KIND(MIGRATE, "migrate")     /* Live, host → peer, to its end. */                          \
    OP_KIND(ADOPT, "adopt")         /* Follow the outgoing migration that already runs on host. */  \
    OP_KIND(STOP, "stop")           /* Graceful shutdown on host; clears autostart there first. */  \
    OP_KIND(DEFINE, "define")     /* Define 'xml' on host, without autostart; never starts it. */   \
    OP_KIND(UNDEFINE, "undefine") /* Remove a shut-off definition from host, or refuse. */          \
    OP_KIND(AUTOSTART, "autostart") /* Set autostart on host to 'enable'. */                        \
    OP_KIND(START, "start")         /* Start on host and see it run. */                             \
    OP_KIND(RESUME, "resume")       /* Let a guest paused by a migration run on, on host. */        \
    OP_KIND(DESTROY,                                                                                \
            "destroy") /* End a *paused* migration leftover on host; nothing that runs. */          \
    OP_KIND(PROVIDE, "provide")   /* All 'supplies' of kind 'supply' are there on host. */          \
    OP_KIND(WITHDRAW, "withdraw") /* None of them is; a bridge that others use stays: success. */   \
    OP_KIND(FENCE, "fence")       /* Cut the power of host, and see it off.  Of no guest. */        \
    OP_KIND(RELEASE, "release")   /* Start what the guard of host holds: 'guest', or all if NULL. */

enum op_kind {
#define OP_KIND(name, text) OP_##name,
    OP_KINDS
#undef OP_KIND
        OP_KIND_COUNT,
};

/* Settings of a live migration, resolved from policy. */
struct op_live {
    bool persistent;          /* False for a transient guest: without PERSIST_DEST. */
    uint32_t max_downtime_ms; /* Limit given to QEMU; <= 2000. */
    uint64_t bandwidth_mib_s; /* 0 = no limit. */
    uint32_t parallel;        /* Connections; 0 or 1 = one. */
    bool tls;
    bool auto_converge;  /* QEMU may slow the guest down. */
    bool postcopy;       /* It may finish on the target once nothing else has helped. */
    bool postcopy_first; /* With 'postcopy': already after one pass over its memory. */
    bool allow_downgrade;
    bool announce; /* QEMU at the target is asked to announce the guest's addresses once more. */
    const char *migrate_uri; /* Resolved for the target, or NULL. */
};

struct op {
    enum op_kind kind;
    uint64_t
        epoch; /* Of the controller that decided it; an older one than the journal's is refused. */
    const char *guest;
    const char *uuid;
    const char
        *host; /* Where it is done; the source of a move.  PREFLIGHT of a forced one: its target. */
    const char *peer; /* The target of PREFLIGHT (unless forced or of one 'supply'), MIGRATE and
                         ADOPT; of PROVIDE and WITHDRAW of STATE the move's other host; else NULL. */
    const char *
        xml; /* DEFINE, PREFLIGHT of a forced move: the definition.  UNDEFINE: restored if the guest turned out to run. */
    enum move_mode mode; /* PREFLIGHT: of the move it is for. */
    bool enable;         /* AUTOSTART. */
    int64_t timeout_ms;  /* STOP, START: how long to wait for the guest. */
    struct op_live live; /* PREFLIGHT, MIGRATE, ADOPT. */
    enum supply_kind
        supply; /* PROVIDE, WITHDRAW.  PREFLIGHT: not NONE if nothing is looked at but whether
                                those of that kind on 'host' have the identities that 'supplies' say. */
    int64_t
        begun_ms; /* PREFLIGHT, PROVIDE, WITHDRAW: when the move began; names what it puts aside. */
    bool back;    /* PROVIDE, WITHDRAW: the guest goes back to where it came from. */
    struct supply_list
        supplies; /* PREFLIGHT, PROVIDE, WITHDRAW, START: all that the platform provides
                                    for the guest, of every kind. */
    bool
        prepared; /* PREFLIGHT: they are there on 'peer', so what depends on them is looked at too. */
    const struct profile
        *profile;          /* PREFLIGHT, PROVIDE, WITHDRAW, START: of the platform; NULL: the
                                      default one (op_profile()). */
    const char *other;     /* PROVIDE, WITHDRAW, START: the move's other host, or NULL. */
    const char *family[2]; /* PREFLIGHT: rackItemFamily of source and target in es.xml, or NULL. */
};

/* Its profile; the default one if it has none. */
const struct profile *op_profile(const struct op *op);

/* True if 'kind' is done to a host: 'guest', save of RELEASE, and 'uuid' are NULL. */
bool op_is_of_host(enum op_kind kind);

/* A copy whose strings are in 'arena'. */
struct op op_copy(struct arena *arena, const struct op *op);

/* Stable lower-case names, for plans, logs and the journal; the reverse returns the COUNT value for no
 * such name. */
const char *op_kind_name(enum op_kind kind);
enum op_kind op_kind_from_name(const char *name);
const char *op_mode_name(enum move_mode mode);
enum move_mode op_mode_from_name(const char *name);
