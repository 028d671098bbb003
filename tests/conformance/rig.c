/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/rig.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/text.h"

#define PATIENCE_MS  INT64_C(120000) /* Longer than anything a case waits for. */
#define DEADLINE_MS  INT64_C(20000)
#define ANSWER_TRIES 40

static bool is_same_notice(const struct rig_notice *a, const struct rig_notice *b)
{
    return a->kind == b->kind && strcmp(a->host, b->host) == 0 && strcmp(a->guest, b->guest) == 0;
}

static bool is_noticed(const struct rig *rig)
{
    bool found = rig->wanted_notice == NULL;

    for (size_t i = 0; i < rig->notice_count && !found; i++) {
        found = is_same_notice(&rig->notices[i], rig->wanted_notice);
    }
    return found;
}

static bool is_satisfied(const struct rig *rig)
{
    return rig->done_count >= rig->wanted && rig->progress_count >= rig->wanted_progress &&
           is_noticed(rig);
}

static void stop_if_satisfied(struct rig *rig)
{
    if (is_satisfied(rig)) {
        loop_stop(rig->loop);
    }
}

static void on_done(void *context, const struct actuator_completion *completion)
{
    struct rig *rig = context;
    struct rig_done *done = &rig->done[rig->done_count];

    ck_assert_msg(!rig->calling, "a completion from inside a call");
    ck_assert_msg(pthread_equal(pthread_self(), rig->thread), "a completion on another thread");
    ck_assert_uint_lt(rig->done_count, RIG_DONE_MAX);
    for (size_t i = 0; i < rig->done_count; i++) {
        ck_assert_uint_ne(rig->done[i].ticket, completion->ticket);
    }
    done->ticket = completion->ticket;
    done->status = completion->status;
    done->err = completion->err;
    done->stats = completion->stats;
    if (completion->observed != NULL) {
        done->host = observed_copy_host(&rig->arena, completion->observed);
    }
    done->checks = check_list(&rig->arena);
    if (completion->checks != NULL) {
        check_add(&done->checks, completion->checks->items, completion->checks->count);
    }
    memcpy(done->present, completion->present, sizeof(done->present));
    memcpy(done->known, completion->known, sizeof(done->known));
    done->supplies = supply_list_copy(&rig->arena, &completion->supplies);
    done->note = arena_strdup_maybe(&rig->arena, completion->note);
    rig->done_count++;
    stop_if_satisfied(rig);
}

static void on_progress(void *context, const struct actuator_progress *progress)
{
    struct rig *rig = context;

    ck_assert_msg(!rig->calling, "progress from inside a call");
    ck_assert(pthread_equal(pthread_self(), rig->thread));
    ck_assert_uint_gt(progress->ticket, 0);
    ck_assert_uint_le(progress->ticket, rig->ticket);
    ck_assert_uint_lt(rig->progress_count, ARRAY_LEN(rig->progress));
    rig->progress[rig->progress_count++] = *progress;
    stop_if_satisfied(rig);
}

static void on_notice(void *context, const struct actuator_notice *notice)
{
    struct rig *rig = context;
    struct rig_notice *kept = &rig->notices[rig->notice_count];

    ck_assert_msg(!rig->calling, "a notice from inside a call");
    ck_assert(pthread_equal(pthread_self(), rig->thread));
    ck_assert_uint_lt(rig->notice_count, RIG_NOTICE_MAX);
    ck_assert_int_eq(notice->guest == NULL, notice->kind >= ACTUATOR_NOTICE_MANY);
    kept->kind = notice->kind;
    (void)snprintf(kept->host, sizeof(kept->host), "%s", notice->host);
    (void)snprintf(kept->guest, sizeof(kept->guest), "%s",
                   notice->guest == NULL ? "" : notice->guest);
    rig->notice_count++;
    stop_if_satisfied(rig);
}

static void listen_to(struct rig *rig)
{
    rig->actuator = world_actuator(rig->world);
    rig->actuator->sink = (struct actuator_sink){ rig, on_done, on_progress, on_notice };
}

const char *rig_new_name(struct rig *rig)
{
    return text_format(&rig->arena, "c%d-%u", (int)getpid(), (unsigned)rand() % 1000000);
}

struct rig *rig_open_empty(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    ck_assert_ptr_nonnull(rig);
    rig->world = world_open();
    rig->loop = world_loop(rig->world);
    rig->thread = pthread_self();
    listen_to(rig);
    return rig;
}

static struct rig *open_with(enum world_kind kind, const char *suffix)
{
    struct rig *rig = rig_open_empty();
    const struct observed_guest *guest;

