/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Source: where the bytes of es.xml come from and who tells when they change, one of the four seams (R3),
 * and a revision: those bytes read, checked and named by their digest.
 */

#include <stddef.h>

#include "base/digest.h"
#include "base/file.h"
#include "model/desired.h"

struct arena;
struct err;
struct faults;
struct loop;
struct policy;
struct watch;
struct watch_listener;

struct source {
    const char *name; /* For messages: the path. */
    /* Reads all bytes into 'arena'. */
    int (*read)(struct source *self, struct arena *arena, char **bytes, size_t *length,
                struct err *err);
    /* Tells 'listener' (reconciler/watch.h) from now on whenever the bytes may have changed, never from
     * inside the call; the loop must stay.  At most one listener. */
    void (*subscribe)(struct source *self, struct loop *loop,
                      const struct watch_listener *listener);
    /* Ends that; nothing happens if nobody has subscribed. */
    void (*unsubscribe)(struct source *self);
    /* Replaces the bytes if they are still 'old'; errors as of file_replace_unchanged(). */
    int (*replace)(struct source *self, struct file_bytes old, struct file_bytes bytes,
                   struct err *err);
    struct watch *watch; /* Of a file that is subscribed to, or NULL. */
};

/* A revision of es.xml that may be acted on. */
struct revision {
    const char *bytes;
    size_t length;
    char digest[DIGEST_TEXT_SIZE];
    struct desired desired;
};

/* The file 'path' as a source; the string must stay. */
struct source source_file(const char *path);

/* Checks the 'length' bytes at 'bytes', which must stay.  -1 with 'faults' filled. */
int source_check(struct arena *arena, const char *bytes, size_t length, const struct policy *policy,
                 struct revision *revision, struct faults *faults);

/* Reads and checks.  -1 with 'faults' filled (the file is wrong) or with '*err' (it cannot be read; then
 * faults->count is 0). */
int source_read_revision(struct source *source, struct arena *arena, const struct policy *policy,
                         struct revision *revision, struct faults *faults, struct err *err);

/* Why the bytes of 'source' are not acted on, in one line: their first fault, "NAME:LINE: why", or '*err' if
 * there is none. */
const char *source_fault_text(struct arena *arena, const struct source *source,
                              const struct faults *faults, const struct err *err);
