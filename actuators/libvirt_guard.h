/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * libvirt_guard: berth-guard on a real host, asked and told over SSH.
 *
 * What it holds back has no autostart as far as libvirt knows, so whoever asks libvirt alone takes it for a
 * guest that nobody wants started.  Blocking; any thread.
 */

#include <stddef.h>

#include "model/observed.h"

struct arena;
struct err;
struct libvirt_move;
struct ssh;

/* Longer than that a look does not wait for it. */
#define LIBVIRT_GUARD_ASK_MS INT64_C(3000)

struct libvirt_guard {
    enum observed_guard state;
    const char *const *held; /* Names of guests. */
    size_t held_count;
    const char *const *exempt; /* Patterns of names: whom it leaves to libvirt. */
    size_t exempt_count;
};

/* Asks the guard at 'address'.  A host that has none, or does not say, is an answer, too: NONE or UNKNOWN. */
struct libvirt_guard libvirt_guard_ask(struct ssh *ssh, struct arena *arena, const char *address);

/* What 'bytes' of 'berth-guard status --json' say; UNKNOWN if they are not that.  Pure. */
struct libvirt_guard libvirt_guard_read(struct arena *arena, const char *bytes, size_t length);

/* Adds to 'host', whose guests have been read, what its guard says; a changed array lives in 'arena'. */
void libvirt_guard_apply(struct arena *arena, const struct libvirt_guard *guard,
                         struct observed_host *host);

/* RELEASE: lets the guard give back and start move->op's guest, or all. */
int libvirt_guard_release(const struct libvirt_move *move, struct err *err);
