/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "actuators/sim_fleet.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "diff/plan.h"
#include "reconciler/reconciler.h"

#define CALLBACKS_LIMIT 200000

static const struct life_hooks no_hooks;

static const struct life_hooks *hooks_of(const struct life *life)
{
    return life->world->hooks != NULL ? life->world->hooks : &no_hooks;
}

void life_kill(struct life *life)
{
    life->over = true;
    life->world->killed = true;
    loop_stop(life->loop);
}

void life_end(struct life *life)
{
    if (!life->over) {
        reconciler_end(life->reconciler);
    }
}

static void ignore_answer(void *context, const struct err *err, const char *text)
{
    (void)context;
    (void)err;
    (void)text;
}

void life_order(struct life *life, enum order_verb verb, const char *name)
{
    const struct order order = { .verb = verb, .scope = JOURNAL_SCOPE_COUNT, .user = "somebody" };

    reconciler_order(life->reconciler, &order, name, ignore_answer, NULL);
}

void life_notice_save(struct life *life)
{
    if (life->listener.changed != NULL) {
        life->listener.changed(life->listener.context);
    }
}

void life_edit(struct life *life, sim_edit_fn *edit, void *context)
{
    struct err err;

    ck_assert_msg(sim_edit(life->real_actuator, edit, context, &err) == 0, "%s", err.text);
}

static void cancel_run(void *context)
{
    struct life *life = context;

    if (!life->over) {
        life->world->calls_at_cancel = life->world->calls;
        reconciler_cancel(life->reconciler);
    }
}

static void end_run(void *context)
{
    life_end(context);
}

static struct life *life_of_journal(struct journal *journal)
{
    return CONTAINER_OF(journal, struct life, journal);
}

static void ignore_result(void *context, enum journal_result result, const struct err *err)
{
    (void)context;
    (void)result;
    (void)err;
}

/* An answer that comes from the loop, as every answer of a journal. */
struct refusal {
    journal_done_fn *done;
    void *context;
    enum journal_result result;
};

static void refuse(void *context)
{
    struct refusal *refusal = context;
    struct err err;

    err_set(&err, ERR_IO, "cannot write the journal: no space left on device");
    refusal->done(refusal->context, refusal->result, &err);
}

static void keep(struct life *life, const struct journal_batch *batch, journal_done_fn *done,
                 void *context)
{
    const struct life_hooks *hooks = hooks_of(life);

    journal_submit(life->real_journal, batch, done, context);
    if (hooks->kept != NULL) {
        hooks->kept(hooks->context, batch);
    }
}

static void fail_commit(struct life *life, const struct journal_batch *batch, journal_done_fn *done,
                        void *context)
{
    struct refusal *refusal = ARENA_NEW(&life->world->arena, struct refusal);

    *refusal = (struct refusal){ done, context,
                                 life->disk == LIFE_DISK_FULL ? JOURNAL_FAILED : JOURNAL_UNKNOWN };
    if (life->disk == LIFE_DISK_UNCLEAR_KEPT) {
        keep(life, batch, ignore_result, NULL);
    }
    loop_post(life->loop, refuse, refusal);
}

/* What is to happen at this commit happens, whatever becomes of it. */
static void count_commit(struct life *life)
{
    struct world *world = life->world;

    world->commits++;
    if (world->commits == world->spoil_at_commit) {
        world->es_xml = text_format(&world->arena, "<engineeredSystem");
    }
    if (life->kill == WORLD_FAIL_COMMIT && world->commits >= life->at) {
        life->disk = LIFE_DISK_FULL;
    }
}

static void submit(struct journal *self, const struct journal_batch *batch, journal_done_fn *done,
                   void *context)
{
    struct life *life = life_of_journal(self);
    bool is_last;

    if (life->over) {
        return;
    }
    count_commit(life);
    is_last = life->world->commits == life->at;
    if (life->disk != LIFE_DISK_GOOD) {
        fail_commit(life, batch, done, context);
    } else if (is_last && life->kill == WORLD_KILL_BEFORE_COMMIT) {
        life_kill(life);
    } else if (is_last && life->kill == WORLD_KILL_AFTER_COMMIT) {
        keep(life, batch, ignore_result, NULL);
        life_kill(life);
    } else {
        keep(life, batch, done, context);
        if (life->world->commits == life->world->cancel_at_commit) {
            loop_post(life->loop, cancel_run, life); /* Before the commit is told. */
        }
    }
}

static int moves(struct journal *self, struct arena *arena, bool open_only, const char *guest,
                 size_t limit, struct journal_move **items, size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->moves(real, arena, open_only, guest, limit, items, count, err);
}

static int steps(struct journal *self, struct arena *arena, struct journal_key move,
                 struct journal_step **items, size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->steps(real, arena, move, items, count, err);
}

