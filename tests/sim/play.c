/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/base.h"
#include "base/text.h"
#include "diff/plan.h"
#include "disaster.h"
#include "reconciler/event.h"
#include "reconciler/procedure.h"
#include "reconciler/reconciler.h"
#include "verdict.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)

/* Five looks of a controller that has nothing to do, and more. */
#define QUIET_MIN_MS (6 * MINUTE_MS)
/* Longer than any backoff takes several times. */
#define PATIENCE_MS (6 * HOUR_MS)
/* A life that goes on for ever is ended by the play. */
#define ENDLESS_MS      (1000 * HOUR_MS)
#define CALLBACKS_LIMIT 150000u
#define DEATHS_MAX      3u
#define HAND_STEPS_MAX  PROCEDURE_STEPS

static const char holder[] = "somebody";

int64_t play_now_ms(const struct play *play)
{
    return play->life == NULL ? play->now_ms : play->now_ms + loop_now_ms(play->life->loop);
}

bool play_can_ask(const struct play *play)
{
    return play->life != NULL && !play->life->over && play->world.only == NULL;
}

void play_tell(struct play *play, const char *format, ...)
{
    char line[512];
    va_list args;

    if (play->chronicle == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    text_printf(play->chronicle, "%9" PRId64 " %s\n", play_now_ms(play), line);
}

struct play_order *play_ask(struct play *play)
{
    struct play_order *order = ARENA_NEW(&play->world.arena, struct play_order);

    *order = (struct play_order){ play->orders, play, 0 };
    play->orders = order;
    return order;
}

void play_answer(void *context, const struct err *err, const char *text)
{
    struct play_order *order = context;

    order->answers++;
    play_tell(order->play, "answer: %s", err != NULL ? err->text : text != NULL ? text : "yes");
}

struct editing {
    struct play *play;
    sim_edit_fn *edit;
    void *context;
};

/* Advancing to the present is not what somebody does: it is looked at before. */
static void edit_and_tell(void *context, struct sim_fleet *fleet)
{
    const struct editing *editing = context;
    struct witness *witness = &editing->play->witness;

    witness->now_ms = play_now_ms(editing->play);
    witness_check(witness, fleet);
    editing->edit(editing->context, fleet);
    sim_fleet_advance(fleet, editing->play->life != NULL ? loop_wall_ms(editing->play->life->loop)
                                                         : editing->play->world.wall_ms);
    witness_disturb(witness, fleet);
}

void play_edit(struct play *play, sim_edit_fn *edit, void *context)
{
    struct editing editing = { play, edit, context };

    if (play->life != NULL) {
        life_edit(play->life, edit_and_tell, &editing);
    } else {
        world_edit(&play->world, edit_and_tell, &editing);
    }
}

void play_save(struct play *play, const char *es_xml, bool in_order, bool unnoticed)
{
    play->world.es_xml = es_xml;
    play->saved = es_xml;
    play->witness.now_ms = play_now_ms(play);
    witness_save(&play->witness, es_xml, in_order);
    if (play->life != NULL && !unnoticed) {
        life_notice_save(play->life);
    }
}

/* The controller may save the file too: the fleet is adopted. */
static void follow_file(struct play *play)
{
    if (play->world.es_xml == play->saved) {
        return;
    }
    if (!cast_read(&play->cast, play->world.es_xml)) {
        witness_blame(&play->witness, "the controller has saved a file that is not in order");
    }
    play->saved = play->world.es_xml;
    play->good_es_xml = play->saved;
    witness_save(&play->witness, play->saved, true);
}

/* The end. */

static void release_all(struct play *play)
{
    struct witness *witness = &play->witness;

    for (size_t i = 0; i < witness->hold_count && play->life != NULL; i++) {
        const struct order order = {
            .verb = ORDER_RELEASE,
            .scope = witness->holds[i].scope,
            .user = holder,
        };

        reconciler_order(play->life->reconciler, &order, witness->holds[i].name, play_answer,
                         play_ask(play));
    }
}

static size_t activity(const struct play *play)
{
    return play->world.commits + play->world.calls;
}

static void finish(struct play *play)
{
    play->over = true;
    life_kill(play->life);
}

/* Whether a shutdown that was asked for still takes effect is waited for before a debt is paid. */
static int64_t quiet_ms(const struct play *play)
{
    return QUIET_MIN_MS + 2 * play->world.config.policy.stop_timeout_ms;
}

/* Whether it has come to rest, or will not. */
static void watch_peace(struct play *play)
{
    int64_t now_ms = play_now_ms(play);

    if (play->world.only != NULL) {
        return; /* Who takes steps by hand ends by himself. */
    }
    if (activity(play) != play->activity) {
        play->activity = activity(play);
        play->quiet_ms = now_ms;
    }
    if (play->releases && now_ms - play->peace_ms >= MINUTE_MS) {
        play->releases = false;
        release_all(play);
    } else if (now_ms - play->quiet_ms >= quiet_ms(play) && verdict_is_final(play)) {
        verdict_pass(play);
        finish(play);
    } else if (now_ms - play->peace_ms >= PATIENCE_MS) {
        witness_blame(&play->witness, "it never comes to rest (%s)", play->world.last_text);
        finish(play);
    }
}

static void arm(struct play *play);

static void on_tick(void *context)
{
    struct play *play = context;

    watch_peace(play);
    if (!play->over) {
        arm(play);
    }
}

static const struct witness_move *find_by_hand(const struct play *play)
{
    for (size_t i = 0; i < WITNESS_MOVES; i++) {
        const struct witness_move *move = &play->witness.moves[i];

        if (move->key.seq != 0 && move->by_hand) {
            return move;
        }
    }
    return NULL;
}

static void make_peace(struct play *play)
{
    play_tell(play, "-- peace");
    play->peace = true;
    play->peace_ms = play_now_ms(play);
    play->quiet_ms = play->peace_ms;
    mishap_end_all(play);
    if (find_by_hand(play) != NULL && play_can_ask(play)) {
        life_end(play->life); /* A person brings to its end what was begun by hand. */
    }
}

/* Time goes on. */

static bool is_left_out(const struct play *play, size_t index)
{
    return play->left_out != NULL && play->left_out[index];
}

static void happen_next(struct play *play)
{
    size_t index = play->next++;
    const struct mishap *mishap = &play->mishaps[index];

    if (is_left_out(play, index)) {
        return;
    }
    if (play->chronicle != NULL) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        struct text text = text_new(&arena);

        mishap_print(&text, &play->cast, mishap);
        play_tell(play, "-- %s", text.data);
    }
    play->may_end |=
        mishap->kind == MISHAP_END || mishap->kind == MISHAP_DISK || mishap->kind == MISHAP_HAND;
    mishap_happen(play, mishap);
}

