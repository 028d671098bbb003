/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/fencing.h"

#include "actuators/actuator.h"
#include "diff/settle.h"
#include "model/op.h"
#include "reconciler/calls.h"

#define FENCING_LOOK_MS INT64_C(5000)

static void on_fenced(void *context, const struct actuator_completion *completion)
{
    struct fencing *fencing = context;

    fencing->ticket = 0;
    fencing->done(fencing->context, completion->status == 0 ? NULL : &completion->err, NULL);
}

static void answers(struct fencing *fencing, const struct actuator_completion *completion)
{
    struct err err;

    if (settle_view_of(completion->observed, fencing->guest, fencing->uuid) == SETTLE_ABSENT) {
        fencing->done(fencing->context, NULL, "it answers, and does not know the guest");
        return;
    }
    (void)err_set(&err, ERR_CONFLICT, "'%s' answers again and knows '%s'", fencing->host,
                  fencing->guest);
    fencing->done(fencing->context, &err, NULL);
}

static void cut_power(struct fencing *fencing)
{
    const struct op op = {
        .kind = OP_FENCE,
        .epoch = fencing->epoch,
        .host = fencing->host,
        .timeout_ms = FENCING_TIMEOUT_MS,
    };

    fencing->ticket = calls_start(fencing->calls, &op, on_fenced, NULL, fencing);
}

static void on_looked(void *context, const struct actuator_completion *completion)
{
    struct fencing *fencing = context;

    fencing->ticket = 0;
    if (completion->status == 0) {
        answers(fencing, completion);
    } else {
        cut_power(fencing);
    }
}

void fencing_begin(struct fencing *fencing, const struct fencing *what)
{
    *fencing = *what;
    if (fencing->silent) {
        cut_power(fencing);
        return;
    }
    fencing->ticket =
        calls_observe(fencing->calls, fencing->host, FENCING_LOOK_MS, on_looked, fencing);
}

void fencing_drop(struct fencing *fencing)
{
    if (fencing->calls != NULL) {
        calls_drop(fencing->calls, fencing->ticket);
    }
    fencing->ticket = 0;
}
