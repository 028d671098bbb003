/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errors: a value the caller owns, filled by the callee, with a code for programs and a sentence
 * for people.
 *
 * A function that can fail returns int, 0 or -1, and takes 'struct err *err' last.  On success
 * '*err' is untouched; on failure it is filled and no output parameter has been written.  Errors
 * are returned, never logged, below reconciler/.  Storage is inline: reporting never allocates.
 *
 * A sentence says what was tried, the thing in quotes, and why: "cannot read '/etc/x': no such
 * file".  The code decides whether a retry can help (migration.md, 'Retry').
 */

#include <stdbool.h>

#include "base/base.h"

#define ERR_CODES                                                                 \
    ERR_CODE(NONE, "none", false)                                                 \
    ERR_CODE(INVALID, "invalid", false)           /* Input is wrong. */           \
    ERR_CODE(NOT_FOUND, "not-found", false)       /* Named thing absent. */       \
    ERR_CODE(EXISTS, "exists", false)             /* Name or UUID is taken. */    \
    ERR_CODE(CONFLICT, "conflict", true)          /* World moved; replan. */      \
    ERR_CODE(BUSY, "busy", true)                  /* Locked by another actor. */  \
    ERR_CODE(UNREACHABLE, "unreachable", true)    /* Host does not answer. */     \
    ERR_CODE(TIMEOUT, "timeout", true)            /* Deadline passed. */          \
    ERR_CODE(IO, "io", true)                      /* File or database. */         \
    ERR_CODE(FAILED, "failed", true)              /* A host said no; may pass. */ \
    ERR_CODE(DENIED, "denied", false)             /* Credentials or rights. */    \
    ERR_CODE(UNSAFE, "unsafe", false)             /* Would risk the guest. */     \
    ERR_CODE(INCOMPATIBLE, "incompatible", false) /* Target cannot run it. */     \
    ERR_CODE(REFUSED, "refused", false)           /* Policy said no. */           \
    ERR_CODE(CANCELLED, "cancelled", false)       /* A person said stop. */       \
    ERR_CODE(INTERNAL, "internal", false)         /* A bug here. */

enum err_code {
#define ERR_CODE(name, text, retryable) ERR_##name,
    ERR_CODES
#undef ERR_CODE
        ERR_CODE_COUNT,
};

/* Room for the names of two hosts and a guest and for what QEMU and libvirt make of it. */
#define ERR_TEXT_SIZE 512

struct err {
    enum err_code code;
    int os_errno; /* errno of the failed call, or 0. */
    char text[ERR_TEXT_SIZE];
};

/* Fills '*err' and returns -1, so that callers can write 'return err_set(...)'. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/* Like err_set() for a failed system call: appends ": " and the text of 'os_errno'. */
int err_set_errno(struct err *err, enum err_code code, int os_errno, const char *fmt, ...)
    PRINTF(4, 5);

/* Prefixes the text with context, "context: text", keeping the code.  Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Stable lower-case name of 'code', for logs, the journal and the API. */
const char *err_code_name(enum err_code code);

/* The code whose name is 'name', or ERR_INTERNAL if there is none (a journal of a later version). */
enum err_code err_code_from_name(const char *name);

/* True if trying again later, with a fresh observation, can succeed. */
bool err_is_retryable(const struct err *err);
