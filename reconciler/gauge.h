/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Gauge: how far the running move is, from a host's raw figures, which may run backwards, to ones that a
 * person can believe: a fraction that only grows, a rate that does not jump, what is left of the time.
 * Pure.
 */

#include <stdint.h>

#include "actuators/actuator.h"

#define GAUGE_NEVER INT64_MAX

struct text;

struct gauge {
    struct actuator_progress raw; /* The newest. */
    double fraction;              /* 0..1; only grows, and is below 1 until the end is seen. */
    double rate;                  /* Smoothed bytes a second; 0 = not known yet. */
};

/* A move begins: nothing is done. */
void gauge_reset(struct gauge *gauge);

/* Takes the newest figures. */
void gauge_feed(struct gauge *gauge, const struct actuator_progress *raw);

/* What copying the rest takes at the present rate, in ms; -1 = not known. */
int64_t gauge_left_ms(const struct gauge *gauge);

/* The same if the guest goes on writing as it does, which is sent again; -1 = not known, GAUGE_NEVER: at
 * this rate it does not end by itself. */
int64_t gauge_left_most_ms(const struct gauge *gauge);

/* Appends fraction, rate and what is left of the time as members of a JSON object. */
void gauge_json(struct text *json, const struct gauge *gauge);

/* Stable lower-case name of 'phase'. */
const char *gauge_phase_name(enum actuator_phase phase);
