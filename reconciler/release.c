/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/release.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"
#include "reconciler/guard.h"

/* A host starts one guest after the other; what is not done by then is when it is told again. */
#define TIMEOUT_MS INT64_C(120000)

static struct journal_record event_record(struct reconciler *reconciler, const char *kind,
                                          const char *text)
{
    const struct releasing *releasing = &reconciler->releasing;

    return (struct journal_record){
        .kind = JOURNAL_EVENT,
        .event = { .key = ledger_key(&reconciler->ledger),
                   .at_ms = controller_wall(reconciler),
                   .kind = kind,
                   .guest = releasing->guest,
                   .host = releasing->host,
                   .text = text },
    };
}

/* The same failure again is no news. */
static bool is_news(struct reconciler *reconciler, const struct err *err)
{
    return err == NULL || controller_is_new(&reconciler->told_kept, err->text);
}

static void on_released(void *context, const struct actuator_completion *completion)
{
    struct reconciler *reconciler = context;
    const struct err *err = completion->status == 0 ? NULL : &completion->err;
    struct event event = { .kind = EVENT_RELEASE, .err = err };
    struct journal_record record =
        event_record(reconciler, err == NULL ? "released" : "release-failed",
                     err == NULL ? "may start its guests" : err->text);

    if (reconciler->ended) {
        return;
    }
    event.guest = reconciler->releasing.guest;
    event.host = reconciler->releasing.host;
    if (is_news(reconciler, err)) {
        reconciler->result.failed += err == NULL ? 0 : 1;
        controller_note(reconciler, &record, 1);
        controller_emit(reconciler, &event);
    }
    controller_next_pass(reconciler);
}

/* What is about to be done is kept. */
static void on_intended(void *context, enum journal_result result, const struct err *err)
{
    struct reconciler *reconciler = context;
    struct op op = {
        .kind = OP_RELEASE,
        .epoch = reconciler->ledger.epoch,
        .host = reconciler->releasing.host,
        .guest = reconciler->releasing.guest,
        .timeout_ms = TIMEOUT_MS,
    };

    if (reconciler->ended) {
        return;
    }
    if (result != JOURNAL_COMMITTED) {
        controller_lost(reconciler, err);
        return;
    }
    (void)calls_start(&reconciler->calls, &op, on_released, NULL, reconciler);
}

/* Once between two rests: a host that cannot do it is told again after a while. */
static bool begin(struct reconciler *reconciler, const char *host, const char *guest)
{
    const char *what = text_format(&reconciler->arena, "%s/%s", host, guest == NULL ? "" : guest);
    struct journal_record record;

    if (!controller_is_new(&reconciler->released, what)) {
        return false;
    }
    reconciler->releasing = (struct releasing){ host, guest };
    record = event_record(reconciler, "releasing", "is told to start what its guard holds back");
    ledger_submit(&reconciler->ledger, &record, 1, on_intended, reconciler);
    return true;
}

static void tell_kept(struct reconciler *reconciler, const struct guard_judgement *judgement)
{
    for (size_t i = 0; i < judgement->kept_count; i++) {
        const struct guard_kept *kept = &judgement->kept[i];
        struct event event = { .kind = EVENT_ALARM, .guest = kept->guest, .text = kept->reason };

        if (kept->needs_a_person && controller_is_new(&reconciler->told_kept, kept->reason)) {
            reconciler->result.failed++;
            controller_emit(reconciler, &event);
        }
    }
}

static bool release_host(struct reconciler *reconciler, const struct observed_host *host)
{
    struct guard_judgement judgement =
        guard_judge(&reconciler->arena, &reconciler->view.observed, &reconciler->ledger, host);
    const char *only = reconciler->options.only;

    if (only == NULL) {
        tell_kept(reconciler, &judgement);
    }
    if (judgement.all && only == NULL) {
        return begin(reconciler, host->name, NULL);
    }
    for (size_t i = 0; i < judgement.guest_count; i++) {
        if ((only == NULL || strcmp(judgement.guests[i], only) == 0) &&
            begin(reconciler, host->name, judgement.guests[i])) {
            return true;
        }
    }
    return false;
}

bool release_next(struct reconciler *reconciler)
{
    const struct observed *observed = &reconciler->view.observed;
    bool holds = false;

    for (size_t i = 0; reconciler->world.config->guard && i < observed->host_count; i++) {
        const struct observed_host *host = &observed->hosts[i];

        if (!guard_holds(host)) {
            continue;
        }
        holds = true;
        if (!controller_is_leaving(reconciler) && release_host(reconciler, host)) {
            return true;
        }
    }
    if (!holds) { /* Whatever comes after that is told anew. */
        controller_forget_names(&reconciler->told_kept);
    }
    return false;
}