static int64_t next_ms(const struct play *play)
{
    return play->next < play->mishap_count ? play->mishaps[play->next].at_ms : play->length_ms;
}

static void on_mishap(void *context)
{
    struct play *play = context;

    if (play->next < play->mishap_count) {
        happen_next(play);
    } else {
        make_peace(play);
    }
    if (!play->life->over) {
        arm(play);
    }
}

static void arm(struct play *play)
{
    int64_t left_ms = next_ms(play) - play_now_ms(play);

    if (play->peace) {
        loop_timer_start(play->life->loop, &play->timer, MINUTE_MS, on_tick, play);
    } else {
        loop_timer_start(play->life->loop, &play->timer, left_ms > 0 ? left_ms : 0, on_mishap,
                         play);
    }
}

/* No controller lives for a while. */
static void pause(struct play *play, int64_t ms)
{
    int64_t until_ms = play->now_ms + ms;

    while (!play->peace && next_ms(play) <= until_ms) {
        int64_t wait_ms = next_ms(play) - play->now_ms;

        play->now_ms += wait_ms > 0 ? wait_ms : 0;
        world_wait(&play->world, wait_ms > 0 ? wait_ms : 0);
        if (play->next < play->mishap_count) {
            happen_next(play);
        } else {
            make_peace(play);
        }
    }
    world_wait(&play->world, until_ms - play->now_ms);
    play->now_ms = until_ms;
}

/* Lives. */

static void on_began(void *context, struct life *life)
{
    struct play *play = context;

    play->life = life;
    play->witness.now_ms = play->now_ms;
    witness_begin(&play->witness, life);
    life->disk = play->disk;
    play->activity = 0;
    arm(play);
}

static void on_kept(void *context, const struct journal_batch *batch)
{
    struct play *play = context;

    play->witness.now_ms = play_now_ms(play);
    witness_keep(&play->witness, batch);
}

static void on_looks(void *context, const char *host)
{
    witness_look(&((struct play *)context)->witness, host);
}

static void on_starts(void *context, const struct op *op)
{
    witness_start(&((struct play *)context)->witness, op);
}

