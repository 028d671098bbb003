/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Module: parts of a program that are loaded when they are needed, not before, because loading the
 * libraries that come along with them takes longer than most commands run.
 *
 * A module is a file of the same build and version as the program; its name says its version, so another
 * one's is not found.  It is looked for where that build, or its installation, has put it, seen from the
 * program's own file: never along a search path, in the environment or in the working directory.
 */

struct err;

/* The address of 'symbol', which is EXPORTed (base/base.h), in the module called 'name', as in
 * "libvirt", that is for 'purpose', as in "speaks with libvirt".  Loads the module, which then stays.
 * NULL and ERR_NOT_FOUND: the module, or a library that it needs, is not installed. */
void *module_find(const char *name, const char *purpose, const char *symbol, struct err *err);
