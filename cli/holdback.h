/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * holdback: the links by which libvirt knows which guests to start as a host boots, taken out of its sight
 * and given back.
 *
 * libvirt starts a guest if AUTOSTART/NAME.xml leads to its definition, once a boot, before it answers its
 * first client.  What is held back is a link of the same name and target in HELD.  A link is made at its new
 * place, and that is on disk, before it is taken from the old one: whatever ends the program or the machine, it
 * is in one of the two places, or in both, which the next run makes one of.  The two may be on different file
 * systems, so links are made anew and not renamed.
 *
 * Used by berth-guard alone, which has no libvirt to ask: it runs before libvirt does.  Blocking; any thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"

struct arena;
struct err;

/* What is known of this boot.  All but MISSED are kept on disk together with the boot's id. */
enum holdback_state {
    HOLDBACK_MISSED,   /* Nothing was held back in this boot: 'hold' has not run. */
    HOLDBACK_HELD,     /* All links were, before libvirt was there. */
    HOLDBACK_RELEASED, /* And have been given back since. */
    HOLDBACK_LATE,     /* 'hold' ran when libvirt had started its guests already. */
    HOLDBACK_PARTLY,   /* Some could not be held back. */
    HOLDBACK_STATE_COUNT,
};

struct holdback {
    const char *autostart;   /* libvirt's folder of links. */
    const char *definitions; /* And of the guests' definitions. */
    const char
        *autostarted;   /* A file that is there once libvirt has started guests in this boot. */
    const char *folder; /* Ours. */
    const char *held;   /* In it: the links. */
    const char *record; /* In it: boot and state. */
    const char *boot;   /* Id of this boot. */
    enum holdback_state state;
    int lock; /* Descriptor, or -1. */
};

#define HOLDBACK_INIT ((struct holdback){ .lock = -1 })

/* Names, sorted; of guests (without ".xml"), or of what is no link of libvirt's. */
struct holdback_names {
    const char **items;
    size_t count;
};

/* Fills 'holdback' for the system below 'root' ("" = this one) and reads the state of this boot.  Strings
 * live in 'arena'.  ERR_IO, ERR_DENIED: the boot's id cannot be read.  A record that is not ours counts as
 * none. */
int holdback_open(struct arena *arena, const char *root, struct holdback *holdback,
                  struct err *err);

/* Makes our folder where it is missing, waits for another berth-guard to be done (ERR_BUSY after a minute),
 * and reads the state again.  Whoever changes anything locks first. */
int holdback_lock(struct holdback *holdback, struct err *err);

/* Releases the lock, if any; of HOLDBACK_INIT, too. */
void holdback_close(struct holdback *holdback);

AUTO_VALUE(holdback, struct holdback, holdback_close);

/* True if libvirt has started the guests of this boot already. */
bool holdback_is_late(const struct holdback *holdback);

/* The guests in libvirt's folder and, in 'strange', what else is there: no link, or not NAME.xml.  No such
 * folder: none. */
int holdback_list_links(struct arena *arena, const struct holdback *holdback,
                        struct holdback_names *guests, struct holdback_names *strange,
                        struct err *err);

/* The same of ours: the guests that are held back. */
int holdback_list_held(struct arena *arena, const struct holdback *holdback,
                       struct holdback_names *guests, struct holdback_names *strange,
                       struct err *err);

/* Keeps a copy of libvirt's link of 'guest'.  It is not on disk before holdback_sync(). */
int holdback_keep(const struct holdback *holdback, const char *guest, struct err *err);

/* Takes the link out of libvirt's sight, once the copy is on disk. */
int holdback_take(const struct holdback *holdback, const char *guest, struct err *err);

/* Makes what was done to both folders durable. */
int holdback_sync(const struct holdback *holdback, struct err *err);

/* True if 'guest' is still defined here, or that cannot be told. */
bool holdback_is_defined(const struct holdback *holdback, const char *guest);

/* Gives the link of 'guest' back to libvirt, durably, unless it has one; ours stays. */
int holdback_give(const struct holdback *holdback, const char *guest, struct err *err);

/* Forgets our link of 'guest', durably; fine if there is none. */
int holdback_forget(const struct holdback *holdback, const char *guest, struct err *err);

/* Writes down, durably, how this boot stands. */
int holdback_mark(struct holdback *holdback, enum holdback_state state, struct err *err);

/* "held" and so on. */
const char *holdback_state_name(enum holdback_state state);
