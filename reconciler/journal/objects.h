/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Objects: texts kept under the SHA-256 of their bytes, state_dir/objects/SHA256, each written once.
 *
 * The name proves the content: what does not match its name is never handed out, and is replaced
 * when the same text is written again.  Any thread; two processes must not write at a time.
 */

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct journal_batch;

/* No es.xml is larger (contract.md §2), and nothing else comes near it. */
#define OBJECTS_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* True if 'digest' is 64 lower-case hexadecimal digits, and so also safe as a file name. */
bool objects_is_digest(const char *digest);

/* Creates the folder of objects in 'state_dir' (0700) and removes what a writer that was killed left
 * half written. */
int objects_prepare(const char *state_dir, struct err *err);

/* Keeps the objects among the records of 'batch', durable when this returns.  ERR_INVALID: the digest of
 * one is not that of its bytes. */
int objects_write(const char *state_dir, const struct journal_batch *batch, struct err *err);

/* The folder of objects, for the caller to read and close; NULL if it cannot be opened. */
DIR *objects_open(const char *state_dir);

/* Reads the object named 'digest' into 'arena'; a NUL follows the bytes.  ERR_NOT_FOUND, or ERR_IO if
 * the bytes do not match the name. */
int objects_read(const char *state_dir, struct arena *arena, const char *digest, char **bytes,
                 size_t *length, struct err *err);
