/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Standing: the revision of es.xml that is in force.  A faulty or unreadable file changes nothing: the last
 * good revision stays, and the fault is told once for each time the file was saved.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "reconciler/source.h"

struct err;
struct faults;
struct policy;

struct standing {
    struct source *source;
    struct arena arena; /* Holds 'bytes'. */
    const char *bytes;  /* The last good file; NULL = none yet. */
    size_t length;
    char digest[DIGEST_TEXT_SIZE]; /* Of 'bytes'. */
    uint64_t stamp;                /* Of the source, at the last reading. */
    bool faulty;                   /* The last reading was. */
};

enum standing_news {
    STANDING_SAME, /* The revision that stood before, from the file. */
    STANDING_NEW,  /* Another one. */
    STANDING_KEPT, /* The file is faulty: the last good one stands. */
    STANDING_NONE, /* The file is faulty, and nothing stood before. */
};

/* Nothing stands yet; the caller keeps 'source'. */
void standing_init(struct standing *standing, struct source *source);

/* Reads the file; '*revision' (in 'arena') is what stands now, unless the answer is STANDING_NONE.
 * '*told' is true if this fault of this file was reported before; otherwise 'faults' or, if that is
 * empty, '*err' says what is wrong. */
enum standing_news standing_read(struct standing *standing, struct arena *arena,
                                 const struct policy *policy, struct revision *revision,
                                 struct faults *faults, struct err *err, bool *told);

/* True if the file may have changed since it was read. */
bool standing_may_have_changed(const struct standing *standing);

/* Releases what stood. */
void standing_deinit(struct standing *standing);
