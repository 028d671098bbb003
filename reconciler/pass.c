/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/pass.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "diff/diff.h"
#include "diff/plan.h"
#include "diff/verify.h"
#include "model/fault.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"
#include "reconciler/debts.h"
#include "reconciler/definition.h"
#include "reconciler/drift_answer.h"
#include "reconciler/locks.h"
#include "reconciler/moves.h"
#include "reconciler/release.h"
#include "reconciler/reload.h"
#include "reconciler/rest.h"
#include "reconciler/waiting.h"

static void note_plan(struct reconciler *reconciler, const struct text *json)
{
    struct journal_record records[2] = { { .kind = JOURNAL_OBJECT }, { .kind = JOURNAL_PLAN } };
    struct journal_plan *plan = &records[1].plan;

    records[0].object.bytes = json->data;
    records[0].object.length = json->length;
    digest_of(json->data, json->length, records[0].object.digest);
    *plan = (struct journal_plan){
        .key = ledger_key(&reconciler->ledger),
        .run = reconciler->ledger.run,
        .at_ms = controller_wall(reconciler),
    };
    memcpy(plan->es_digest, reconciler->revision.digest, DIGEST_TEXT_SIZE);
    memcpy(plan->policy_digest, reconciler->following.policy_digest, DIGEST_TEXT_SIZE);
    memcpy(plan->plan_digest, records[0].object.digest, DIGEST_TEXT_SIZE);
    controller_note(reconciler, records, ARRAY_LEN(records));
}

static void follow_plan(struct reconciler *reconciler, const struct plan *plan,
                        const char *policy_digest)
{
    struct event event = { .kind = EVENT_PLAN, .plan = &reconciler->following.plan };
    struct text json = text_new(&reconciler->arena);

    following_adopt(&reconciler->following, plan, policy_digest, &json);
    reconciler->result.blocked = plan->block_count;
    if (plan->move_count > 0) {
        note_plan(reconciler, &json);
    }
    controller_emit(reconciler, &event);
}

static void remember_blocks(struct reconciler *reconciler, const struct plan *plan)
{
    reconciler->found.blocked = plan->blocked;
    reconciler->found.block_count = plan->block_count;
}

/* True if there is a verified plan to follow. */
static bool choose_plan(struct reconciler *reconciler)
{
    const struct plan_input *input = &reconciler->view.input;
    struct event event = { .kind = EVENT_ALARM };
    const char *digest = reconciler->view.policy_digest;
    struct plan plan;
    struct err err;
    bool holds;

    holds = following_holds(&reconciler->following, input, digest) &&
            waiting_objection(&reconciler->arena, &reconciler->view,
                              following_peek(&reconciler->following)) == NULL;
    plan = view_plan(&reconciler->arena, &reconciler->view);
    view_drop_unasked(&plan, reconciler->options.only);
    remember_blocks(reconciler, &plan);
    if (holds && !following_is_beaten(&reconciler->following, &plan)) {
        return true;
    }
    if (verify_plan(input, &plan, 0, &err) != 0) {
        reconciler->following.valid = false;
        event.text = err.text;
        controller_emit(reconciler, &event);
        reconciler->result.failed++;
        return false;
    }
    follow_plan(reconciler, &plan, digest);
    return true;
}

static void note_definitions(struct reconciler *reconciler)
{
    size_t count;
    struct journal_record *records = definition_changes(
        &reconciler->arena, &reconciler->view.observed, &reconciler->revision.desired,
        &reconciler->ledger, controller_wall(reconciler), &count);

    if (count > 0) {
        controller_note(reconciler, records, count);
    }
}

static void judge(struct reconciler *reconciler)
{
    struct status status = reconciler_status(reconciler);
    struct event event = { .kind = EVENT_PASS };

    condition_judge(&reconciler->conditions, &status);
    event.elapsed_ms = loop_now_ms(reconciler->world.loop) - reconciler->look_begun_ms;
    controller_emit(reconciler, &event);
}

static void note_revision(struct reconciler *reconciler)
{
    const struct revision *revision = &reconciler->revision;
    struct journal_record records[2] = { { .kind = JOURNAL_OBJECT }, { .kind = JOURNAL_REVISION } };

    records[0].object.bytes = revision->bytes;
    records[0].object.length = revision->length;
    memcpy(records[0].object.digest, revision->digest, DIGEST_TEXT_SIZE);
    memcpy(records[1].revision.digest, revision->digest, DIGEST_TEXT_SIZE);
    records[1].revision.at_ms = standing_date(&reconciler->standing, controller_wall(reconciler));
    controller_note(reconciler, records, ARRAY_LEN(records));
}

static void judge_file(struct reconciler *reconciler, const struct faults *faults,
                       const struct err *err)
{
    const char *message = NULL;

    if (reconciler->standing.faulty) {
        message = source_fault_text(&reconciler->arena, reconciler->world.source, faults, err);
    }
    condition_set(&reconciler->conditions, CONDITION_DESIRED_VALID, controller_wall(reconciler),
                  message);
}

static int load_revision(struct reconciler *reconciler)
{
    struct faults faults = fault_list(&reconciler->arena);
    struct err err = { .code = ERR_NONE };
    struct event event = { .kind = EVENT_FAULTS, .faults = &faults, .err = &err };
    bool was_faulty = reconciler->standing.faulty;
    bool told = false;
    enum standing_news news =
        standing_read(&reconciler->standing, &reconciler->arena, &reconciler->world.config->policy,
                      &reconciler->revision, &faults, &err, &told);

    if (reconciler->standing.faulty && !told) {
        controller_emit(reconciler, &event);
    }
    judge_file(reconciler, &faults, &err);
    if (was_faulty && !reconciler->standing.faulty) {
        event = (struct event){ .kind = EVENT_FILE_VALID };
        controller_emit(reconciler, &event);
    }
    if (news == STANDING_NEW) {
        note_revision(reconciler);
    }
    /* Who runs it once wants this file done, not the one before, and no guest left down by it. */
    if (news == STANDING_KEPT && !reconciler->options.follow) {
        reconciler->invalid = true;
        reconciler->ending = true;
        return reconciler->parks ? 0 : -1;
    }
    return news == STANDING_NONE ? -1 : 0;
}

