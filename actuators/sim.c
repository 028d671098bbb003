/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/actuator.h"
#include "actuators/sim_fleet.h"
#include "actuators/sim_json.h"
#include "actuators/sim_migrate.h"
#include "actuators/sim_rules.h"
#include "actuators/sim_store.h"
#include "actuators/sim_supply.h"
#include "actuators/sim_watch.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/heap.h"
#include "base/loop.h"
#include "base/text.h"
#include "model/check.h"
#include "model/observed.h"
#include "model/op.h"

#define PROGRESS_MS      INT64_C(200)
#define SILENCE_RETRY_MS INT64_C(1000)
#define OVERDUE_MS       INT64_C(120000) /* Beyond its time, until a call is given up. */
#define SILENCE_LIMIT_MS INT64_C(30000)  /* What keepalive would take to give a host up. */

struct sim;

/* One observation or operation under way.  Whatever may lead to the user's functions is the last thing
 * a function of it does: they may close the actuator. */
struct call {
    struct call *next;
    struct sim *sim;
    struct loop *loop;
    struct arena arena;
    struct loop_timer timer;
    uint64_t ticket;
    const char *host;
    bool observes;
    struct op op;        /* Unless it observes. */
    int64_t begun_ms;    /* Monotonic, as all but where noted. */
    int64_t deadline_ms; /* Of an observation. */
    int64_t heard_ms;    /* When the hosts last answered. */
    bool asked;          /* The faults of this call have been looked up. */
    bool followed;       /* It has begun and takes its time. */
    bool cancelled;
    bool has_fault;
    struct sim_fault fault;
    bool replying; /* The timer brings the reply, whose status is the next. */
    int status;
    struct err err;
    struct actuator_stats stats;
    struct check_list checks; /* In 'arena'. */
    struct sim_findings findings;
};

struct sim {
    struct actuator actuator;
    struct loop *loop;
    struct sim_store *store;
    struct sim_watch *watch;
    struct call *calls;
};

static struct sim *sim_of(struct actuator *actuator)
{
    return CONTAINER_OF(actuator, struct sim, actuator);
}

static struct call *call_new(struct sim *sim, const char *host, uint64_t ticket)
{
    struct call *call = HEAP_NEW(struct call);

    call->sim = sim;
    call->loop = sim->loop;
    call->ticket = ticket;
    call->host = arena_strdup_maybe(&call->arena, host);
    call->checks = check_list(&call->arena);
    call->begun_ms = loop_now_ms(sim->loop);
    call->heard_ms = call->begun_ms;
    call->next = sim->calls;
    sim->calls = call;
    return call;
}

static void call_free(struct call *call)
{
    loop_timer_stop(call->loop, &call->timer);
    arena_deinit(&call->arena);
    free(call);
}

AUTO_POINTER(call, struct call, call_free);

static void forget(struct call *call)
{
    struct call **place = &call->sim->calls;

    while (*place != call) {
        place = &(*place)->next;
    }
    *place = call->next;
}

/* Gives the completion to the user.  The call is out of the books before, so that close() and new calls
 * are possible from there. */
static void deliver(struct call *done, const struct observed_host *observed)
{
    AUTO(call) struct call *call = done;
    const struct actuator_sink sink = call->sim->actuator.sink;
    struct actuator_completion completion = {
        .ticket = call->ticket,
        .status = call->status,
        .observed = observed,
        .stats = call->stats,
        .checks = call->checks.count > 0 ? &call->checks : NULL,
        .present = { call->findings.present[0], call->findings.present[1] },
        .known = { call->findings.known[0], call->findings.known[1] },
        .supplies = call->status == 0 ? call->findings.supplies : (struct supply_list){ 0 },
        .note = call->status == 0 ? call->findings.note : NULL,
    };

    if (call->status != 0) {
        completion.err = call->err;
    }
    loop_timer_stop(call->loop, &call->timer);
    forget(call);
    sink.done(sink.context, &completion);
}

static void reply(void *context)
{
    deliver(context, NULL);
}

static void reply_in(struct call *call, int64_t delay_ms, int status)
{
    call->status = status;
    call->replying = true;
    loop_timer_start(call->loop, &call->timer, delay_ms, reply, call);
}

