/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_command: commands of the platform's profile (model/profile.h) on one host, over SSH.
 *
 * Each runs under timeout(1) there, so that one which hangs ends for certain; after a lost connection it is
 * known when, at the latest.  What the host has to say is bounded before it is believed.  Blocking; the thread
 * of a job.
 */

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct profile;
struct profile_command;
struct profile_names;
struct ssh;
struct ssh_output;

/* Bytes of a command's output that are believed. */
#define LIBVIRT_COMMAND_MAX_OUTPUT ((size_t)64 * 1024)

struct libvirt_command_memo;

/* One host during one operation. */
struct libvirt_command_host {
    struct arena *arena;
    const struct profile *profile;
    struct ssh *ssh;     /* Which the caller has joined. */
    const char *address; /* "user@host[:port]", or NULL: there is no way to run anything. */
    int64_t end_ms;      /* libvirt_pool_now_ms() at which every command is over. */
    struct libvirt_command_memo *memos; /* What lookups have found: NULL at first. */
    int64_t over_ms; /* Of the command that failed last: when it can do nothing more. */
    const char
        *last; /* The command that was run last, for people: "[volume] provide: escli ...". */
};

/* How long a command may take, what it hears, and what is believed of what it says. */
struct libvirt_command_talk {
    int64_t timeout_ms;
    const char *input; /* Its standard input, or NULL. */
    size_t input_length;
    size_t max_output;
};

/* libvirt_command_run(), for a command that hears something or has more to say than others. */
int libvirt_command_talk(struct libvirt_command_host *host, const struct profile_command *command,
                         const struct profile_names *names, const struct libvirt_command_talk *talk,
                         struct ssh_output *output, struct err *err);

/* Runs 'command' for 'names', whose lookups are made here; it may take 'timeout_ms'.  0 if it ran to its end,
 * whatever its status; after a failure it may go on until host->over_ms.  The error names the command by its
 * place in the profile and as it was run: so no secret may be in a profile's commands. */
int libvirt_command_run(struct libvirt_command_host *host, const struct profile_command *command,
                        const struct profile_names *names, int64_t timeout_ms,
                        struct ssh_output *output, struct err *err);

/* Fails unless the command that was run last ended with status 0; 'what' says what it was to do (ssh_check()),
 * and the error names the command, too. */
int libvirt_command_check(const struct libvirt_command_host *host, const char *what,
                          const struct ssh_output *output, struct err *err);

/* 'word' with what 'names' and lookups give. */
int libvirt_command_word(struct libvirt_command_host *host, const char *word,
                         const struct profile_names *names, int64_t timeout_ms, const char **text,
                         struct err *err);

/* The parts of 'text' that the extended regular expression 'match' is true of, line by line: of each its first
 * group if it has one.  Without 'match' the lines that are not blank, trimmed.  Pure. */
int libvirt_command_find(struct arena *arena, const char *text, const char *match,
                         const char ***items, size_t *count, struct err *err);

/* The one value in 'text', called 'what' in '*err': none is ERR_NOT_FOUND, several that differ ERR_FAILED.
 * Pure. */
int libvirt_command_pick(struct arena *arena, const char *text, const char *match, const char *what,
                         const char **value, struct err *err);
