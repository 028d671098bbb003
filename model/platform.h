/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Platform: what a vendor demands of two hosts before a guest moves between them, judged from facts that
 * somebody obtained (migration.md, 'Forced', last rule).  Which rules hold says the profile
 * (model/profile.h); each makes one check (model/check.h).
 *
 * A fact that could not be obtained makes its check fail, never pass.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/op.h"

struct check_list;

#define PLATFORM_FACTS                                                                        \
    PLATFORM_FACT(GENERATION, "generation")           /* Of the hardware: "X10M". */          \
    PLATFORM_FACT(MODEL, "model")                     /* Of the server. */                    \
    PLATFORM_FACT(CPUS, "cpus")                       /* How many, and of which type. */      \
    PLATFORM_FACT(RELEASE, "release")                 /* Of the system software: "26.1.0". */ \
    PLATFORM_FACT(SECURE_FABRIC, "secure-fabric")     /* "yes" or "no". */                    \
    PLATFORM_FACT(STORAGE_SERVERS, "storage-servers") /* Which ones it uses, in any order. */ \
    PLATFORM_FACT(LIVE_UPDATE, "live-update")         /* Outstanding work: "no", "none" or what. */

enum platform_fact {
#define PLATFORM_FACT(name, text) PLATFORM_##name,
    PLATFORM_FACTS
#undef PLATFORM_FACT
        PLATFORM_FACT_COUNT,
};

/* For which moves a rule holds; cold moves and early stops count as offline. */
enum platform_scope {
    PLATFORM_NEVER,
    PLATFORM_LIVE,
    PLATFORM_OFFLINE,
    PLATFORM_ALWAYS,
    PLATFORM_SCOPE_COUNT,
};

struct platform_rules {
    const char *live_generation; /* At least this, or NULL: any; so the other three. */
    const char *live_release;
    const char *offline_generation;
    const char *offline_release;
    enum platform_scope same_model;
    enum platform_scope same_cpus;
    enum platform_scope target_release; /* The target's is the same or newer. */
    enum platform_scope secure_fabric;
    enum platform_scope storage_servers; /* The same. */
    enum platform_scope live_update;     /* No work is outstanding. */
};

/* One fact of one host. */
struct platform_value {
    const char *text; /* NULL: it could not be obtained. */
    const char *why;  /* Then: why not, or NULL: nobody knows. */
};

struct platform_host {
    const char *name;
    struct platform_value facts[PLATFORM_FACT_COUNT];
};

/* Does any rule ask for 'fact' when a guest is moved in 'mode'? */
bool platform_needs(const struct platform_rules *rules, enum move_mode mode,
                    enum platform_fact fact);

/* Adds one check for each rule that holds for a move in 'mode' from 'source' to 'target'.  A forced move has
 * nothing to ask at its source, so it is judged by its target alone. */
void platform_judge(struct check_list *list, const struct platform_rules *rules,
                    enum move_mode mode, const struct platform_host *source,
                    const struct platform_host *target);

/* NULL if 'text' names a generation ("X8M-2", "X10M") or release ("25.1"), else what it must be. */
const char *platform_bad_generation(const char *text);
const char *platform_bad_release(const char *text);

/* Stable names; the reverses return the COUNT value for no such name. */
const char *platform_fact_name(enum platform_fact fact);
enum platform_fact platform_fact_from_name(const char *name);
const char *platform_scope_name(enum platform_scope scope);
enum platform_scope platform_scope_from_name(const char *name);
