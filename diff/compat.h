/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Compat: the part of a move's preflight that the observation can answer (migration.md, 'Live' and
 * 'Never moved'): may this guest be moved at all, how, and can that host run it.
 *
 * A fact that was not observed is never guessed.  On a recorded observation the check is skipped and
 * counted, on a real fleet it is an objection.  Pure; the planner's reading, the verifier has its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/plan.h"
#include "model/op.h"

struct arena;
struct fleet;

enum compat_check {
    COMPAT_PAUSE,
    COMPAT_MANAGED_SAVE,
    COMPAT_SNAPSHOTS,
    COMPAT_NVRAM,
    COMPAT_TPM,
    COMPAT_HOSTDEVS,
    COMPAT_ARCH,
    COMPAT_MACHINE,
    COMPAT_CPU,
    COMPAT_QEMU,
    COMPAT_LIBVIRT,
    COMPAT_PAGES,
    COMPAT_NUMA,
    COMPAT_CHECK_COUNT,
};

struct compat {
    struct arena *arena;
    const struct fleet *fleet;
    size_t skipped[COMPAT_CHECK_COUNT]; /* Guests that a check could not be made for. */
};

/* Why not: a code and a sentence that says what to change. */
struct compat_objection {
    enum plan_code code;
    const char *reason;
};

/* How 'guest' is to be moved by its state and policy, in '*mode'.  False with '*objection' if it may
 * not be moved in the state it is in. */
bool compat_choose_mode(struct compat *compat, uint32_t guest, enum move_mode *mode,
                        struct compat_objection *objection);

/* True if 'guest' can be moved in 'mode' from where it is to 'host'; else '*objection'. */
bool compat_judge(struct compat *compat, uint32_t guest, uint32_t host, enum move_mode mode,
                  struct compat_objection *objection);

/* Likewise for a hop that begins on 'from', where the guest will be by then. */
bool compat_judge_hop(struct compat *compat, uint32_t guest, uint32_t from, uint32_t to,
                      enum move_mode mode, struct compat_objection *objection);

/* What 'check' is about, for the warning that it was skipped. */
const char *compat_check_name(enum compat_check check);
