/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Checks: what was looked at before a move, one named thing after the other, with what was found and, where
 * something is wrong, what to change (migration.md, 'Live', preflight).
 *
 * An actuator makes the list and a person reads it; the move fails with the first check that failed.  One
 * kind may be there more than once, for each disk that is wrong, for example.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "base/err.h"

struct arena;

/* The names are part of "berth.plan/1". */
#define CHECK_KINDS                                                                               \
    CHECK_KIND(HOSTS, "hosts")             /* Both hosts answer. */                               \
    CHECK_KIND(STATE, "state")             /* The source has the guest, in a state that fits. */  \
    CHECK_KIND(UUID, "uuid")               /* Free on the target. */                              \
    CHECK_KIND(NAME, "name")               /* Likewise. */                                        \
    CHECK_KIND(SAVE, "managed-save")       /* No image, whose memory is older than the disks. */  \
    CHECK_KIND(SNAPSHOTS, "snapshots")     /* None, as they do not move along. */                 \
    CHECK_KIND(HOSTDEVS, "host-devices")   /* None that a running guest cannot leave. */          \
    CHECK_KIND(JOB, "job")                 /* Nobody else is at work on it. */                    \
    CHECK_KIND(BLOCK_JOB, "block-job")     /* Nor on its disks. */                                \
    CHECK_KIND(ARCH, "architecture")       /* The same on both hosts. */                          \
    CHECK_KIND(VERSION, "version")         /* Not to an older QEMU or libvirt. */                 \
    CHECK_KIND(MACHINE, "machine-type")    /* The target has it. */                               \
    CHECK_KIND(EMULATOR, "emulator")       /* Likewise, for this architecture and type. */        \
    CHECK_KIND(CPU, "cpu-model")           /* The target's CPU can be what the guest sees. */     \
    CHECK_KIND(CPUS, "cpus")               /* The target has no fewer than the guest. */          \
    CHECK_KIND(CHARGED, "memory-charged")  /* Room by the plan's reckoning. */                    \
    CHECK_KIND(MEMORY, "memory-available") /* And in fact, now. */                                \
    CHECK_KIND(PAGES, "huge-pages")        /* The same of huge pages. */                          \
    CHECK_KIND(NODES, "numa-nodes")        /* The target has those that the guest is bound to. */ \
    CHECK_KIND(CACHE, "disk-cache")        /* No cache that the other host does not see. */       \
    CHECK_KIND(NETWORKS, "networks")       /* libvirt's, active on the target. */                 \
    CHECK_KIND(BRIDGES, "bridges")         /* There on the target. */                             \
    CHECK_KIND(STORAGE, "storage")         /* Every writable disk: one storage, on both hosts. */ \
    CHECK_KIND(FILES, "files")             /* Kernel, loader, CD images: there on the target. */  \
    CHECK_KIND(REACH, "target-reachable")  /* The target's libvirt, from the source. */           \
    CHECK_KIND(PORT, "migration-port")     /* The target's ports, from the source. */             \
    CHECK_KIND(LOCKS, "lock-manager")      /* The same on both hosts. */                          \
    CHECK_KIND(CLOCKS, "clocks")           /* Close to each other. */                             \
    CHECK_KIND(SUPPLIES, "supplies")       /* Hosts can tell of what the platform provides. */    \
    /* From here on rules of the platform's profile, judged by model/platform.h. */               \
    CHECK_KIND(GENERATION, "platform-generation")                                                 \
    CHECK_KIND(MODEL, "platform-model")                                                           \
    CHECK_KIND(SAME_CPUS, "platform-cpus")                                                        \
    CHECK_KIND(RELEASE, "platform-release")                                                       \
    CHECK_KIND(FABRIC, "secure-fabric")                                                           \
    CHECK_KIND(SERVERS, "storage-servers")                                                        \
    CHECK_KIND(LIVE_UPDATE, "live-update")

enum check_kind {
#define CHECK_KIND(name, text) CHECK_##name,
    CHECK_KINDS
#undef CHECK_KIND
        CHECK_KIND_COUNT,
};

enum check_result {
    CHECK_PASSED,
    CHECK_WARNED,  /* The move may go on, and somebody should know. */
    CHECK_SKIPPED, /* It could not be looked at. */
    CHECK_FAILED,
    CHECK_RESULT_COUNT,
};

struct check {
    enum check_kind kind;
    enum check_result result;
    enum err_code code;   /* Of FAILED: what the move fails with. */
    const char *evidence; /* What was found, or why nothing could be. */
    const char *change;   /* What to do about it, or NULL. */
};

struct check_list {
    struct arena *arena;
    struct check *items;
    size_t count;
    size_t capacity;
};

/* An empty list whose storage, strings included, comes from 'arena'. */
struct check_list check_list(struct arena *arena);

/* Adds one check; the evidence is formatted, 'change' (may be NULL but for a failure) is copied. */
void check_pass(struct check_list *list, enum check_kind kind, const char *fmt, ...) PRINTF(3, 4);
void check_warn(struct check_list *list, enum check_kind kind, const char *change, const char *fmt,
                ...) PRINTF(4, 5);
void check_skip(struct check_list *list, enum check_kind kind, const char *change, const char *fmt,
                ...) PRINTF(4, 5);
void check_fail(struct check_list *list, enum check_kind kind, enum err_code code,
                const char *change, const char *fmt, ...) PRINTF(5, 6);

/* Adds a check that failed because its question was answered by 'err'. */
void check_fail_err(struct check_list *list, enum check_kind kind, const struct err *err);

/* Adds copies of the 'count' checks at 'items'. */
void check_add(struct check_list *list, const struct check *items, size_t count);

/* How many of the 'count' checks at 'items' came to 'result'. */
size_t check_count(const struct check *items, size_t count, enum check_result result);

/* 0 if no check failed; else -1, and '*err' says with name, evidence and change why 'guest' cannot be moved:
 * because of the first that did.  'from' is NULL, or equal to 'to', where there is no host that it comes from. */
int check_judge(const struct check_list *list, const char *guest, const char *from, const char *to,
                struct err *err);

/* "EVIDENCE: CHANGE", or the evidence alone. */
const char *check_text(struct arena *arena, const struct check *check);

/* Stable names. */
const char *check_kind_name(enum check_kind kind);
const char *check_result_name(enum check_result result);
