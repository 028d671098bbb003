/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * File: reading a whole file that is bounded before it is believed, and replacing one so that a
 * reader sees the old bytes or the new ones, never a mixture, also after a power cut.
 *
 * Any thread; blocking.
 */

#include <stddef.h>

struct arena;
struct err;

/* Reads the plain file 'path' into 'arena'; a NUL follows the bytes.  More than 'max_bytes', and anything
 * but a plain file, is ERR_INVALID: a pipe may keep its reader waiting for ever.  One that this process was
 * given as a descriptor (/dev/stdin, /dev/fd/N) is read to its end.  What else goes wrong is ERR_IO,
 * ERR_DENIED or ERR_NOT_FOUND. */
int file_read(struct arena *arena, const char *path, size_t max_bytes, char **bytes, size_t *length,
              struct err *err);

/* Opens the plain file 'path', a secret, for reading: it must be this user's or root's, and nobody else may read or
 * write it (ERR_DENIED).  Returns the descriptor, or -1. */
int file_open_private(const char *path, struct err *err);

/* Replaces 'path' by 'length' bytes: temporary file beside it, fsync, rename, fsync of the folder.
 * An existing file's owner and mode are kept; a new one gets 'mode'.  On failure 'path' is as before
 * and no temporary file is left. */
int file_replace(const char *path, const void *bytes, size_t length, unsigned mode,
                 struct err *err);

/* The same, durable only once the file system has been synced: after a power cut 'path' may be as before,
 * or empty. */
int file_replace_unsynced(const char *path, const void *bytes, size_t length, unsigned mode,
                          struct err *err);

struct file_bytes {
    const char *data;
    size_t length;
};

/* Replaces the file that 'path' leads to, through symbolic links, by 'bytes' if it still holds 'old'.  Owner, mode, access control list, SELinux label and the user's attributes are kept.
 * ERR_CONFLICT: it changed, and is as whoever changed it left it.  ERR_BUSY: another process is at this
 * in the same folder.  ERR_DENIED: it may not be written, or its owner cannot be kept.
 *
 * Between processes that use this nothing is lost.  Somebody else's change is missed only if it is made
 * to the old bytes in place and has not begun when they are compared; where the file system cannot
 * exchange two files (NFS), also if it is made between the comparison and the rename. */
int file_replace_unchanged(const char *path, struct file_bytes old, struct file_bytes bytes,
                           struct err *err);

/* Creates the folder 'path' and its parents with 'mode' unless it exists already. */
int file_make_folder(const char *path, unsigned mode, struct err *err);