int pass_load_ledger(struct reconciler *reconciler)
{
    struct err err;

    if (ledger_load(&reconciler->ledger, &err) != 0) {
        controller_lost(reconciler, &err);
        return -1;
    }
    return 0;
}

/* What this pass has found outlives it; a pass that found nothing leaves what was there. */
static void keep_finding(struct reconciler *reconciler)
{
    if (reconciler->found.looked_ms == 0) {
        arena_deinit(&reconciler->arena);
        return;
    }
    arena_deinit(&reconciler->before.arena);
    reconciler->before = reconciler->found;
    reconciler->before.arena = reconciler->arena;
    reconciler->found = (struct finding){ .looked_ms = 0 };
    reconciler->arena = ARENA_INIT;
}

/* No move is under way, and the last pass is over: nothing holds on to the config before. */
static void take_config(struct reconciler *reconciler)
{
    struct event event = { .kind = EVENT_CONFIG_TAKEN };

    if (reconciler->world.reload != NULL && reload_take(reconciler->world.reload)) {
        standing_doubt(&reconciler->standing);
        controller_emit(reconciler, &event);
    }
}

/* berth.conf, the journal and es.xml as they are now.  -1: there is nothing to go on with; that is seen to. */
static int read_wishes(struct reconciler *reconciler)
{
    reconciler->overtaken = false;
    take_config(reconciler);
    reconciler->revision = (struct revision){ 0 };
    if (pass_load_ledger(reconciler) != 0) {
        return -1;
    }
    if (load_revision(reconciler) == 0) {
        return 0;
    }
    if (reconciler->options.follow && !reconciler->ending) {
        rest_begin(reconciler);
    } else {
        controller_end(reconciler, RECONCILER_INVALID);
    }
    return -1;
}

/* What was found is from before it was overtaken, and the hosts are asked again once this pass is over: not
 * before it, or whoever asks for something often enough would keep everything from being done. */
static int catch_up(struct reconciler *reconciler)
{
    if (!reconciler->overtaken) {
        return 0;
    }
    reconciler->heard = true;
    return read_wishes(reconciler);
}

/* Of the first look alone: a host that comes later is found by the checks before its moves. */
static void tell_locks(struct reconciler *reconciler)
{
    struct event event = { .kind = EVENT_NO_LOCKS };

    if (!reconciler->told_locks) {
        event.text = locks_warning(&reconciler->arena, &reconciler->view.observed);
    }
    if (event.text != NULL) {
        controller_emit(reconciler, &event);
    }
    reconciler->told_locks = true;
}

static void on_observed(void *context)
{
    struct reconciler *reconciler = context;
    struct event event = { .kind = EVENT_OBSERVED };
    bool goes_on;

    reconciler->look_took_ms = loop_now_ms(reconciler->world.loop) - reconciler->look_begun_ms;
    reconciler->before.looked_ms = 0; /* It was of the snapshot before, which is gone. */
    if (reconciler->ended || catch_up(reconciler) != 0) {
        return;
    }
    view_build(&reconciler->view, &reconciler->arena, &reconciler->revision,
               &reconciler->snapshot.observed, &reconciler->ledger, reconciler->world.config,
               reconciler->options.only, controller_wall(reconciler));
    reconciler->found.revision = reconciler->revision;
    reconciler->found.observed = reconciler->view.observed;
    reconciler->found.diff =
        diff_compute(&reconciler->arena, &reconciler->revision.desired, &reconciler->view.observed);
    reconciler->found.looked_ms = controller_wall(reconciler);
    event.observed = &reconciler->view.observed;
    controller_emit(reconciler, &event);
    tell_locks(reconciler);
    note_definitions(reconciler);
    if (drift_answer_all(reconciler) != 0) {
        return;
    }
    if (reconciler->overtaken) { /* By a debt that it has found. */
        controller_next_pass(reconciler);
        return;
    }
    debts_pay_running(reconciler);
    if (!controller_is_leaving(reconciler) &&
        (leftovers_sweep_next(reconciler) || moves_force_next(reconciler) ||
         moves_resume_next(reconciler))) {
        return;
    }
    if (release_next(reconciler)) {
        return;
    }
    goes_on = debts_may_go_on(reconciler) && choose_plan(reconciler) && debts_may_go_on(reconciler);
    if (goes_on) {
        judge(reconciler);
    }
    if (debts_restart_next(reconciler) || (goes_on && moves_take_next(reconciler))) {
        return;
    }
    rest_begin(reconciler);
}

void pass_run(void *context)
{
    struct reconciler *reconciler = context;
    const char *const *hosts;
    size_t count;

    if (reconciler->ended) {
        return;
    }
    reconciler->rest_waits = false;
    keep_finding(reconciler);
    if (read_wishes(reconciler) != 0) {
        return;
    }
    hosts = view_hosts(&reconciler->arena, &reconciler->revision, &reconciler->ledger, &count);
    if (reconciler->options.follow) {
        calls_watch(&reconciler->calls, hosts, count);
    }
    reconciler->heard = false;
    reconciler->look_begun_ms = loop_now_ms(reconciler->world.loop);
    snapshot_take(&reconciler->snapshot, hosts, count, on_observed, reconciler);
}
