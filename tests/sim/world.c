/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "actuators/sim.h"
#include "actuators/sim_fleet.h"
#include "actuators/sim_json.h"
#include "base/loop_manual.h"
#include "base/text.h"
#include "diff/plan.h"
#include "model/es_write.h"
#include "reconciler/journal/journal.h"
#include "reconciler/source.h"
#include "reconciler/watch.h"

#define START_MS        INT64_C(1700000000000)
#define CALLBACKS_LIMIT 200000

/* Environment variable that tells the tests' processes the folder of this program. */
#define FOLDER "BERTH_SIM_FOLDER"

struct life {
    struct world *world;
    struct loop *loop;
    struct reconciler *reconciler;
    enum world_kill kill;
    size_t at;
    bool over;
    struct loop_timer end;
    struct loop_timer cancel;

    struct journal journal; /* Counts, and dies. */
    struct journal *real_journal;
    struct actuator actuator;
    struct actuator *real_actuator;
    struct source source;
    struct watch_listener listener; /* Of the source; all NULL while nobody has subscribed. */
};

static void die(struct life *life)
{
    life->over = true;
    life->world->killed = true;
    loop_stop(life->loop);
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
    struct life *life = context;

    reconciler_end(life->reconciler);
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

/* A full disk: the answer comes from the loop, as every answer of a journal. */
struct refusal {
    journal_done_fn *done;
    void *context;
};

static void refuse(void *context)
{
    struct refusal *refusal = context;
    struct err err;

    err_set(&err, ERR_IO, "cannot write the journal: no space left on device");
    refusal->done(refusal->context, JOURNAL_FAILED, &err);
}

static void fail_commit(struct life *life, journal_done_fn *done, void *context)
{
    struct refusal *refusal = ARENA_NEW(&life->world->arena, struct refusal);

    *refusal = (struct refusal){ done, context };
    loop_post(life->loop, refuse, refusal);
}

static void submit(struct journal *self, const struct journal_batch *batch, journal_done_fn *done,
                   void *context)
{
    struct life *life = life_of_journal(self);

    if (life->over) {
        return;
    }
    life->world->commits++;
    if (life->world->commits == life->world->spoil_at_commit) {
        life->world->es_xml = text_format(&life->world->arena, "<engineeredSystem");
    }
    if (life->world->commits >= life->at && life->kill == WORLD_FAIL_COMMIT) {
        fail_commit(life, done, context);
        return;
    }
    if (life->world->commits == life->at && life->kill == WORLD_KILL_BEFORE_COMMIT) {
        die(life);
        return;
    }
    if (life->world->commits == life->at && life->kill == WORLD_KILL_AFTER_COMMIT) {
        journal_submit(life->real_journal, batch, ignore_result, NULL);
        die(life);
        return;
    }
    journal_submit(life->real_journal, batch, done, context);
    if (life->world->commits == life->world->cancel_at_commit) {
        loop_post(life->loop, cancel_run, life); /* Before the commit is told. */
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
    .events = events,
    .object = object,
    .next_seq = next_seq,
};

static struct life *life_of_actuator(struct actuator *actuator)
{
    return CONTAINER_OF(actuator, struct life, actuator);
}

static void observe(struct actuator *self, const char *host, int64_t deadline_ms, uint64_t ticket)
{
    struct life *life = life_of_actuator(self);

    life->real_actuator->sink = self->sink;
    actuator_observe(life->real_actuator, host, deadline_ms, ticket);
}

static void start(struct actuator *self, const struct op *op, uint64_t ticket)
{
    struct life *life = life_of_actuator(self);

    if (life->over) {
        return;
    }
    life->world->calls++;
    life->world->starts += op->kind == OP_START;
    if (life->world->calls == life->at && life->kill == WORLD_KILL_BEFORE_CALL) {
        die(life);
        return;
    }
    actuator_start(life->real_actuator, op, ticket);
    if (life->world->calls == life->world->cancel_at_call) {
        loop_timer_start(life->loop, &life->cancel, life->world->cancel_after_ms, cancel_run, life);
    }
    if (life->world->calls == life->at && life->kill == WORLD_KILL_AFTER_CALL) {
        die(life);
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
        life->listener.changed(life->listener.context);
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

static void read_fleet(struct arena *arena, const char *json, struct sim_fleet *fleet)
{
    struct err err;

    ck_assert_msg(sim_json_read(arena, json, strlen(json), fleet, &err) == 0, "%s", err.text);
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

static void check_invariants(struct world *world, const char *json)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct sim_fleet fleet = { .arena = &arena };
    size_t named = 0;

    read_fleet(&arena, json, &fleet);
    for (size_t h = 0; h < fleet.host_count; h++) {
        check_host(&fleet.hosts[h]);
        for (size_t g = 0; g < fleet.hosts[h].guest_count; g++) {
            check_guest(&fleet, &fleet.hosts[h].guests[g]);
        }
        named += fleet.hosts[h].guest_count;
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
    if (event->kind != EVENT_PROGRESS) {
        check_invariants(world, dump(world, life->real_actuator));
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
    };
}

void world_live(struct world *world, enum world_kill kill, size_t at)
{
    struct life life = { .world = world, .kill = kill, .at = at };
    struct reconciler_options options = {
        .program = "test",
        .user = "test",
        .follow = world->follow_ms > 0,
    };
    struct reconciler_world seams;

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
    open_seams(&life);
    seams = (struct reconciler_world){
        .loop = life.loop,
        .actuator = &life.actuator,
        .journal = &life.journal,
        .source = &life.source,
        .config = &world->config,
        .events = { &life, on_event },
    };
    life.reconciler = reconciler_new(&seams, &options);
    start_editors(&life);
    reconciler_run(life.reconciler, on_done, &life);
    if (options.follow) {
        loop_timer_start(life.loop, &life.end, world->follow_ms, end_run, &life);
    }
    loop_run(life.loop);
    ck_assert_msg(life.over, "the controller stands still");
    if (kill == WORLD_FAIL_COMMIT) {
        world->killed = world->commits >= at;
    }
    world->fleet = dump(world, life.real_actuator);
    world->wall_ms = loop_wall_ms(life.loop);
    loop_timer_stop(life.loop, &life.end);
    loop_timer_stop(life.loop, &life.cancel);
    actuator_close(life.real_actuator);
    journal_close(life.real_journal);
    reconciler_free(life.reconciler);
    loop_manual_free(life.loop);
    check_invariants(world, world->fleet);
}

void world_touch(struct world *world)
{
    world->es_xml = text_format(&world->arena, "%s<!-- saved again -->\n", world->es_xml);
}

void world_freeze(struct world *world, const char *host, bool frozen)
{
    struct loop *loop = loop_manual_new(world->wall_ms);
    struct err err;
    struct actuator *actuator = sim_open_memory(loop, world->fleet, strlen(world->fleet), &err);

    ck_assert_msg(actuator != NULL, "%s", err.text);
    ck_assert_int_eq(sim_set_power(actuator, host, frozen ? SIM_POWER_FROZEN : SIM_POWER_ON, &err),
                     0);
    world->fleet = dump(world, actuator);
    actuator_close(actuator);
    loop_manual_free(loop);
}

void world_wait(struct world *world, int64_t ms)
{
    world->wall_ms += ms;
}

static char *guest_uuid(struct arena *arena, size_t index)
{
    return text_format(arena, "00000000-0000-4000-8000-%012zx", index + 1);
}

static const char *reason_of(const char *state)
{
    if (strcmp(state, "incoming") == 0) {
        return "starting-up";
    }
    return strcmp(state, "paused") == 0 ? "user" : "unknown";
}

static void print_guest(struct world *world, struct text *text, const struct world_guest *guest,
                        size_t index)
{
    bool incoming = strcmp(guest->state, "incoming") == 0;

    text_printf(text,
                "{\"name\":\"%s\",\"uuid\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\","
                "\"memory_kib\":%u,\"vcpus\":1,\"persistent\":%s,\"autostart\":%s,\"deaf\":%s%s}",
                guest->name, guest_uuid(&world->arena, index), incoming ? "paused" : guest->state,
                reason_of(guest->state), guest->memory_mib * 1024, incoming ? "false" : "true",
                guest->autostart ? "true" : "false", guest->deaf ? "true" : "false",
                guest->more == NULL ? "" : guest->more);
}

static void print_fleet(struct world *world, const unsigned *memory_mib,
                        const struct world_guest *guests, size_t count, const char *faults)
{
    struct text text = text_new(&world->arena);

    text_printf(&text, "{\"format\":\"berth.sim/1\",\"faults\":[%s],\"hosts\":[", faults);
    for (unsigned host = 1; host <= world->host_count; host++) {
        char name[16];
        const char *comma = "";

        (void)snprintf(name, sizeof(name), "kvm%u", host);
        text_printf(&text, "%s{\"name\":\"%s\",\"memory_kib\":%u,\"cpus\":64,\"guests\":[",
                    host == 1 ? "" : ",", name, memory_mib[host - 1] * 1024);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(guests[i].host, name) == 0) {
                text_append(&text, comma);
                print_guest(world, &text, &guests[i], i);
                comma = ",";
            }
        }
        text_append(&text, "]}");
    }
    text_append(&text, "]}");
    world->fleet = text.data;
}

static int compare_guests(const void *a, const void *b)
{
    return strcmp(((const struct desired_guest *)a)->name, ((const struct desired_guest *)b)->name);
}

void world_want(struct world *world, const struct world_guest *guests, size_t count)
{
    struct desired_host *hosts = ARENA_ARRAY(&world->arena, struct desired_host, world->host_count);
    struct desired_guest *items = ARENA_ARRAY(&world->arena, struct desired_guest, count + 1);
    struct desired desired = {
        .hosts = hosts,
        .host_count = world->host_count,
        .guests = items,
        .guest_count = count,
    };
    struct text text = text_new(&world->arena);

    for (unsigned i = 0; i < world->host_count; i++) {
        hosts[i].name = text_format(&world->arena, "kvm%u", i + 1);
        hosts[i].id = text_format(&world->arena, "kvm%u_id", i + 1);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct desired_guest){
            .name = guests[i].name,
            .id = text_format(&world->arena, "%s_id", guests[i].name),
            .memory_kib = (uint64_t)guests[i].memory_mib * 1024,
            .vcpus = 1,
            .host = desired_find_host(&desired, guests[i].wanted),
        };
    }
    qsort(items, count, sizeof(*items), compare_guests);
    es_write_document(&text, &desired);
    world->es_xml = text.data;
}

void world_init_hosts(struct world *world, const unsigned *memory_mib, size_t host_count,
                      const struct world_guest *guests, size_t count, const char *faults)
{
    *world = (struct world){
        .wall_ms = START_MS,
        .host_count = host_count,
        .guest_count = count,
    };
    (void)snprintf(world->state_dir, sizeof(world->state_dir), "%s/XXXXXX", getenv(FOLDER));
    ck_assert_ptr_nonnull(mkdtemp(world->state_dir));
    world->config = config_default();
    world->config.policy.reserve = (struct policy_reserve){ 0 };
    print_fleet(world, memory_mib, guests, count, faults);
    world_want(world, guests, count);
}

void world_init(struct world *world, unsigned memory_mib, const struct world_guest *guests,
                size_t count, const char *faults)
{
    const unsigned equal[WORLD_HOSTS] = { memory_mib, memory_mib, memory_mib };

    world_init_hosts(world, equal, WORLD_HOSTS, guests, count, faults);
}

static const struct sim_guest *find(struct world *world, struct arena *arena, const char *guest,
                                    const char *host)
{
    struct sim_fleet fleet = { .arena = arena };
    const struct sim_host *found;

    (void)world;
    read_fleet(arena, world->fleet, &fleet);
    found = sim_fleet_find_host(&fleet, host);
    ck_assert_ptr_nonnull(found);
    return sim_fleet_find_guest_named(found, guest);
}

const char *world_state(struct world *world, const char *guest, const char *host)
{
    const struct sim_guest *found = find(world, &world->arena, guest, host);

    return found == NULL ? "absent" : observed_state_name(found->state);
}

bool world_has_autostart(struct world *world, const char *guest, const char *host)
{
    const struct sim_guest *found = find(world, &world->arena, guest, host);

    return found != NULL && found->autostart;
}

static struct journal *read_journal(struct world *world)
{
    struct err err;
    struct journal *journal = journal_open_readonly(world->state_dir, &err);

    ck_assert_msg(journal != NULL, "%s", err.text);
    return journal;
}

static size_t count_moves(struct world *world, bool open_only, struct journal_move **items)
{
    struct journal *journal = read_journal(world);
    struct err err;
    size_t count;

    ck_assert_msg(journal->ops->moves(journal, &world->arena, open_only, NULL, 1000, items, &count,
                                      &err) == 0,
                  "%s", err.text);
    journal_close(journal);
    return count;
}

size_t world_moves(struct world *world, struct journal_move **items)
{
    return count_moves(world, false, items);
}

size_t world_open_moves(struct world *world)
{
    struct journal_move *items;

    return count_moves(world, true, &items);
}

size_t world_owed(struct world *world)
{
    struct journal *journal = read_journal(world);
    struct journal_owed *items;
    struct err err;
    size_t count;

    ck_assert_msg(journal->ops->owed(journal, &world->arena, &items, &count, &err) == 0, "%s",
                  err.text);
    journal_close(journal);
    return count;
}

size_t world_revisions(struct world *world)
{
    struct journal *journal = read_journal(world);
    struct journal_revision *items;
    struct err err;
    size_t count;

    ck_assert_msg(journal->ops->revisions(journal, &world->arena, 0, &items, &count, &err) == 0,
                  "%s", err.text);
    journal_close(journal);
    return count;
}

static int damage_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)walk;
    return type == FTW_F ? truncate(path, 1) : 0;
}

