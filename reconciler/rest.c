/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rest.h"

#include <string.h>

#include "base/err.h"
#include "reconciler/config.h"
#include "reconciler/controller.h"
#include "reconciler/moves.h"
#include "reconciler/opening.h"
#include "reconciler/watch.h"

static enum reconciler_status final_status(const struct reconciler *reconciler)
{
    if (reconciler->invalid) {
        return RECONCILER_INVALID;
    }
    if (reconciler->ending) {
        return RECONCILER_DONE;
    }
    if (reconciler->cancelled) {
        return RECONCILER_CANCELLED;
    }
    if (reconciler->result.failed > 0 || reconciler->result.stuck > 0) {
        return RECONCILER_FAILED;
    }
    return reconciler->result.blocked > 0 ? RECONCILER_BLOCKED : RECONCILER_DONE;
}

/* Looks again. */
static void look_again(void *context)
{
    struct reconciler *reconciler = context;

    loop_timer_stop(reconciler->world.loop, &reconciler->timer);
    reconciler->stuck_count = 0; /* What was stuck is looked at again, once a pass. */
    controller_forget_names(&reconciler->restarted);
    controller_forget_names(&reconciler->released);
    controller_forget_names(&reconciler->swept);
    arena_deinit(&reconciler->run_arena);
    reconciler->stuck = NULL;
    controller_post_pass(reconciler);
}

/* Level-triggered: whatever is missed shows in the next look. */
static void follow(struct reconciler *reconciler, int64_t retry_ms)
{
    int64_t wait_ms = reconciler->world.config->poll_ms;
    int64_t now_ms = controller_wall(reconciler);
    int64_t change_ms = opening_next_change(&reconciler->world.config->timetable, now_ms);

    if (retry_ms != 0 && retry_ms - now_ms < wait_ms) {
        wait_ms = retry_ms - now_ms;
    }
    if (change_ms - now_ms < wait_ms) {
        wait_ms = change_ms - now_ms;
    }
    reconciler->next_look_ms = now_ms + wait_ms;
    loop_timer_start(reconciler->world.loop, &reconciler->timer, wait_ms, look_again, reconciler);
    if (reconciler->heard) {
        debounce_note(&reconciler->notices);
    }
}

void rest_begin(struct reconciler *reconciler)
{
    int64_t retry_ms = moves_next_retry_ms(reconciler);

    if (reconciler->notes > 0) {
        reconciler->rest_waits = true;
        return;
    }
    if (reconciler->overtaken) {
        controller_next_pass(reconciler);
        return;
    }
    if (pruning_go_on(reconciler)) {
        reconciler->rest_waits = true;
        return;
    }
    if (reconciler->options.follow && !reconciler->ending && !reconciler->cancelled) {
        follow(reconciler, retry_ms);
        return;
    }
    if (retry_ms != 0 && !reconciler->cancelled && !reconciler->ending) {
        loop_timer_start(reconciler->world.loop, &reconciler->timer,
                         retry_ms - controller_wall(reconciler), controller_post_pass, reconciler);
        return;
    }
    controller_end(reconciler, final_status(reconciler));
}

void rest_wake(struct reconciler *reconciler)
{
    reconciler->overtaken = true;
    if (reconciler->timer.armed) {
        look_again(reconciler);
    }
}

/* Resting long enough after a look that took long: others need the hosts too. */
void rest_on_heard(void *context)
{
    struct reconciler *reconciler = context;
    int64_t since_ms = loop_now_ms(reconciler->world.loop) - reconciler->look_begun_ms;

    if (!reconciler->timer.armed) {
        return; /* 'heard' is seen at rest. */
    }
    if (since_ms < REST_NOTICE_LOOKS * reconciler->look_took_ms) {
        debounce_note(&reconciler->notices);
        return;
    }
    look_again(reconciler);
}

/* What the running move does is no news, nor how far somebody else's is. */
void rest_on_notice(void *context, const struct actuator_notice *notice)
{
    struct reconciler *reconciler = context;
    const struct journal_move *moving = executor_move(&reconciler->executor);

    if (notice->kind == ACTUATOR_NOTICE_ITERATION || reconciler->ended ||
        (moving != NULL && notice->guest != NULL && strcmp(moving->guest, notice->guest) == 0)) {
        return;
    }
    reconciler->heard = true;
    debounce_note(&reconciler->notices);
}

static void on_file_changed(void *context)
{
    moves_reconsider(context);
    rest_wake(context);
}

static void on_file_polled(void *context, const struct err *err)
{
    struct event event = { .kind = EVENT_FILE_POLLED, .err = err };

    controller_emit(context, &event);
}

void rest_follow_file(struct reconciler *reconciler)
{
    const struct watch_listener listener = { reconciler, on_file_changed, on_file_polled };
    struct event event = { .kind = EVENT_ALARM };
    struct err err;

    if (standing_recall(&reconciler->standing, &err) != 0) {
        (void)err_wrap(&err, "cannot fall back on the last good es.xml");
        event.text = err.text;
        controller_emit(reconciler, &event);
    }
    standing_follow(&reconciler->standing, reconciler->world.loop, &listener);
}
