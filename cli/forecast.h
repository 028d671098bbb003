/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * forecast: what the journal's moves let expect of those of a plan (diff/estimate.h).
 */

#include <stdbool.h>

struct cli;
struct plan;

/* Puts a forecast into each live move of 'plan', from the moves in the config's journal; where there is none, it
 * may not be read, or 'recorded' (then no state directory is looked at), from their size.  0, or the exit status after printing why
 * the journal cannot be read. */
int forecast_make(struct cli *cli, bool recorded, struct plan *plan);
