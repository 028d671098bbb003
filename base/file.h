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

/* Reads the regular file (or pipe) 'path' into 'arena'; a NUL follows the bytes.  More than
 * 'max_bytes' is ERR_INVALID, anything else that goes wrong ERR_IO or ERR_NOT_FOUND. */
int file_read(struct arena *arena, const char *path, size_t max_bytes, char **bytes, size_t *length,
              struct err *err);

/* Replaces 'path' by 'length' bytes: temporary file beside it, fsync, rename, fsync of the folder.
 * An existing file's owner and mode are kept; a new one gets 'mode'.  On failure 'path' is as before
 * and no temporary file is left. */
int file_replace(const char *path, const void *bytes, size_t length, unsigned mode,
                 struct err *err);

/* Creates the folder 'path' and its parents with 'mode' unless it exists already. */
int file_make_folder(const char *path, unsigned mode, struct err *err);