/* What a person would want to read of a play that failed; kinds that are not here say nothing. */
static const char *const event_words[] = {
    [EVENT_FAULTS] = "the file is faulty",
    [EVENT_FILE_VALID] = "the file is in order again",
    [EVENT_PLAN] = "a plan",
    [EVENT_MOVE_BEGIN] = "begin",
    [EVENT_MOVE_RESUME] = "resume",
    [EVENT_STEP_BEGIN] = "  go",
    [EVENT_STEP_END] = "  ok",
    [EVENT_MOVE_END] = "end",
    [EVENT_MOVE_STUCK] = "stuck",
    [EVENT_RETRY] = "later",
    [EVENT_ALARM] = "alarm",
    [EVENT_DRIFT] = "drift",
    [EVENT_DRIFT_OVER] = "drift",
    [EVENT_ORDER] = "order",
    [EVENT_RELEASE] = "release",
    [EVENT_SWEPT] = "swept",
    [EVENT_JOURNAL_LOST] = "journal lost",
};

static void tell_event(struct play *play, const struct event *event)
{
    const char *word = event->kind < ARRAY_LEN(event_words) ? event_words[event->kind] : NULL;
    const char *why = event->err != NULL    ? event->err->text
                      : event->text != NULL ? event->text
                                            : "";

    if (word == NULL) {
        return;
    }
    if (event->kind == EVENT_STEP_BEGIN || event->kind == EVENT_STEP_END) {
        play_tell(play, "%s: %s %s on %s %s", event->err == NULL ? word : "  failed",
                  op_kind_name(event->op), event->guest, event->host, why);
    } else if (event->move != NULL) {
        play_tell(play, "%s: %s %s -> %s, %s, %s %s", word, event->guest, event->move->from,
                  event->move->to, op_mode_name(event->move->mode),
                  journal_move_state_name(event->move->state), why);
    } else if (event->kind == EVENT_PLAN) {
        play_tell(play, "%s of %zu moves, %zu blocked", word, event->plan->move_count,
                  event->plan->block_count);
    } else {
        play_tell(play, "%s: %s %s", word, event->guest == NULL ? "" : event->guest, why);
    }
}

static void on_told(void *context, const struct event *event)
{
    struct play *play = context;

    witness_hear(&play->witness, event);
    if (play->chronicle != NULL) {
        tell_event(play, event);
    }
}

static void check_fleet(void *context, struct sim_fleet *fleet)
{
    witness_check(context, fleet);
}

static void on_ran(void *context)
{
    struct play *play = context;

    play->witness.now_ms = play_now_ms(play);
    follow_file(play);
    life_edit(play->life, check_fleet, &play->witness);
    if (++play->callbacks > CALLBACKS_LIMIT) {
        witness_blame(&play->witness, "it does something without end");
    }
    if (play->witness.blame[0] != '\0') {
        play->over = true;
        life_kill(play->life);
    }
    if (play->life->over) {
        loop_timer_stop(play->life->loop, &play->timer);
    }
    play->ended_ms = loop_now_ms(play->life->loop);
}

static void live_once(struct play *play, enum world_kill kill, size_t at)
{
    play->callbacks = 0;
    play->lives++;
    play_tell(play, "-- %s",
              play->world.only == NULL   ? "a controller starts"
              : play->world.step == NULL ? "by hand: whatever is left"
                                         : play->world.step);
    world_live(&play->world, kill, at);
    play->now_ms += play->ended_ms;
    play->life = NULL;
    play_tell(play, "-- the controller %s", play->world.killed ? "is killed" : "has ended");
    play->witness.life = NULL;
}

static void live(struct play *play, struct dice *dice)
{
    static const enum world_kill kills[] = { WORLD_KILL_BEFORE_COMMIT, WORLD_KILL_AFTER_COMMIT,
                                             WORLD_KILL_BEFORE_CALL, WORLD_KILL_AFTER_CALL };
    bool dies = play->lives < DEATHS_MAX && !play->peace && !dice_one_in(dice, 3);
    enum world_kill kill = dies ? kills[dice_roll(dice, ARRAY_LEN(kills))] : WORLD_KILL_NEVER;
    size_t at = dies ? 1 + dice_roll(dice, 1 + dice_roll(dice, 60)) : 0;

    live_once(play, kill, at);
    if (!play->world.killed && !play->may_end) {
        witness_blame(&play->witness, "the controller has ended by itself (%s)",
                      play->world.last_text);
    }
}