    (void)snprintf(rig->guest, sizeof(rig->guest), "%s", rig_new_name(rig));
    if (suffix != NULL) {
        (void)snprintf(rig->volume, sizeof(rig->volume), "%s%s", rig->guest, suffix);
    }
    world_make_guest(rig->world, rig->guest, "kvm1", kind, suffix != NULL ? rig->volume : NULL);
    guest = observed_find_guest_named(rig_look(rig, "kvm1"), rig->guest);
    ck_assert_ptr_nonnull(guest);
    rig->uuid = guest->uuid;
    rig->xml = guest->xml;
    return rig;
}

struct rig *rig_open(enum world_kind kind, bool disk)
{
    struct rig *rig = open_with(kind, disk ? "-v" : NULL);

    if (disk) {
        world_attach(rig->world, "kvm2", rig->volume);
    }
    return rig;
}

struct rig *rig_open_with_lone_disk(enum world_kind kind)
{
    return open_with(kind, "-v");
}

void rig_close(struct rig *rig)
{
    actuator_close(rig->actuator);
    if (rig->guest[0] != '\0') {
        world_remove_guest(rig->world, rig->guest);
    }
    world_close(rig->world);
    arena_deinit(&rig->arena);
    free(rig);
}

void rig_reopen(struct rig *rig)
{
    actuator_close(rig->actuator);
    listen_to(rig);
}

uint64_t rig_observe(struct rig *rig, const char *host, int64_t deadline_ms)
{
    rig->calling = true;
    actuator_observe(rig->actuator, host, deadline_ms, ++rig->ticket);
    rig->calling = false;
    return rig->ticket;
}

uint64_t rig_start(struct rig *rig, const struct op *op)
{
    rig->calling = true;
    actuator_start(rig->actuator, op, ++rig->ticket);
    rig->calling = false;
    return rig->ticket;
}

void rig_cancel(struct rig *rig, uint64_t ticket)
{
    rig->calling = true;
    actuator_cancel(rig->actuator, ticket);
    rig->calling = false;
}

struct alarm {
    struct loop *loop;
    bool rang;
};

static void ring(void *context)
{
    struct alarm *alarm = context;

    alarm->rang = true;
    loop_stop(alarm->loop);
}

/* Runs the loop until what is wanted is there or 'ms' have passed; false in the latter case. */
static bool run_for(struct rig *rig, int64_t ms)
{
    struct alarm alarm = { .loop = rig->loop };
    struct loop_timer timer = { 0 };

    loop_timer_start(rig->loop, &timer, ms, ring, &alarm);
    while (!alarm.rang && !is_satisfied(rig)) {
        loop_run(rig->loop);
    }
    loop_timer_stop(rig->loop, &timer);
    return !alarm.rang;
}

void rig_wait(struct rig *rig, size_t count)
{
    rig->wanted = count;
    rig->wanted_progress = 0;
    ck_assert_msg(run_for(rig, PATIENCE_MS), "%zu of %zu completions came", rig->done_count, count);
}

void rig_wait_progress(struct rig *rig, size_t count)
{
    rig->wanted = 0;
    rig->wanted_progress = count;
    ck_assert_msg(run_for(rig, PATIENCE_MS), "%zu of %zu reports of progress came",
                  rig->progress_count, count);
}

void rig_wait_pass(struct rig *rig, uint64_t pass)
{
    size_t done = rig->done_count;

    do {
        rig_wait_progress(rig, rig->progress_count + 1);
        ck_assert_msg(rig->done_count == done, "it was over before its pass %u", (unsigned)pass);
    } while (rig->progress[rig->progress_count - 1].iteration < pass);
}

void rig_watch(struct rig *rig, const char *first, const char *second)
{
    const char *hosts[2];
    size_t count = 0;

    if (first != NULL) {
        hosts[count++] = first;
    }
    if (second != NULL) {
        hosts[count++] = second;
    }
    rig->calling = true;
    actuator_watch(rig->actuator, hosts, count);
    rig->calling = false;
}

void rig_watch_all(struct rig *rig)
{
    rig_watch(rig, "kvm1", "kvm2");
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm1", NULL);
    rig_await_notice(rig, ACTUATOR_NOTICE_LINK_UP, "kvm2", NULL);
    rig->notice_count = 0;
}

void rig_await_notice(struct rig *rig, enum actuator_notice_kind kind, const char *host,
                      const char *guest)
{
    struct rig_notice wanted = { .kind = kind };

    (void)snprintf(wanted.host, sizeof(wanted.host), "%s", host);
    (void)snprintf(wanted.guest, sizeof(wanted.guest), "%s", guest == NULL ? "" : guest);
    rig->wanted = 0;
    rig->wanted_progress = 0;
    rig->wanted_notice = &wanted;
    ck_assert_msg(run_for(rig, PATIENCE_MS), "no notice %d of '%s' on '%s' came", (int)kind,
                  wanted.guest, host);
    rig->wanted_notice = NULL;
}