static int enter(struct call *call, struct sim_fleet **fleet)
{
    return sim_store_enter(call->sim->store, loop_wall_ms(call->loop), fleet, &call->err);
}

/* Ends the access; an answer that could not be kept is a failure. */
static enum sim_answer leave(struct call *call, enum sim_answer answer)
{
    struct err err;

    if (sim_store_leave(call->sim->store, &err) != 0) {
        call->err = err;
        return SIM_ANSWER_FAILED;
    }
    sim_watch_touch(call->sim->watch);
    return answer;
}

static const char *subject(const struct op *op)
{
    return op->guest != NULL ? op->guest : op->host;
}

static int set_fault(struct call *call)
{
    const struct sim_fault *fault = &call->fault;
    const char *what = call->observes ? "observe" : op_kind_name(call->op.kind);

    if (fault->text != NULL) {
        return err_set(&call->err, fault->error, "%s", fault->text);
    }
    return err_set(&call->err, fault->error, "cannot %s%s%s on '%s': scripted fault '%s'", what,
                   call->observes ? "" : " ", call->observes ? "" : subject(&call->op), call->host,
                   err_code_name(fault->error));
}

static void take_fault(struct call *call, struct sim_fleet *fleet)
{
    if (!call->asked) {
        call->has_fault =
            sim_fleet_take_fault(fleet, call->observes ? SIM_TARGET_OBSERVE : call->op.kind,
                                 call->host, call->observes ? NULL : call->op.guest, &call->fault);
        if (call->has_fault) {
            call->fault.text = arena_strdup_maybe(&call->arena, call->fault.text);
        }
        call->asked = true;
    }
}

