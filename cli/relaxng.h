/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * relaxng: es.xml against a RELAX NG schema, for 'berth validate --schema'.  A second opinion for people
 * who write the file; the controller itself never needs it (it takes seconds on large files).
 */

#include <stddef.h>

struct err;
struct faults;

/* Adds a fault for each place where the document does not fit the schema in 'path'.  -1 and '*err' if
 * the schema itself cannot be used. */
int relaxng_check(const char *path, const char *bytes, size_t length, struct faults *faults,
                  struct err *err);
