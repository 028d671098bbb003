/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Pass: reads the ledger and the file, looks at every host, and does the one next thing (architecture.md, 'A
 * pass').  For the files of the controller. */

struct reconciler;

/* Begins a pass; a loop_fn. */
void pass_run(void *context);

/* Reads the journal anew.  -1: it was lost. */
int pass_load_ledger(struct reconciler *reconciler);