size_t rig_count_notices(const struct rig *rig, enum actuator_notice_kind kind, const char *host)
{
    size_t count = 0;

    for (size_t i = 0; i < rig->notice_count; i++) {
        count += rig->notices[i].kind == kind && strcmp(rig->notices[i].host, host) == 0 ? 1 : 0;
    }
    return count;
}

size_t rig_count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

void rig_pass(struct rig *rig, int64_t ms)
{
    rig->wanted = SIZE_MAX;
    rig->wanted_progress = 0;
    (void)run_for(rig, ms);
}

const struct rig_done *rig_result(const struct rig *rig, uint64_t ticket)
{
    for (size_t i = 0; i < rig->done_count; i++) {
        if (rig->done[i].ticket == ticket) {
            return &rig->done[i];
        }
    }
    ck_abort_msg("no completion of ticket %u", (unsigned)ticket);
}

struct op rig_op(const struct rig *rig, enum op_kind kind)
{
    bool moves = kind == OP_PREFLIGHT || kind == OP_MIGRATE || kind == OP_ADOPT;

    return (struct op){
        .kind = kind,
        .epoch = 1,
        .guest = rig->guest,
        .uuid = rig->uuid,
        .host = "kvm1",
        .peer = moves ? "kvm2" : NULL,
        .xml = kind == OP_DEFINE || kind == OP_UNDEFINE ? rig->xml : NULL,
        .mode = MOVE_LIVE,
        .timeout_ms = 60000,
        .live = { .persistent = true, .max_downtime_ms = 1000 },
    };
}

static const struct rig_done *act(struct rig *rig, const struct op *op)
{
    uint64_t ticket = rig_start(rig, op);

    rig_wait(rig, rig->done_count + 1);
    return rig_result(rig, ticket);
}

const struct rig_done *rig_succeed(struct rig *rig, const struct op *op)
{
    const struct rig_done *done = act(rig, op);

    ck_assert_msg(done->status == 0, "%s: %s", op_kind_name(op->kind), done->err.text);
    return done;
}

const struct rig_done *rig_fail(struct rig *rig, const struct op *op, enum err_code code)
{
    const struct rig_done *done = act(rig, op);

    ck_assert_msg(done->status == -1, "%s succeeded", op_kind_name(op->kind));
    ck_assert_msg(done->err.code == code, "%s: %s, not %s: %s", op_kind_name(op->kind),
                  err_code_name(done->err.code), err_code_name(code), done->err.text);
    ck_assert_uint_gt(strlen(done->err.text), 0);
    return done;
}

const struct check *rig_check(const struct rig_done *done, enum check_kind kind)
{
    for (size_t i = 0; i < done->checks.count; i++) {
        if (done->checks.items[i].kind == kind) {
            return &done->checks.items[i];
        }
    }
    return NULL;
}

const struct observed_host *rig_look(struct rig *rig, const char *host)
{
    uint64_t ticket = rig_observe(rig, host, DEADLINE_MS);
    const struct rig_done *done;

    /* Other calls may complete meanwhile. */
    for (bool found = false; !found;) {
        rig_wait(rig, rig->done_count + 1);
        found = rig->done[rig->done_count - 1].ticket == ticket;
    }
    done = rig_result(rig, ticket);
    ck_assert_msg(done->status == 0, "%s", done->err.text);
    ck_assert(done->host.reachable);
    return &done->host;
}

void rig_await_answer(struct rig *rig, const char *host)
{
    for (int i = 0; i < ANSWER_TRIES; i++) {
        uint64_t ticket = rig_observe(rig, host, 2000);

        rig_wait(rig, rig->done_count + 1);
        if (rig_result(rig, ticket)->status == 0) {
            return;
        }
        rig_pass(rig, 500);
    }
    ck_abort_msg("'%s' does not answer again", host);
}

const struct observed_guest *rig_guest(struct rig *rig, const char *host)
{
    return observed_find_guest(rig_look(rig, host), rig->uuid);
}

void rig_assert_only_on(struct rig *rig, const char *host, enum guest_state state)
{
    const char *other = strcmp(host, "kvm1") == 0 ? "kvm2" : "kvm1";
    const struct observed_guest *guest = rig_guest(rig, host);

    ck_assert_msg(guest != NULL, "the guest is not on %s", host);
    ck_assert_str_eq(observed_state_name(guest->state), observed_state_name(state));
    ck_assert_str_eq(observed_job_name(guest->job), "none");
    ck_assert_msg(rig_guest(rig, other) == NULL, "the guest is on %s too", other);
}
