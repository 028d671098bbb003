/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Standing: the revision of es.xml that is in force.  A faulty or unreadable file changes nothing: the last
 * good revision stays, across restarts too, and the fault is told once for each content that was saved.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "reconciler/debounce.h"
#include "reconciler/source.h"
#include "reconciler/watch.h"

struct err;
struct faults;
struct journal;
struct policy;

/* A save is looked at when the file has been left alone for so long, and anyway so long after its first
 * notice: whoever writes in pieces is waited for, but not for ever. */
#define STANDING_QUIET_MS INT64_C(200)
#define STANDING_LIMIT_MS INT64_C(1000)

struct standing {
    struct source *source;
    struct journal *journal;
    struct watch_listener listener;
    struct debounce debounce;
    struct arena arena; /* Holds 'bytes'. */
    const char *bytes;  /* The last good file; NULL = none yet. */
    size_t length;
    char digest[DIGEST_TEXT_SIZE]; /* Of 'bytes'. */
    char seen[DIGEST_TEXT_SIZE]; /* Of what the last reading found: bytes, or why there are none. */
    bool faulty;                 /* The last reading was. */
};

enum standing_news {
    STANDING_SAME, /* The revision that stood before, from the file. */
    STANDING_NEW,  /* Another one. */
    STANDING_KEPT, /* The file is faulty: the last good one stands. */
    STANDING_NONE, /* The file is faulty, and nothing stood before. */
};

/* Nothing stands yet; the caller keeps 'source' and 'journal'. */
void standing_init(struct standing *standing, struct source *source, struct journal *journal);

/* The newest revision in the journal stands, until the file is read; none if there is none.  -1 if there is
 * one and it cannot be read. */
int standing_recall(struct standing *standing, struct err *err);

/* Follows the file: listener->changed is called from the loop once it was saved and what it holds is other
 * than at the last reading. */
void standing_follow(struct standing *standing, struct loop *loop,
                     const struct watch_listener *listener);

/* Reads the file; '*revision' (in 'arena') is what stands now, unless the answer is STANDING_NONE.
 * '*told' is true if this fault of this content was reported before; otherwise 'faults' or, if that is
 * empty, '*err' says what is wrong. */
enum standing_news standing_read(struct standing *standing, struct arena *arena,
                                 const struct policy *policy, struct revision *revision,
                                 struct faults *faults, struct err *err, bool *told);

/* berth.conf is another one: what is wrong with the file may be something else now, and is told again. */
void standing_doubt(struct standing *standing);

/* The instant under which a revision that stands from 'now_ms' on is journaled: after all others, even if
 * the clock went back, because the newest one is what a restart falls back on. */
int64_t standing_date(struct standing *standing, int64_t now_ms);

/* Ends the following and releases what stood. */
void standing_deinit(struct standing *standing);
