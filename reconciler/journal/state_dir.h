/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State directory: the folder that holds the journal, who may use it and who does.
 *
 * The lock is an open file description lock on state_dir/lock: the kernel drops it with the last
 * descriptor of its holder, so it never outlives a process that died, and unlike a POSIX record lock
 * it is not lost when the same process opens and closes the file elsewhere.
 */

#include <stdint.h>

struct err;

/* Creates 'path' (0700) unless it exists, and refuses one that somebody else could write to:
 * ERR_DENIED.  Syncs it, so that what was created in it survives a power cut. */
int state_dir_prepare(const char *path, struct err *err);

/* Takes the lock of the state directory 'path' and writes our pid into it.  '*fd' holds the lock
 * until it is closed.  ERR_BUSY: somebody else has it, the pid in the text. */
int state_dir_lock(const char *path, int *fd, struct err *err);

/* The pid of who holds the lock of 'path'; 0 if nobody does or it cannot be known. */
int64_t state_dir_holder(const char *path);