static bool has_fault(const struct call *call, enum sim_when when)
{
    return call->has_fault && call->fault.when == when &&
           (when == SIM_WHEN_HANG || call->fault.error != ERR_NONE);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Observation: an answer that comes too late is one of 'unreachable'. */

static void deliver_unreachable(struct call *call)
{
    const struct observed_host observed = {
        .name = call->host,
        .as_of_ms = 0,
        .error = call->err.text,
    };

    call->status = -1;
    deliver(call, &observed);
}

static void observe_late(void *context)
{
    struct call *call = context;

    (void)err_set(&call->err, ERR_UNREACHABLE, "cannot observe '%s': no answer within its deadline",
                  call->host);
    deliver_unreachable(call);
}

/* Looks, and says what there is to say; false if 'host' is frozen. */
static bool look(struct call *call, struct observed_host *observed)
{
    struct sim_fleet *fleet;
    const struct sim_host *host;
    bool frozen = false;

    call->status = -1;
    if (enter(call, &fleet) != 0) {
        return true;
    }
    host = sim_fleet_find_host(fleet, call->host);
    if (host == NULL) {
        (void)err_set(&call->err, ERR_NOT_FOUND, "cannot observe '%s': no such host", call->host);
    } else if (host->power == SIM_POWER_OFF) {
        (void)err_set(&call->err, ERR_UNREACHABLE, "cannot observe '%s': no route to host",
                      call->host);
    } else if (host->power == SIM_POWER_FROZEN) {
        frozen = true;
    } else {
        struct observed_host now =
            sim_fleet_observe(fleet, host, &call->arena, loop_wall_ms(call->loop));

        /* The fleet may be read anew while the user holds the answer. */
        *observed = observed_copy_host(&call->arena, &now);
        call->status = 0;
    }
    if (leave(call, SIM_ANSWER_DONE) != SIM_ANSWER_DONE) {
        call->status = -1;
    }
    return !frozen;
}

static void wait_for_deadline(struct call *call)
{
    int64_t left_ms = call->deadline_ms - loop_now_ms(call->loop);

    loop_timer_start(call->loop, &call->timer, left_ms > 0 ? left_ms : 0, observe_late, call);
}

static void observe_answer(void *context)
{
    struct call *call = context;
    struct observed_host observed;

    if (!look(call, &observed)) {
        wait_for_deadline(call);
    } else if (call->status != 0) {
        deliver_unreachable(call);
    } else if (has_fault(call, SIM_WHEN_BEFORE) || has_fault(call, SIM_WHEN_MIDDLE) ||
               has_fault(call, SIM_WHEN_LOST) || has_fault(call, SIM_WHEN_AFTER)) {
        (void)set_fault(call);
        deliver_unreachable(call);
    } else {
        deliver(call, &observed);
    }
}

static void observe_begin(void *context)
{
    struct call *call = context;
    struct loop *loop = call->loop;
    struct sim_fleet *fleet;
    int64_t delay_ms;

    if (enter(call, &fleet) != 0) {
        deliver_unreachable(call);
        return;
    }
    take_fault(call, fleet);
    delay_ms = fleet->durations.observe_ms + (call->has_fault ? call->fault.delay_ms : 0);
    if (leave(call, SIM_ANSWER_DONE) != SIM_ANSWER_DONE) {
        deliver_unreachable(call);
        return;
    }
    if (has_fault(call, SIM_WHEN_HANG) || loop_now_ms(loop) + delay_ms > call->deadline_ms) {
        wait_for_deadline(call);
    } else {
        loop_timer_start(loop, &call->timer, delay_ms, observe_answer, call);
    }
}

static void sim_observe(struct actuator *actuator, const char *host, int64_t deadline_ms,
                        uint64_t ticket)
{
    struct sim *sim = sim_of(actuator);
    struct call *call = call_new(sim, host, ticket);

    call->observes = true;
    call->deadline_ms = call->begun_ms + deadline_ms;
    loop_timer_start(sim->loop, &call->timer, 0, observe_begin, call);
}

/* Operations: asked once, or again while a host is silent; then replied to, or followed. */

static int out_of_time(struct call *call)
{
    char limit[CLOCK_TEXT_SIZE];

    return err_set(&call->err, ERR_TIMEOUT,
                   "cannot stop '%s' on '%s': it did not shut down within %s", call->op.guest,
                   call->host, clock_format_duration(call->op.timeout_ms, limit));
}

static int out_of_reach(struct call *call)
{
    return err_set(&call->err, ERR_UNREACHABLE, "cannot %s '%s': '%s'%s does not answer",
                   op_kind_name(call->op.kind), subject(&call->op), call->host,
                   call->op.peer != NULL ? " or its peer" : "");
}

static int called_off(struct call *call)
{
    return err_set(&call->err, ERR_CANCELLED, "%s of '%s' on '%s' was cancelled",
                   op_kind_name(call->op.kind), call->op.guest, call->host);
}

static bool is_migration(const struct call *call)
{
    return call->op.kind == OP_MIGRATE || call->op.kind == OP_ADOPT;
}

static bool is_cancellable(const struct call *call)
{
    return !call->observes && (is_migration(call) || call->op.kind == OP_STOP);
}

/* Asks again in a while, unless the host has been silent for too long. */
static void wait_for_host(struct call *call, loop_fn *again)
{
    int64_t silent_ms = loop_now_ms(call->loop) - call->heard_ms;

    if (silent_ms >= SILENCE_LIMIT_MS) {
        reply_in(call, 0, out_of_reach(call));
    } else {
        loop_timer_start(call->loop, &call->timer, SILENCE_RETRY_MS, again, call);
    }
}

/* What a cancelled call comes to: a shutdown is only no longer waited for, a migration ends unless it
 * has arrived, or a frozen side keeps it from ending. */
static enum sim_answer obey_cancel(struct call *call, struct sim_fleet *fleet,
                                   enum sim_answer answer)
{
    bool pending = answer == SIM_ANSWER_UNDERWAY || answer == SIM_ANSWER_SILENT;

    if (answer == SIM_ANSWER_DONE) {
        return answer;
    }
    if (pending && is_migration(call) &&
        !sim_migrate_cancel(fleet, &call->op, loop_wall_ms(call->loop))) {
        return answer;
    }
    (void)called_off(call);
    return SIM_ANSWER_FAILED;
}

/* What a call that goes on comes to now: a scripted fault, or the end of its patience. */
static enum sim_answer obey_clock(struct call *call, struct sim_fleet *fleet, int64_t left_ms)
{
    int64_t elapsed_ms = loop_now_ms(call->loop) - call->begun_ms;
    bool half_way = elapsed_ms >= left_ms;

    if (half_way && (has_fault(call, SIM_WHEN_LOST) ||
                     (has_fault(call, SIM_WHEN_MIDDLE) &&
                      sim_migrate_cancel(fleet, &call->op, loop_wall_ms(call->loop))))) {
        (void)set_fault(call);
        return SIM_ANSWER_FAILED;
    }
    if (call->op.kind == OP_STOP && elapsed_ms >= call->op.timeout_ms) {
        (void)out_of_time(call);
        return SIM_ANSWER_FAILED;
    }
    return SIM_ANSWER_UNDERWAY;
}

/* The status of a call whose work is over. */
static int status_of(struct call *call, enum sim_answer answer)
{
    if (answer == SIM_ANSWER_DONE &&
        (has_fault(call, SIM_WHEN_AFTER) || has_fault(call, SIM_WHEN_LOST))) {
        return set_fault(call);
    }
    return answer == SIM_ANSWER_DONE ? 0 : -1;
}

static void op_follow(void *context);

/* Arms the next look before telling: the user may close the actuator from its function. */
static void go_on(struct call *call, const struct sim_course *course)
{
    const struct actuator_sink sink = call->sim->actuator.sink;
    struct loop *loop = call->loop;
    struct actuator_progress progress = course->progress;
    int64_t elapsed_ms = loop_now_ms(loop) - call->begun_ms;
    /* What is not over in its time waits for a host that stands still. */
    int64_t delay_ms = course->left_ms > 0 ? least(PROGRESS_MS, course->left_ms) : PROGRESS_MS;

    if (call->op.kind == OP_STOP) {
        progress.elapsed_ms = elapsed_ms;
        delay_ms = least(delay_ms, call->op.timeout_ms - elapsed_ms);
    }
    progress.ticket = call->ticket;
    loop_timer_start(loop, &call->timer, delay_ms, op_follow, call);
    if (sink.progress != NULL) {
        sink.progress(sink.context, &progress);
    }
}

/* A guest that wrote meanwhile was copied in more passes than what is over can tell. */
static void keep_stats(struct call *call, const struct actuator_stats *last)
{
    struct actuator_stats so_far = call->stats;

    call->stats = *last;
    if (so_far.iterations > last->iterations) {
        call->stats.iterations = so_far.iterations;
        call->stats.bytes = so_far.bytes;
    }
    call->stats.throttle_percent = so_far.throttle_percent;
    call->stats.postcopy = so_far.postcopy;
}

static void op_follow(void *context)
{
    struct call *call = context;
    struct loop *loop = call->loop;
    struct sim_course course;
    struct sim_fleet *fleet;
    enum sim_answer answer;

    if (enter(call, &fleet) != 0) {
        reply_in(call, 0, -1);
        return;
    }
    answer = sim_rules_follow(fleet, &call->op, loop_wall_ms(loop), &course, &call->err);
    if (answer != SIM_ANSWER_SILENT) {
        call->heard_ms = loop_now_ms(loop);
    }
    if (call->cancelled) {
        answer = obey_cancel(call, fleet, answer);
    } else if (answer == SIM_ANSWER_UNDERWAY) {
        answer = obey_clock(call, fleet, course.left_ms);
    }
    answer = leave(call, answer);
    if (answer == SIM_ANSWER_UNDERWAY) {
        call->stats = course.stats;
        go_on(call, &course);
    } else if (answer == SIM_ANSWER_SILENT) {
        wait_for_host(call, op_follow);
    } else {
        keep_stats(call, &course.stats);
        call->stats.total_ms = is_migration(call) ? loop_now_ms(loop) - call->begun_ms : 0;
        reply_in(call, 0, status_of(call, answer));
    }
}

/* True if the fault of this call ends it before anything is done. */
static bool is_thwarted(const struct call *call)
{
    return has_fault(call, SIM_WHEN_BEFORE) ||
           (has_fault(call, SIM_WHEN_MIDDLE) && !is_migration(call)) ||
           (has_fault(call, SIM_WHEN_HANG) && !is_cancellable(call));
}

/* A call that hangs is written off in the end. */
static int overdue(struct call *call, int64_t waited_ms)
{
    char waited[CLOCK_TEXT_SIZE];

    return err_set(&call->err, ERR_TIMEOUT, "cannot %s '%s' on '%s': no answer within %s",
                   op_kind_name(call->op.kind), subject(&call->op), call->host,
                   clock_format_duration(waited_ms, waited));
}

static void thwart(struct call *call)
{
    int64_t overdue_ms = call->op.timeout_ms + OVERDUE_MS;

    if (call->fault.when == SIM_WHEN_HANG) {
        reply_in(call, overdue_ms, overdue(call, overdue_ms));
    } else {
        reply_in(call, call->fault.delay_ms, set_fault(call));
    }
}

static void op_begin(void *context);

/* Acts on what applying the operation came to. */
static void op_begun(struct call *call, enum sim_answer answer, int64_t reply_ms)
{
    if (answer == SIM_ANSWER_SILENT) {
        wait_for_host(call, op_begin);
    } else if (answer == SIM_ANSWER_UNDERWAY) {
        call->followed = true;
        loop_timer_start(call->loop, &call->timer, 0, op_follow, call);
    } else {
        reply_in(call, reply_ms, status_of(call, answer));
    }
}

static void op_begin(void *context)
{
    struct call *call = context;
    const struct sim_fault *fault;
    struct sim_fleet *fleet;
    enum sim_answer answer = SIM_ANSWER_DONE;
    int64_t reply_ms;

    if (call->cancelled) {
        reply_in(call, 0, called_off(call));
        return;
    }
    if (enter(call, &fleet) != 0) {
        reply_in(call, 0, -1);
        return;
    }
    take_fault(call, fleet);
    fault = call->has_fault ? &call->fault : NULL;
    reply_ms = sim_rules_reply_ms(fleet, &call->op) + (fault != NULL ? fault->delay_ms : 0);
    if (!is_thwarted(call)) {
        answer = sim_rules_apply(fleet, &call->op, loop_wall_ms(call->loop), fault, &call->checks,
                                 &call->findings, &call->err);
        call->findings.supplies = supply_list_copy(&call->arena, &call->findings.supplies);
        call->findings.note = arena_strdup_maybe(&call->arena, call->findings.note);
    }
    answer = leave(call, answer);
    if (is_thwarted(call) && answer == SIM_ANSWER_DONE) {
        thwart(call);
    } else {
        op_begun(call, answer, reply_ms);
    }
}

static void sim_start(struct actuator *actuator, const struct op *op, uint64_t ticket)
{
    struct sim *sim = sim_of(actuator);
    struct call *call = call_new(sim, op->host, ticket);

    assert((op->guest != NULL && op->uuid != NULL) || op_is_of_host(op->kind));
    call->op = op_copy(&call->arena, op);
    loop_timer_start(sim->loop, &call->timer, 0, op_begin, call);
}

static void sim_cancel(struct actuator *actuator, uint64_t ticket)
{
    struct sim *sim = sim_of(actuator);

    for (struct call *call = sim->calls; call != NULL; call = call->next) {
        if (call->ticket != ticket || !is_cancellable(call)) {
            continue;
        }
        call->cancelled = true;
        if (call->followed && !call->replying) {
            loop_timer_start(sim->loop, &call->timer, 0, op_follow, call);
        }
    }
}

static void on_notice(void *context, const struct actuator_notice *notice)
{
    const struct actuator_sink sink = ((const struct sim *)context)->actuator.sink;

    if (sink.notice != NULL) {
        sink.notice(sink.context, notice);
    }
}

static void sim_watch(struct actuator *actuator, const char *const *hosts, size_t count)
{
    sim_watch_set(sim_of(actuator)->watch, hosts, count);
}

static void sim_close(struct actuator *actuator)
{
    struct sim *sim = sim_of(actuator);

    sim_watch_free(sim->watch);
    while (sim->calls != NULL) {
        struct call *call = sim->calls;

        sim->calls = call->next;
        call_free(call);
    }
    sim_store_free(sim->store);
    free(sim);
}

static const struct actuator_ops sim_ops = {
    .name = "sim",
    .observe = sim_observe,
    .start = sim_start,
    .cancel = sim_cancel,
    .watch = sim_watch,
    .close = sim_close,
};

static struct actuator *sim_new(struct loop *loop, struct sim_store *store)
{
    struct sim *sim = HEAP_NEW(struct sim);

    sim->actuator.ops = &sim_ops;
    sim->loop = loop;
    sim->store = store;
    sim->watch = sim_watch_new(loop, store, on_notice, sim);
    return &sim->actuator;
}

struct actuator *sim_open(struct loop *loop, const char *path, struct err *err)
{
    struct sim_store *store = sim_store_new_file(path);
    struct sim_fleet *fleet;

    if (sim_store_enter(store, loop_wall_ms(loop), &fleet, err) != 0 ||
        sim_store_leave(store, err) != 0) {
        sim_store_free(store);
        return NULL;
    }
    return sim_new(loop, store);
}

int sim_host_names(struct arena *arena, const char *path, const char *const **names, size_t *count,
                   struct err *err)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct sim_fleet fleet;
    const char **list;
    char *bytes;
    size_t length;

    if (file_read(&scratch, path, SIM_JSON_MAX_BYTES, &bytes, &length, err) != 0) {
        return -1;
    }
    if (sim_json_read(&scratch, bytes, length, &fleet, err) != 0) {
        return err_wrap(err, "cannot use the simulated fleet '%s'", path);
    }
    list = ARENA_ARRAY(arena, const char *, fleet.host_count);
    for (size_t i = 0; i < fleet.host_count; i++) {
        list[i] = arena_strdup(arena, fleet.hosts[i].name);
    }
    *names = list;
    *count = fleet.host_count;
    return 0;
}