static int owed(struct journal *self, struct arena *arena, struct journal_owed **items,
                size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->owed(real, arena, items, count, err);
}

static int retries(struct journal *self, struct arena *arena, struct journal_retry **items,
                   size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->retries(real, arena, items, count, err);
}

static int revisions(struct journal *self, struct arena *arena, size_t limit,
                     struct journal_revision **items, size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->revisions(real, arena, limit, items, count, err);
}

static int definitions(struct journal *self, struct arena *arena, struct journal_definition **items,
                       size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->definitions(real, arena, items, count, err);
}

static int holds(struct journal *self, struct arena *arena, struct journal_hold **items,
                 size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->holds(real, arena, items, count, err);
}

static int places(struct journal *self, struct arena *arena, struct journal_place **items,
                  size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->places(real, arena, items, count, err);
}

static int sightings(struct journal *self, struct arena *arena, struct journal_place **items,
                     size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->sightings(real, arena, items, count, err);
}

static int attests(struct journal *self, struct arena *arena, struct journal_attest **items,
                   size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->attests(real, arena, items, count, err);
}

static int leftovers(struct journal *self, struct arena *arena, struct journal_leftover **items,
                     size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->leftovers(real, arena, items, count, err);
}

static int events(struct journal *self, struct arena *arena, const char *guest, size_t limit,
                  struct journal_event **items, size_t *count, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->events(real, arena, guest, limit, items, count, err);
}

static int object(struct journal *self, struct arena *arena, const char *digest, char **bytes,
                  size_t *length, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->object(real, arena, digest, bytes, length, err);
}

static int next_seq(struct journal *self, uint64_t *seq, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->next_seq(real, seq, err);
}

static int find_old(struct journal *self, struct journal_prune *prune, bool *found, struct err *err)
{
    struct journal *real = life_of_journal(self)->real_journal;

    return real->ops->find_old(real, prune, found, err);
}

static const struct journal_ops journal_ops = {
    .name = "mortal",
    .submit = submit,
    .moves = moves,
    .steps = steps,
    .owed = owed,
    .retries = retries,
    .revisions = revisions,
    .definitions = definitions,
    .holds = holds,
    .places = places,
    .sightings = sightings,
    .attests = attests,
    .leftovers = leftovers,
    .events = events,
    .object = object,
    .next_seq = next_seq,
    .find_old = find_old,
};

static struct life *life_of_actuator(struct actuator *actuator)
{
    return CONTAINER_OF(actuator, struct life, actuator);
}

static void observe(struct actuator *self, const char *host, int64_t deadline_ms, uint64_t ticket)
{
    struct life *life = life_of_actuator(self);
    const struct life_hooks *hooks = hooks_of(life);

    if (life->over) {
        return;
    }
    if (hooks->looks != NULL) {
        hooks->looks(hooks->context, host);
    }
    life->real_actuator->sink = self->sink;
    actuator_observe(life->real_actuator, host, deadline_ms, ticket);
}

static void start(struct actuator *self, const struct op *op, uint64_t ticket)
{
    struct life *life = life_of_actuator(self);
    const struct life_hooks *hooks = hooks_of(life);

    if (life->over) {
        return;
    }
    life->world->calls++;
    life->world->starts += op->kind == OP_START;
    if (life->world->calls == life->at && life->kill == WORLD_KILL_BEFORE_CALL) {
        life_kill(life);
        return;
    }
    if (hooks->starts != NULL) {
        hooks->starts(hooks->context, op);
    }
    actuator_start(life->real_actuator, op, ticket);
    if (life->world->calls == life->world->cancel_at_call) {
        loop_timer_start(life->loop, &life->cancel, life->world->cancel_after_ms, cancel_run, life);
    }
    if (life->world->calls == life->at && life->kill == WORLD_KILL_AFTER_CALL) {
        life_kill(life);
        life->has_called = true;
    }
}

static void cancel(struct actuator *self, uint64_t ticket)
{
    const struct life *life = life_of_actuator(self);

    if (!life->over) {
        actuator_cancel(life->real_actuator, ticket);
    }
}

static void watch(struct actuator *self, const char *const *hosts, size_t count)
{
    struct life *life = life_of_actuator(self);

    life->real_actuator->sink = self->sink;
    actuator_watch(life->real_actuator, hosts, count);
}

static const struct actuator_ops actuator_ops = {
    .name = "mortal",
    .observe = observe,
    .start = start,
    .cancel = cancel,
    .watch = watch,
};

static int read_source(struct source *self, struct arena *arena, char **bytes, size_t *length,
                       struct err *err)
{
    struct world *world = CONTAINER_OF(self, struct life, source)->world;

