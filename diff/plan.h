/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plan: the moves that bring guests where the file wants them, in an order in which no host exceeds its
 * memory at any instant, with the proof of each; and what cannot move, with the reason (contract.md §5,
 * planner.md).
 *
 * Pure, deterministic: the same inputs give the same plan whatever the order they came in.  Everything
 * lives in the caller's arena; strings may be shared with the inputs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/estimate.h"
#include "model/op.h"

struct arena;
struct check;
struct desired;
struct observed;
struct policy;

/* Why a guest is not moved.  Names are contract.md §5's. */
#define PLAN_CODES                             \
    PLAN_CODE(NO_CAPACITY, "no-capacity")      \
    PLAN_CODE(UNREACHABLE, "unreachable-host") \
    PLAN_CODE(MISSING, "missing")              \
    PLAN_CODE(DUPLICATE, "duplicate")          \
    PLAN_CODE(APART, "apart")                  \
    PLAN_CODE(PINNED, "pinned")                \
    PLAN_CODE(MAINTENANCE, "maintenance")      \
    PLAN_CODE(INCOMPATIBLE, "incompatible")    \
    PLAN_CODE(POLICY, "policy")                \
    PLAN_CODE(DEADLOCK, "deadlock")            \
    PLAN_CODE(UNSAFE, "unsafe")                \
    PLAN_CODE(HELD, "held")                    \
    PLAN_CODE(BACKOFF, "backoff")              \
    PLAN_CODE(WINDOW, "window")                \
    PLAN_CODE(UNCLEAR, "unclear")              \
    PLAN_CODE(IN_FLIGHT, "in-flight")

enum plan_code {
#define PLAN_CODE(name, text) PLAN_##name,
    PLAN_CODES
#undef PLAN_CODE
        PLAN_CODE_COUNT,
};

/* A guest the caller keeps out of this plan (held, backoff, parked, unclear, ...); it stays charged
 * where it is, and its in-flight move, if any, on both sides. */
struct plan_exclusion {
    const char *guest;
    enum plan_code code;
    const char *reason;
};

struct plan_input {
    const struct desired *desired;
    const struct observed *observed; /* With in_flight and owed_start filled in. */
    const struct policy *policy;
    const char *es_xml_sha256;
    const struct plan_exclusion *exclusions; /* Sorted by guest, unique. */
    size_t exclusion_count;
    bool
        recorded; /* The observation is a file: a check it cannot answer is skipped with a warning; on a
                      real fleet it blocks. */
};

/* Memory of one end of a move, of the kind that its guest takes, in KiB: the limit, and what is charged
 * before, while and after. */
struct plan_side {
    uint64_t limit_kib;
    uint64_t before_kib;
    uint64_t during_kib;
    uint64_t after_kib;
};

struct plan_move {
    uint32_t seq; /* Dense from 1. */
    const char *guest;
    const char *uuid;
    const char *from;
    const char *to;
    enum move_mode mode;
    bool detour;           /* 'to' is a temporary host. */
    uint32_t hugepage_kib; /* Its sides are those of the hosts' pools of such pages; 0 = of ordinary
                              memory. */
    uint64_t memory_kib;
    struct plan_side source;
    struct plan_side target;
    const char *reason;
    struct estimate_forecast
        forecast; /* Of a live move, where earlier ones were looked up; else 0. */
    const struct check
        *checks; /* That hosts have answered, if somebody has asked them; else none. */
    size_t check_count;
};

struct plan_certificate {
    const char *const *guests;
    size_t guest_count;
    const char *const *hosts;
    size_t host_count;
    const char *const *unblock; /* Sentences: what would unblock it. */
    size_t unblock_count;
    bool proven; /* Irreducible. */
};

struct plan_block {
    const char *guest;
    enum plan_code code;
    const char *reason;
    struct plan_certificate certificate;
};

enum plan_method {
    PLAN_DIRECT, /* Every move is final; nothing had to be searched. */
    PLAN_EXACT,
    PLAN_HEURISTIC,
    PLAN_METHOD_COUNT,
};

struct plan {
    const char *es_xml_sha256;
    bool complete; /* Nothing is left misplaced. */
    enum plan_method method;
    bool optimal;
    const char *const *warnings; /* Sorted. */
    size_t warning_count;
    const struct plan_move *moves;
    size_t move_count;
    const struct plan_block *blocked; /* Sorted by guest. */
    size_t block_count;
    size_t detours;
    size_t interruptions; /* Guests that are stopped on the way. */
    uint64_t memory_kib;  /* Of all moves together. */
    size_t placed;        /* Guests that were where the file wants them.  Not part of the JSON. */
    uint64_t bandwidth_mib_s; /* Policy's limit for a live move; 0 = none.  Not part of the JSON. */
};

/* Plans.  Never fails: what cannot be done is in 'blocked'. */
struct plan plan_build(struct arena *arena, const struct plan_input *input);

/* Why 'guest' is kept out of the plan, or NULL. */
const struct plan_exclusion *plan_find_exclusion(const struct plan_input *input, const char *guest);

/* The block of 'guest', or NULL. */
const struct plan_block *plan_find_block(const struct plan *plan, const char *guest);

/* Stable names of contract.md §5; the reverse returns the COUNT value for no such name. */
const char *plan_code_name(enum plan_code code);
const char *plan_method_name(enum plan_method method);
enum plan_code plan_code_from_name(const char *name);
enum plan_method plan_method_from_name(const char *name); /* PLAN_METHOD_COUNT for no such name. */
