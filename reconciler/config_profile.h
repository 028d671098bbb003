/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config_profile: a platform's profile file (berth-profile.5) as a value.  Unknown sections and keys,
 * commands that are none and rules without their fact are faults with line numbers, all in one run.
 */

#include <stddef.h>

struct arena;
struct err;
struct faults;
struct profile;

#define CONFIG_PROFILE_MAX_BYTES ((size_t)256 * 1024)

/* The file of the profile called 'name': 'name' itself if it has a '/', else NAME.conf among the profiles
 * that belong to this program.  NULL and ERR_NOT_FOUND or ERR_INVALID. */
const char *config_profile_path(struct arena *arena, const char *name, struct err *err);

/* Reads 'path' into '*profile', whose name is the file's.  -1 with 'faults' filled (the file is wrong) or
 * with '*err' (it cannot be read; then faults->count is 0). */
int config_profile_read(struct arena *arena, const char *path, const struct profile **profile,
                        struct faults *faults, struct err *err);
