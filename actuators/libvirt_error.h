/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_error: what libvirt says went wrong, as a struct err whose code tells whether a retry can
 * help (migration.md, 'Live').
 *
 * libvirt keeps the last error per thread and every call resets it, so an error is converted in the
 * thread that failed and before anything else is called: releasing an object and even asking one for its
 * name reset it.
 */

#include <stdbool.h>

#include "base/err.h"

/* Keeps libvirt from printing errors to stderr by itself: they are returned, and reported once. */
void libvirt_error_silence(void);

/* The code for a virErrorNumber 'number' that was raised in the virErrorDomain 'domain'.  Pure. */
enum err_code libvirt_error_code(int number, int domain);

/* Fills '*err' with "what: libvirt's text" from the calling thread's last libvirt error; -1. */
int libvirt_error_set(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* True if the calling thread's last libvirt error is the virErrorNumber 'number'. */
bool libvirt_error_is(int number);
