/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Diff: how what is differs from what the file wants, guest by guest.
 *
 * Pure: same inputs, same output, no clock, no I/O, no failure.  The result lives in the caller's
 * arena and is sorted by guest name.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct desired;
struct observed;
struct observed_guest;
struct observed_host;

enum diff_class {
    DIFF_PLACED,    /* On its host, and nowhere else. */
    DIFF_MISPLACED, /* On one host, another than the file's. */
    DIFF_MISSING,   /* On no host, and every host answered. */
    DIFF_DUPLICATE, /* Defined or running on more than one host. */
    DIFF_UNMANAGED, /* Seen, but not in the file: never touched. */
    DIFF_UNKNOWN,   /* Seen nowhere, or last seen on a host that does not answer. */
    DIFF_CLASS_COUNT,
};

/* One place where a guest was seen. */
struct diff_sighting {
    const struct observed_host *host;
    const struct observed_guest *guest;
};

struct diff_guest {
    const char *name;
    enum diff_class class;
    const char *wanted;       /* Host of the file; NULL for UNMANAGED. */
    const char *const *found; /* Hosts it was seen on, sorted. */
    size_t found_count;
    uint32_t desired;                      /* Index into desired->guests, or DESIRED_NONE. */
    const struct diff_sighting *sightings; /* What was seen there, parallel to 'found'. */
    const struct diff_sighting
        *at; /* PLACED, MISPLACED: the one that says where it is; else NULL. */
};

struct diff {
    const struct diff_guest *guests;
    size_t count;
    size_t counts[DIFF_CLASS_COUNT];
    bool silent; /* Some host, which may have any guest, did not say what it has. */
};

/* Compares 'observed' with 'desired'.  A guest seen only on unreachable hosts is UNKNOWN even where the
 * file wants it.  An in-flight move's guest is classified by where it is defined, both ends counted as
 * one. */
struct diff diff_compute(struct arena *arena, const struct desired *desired,
                         const struct observed *observed);

/* The entry of the guest called 'name', or NULL. */
const struct diff_guest *diff_find_guest(const struct diff *diff, const char *name);

/* Stable lower-case name of 'class'. */
const char *diff_class_name(enum diff_class class);
