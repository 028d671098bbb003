/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fence: takes a host's power away by a fence agent, and believes it only when the agent says 'off'.
 *
 * Any agent of the fence-agents project serves: a program that reads "option=value" lines from its standard
 * input, 'action' among them, and whose exit status of the action 'status' is 0 for on and 2 for off (their
 * FenceAgentAPI).  It is run without a shell, arguments or our environment.  Secrets come from a file that
 * nobody but root and the user of this process can read, are written to the agent's standard input and
 * appear nowhere else: a line of the agent that holds one is not repeated.
 *
 * First 'off', then 'status' until it says off: what 'off' itself says of its success does not matter.  Loop
 * thread; nothing waits.
 */

#include <stdint.h>

struct err;
struct loop;

#define FENCE_INPUT_MAX 8192 /* Bytes of all options together. */

struct fence_device {
    const char *agent;   /* Path of the program; NULL = there is no device. */
    const char *options; /* "option=value" lines, each ended. */
    const char *secrets; /* File of more of them, or NULL. */
};

/* 'err' NULL: the device says that the host is off. */
typedef void fence_done_fn(void *context, const struct err *err);

struct fence;

/* Begins; done(context) is called once, from the loop, within 'timeout_ms' and a grace of some seconds.
 * Strings are copied.  ERR_DENIED: others can read the secrets. */
struct fence *fence_begin(struct loop *loop, const struct fence_device *device, const char *host,
                          int64_t timeout_ms, fence_done_fn *done, void *context);

/* Gives up what is under way: the agent is killed, nothing is called.  NULL is fine. */
void fence_abandon(struct fence *fence);
