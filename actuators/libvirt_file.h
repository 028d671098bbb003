/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_file: one file on one host, by the commands of [state] in the platform's profile.
 *
 * Only plain files are touched, none that is in the way is replaced, and none is deleted.  What a host says of a
 * file is bounded before it is believed.  Blocking; the thread of a job.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "model/profile.h"

struct err;
struct libvirt_command_host;
struct libvirt_job;

/* Where files are, and for whom. */
struct libvirt_file_host {
    struct libvirt_command_host *host;
    struct libvirt_job *job; /* That waits for what a lost command may still do. */
    struct profile_names names;
};

/* What is known of a file; strings are in the arena of its host. */
struct libvirt_file {
    const char *permissions; /* Octal. */
    const char *owner;
    const char *group;
    uint64_t size;
    const char *bytes; /* Of libvirt_file_read(). */
    char sum[DIGEST_TEXT_SIZE];
};

/* Is there anything at 'path'? */
int libvirt_file_exists(const struct libvirt_file_host *at, const char *path, bool *exists,
                        struct err *err);

/* Everything but its contents and their sum.  ERR_UNSAFE if it is no plain file, or larger than the profile lets
 * it be. */
int libvirt_file_stat(const struct libvirt_file_host *at, const char *path,
                      struct libvirt_file *file, struct err *err);

/* The SHA-256 of its contents. */
int libvirt_file_sum(const struct libvirt_file_host *at, const char *path,
                     char sum[DIGEST_TEXT_SIZE], struct err *err);

/* All of it.  ERR_BUSY if it has changed meanwhile. */
int libvirt_file_read(const struct libvirt_file_host *at, const char *path,
                      struct libvirt_file *file, struct err *err);

/* Makes a file like 'file' at 'path', where nothing is: under the name 'coming' first, in the same folder, until it is
 * known to be whole.  After a failure 'path' may be there already, if the host could not say that it stays: whoever
 * asks again finds out. */
int libvirt_file_write(const struct libvirt_file_host *at, const char *path, const char *coming,
                       const struct libvirt_file *file, struct err *err);

/* 'from' is called 'to' from now on, where nothing is. */
int libvirt_file_rename(const struct libvirt_file_host *at, const char *from, const char *to,
                        struct err *err);

/* Reads what 'stat' has printed, "regular file|600|root|root|540672"; ERR_FAILED if it is no such line.  Pure. */
struct arena;
int libvirt_file_parse(struct arena *arena, const char *line, const char **type,
                       struct libvirt_file *file, struct err *err);
