/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ssh_command: the text that makes a host run a program with exactly the arguments it is given.
 *
 * SSH carries a command as one text, which the login shell there takes apart.  Everything that is run on
 * a host goes through here, so no name can become code in that shell, which must be a POSIX one.  Pure.
 */

#include <stddef.h>

struct arena;
struct err;

/* The longest line that a host can run: Linux takes no longer argument than 128 KiB, NUL included, and the
 * shell gets the line as one. */
#define SSH_COMMAND_MAX_BYTES ((size_t)128 * 1024 - 1)

/* 's' quoted for a POSIX shell, so that it is one word with exactly these bytes, whatever they are. */
const char *ssh_command_quote(struct arena *arena, const char *s);

/* 'argv' as a person would write it: words are quoted where a shell would need it, and nothing in it steers a
 * terminal.  At most 'most' bytes; what is longer ends in "...".  To be read, not to be run. */
const char *ssh_command_show(struct arena *arena, const char *const *argv, size_t most);

/* The line that runs the program 'argv[0]' with the arguments after it, up to a NULL; every word is quoted,
 * so neither an alias nor a shell's own word, an assignment or an option of the shell.  What a word means to
 * the program, one that begins with '-' say, is the caller's to mind.  ERR_INVALID if there is no program,
 * or more than SSH_COMMAND_MAX_BYTES. */
int ssh_command_line(struct arena *arena, const char *const *argv, const char **line,
                     struct err *err);
