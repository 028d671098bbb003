/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Force: may a guest of a dead host be started elsewhere (migration.md, 'Forced')?
 *
 * It may still run, and write, on the host where it was last seen, on either end of a move that has not
 * ended, and on any host of the fleet that does not answer now.  Every one of those must answer 'not here',
 * be fenced, or be attested dead by a person.  And as libvirt starts guests before it answers its first
 * client, something must keep the guest from running twice when its host comes back.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconciler/journal/journal.h"

struct arena;
struct err;
struct ledger;
struct observed;
struct policy;

struct force_request {
    const char *guest; /* Of the file. */
    const char *to;    /* Host of the file, where it is to run. */
    const char
        *dead; /* Host that the person attests to be dead, or NULL: only fencing proves it. */
    const char *user; /* Who asks. */
    bool
        revokes; /* The platform takes its volumes away from a dead host before it starts elsewhere. */
    int64_t
        patience_ms; /* Withdrawn, and answered ERR_BUSY, if it has not begun by then; 0 = waits. */
};

/* A host that does not answer, where the guest may run. */
struct force_suspect {
    const char *host;
    bool attested; /* A person says that it is dead; else its power must be cut. */
    bool holds;    /* As far as is known it has a definition of the guest. */
    enum journal_protection protection; /* Of one that holds. */
};

#define FORCE_SUSPECTS_MAX 64

/* What a forced move is to do; strings are shared with the arguments. */
struct force_order {
    const char *guest;
    const char *uuid;
    const char *from; /* The suspect that the move is from. */
    const char *to;
    const char *user;
    const char *xml_digest;    /* Of its last known definition. */
    enum guest_state original; /* RUNNING: it is started; SHUTOFF: it is only defined. */
    bool autostart;            /* It had, and gets it back. */
    bool target_made;          /* 'to' has our definition of it already, shut off. */
    const char *target_digest; /* Of that, or "". */
    uint32_t made;             /* Kinds of supplies that an open move has made on 'to'. */
    bool source_removed; /* It may be the only one: an open move has taken the source's away. */
    const struct force_suspect *suspects;
    size_t suspect_count;
};

/* Judges 'request' by 'fleet', a fresh look at every host in which one that does not answer has the guests it
 * had, and by the journal; 'order' lives in 'arena'.  -1: it may not be; 'err' says what is missing. */
int force_judge(struct arena *arena, const struct force_request *request,
                const struct observed *fleet, const struct policy *policy,
                const struct ledger *ledger, struct force_order *order, struct err *err);
