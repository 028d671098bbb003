/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* drift_answer: what a pass does about drift, as berth.conf says.  For the files of the controller. */

struct reconciler;

/* Finds what has drifted by the view of this pass, tells of it, and answers it: guests that stay are kept out
 * of the plan, holds and owed starts are noted, the file follows the fleet.  -1: the journal was lost. */
int drift_answer_all(struct reconciler *reconciler);
