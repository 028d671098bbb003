/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_question: what libvirt does not tell of a host, asked over SSH by one fixed script that only reads.
 *
 * Above all the proof that a path is the same storage on two hosts.  Equal paths and sizes prove nothing
 * (migration.md: a different device behind the same path migrates with no complaint, and the guest runs on
 * the wrong disk).  So both hosts are asked for an identity that no two storages share; what has none is
 * not proven.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct ssh;

enum libvirt_question_kind {
    LIBVIRT_QUESTION_IDENTITY, /* Which storage is behind this path? */
    LIBVIRT_QUESTION_EXISTS,   /* Is there anything at this path? */
    LIBVIRT_QUESTION_BRIDGE,   /* Is there a bridge of this name? */
    LIBVIRT_QUESTION_SETTING,  /* What does /etc/libvirt/qemu.conf set this to? */
    LIBVIRT_QUESTION_CONNECT,  /* What comes of a TCP connection to this "ADDRESS:PORT"? */
    LIBVIRT_QUESTION_CLOCK,    /* What time is it?  Without a name. */
};

enum libvirt_question_answer {
    /* Not there.  SETTING: the file cannot be read; CONNECT and CLOCK: no program there that could tell. */
    LIBVIRT_QUESTION_MISSING,
    LIBVIRT_QUESTION_PRESENT, /* IDENTITY: there, but cannot be told from others.  SETTING: not set. */
    LIBVIRT_QUESTION_KNOWN, /* 'text' is filled. */
};

/* What CONNECT answers; anything else is the text of an error. */
#define LIBVIRT_QUESTION_OPEN    "open"
#define LIBVIRT_QUESTION_REFUSED "refused" /* The host answers that nobody listens there. */
#define LIBVIRT_QUESTION_SILENT  "silent"  /* No answer within 3 s. */

struct libvirt_question {
    enum libvirt_question_kind kind;
    const char *name;
    enum libvirt_question_answer answer;
    const char *text; /* Identity, value, one of the above, or milliseconds since 1970. */
};

struct libvirt_question_host {
    const char *name;
    const char *address; /* "user@host[:port]" */
    struct ssh *ssh;     /* Which the caller has joined. */
    int64_t timeout_ms;  /* 0 = as long as a move waits. */
};

/* Longest name and text that are believed. */
#define LIBVIRT_QUESTION_MAX_BYTES 4096

/* The script, complete with its questions, that 'sh -s' reads on a host.  ERR_INVALID if a name holds a
 * control character or is too long.  Pure. */
int libvirt_question_script(struct arena *arena, const struct libvirt_question *items, size_t count,
                            const char **script, struct err *err);

/* Reads what the script printed on 'host' into the answers of 'items'; anything but one line for each is
 * ERR_FAILED.  Pure. */
int libvirt_question_read(struct arena *arena, const char *output, const char *host,
                          struct libvirt_question *items, size_t count, struct err *err);

/* Asks 'host'.  Blocking. */
int libvirt_question_ask(struct arena *arena, const struct libvirt_question_host *host,
                         struct libvirt_question *items, size_t count, struct err *err);
