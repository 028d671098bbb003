/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Process: a program that runs beside the loop: no shell, bytes for its standard input, what it writes to
 * standard error as lines, and an end at the latest when its time is over.
 *
 * It gets a process group of its own, which is ended with it, no descriptor besides the three standard ones
 * and no environment but the given one.  What it prints to standard output is thrown away.  Loop thread;
 * nothing waits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"

#define PROCESS_LINE_MAX   256u   /* Bytes of a line; what is longer is cut. */
#define PROCESS_LINES_MAX  20u    /* That are handed on. */
#define PROCESS_OUTPUT_MAX 65536u /* Bytes; then nobody reads any more. */
#define PROCESS_GRACE_MS   2000   /* From SIGTERM, when its time is over, to SIGKILL. */

struct err;

struct process_spec {
    const char *path;               /* Of the program: absolute; also its only argument. */
    const char *const *environment; /* "NAME=value"..., NULL. */
    const void *input;
    size_t input_length;
    int64_t timeout_ms;
};

enum process_outcome {
    PROCESS_EXITED,    /* 'value' is its status. */
    PROCESS_KILLED,    /* By the signal 'value'. */
    PROCESS_TIMED_OUT, /* And was ended. */
};

struct process_end {
    enum process_outcome outcome;
    int value;
    bool cut; /* It wrote more than was handed on. */
};

struct process_listener {
    void *context;
    void (*line)(void *context, const char *line); /* Without its end. */
    /* It is over: 'process' may be used again. */
    void (*ended)(void *context, const struct process_end *end);
};

/* Embedded in its user; zero-initialised means that nothing runs. */
struct process {
    struct loop *loop;
    struct process_listener listener;
    bool runs;
    pid_t pid;
    int pidfd;
    int output; /* -1 = nobody reads. */
    struct loop_watch exit_watch;
    struct loop_watch output_watch;
    struct loop_timer deadline;
    bool timed_out;
    bool cut;
    size_t read;  /* Bytes so far. */
    size_t lines; /* Handed on so far. */
    char line[PROCESS_LINE_MAX];
    size_t line_length;
};

/* Starts it; listener->ended is called once, from the loop.  -1: it cannot be started, nothing is called. */
int process_start(struct process *process, struct loop *loop, const struct process_spec *spec,
                  const struct process_listener *listener, struct err *err);

/* Kills what runs, at once; nothing is called.  Nothing happens if nothing runs. */
void process_deinit(struct process *process);