    world->reads++;
    if (world->es_xml == NULL) {
        return err_set(err, ERR_NOT_FOUND, "cannot read 'es.xml': no such file");
    }
    *bytes = arena_strdup(arena, world->es_xml);
    *length = strlen(world->es_xml);
    return 0;
}

static int replace_source(struct source *self, struct file_bytes old, struct file_bytes bytes,
                          struct err *err)
{
    struct life *life = CONTAINER_OF(self, struct life, source);
    struct world *world = life->world;

    if (world->es_xml == NULL || strlen(world->es_xml) != old.length ||
        memcmp(world->es_xml, old.data, old.length) != 0) {
        return err_set(err, ERR_CONFLICT, "cannot replace 'es.xml': it was changed meanwhile");
    }
    world->es_xml = text_copy(&world->arena, bytes.data, bytes.length);
    life_notice_save(life);
    return 0;
}

static void subscribe(struct source *self, struct loop *loop, const struct watch_listener *listener)
{
    struct life *life = CONTAINER_OF(self, struct life, source);

    (void)loop;
    life->listener = *listener;
}

static void unsubscribe(struct source *self)
{
    CONTAINER_OF(self, struct life, source)->listener = (struct watch_listener){ 0 };
}

struct editor {
    struct life *life;
    const struct world_edit *edit;
    struct loop_timer timer;
};

static void edit_file(void *context)
{
    const struct editor *editor = context;
    struct life *life = editor->life;

    if (life->over) {
        return;
    }
    loop_manual_jump(life->loop, editor->edit->jump_ms);
    life->world->es_xml = editor->edit->es_xml;
    if (!editor->edit->unnoticed) {
        life_notice_save(life);
    }
}

static void start_editors(struct life *life)
{
    struct world *world = life->world;
    struct editor *editors = ARENA_ARRAY(&world->arena, struct editor, world->edit_count + 1);

    for (size_t i = 0; i < world->edit_count; i++) {
        editors[i].life = life;
        editors[i].edit = &world->edits[i];
        loop_timer_start(life->loop, &editors[i].timer, world->edits[i].at_ms, edit_file,
                         &editors[i]);
    }
}

static void check_host(const struct sim_host *host)
{
    uint64_t used_kib = 0;

    for (size_t i = 0; i < host->guest_count; i++) {
        used_kib += sim_fleet_is_active(&host->guests[i]) ? host->guests[i].memory_kib : 0;
    }
    ck_assert_msg(used_kib <= host->memory_kib, "%s is over-committed", host->name);
}

static void check_guest(const struct sim_fleet *fleet, const struct sim_guest *guest)
{
    unsigned runs = 0;

    for (size_t h = 0; h < fleet->host_count; h++) {
        const struct sim_guest *found = sim_fleet_find_guest(&fleet->hosts[h], guest->uuid);

        runs += found != NULL && found->state == GUEST_RUNNING;
    }
    ck_assert_msg(runs <= 1, "%s runs %u times", guest->name, runs);
}

static void check_fleet(void *context, struct sim_fleet *fleet)
{
    const struct world *world = context;
    size_t named = 0;

    for (size_t h = 0; h < fleet->host_count; h++) {
        check_host(&fleet->hosts[h]);
        for (size_t g = 0; g < fleet->hosts[h].guest_count; g++) {
            check_guest(fleet, &fleet->hosts[h].guests[g]);
        }
        named += fleet->hosts[h].guest_count;
    }
    ck_assert_msg(named >= world->guest_count, "a guest is lost");
}

static char *dump(struct world *world, struct actuator *actuator)
{
    struct text text = text_new(&world->arena);
    struct err err;

    ck_assert_msg(sim_dump(actuator, &text, &err) == 0, "%s", err.text);
    return text.data;
}

static void on_event(void *context, const struct event *event)
{
    struct life *life = context;
    const struct life_hooks *hooks = hooks_of(life);
    struct world *world = life->world;
    const char *text = event->text;

    if (event->kind == EVENT_MOVE_BEGIN && world->moves_begun++ == 0) {
        world->first_move_ms = loop_now_ms(life->loop);
    }
    world->faults_told += event->kind == EVENT_FAULTS;
    world->valid_told += event->kind == EVENT_FILE_VALID;
    if (event->kind == EVENT_PLAN && world->plans++ == 0) {
        world->first_plan_moves = event->plan->move_count;
        world->first_plan_detours = event->plan->detours;
    }
    if (event->kind == EVENT_ALARM) {
        world->alarms++;
        (void)snprintf(world->last_alarm, sizeof(world->last_alarm), "%s", event->text);
    }
    world->steps_failed += event->kind == EVENT_STEP_END && event->err != NULL;
    if (event->kind == EVENT_MOVE_END && event->move->state != JOURNAL_MOVE_DONE) {
        text = event->move->error_text;
    }
    if (text != NULL && !life->over) {
        (void)snprintf(world->last_text, sizeof(world->last_text), "%s", text);
    }
    if (event->kind != EVENT_PROGRESS && hooks->ran == NULL) {
        life_edit(life, check_fleet, world);
    }
    if (hooks->told != NULL && !life->over) {
        hooks->told(hooks->context, event);
    }
}

