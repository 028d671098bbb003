/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_contact: a host as the actuator knows it: how it is reached, and what it has said that need not be
 * asked again.  Loop thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actuators/libvirt_event.h"
#include "actuators/libvirt_link.h"
#include "model/observed.h"

struct arena;
struct libvirt_look;

struct libvirt_contact {
    const char *name;
    const char *peer_uri; /* Of its libvirt, as other hosts reach it; or NULL. */
    const char *ssh;      /* Or NULL: no commands on it. */
    struct libvirt_link link;
    struct libvirt_event event;
    bool wanted;                  /* Among the hosts to watch. */
    struct libvirt_look *looking; /* At most one. */
    enum observed_guard guard;    /* As its guard said a while ago; UNKNOWN: it is to be asked. */
    int64_t guard_asked_ms;       /* Monotonic. */
    const char *lock_manager;     /* Once it has told it, else NULL. */
    bool locks_asked;
};

/* Hosts, sorted by name; each stays where it is.  All zero at first. */
struct libvirt_contacts {
    struct libvirt_contact **items;
    size_t count;
    size_t capacity;
};

/* The one called 'name', or NULL. */
struct libvirt_contact *libvirt_contact_find(const struct libvirt_contacts *contacts,
                                             const char *name);

/* A new one, all zero but for its name; lives in 'arena'.  There is none of this name yet. */
struct libvirt_contact *libvirt_contact_add(struct libvirt_contacts *contacts, struct arena *arena,
                                            const char *name);
