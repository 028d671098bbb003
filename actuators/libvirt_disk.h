/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_disk: proof that a path is the same storage on two hosts.
 *
 * Equal paths and sizes prove nothing (migration.md: a different device behind the same path migrates
 * with no complaint, and the guest runs on the wrong disk).  So both hosts are asked, over SSH and by one
 * fixed script, for an identity that no two storages share; what has none is not proven.
 */

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct ssh;

enum libvirt_disk_question {
    LIBVIRT_DISK_IDENTITY, /* Which storage is behind this path? */
    LIBVIRT_DISK_EXISTS,   /* Is there anything at this path? */
    LIBVIRT_DISK_BRIDGE,   /* Is there a bridge of this name? */
};

enum libvirt_disk_answer {
    LIBVIRT_DISK_MISSING,
    LIBVIRT_DISK_PRESENT, /* To IDENTITY: it is there, but cannot be told from others. */
    LIBVIRT_DISK_KNOWN,   /* To IDENTITY: 'identity' is filled. */
};

struct libvirt_disk_item {
    enum libvirt_disk_question question;
    const char *name; /* Path or bridge. */
    enum libvirt_disk_answer answer;
    const char *identity;
};

struct libvirt_disk_host {
    const char *name;
    const char *address; /* "user@host[:port]" */
    struct ssh *ssh;     /* Which the caller has joined. */
};

/* Longest identity, and path, that is believed. */
#define LIBVIRT_DISK_MAX_BYTES 4096

/* The script, complete with its questions, that 'sh -s' reads on a host.  ERR_INVALID if a name holds a
 * control character or is too long.  Pure. */
int libvirt_disk_script(struct arena *arena, const struct libvirt_disk_item *items, size_t count,
                        const char **script, struct err *err);

/* Reads what the script printed on 'host' into the answers of 'items'; anything but one line for each is
 * ERR_FAILED.  Pure. */
int libvirt_disk_read(struct arena *arena, const char *output, const char *host,
                      struct libvirt_disk_item *items, size_t count, struct err *err);

/* Asks 'host'.  Blocking. */
int libvirt_disk_ask(struct arena *arena, const struct libvirt_disk_host *host,
                     struct libvirt_disk_item *items, size_t count, struct err *err);