void world_damage_objects(struct world *world)
{
    const char *folder = text_format(&world->arena, "%s/objects", world->state_dir);

    ck_assert_int_eq(nftw(folder, damage_file, 16, FTW_PHYS), 0);
}

void world_turn_off(struct world *world, const char *guest)
{
    char *name = strstr(world->fleet, text_format(&world->arena, "{\"name\":\"%s\"", guest));

    ck_assert_ptr_nonnull(name);
    world->fleet =
        text_format(&world->arena, "%.*s{\"state\":\"shutoff\",\"reason\":\"shutdown\",%s",
                    (int)(name - world->fleet), world->fleet, name + 1);
}

void world_add(struct world *world, const struct world_guest *guest, size_t index)
{
    struct text text = text_new(&world->arena);
    char *host = strstr(world->fleet, text_format(&world->arena, "{\"name\":\"%s\"", guest->host));
    char *guests = host == NULL ? NULL : strstr(host, "\"guests\":[");

    ck_assert_ptr_nonnull(guests);
    guests += strlen("\"guests\":[");
    text_append_bytes(&text, world->fleet, (size_t)(guests - world->fleet));
    print_guest(world, &text, guest, index);
    text_append(&text, guests[strspn(guests, " \n")] == ']' ? "" : ",");
    text_append(&text, guests);
    world->fleet = text.data;
}

void world_remove(struct world *world, const char *guest)
{
    struct text text = text_new(&world->arena);
    char *begin = strstr(world->fleet, text_format(&world->arena, "{\"name\":\"%s\"", guest));
    char *end = begin;
    int depth = 0;

    ck_assert_ptr_nonnull(begin);
    do {
        depth += (*end == '{') - (*end == '}');
        end++;
    } while (depth > 0);
    if (*end == ',') {
        end++;
    } else {
        while (strchr(", \n", begin[-1]) != NULL) {
            begin--;
        }
    }
    text_append_bytes(&text, world->fleet, (size_t)(begin - world->fleet));
    text_append(&text, end);
    world->fleet = text.data;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void world_set_up(void)
{
    char folder[] = "/dev/shm/berth-sim-XXXXXX";

    if (mkdtemp(folder) == NULL || setenv(FOLDER, folder, 1) != 0) {
        abort(); /* Outside of a test there is nobody to report to. */
    }
}

void world_tear_down(void)
{
    (void)nftw(getenv(FOLDER), remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void world_deinit(struct world *world)
{
    arena_deinit(&world->arena);
}