/* 'berth migrate GUEST --to HOST --mode offline', with each of 'steps' in turn (up to a NULL, which takes the rest). */
static void migrate_by_hand(struct play *play, uint32_t guest, const char *const *steps,
                            size_t count)
{
    struct policy_guest *own = &play->cast.own_guests[guest];
    struct policy_guest before = *own;

    own->has_mode = true;
    own->mode = POLICY_MODE_OFFLINE;
    play->world.only = own->name;
    play->world.follow_ms = 0;
    for (size_t i = 0; i < count && !play->over && play->witness.blame[0] == '\0'; i++) {
        play->world.step = steps[i];
        play->world.rest = steps[i] == NULL;
        live_once(play, WORLD_KILL_NEVER, 0);
    }
    play->world.step = NULL;
    play->world.rest = false;
    play->world.only = NULL;
    play->world.follow_ms = ENDLESS_MS;
    *own = before;
}

/* Some steps of a move, mostly in the order of the procedure; the rest at once, or when nothing happens any more. */
static void take_steps(struct play *play)
{
    const struct mishap *mishap = play->hand;
    struct dice dice = { mishap->number };
    struct cast_guest *guest = &play->cast.guests[mishap->guest];
    const char *steps[HAND_STEPS_MAX + 1];
    size_t count = 1 + dice_roll(&dice, HAND_STEPS_MAX);

    play->hand = NULL;
    if (!guest->listed || !play->witness.in_order) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        steps[i] = procedure_step(dice_one_in(&dice, 4) ? dice_roll(&dice, PROCEDURE_STEPS) : i);
    }
    steps[count] = NULL;
    guest->goal = mishap->host;
    play->good_es_xml = cast_es_xml(&play->cast, ++play->saves);
    play_save(play, play->good_es_xml, true, true);
    migrate_by_hand(play, mishap->guest, steps, count + dice_roll(&dice, 2));
}

static void work_by_hand(struct play *play)
{
    static const char *const rest[] = { NULL };
    const struct witness_move *move;

    if (play->hand != NULL) {
        take_steps(play);
    }
    move = find_by_hand(play);
    if (play->peace && move != NULL) {
        migrate_by_hand(play, move->guest, rest, ARRAY_LEN(rest));
    }
}

static void check_orders(struct play *play)
{
    for (const struct play_order *order = play->orders; order != NULL; order = order->next) {
        if (order->answers != 1) {
            witness_blame(&play->witness, "an order was answered %zu times", order->answers);
        }
    }
}

static void set_up(struct play *play, uint64_t seed)
{
    struct dice dice = { seed };
    struct dice own = { seed ^ UINT64_C(0x5DEECE66D) }; /* Of the outfit: the rest is as without. */

    cast_draw(&play->cast, &play->arena, &dice);
    outfit_draw(&play->outfit, &play->cast, &own);
    cast_enter(&play->cast, &play->world, &dice);
    outfit_enter(&play->outfit, &play->cast, &play->world);
    play->length_ms = (int64_t)(1 + dice_roll(&dice, dice_one_in(&dice, 3) ? 30 : 4)) * MINUTE_MS;
    play->renews = dice_one_in(&dice, 2);
    play->releases = dice_one_in(&dice, 2);
    play->mishaps = mishap_draw(&play->cast, &dice, play->length_ms, &play->mishap_count);
    if (play->outfit.given) {
        play->mishaps =
            disaster_add(&play->cast, &own, play->length_ms, play->mishaps, &play->mishap_count);
    }
    play->world.follow_ms = ENDLESS_MS;
    witness_init(&play->witness, play);
}

static void see_first(void *context, struct sim_fleet *fleet)
{
    witness_disturb(context, fleet);
}

void play_perform(struct play *play, uint64_t seed, const bool *left_out)
{
    const struct life_hooks hooks = {
        .context = play,
        .began = on_began,
        .kept = on_kept,
        .looks = on_looks,
        .starts = on_starts,
        .told = on_told,
        .ran = on_ran,
    };
    struct dice dice = { ~seed };

    *play = (struct play){ .chronicle = play->chronicle, .left_out = left_out };
    set_up(play, seed);
    play->world.hooks = &hooks;
    world_edit(&play->world, see_first, &play->witness);
    play->good_es_xml = play->world.es_xml;
    play_save(play, play->good_es_xml, true, true);
    while (!play->over && play->witness.blame[0] == '\0') {
        live(play, &dice);
        check_orders(play);
        if (!play->over) {
            pause(play,
                  (int64_t)(1 + dice_roll(&dice, dice_one_in(&dice, 2) ? 5 : 90)) * SECOND_MS);
            work_by_hand(play);
        }
    }
    play->world.hooks = NULL;
}

void play_deinit(struct play *play)
{
    world_deinit(&play->world);
    arena_deinit(&play->arena);
}