static void on_done(void *context, const struct reconciler_result *result)
{
    struct life *life = context;

    life->world->result = *result;
    life->world->result.plan = NULL;
    life->over = true;
    loop_stop(life->loop);
}

static void open_seams(struct life *life)
{
    struct world *world = life->world;
    struct err err;

    life->loop = loop_manual_new(world->wall_ms);
    loop_manual_limit(life->loop, CALLBACKS_LIMIT);
    life->real_journal = journal_open_inline(life->loop, world->state_dir, &err);
    ck_assert_msg(life->real_journal != NULL, "%s", err.text);
    life->real_actuator = sim_open_memory(life->loop, world->fleet, strlen(world->fleet), &err);
    ck_assert_msg(life->real_actuator != NULL, "%s", err.text);
    life->journal.ops = &journal_ops;
    life->actuator.ops = &actuator_ops;
    life->source = (struct source){
        .name = "es.xml",
        .read = read_source,
        .subscribe = subscribe,
        .unsubscribe = unsubscribe,
        .replace = replace_source,
    };
}

static void open_life(struct life *life, const struct reconciler_options *options)
{
    const struct life_hooks *hooks = hooks_of(life);
    struct reconciler_world seams;

    open_seams(life);
    seams = (struct reconciler_world){
        .loop = life->loop,
        .actuator = &life->actuator,
        .journal = &life->journal,
        .source = &life->source,
        .config = &life->world->config,
        .events = { life, on_event },
    };
    life->reconciler = reconciler_new(&seams, options);
    start_editors(life);
    if (hooks->began != NULL) {
        hooks->began(hooks->context, life);
    }
}

static void close_life(struct life *life)
{
    struct world *world = life->world;

    if (life->has_called) { /* The host has heard the call; whatever else runs now finds the life over. */
        loop_manual_advance(life->loop, 1);
    }
    if (hooks_of(life)->ran == NULL) { /* Whoever looks at every callback looks for itself. */
        life_edit(life, check_fleet, world);
    }
    world->fleet = dump(world, life->real_actuator);
    world->wall_ms = loop_wall_ms(life->loop);
    loop_timer_stop(life->loop, &life->end);
    loop_timer_stop(life->loop, &life->cancel);
    actuator_close(life->real_actuator);
    journal_close(life->real_journal);
    reconciler_free(life->reconciler);
    loop_manual_free(life->loop);
}

/* One callback at a time, if somebody wants to look in between. */
static void run_loop(struct life *life)
{
    const struct life_hooks *hooks = hooks_of(life);
    size_t callbacks = 0;

    if (hooks->ran == NULL) {
        loop_run(life->loop);
        return;
    }
    loop_manual_limit(life->loop, 1);
    do {
        loop_run(life->loop);
        hooks->ran(hooks->context);
        callbacks++;
    } while (!life->over && loop_manual_is_exhausted(life->loop) && callbacks < CALLBACKS_LIMIT);
}

static void forget_counts(struct world *world)
{
    world->commits = 0;
    world->calls = 0;
    world->killed = false;
    world->moves_begun = 0;
    world->plans = 0;
    world->first_plan_moves = 0;
    world->first_plan_detours = 0;
    world->steps_failed = 0;
    world->reads = 0;
    world->faults_told = 0;
    world->valid_told = 0;
    world->first_move_ms = 0;
    world->starts = 0;
    world->alarms = 0;
    world->last_alarm[0] = '\0';
    world->last_text[0] = '\0';
}

void world_live(struct world *world, enum world_kill kill, size_t at)
{
    struct life life = { .world = world, .kill = kill, .at = at };
    const struct reconciler_options options = {
        .program = "test",
        .user = "test",
        .only = world->only,
        .step = world->step,
        .rest = world->rest,
        .back = world->back,
        .follow = world->follow_ms > 0,
    };

    forget_counts(world);
    open_life(&life, &options);
    reconciler_run(life.reconciler, on_done, &life);
    if (options.follow) {
        loop_timer_start(life.loop, &life.end, world->follow_ms, end_run, &life);
    }
    run_loop(&life);
    ck_assert_msg(life.over, "the controller stands still");
    if (kill == WORLD_FAIL_COMMIT) {
        world->killed = world->commits >= at;
    }
    close_life(&life);
}
