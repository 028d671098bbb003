/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Conditions: the few questions whose answers tell how a fleet does, each with why and since when.  Every
 * one of them is true in a fleet that needs nobody's attention.  Pure.
 */

#include <stdint.h>

#define CONDITION_MESSAGE_SIZE 512u

enum condition_kind {
    CONDITION_DESIRED_VALID,   /* es.xml can be acted on. */
    CONDITION_HOSTS_REACHABLE, /* Every host of the file answers. */
    CONDITION_IN_PLACE,        /* Every guest is where the file wants it. */
    CONDITION_UNBLOCKED,       /* Whatever is not in its place is on its way there. */
    CONDITION_SETTLED,  /* No move is unclear, no start owed to a guest that is down, no host held
                                  back since its boot. */
    CONDITION_AS_LEFT,  /* Nothing has drifted. */
    CONDITION_RELEASED, /* Nobody holds anything. */
    CONDITION_KINDS,
};

enum condition_status {
    CONDITION_UNKNOWN, /* Not looked at yet. */
    CONDITION_TRUE,
    CONDITION_FALSE,
};

struct condition {
    enum condition_status status;
    int64_t since_ms;                     /* Of the status; 0 = never known. */
    char message[CONDITION_MESSAGE_SIZE]; /* Why not; "" if there is nothing to say. */
};

struct conditions {
    struct condition of[CONDITION_KINDS];
};

/* Answers 'kind': true if 'message' is NULL, else false because of it. */
void condition_set(struct conditions *conditions, enum condition_kind kind, int64_t now_ms,
                   const char *message);

struct status;

/* Answers all but DESIRED_VALID, of whose fault the status knows nothing. */
void condition_judge(struct conditions *conditions, const struct status *status);

/* Stable names, as in "DesiredValid" and "true". */
const char *condition_kind_name(enum condition_kind kind);
const char *condition_status_name(enum condition_status status);
