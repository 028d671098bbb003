/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Program: the file of the running program, and what belongs to it: where the build, or its installation,
 * has put it, seen from that file; never along a search path, in the environment or in the working directory.
 */

#include <limits.h>

struct arena;
struct err;

/* The folder of the running program's file. */
int program_folder(char folder[PATH_MAX], struct err *err);

/* The path of the data file 'name', as in "profiles/libvirt.conf".  NULL and ERR_NOT_FOUND: it is not
 * installed. */
const char *program_find_data(struct arena *arena, const char *name, struct err *err);
