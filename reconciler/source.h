/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Source: where the bytes of es.xml come from, one of the four seams (R3), and a revision: those bytes
 * read, checked and named by their digest.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "model/desired.h"

struct arena;
struct err;
struct faults;
struct policy;

struct source {
    const char *name; /* For messages: the path. */
    /* Reads all bytes into 'arena'. */
    int (*read)(struct source *self, struct arena *arena, char **bytes, size_t *length,
                struct err *err);
    /* A number that changes whenever the bytes may have changed; cheap. */
    uint64_t (*stamp)(struct source *self);
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