struct actuator *sim_open_memory(struct loop *loop, const char *bytes, size_t length,
                                 struct err *err)
{
    struct sim_store *store = sim_store_new_memory(bytes, length, err);

    return store == NULL ? NULL : sim_new(loop, store);
}

int sim_dump(struct actuator *actuator, struct text *text, struct err *err)
{
    struct sim *sim = sim_of(actuator);
    struct sim_fleet *fleet;

    if (sim_store_enter(sim->store, loop_wall_ms(sim->loop), &fleet, err) != 0 ||
        sim_store_leave(sim->store, err) != 0) {
        return -1;
    }
    sim_watch_touch(sim->watch);
    sim_json_write(text, fleet);
    return 0;
}

int sim_load(struct actuator *actuator, const char *bytes, size_t length, struct err *err)
{
    struct sim *sim = sim_of(actuator);
    int status = sim_store_replace(sim->store, bytes, length, err);

    sim_watch_touch(sim->watch);
    return status;
}

int sim_edit(struct actuator *actuator, sim_edit_fn *edit, void *context, struct err *err)
{
    struct sim *sim = sim_of(actuator);
    struct sim_fleet *fleet;
    int status;

    if (sim_store_enter(sim->store, loop_wall_ms(sim->loop), &fleet, err) != 0) {
        return -1;
    }
    edit(context, fleet);
    status = sim_store_leave(sim->store, err);
    sim_watch_touch(sim->watch);
    return status;
}

int sim_set_power(struct actuator *actuator, const char *host, enum sim_power power,
                  struct err *err)
{
    struct sim *sim = sim_of(actuator);
    int64_t wall_ms = loop_wall_ms(sim->loop);
    struct sim_fleet *fleet;
    struct sim_host *found;
    int status;

    if (sim_store_enter(sim->store, wall_ms, &fleet, err) != 0) {
        return -1;
    }
    found = sim_fleet_find_host(fleet, host);
    if (found == NULL) {
        struct err ignored;

        (void)sim_store_leave(sim->store, &ignored);
        return err_set(err, ERR_NOT_FOUND, "cannot switch '%s': no such host", host);
    }
    found->power = power;
    fleet->changed = true;
    sim_fleet_advance(fleet, wall_ms);
    status = sim_store_leave(sim->store, err);
    sim_watch_touch(sim->watch);
    return status;
}
