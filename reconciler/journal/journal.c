/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/journal/journal.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/heap.h"
#include "base/loop.h"
#include "base/text.h"
#include "model/supply_json.h"
#include "reconciler/journal/commit.h"
#include "reconciler/journal/database.h"
#include "reconciler/journal/objects.h"
#include "reconciler/journal/query.h"
#include "reconciler/journal/record.h"
#include "reconciler/journal/schema.h"
#include "reconciler/journal/state_dir.h"
#include "reconciler/journal/store.h"

/* A batch on its way, with copies of all it names.  When the journal is closed a posted request is
 * still in the loop's hands; 'store' NULL then tells its delivery that nobody waits. */
struct store_request {
    struct store_request *next;
    struct store *store;
    struct arena arena;
    struct journal_batch batch;
    journal_done_fn *done;
    void *context;
    enum journal_result result;
    struct err err;
};

static const char *const move_state_names[JOURNAL_MOVE_STATE_COUNT] = {
    [JOURNAL_MOVE_OPEN] = "open",           [JOURNAL_MOVE_DONE] = "done",
    [JOURNAL_MOVE_FAILED] = "failed",       [JOURNAL_MOVE_ROLLED_BACK] = "rolled-back",
    [JOURNAL_MOVE_CANCELLED] = "cancelled",
};

static const char *const step_state_names[JOURNAL_STEP_STATE_COUNT] = {
    [JOURNAL_STEP_INTENDED] = "intended",
    [JOURNAL_STEP_DONE] = "done",
    [JOURNAL_STEP_FAILED] = "failed",
    [JOURNAL_STEP_UNCLEAR] = "unclear",
};

static const char *const scope_names[JOURNAL_SCOPE_COUNT] = {
    [JOURNAL_SCOPE_FLEET] = "fleet",
    [JOURNAL_SCOPE_HOST] = "host",
    [JOURNAL_SCOPE_GUEST] = "guest",
};

static const char *const protection_names[JOURNAL_PROTECTION_COUNT] = {
    [JOURNAL_PROTECTION_FENCED] = "fenced",
    [JOURNAL_PROTECTION_GUARDED] = "guarded",
    [JOURNAL_PROTECTION_AUTOSTART_OFF] = "autostart-off",
    [JOURNAL_PROTECTION_REVOKED] = "revoked",
};

static void list_append(struct store_list *list, struct store_request *request)
{
    request->next = NULL;
    if (list->last == NULL) {
        list->first = request;
    } else {
        list->last->next = request;
    }
    list->last = request;
}

static struct store_request *list_take(struct store_list *list)
{
    struct store_request *first = list->first;

    if (first != NULL) {
        list->first = first->next;
        if (list->first == NULL) {
            list->last = NULL;
        }
    }
    return first;
}

static struct store_request *request_new(struct store *store, const struct journal_batch *batch,
                                         journal_done_fn *done, void *context)
{
    struct store_request *request = HEAP_NEW(struct store_request);
    struct journal_record *records;

    records = ARENA_ARRAY(&request->arena, struct journal_record, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        records[i] = record_copy(&request->arena, &batch->records[i]);
    }
    request->store = store;
    request->batch =
        (struct journal_batch){ .epoch = batch->epoch, .records = records, .count = batch->count };
    request->done = done;
    request->context = context;
    return request;
}

static void request_free(struct store_request *request)
{
    arena_deinit(&request->arena);
    free(request);
}

static bool is_pruning(const struct journal_batch *batch)
{
    return batch->count == 1 && batch->records[0].kind == JOURNAL_PRUNE;
}

static void commit(struct store *store, struct store_request *request)
{
    request->result = commit_batch(store->writer, store->state_dir, &request->batch, &request->err);
    if (request->result == JOURNAL_COMMITTED && is_pruning(&request->batch)) {
        prune_objects(store->writer, store->state_dir, &store->sweep);
    }
}

/* The callback comes last and may close the journal: nothing of either is touched after it. */
static void call_back(struct store_request *request)
{
    journal_done_fn *done = request->done;
    void *context = request->context;
    enum journal_result result = request->result;
    struct err err = request->err;

    request_free(request);
    done(context, result, result == JOURNAL_COMMITTED ? NULL : &err);
}

/* Requests are posted in the order in which they are finished, so this one is the first. */
static void deliver_posted(void *context)
{
    struct store_request *request = context;
    struct store *store = request->store;

    if (store == NULL) {
        request_free(request);
        return;
    }
    (void)pthread_mutex_lock(&store->mutex);
    (void)list_take(&store->finished);
    (void)pthread_mutex_unlock(&store->mutex);
    call_back(request);
}

/* The loop has ended before the answer was told.  A journal that is closed has let go of it. */
static void drop_posted(void *context)
{
    struct store_request *request = context;

    if (request->store == NULL) {
        request_free(request);
    }
}

static void deliver_timed(void *context)
{
    struct store *store = context;
    struct store_request *request = list_take(&store->finished);

    if (store->finished.first != NULL) {
        loop_timer_start(store->loop, &store->timer, 0, deliver_timed, store);
    }
    call_back(request);
}

static struct store_request *wait_for_request(struct store *store)
{
    struct store_request *request;

    (void)pthread_mutex_lock(&store->mutex);
    while (store->waiting.first == NULL && !store->closing) {
        (void)pthread_cond_wait(&store->wake, &store->mutex);
    }
    request = list_take(&store->waiting);
    (void)pthread_mutex_unlock(&store->mutex);
    return request;
}

/* Ends when the journal is closing and every batch is written. */
static void *commit_thread(void *context)
{
    struct store *store = context;
    struct store_request *request;

    (void)pthread_setname_np(pthread_self(), "berth-journal");
    while ((request = wait_for_request(store)) != NULL) {
        commit(store, request);
        (void)pthread_mutex_lock(&store->mutex);
        list_append(&store->finished, request);
        loop_post_owned(store->loop, deliver_posted, drop_posted, request);
        (void)pthread_mutex_unlock(&store->mutex);
    }
    return NULL;
}

static void submit(struct journal *self, const struct journal_batch *batch, journal_done_fn *done,
                   void *context)
{
    struct store *store = store_of(self);
    struct store_request *request;

    assert(store->writer != NULL && done != NULL);
    request = request_new(store, batch, done, context);
    if (store->is_inline) {
        commit(store, request);
        list_append(&store->finished, request);
        loop_timer_start(store->loop, &store->timer, 0, deliver_timed, store);
        return;
    }
    (void)pthread_mutex_lock(&store->mutex);
    list_append(&store->waiting, request);
    (void)pthread_cond_signal(&store->wake);
    (void)pthread_mutex_unlock(&store->mutex);
}

/* Signals belong to the loop thread: the commit thread starts with all of them blocked. */
static int start_thread(struct store *store, struct err *err)
{
    sigset_t all;
    sigset_t old;
    int status;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    status = pthread_create(&store->thread, NULL, commit_thread, store);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (status != 0) {
        return err_set_errno(err, ERR_IO, status, "cannot start the journal in '%s'",
                             store->state_dir);
    }
    return 0;
}

static void stop_thread(struct store *store)
{
    (void)pthread_mutex_lock(&store->mutex);
    store->closing = true;
    (void)pthread_cond_signal(&store->wake);
    (void)pthread_mutex_unlock(&store->mutex);
    (void)pthread_join(store->thread, NULL);
}

static void store_free(struct store *store)
{
    prune_sweep_deinit(&store->sweep);
    (void)sqlite3_close(store->reader);
    (void)sqlite3_close(store->writer);
    fd_close(&store->lock_fd);
    (void)pthread_mutex_destroy(&store->mutex);
    (void)pthread_cond_destroy(&store->wake);
    free(store->state_dir);
    free(store);
}

AUTO_POINTER(store, struct store, store_free);

static void close_threaded(struct journal *self)
{
    struct store *store = store_of(self);
    struct store_request *request;

    stop_thread(store);
    while ((request = list_take(&store->finished)) != NULL) {
        request->store = NULL;
    }
    store_free(store);
}

static void close_inline(struct journal *self)
{
    struct store *store = store_of(self);
    struct store_request *request;

    loop_timer_stop(store->loop, &store->timer);
    while ((request = list_take(&store->finished)) != NULL) {
        request_free(request);
    }
    store_free(store);
}

static void close_readonly(struct journal *self)
{
    store_free(store_of(self));
}

#define STORE_OPS(how)                                                                          \
    {                                                                                           \
        .name = "sqlite", .submit = submit, .moves = query_moves, .steps = query_steps,         \
        .owed = query_owed, .retries = query_retries, .revisions = query_revisions,             \
        .definitions = query_definitions, .runs = query_runs, .active_plan = query_active_plan, \
        .events = query_events, .holds = query_holds, .places = query_places,                   \
        .sightings = query_sightings, .attests = query_attests, .leftovers = query_leftovers,   \
        .object = query_object, .next_seq = query_next_seq, .find_old = query_find_old,         \
        .close = (how),                                                                         \
    }

static const struct journal_ops threaded_ops = STORE_OPS(close_threaded);
static const struct journal_ops inline_ops = STORE_OPS(close_inline);
static const struct journal_ops readonly_ops = STORE_OPS(close_readonly);

static struct store *store_new(struct loop *loop, const char *state_dir)
{
    struct store *store = HEAP_NEW(struct store);

    store->loop = loop;
    store->lock_fd = -1;
    store->state_dir = strdup(state_dir);
    if (store->state_dir == NULL) {
        abort();
    }
    (void)pthread_mutex_init(&store->mutex, NULL);
    (void)pthread_cond_init(&store->wake, NULL);
    return store;
}

static int open_reader(struct store *store, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *path = text_format(&arena, "%s/journal.db", store->state_dir);

    return database_open_readonly(path, &store->reader, err) == 0 ? schema_check(store->reader, err)
                                                                  : -1;
}

static int check_integrity(sqlite3 *db, struct err *err)
{
    AUTO(statement) sqlite3_stmt *statement = NULL;
    const char *answer;

    if (database_prepare(db, "PRAGMA quick_check(1)", &statement, err) != 0) {
        return -1;
    }
    if (sqlite3_step(statement) != SQLITE_ROW) {
        return database_error(db, "check", err);
    }
    answer = (const char *)sqlite3_column_text(statement, 0);
    if (answer == NULL || strcmp(answer, "ok") != 0) {
        return err_set(err, ERR_INVALID,
                       "cannot use the journal in '%s': it is damaged; restore a copy of it, or "
                       "move it away to begin an empty one",
                       sqlite3_db_filename(db, "main"));
    }
    return 0;
}

static int open_writer(struct store *store, struct err *err)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    char *path = text_format(&arena, "%s/journal.db", store->state_dir);

    if (state_dir_prepare(store->state_dir, err) != 0 ||
        state_dir_lock(store->state_dir, &store->lock_fd, err) != 0 ||
        objects_prepare(store->state_dir, err) != 0 ||
        database_open(path, &store->writer, err) != 0 || schema_migrate(store->writer, err) != 0 ||
        check_integrity(store->writer, err) != 0) {
        return -1;
    }
    return open_reader(store, err);
}

struct journal *journal_open(struct loop *loop, const char *state_dir, struct err *err)
{
    AUTO(store) struct store *store = store_new(loop, state_dir);
    struct journal *journal = &store->base;

    store->base.ops = &threaded_ops;
    if (open_writer(store, err) != 0 || start_thread(store, err) != 0) {
        return NULL;
    }
    (void)STEAL(store);
    return journal;
}

struct journal *journal_open_inline(struct loop *loop, const char *state_dir, struct err *err)
{
    AUTO(store) struct store *store = store_new(loop, state_dir);
    struct journal *journal = &store->base;

    store->base.ops = &inline_ops;
    store->is_inline = true;
    if (open_writer(store, err) != 0) {
        return NULL;
    }
    (void)STEAL(store);
    return journal;
}

struct journal *journal_open_readonly(const char *state_dir, struct err *err)
{
    AUTO(store) struct store *store = store_new(NULL, state_dir);
    struct journal *journal = &store->base;

    store->base.ops = &readonly_ops;
    if (open_reader(store, err) != 0) {
        return NULL;
    }
    (void)STEAL(store);
    return journal;
}

int64_t journal_holder(const char *state_dir)
{
    return state_dir_holder(state_dir);
}

bool journal_move_has_arrived(const struct journal_move *move)
{
    return move->state == JOURNAL_MOVE_DONE && move->mode != MOVE_STOP &&
           !journal_move_is_restart(move);
}

bool journal_move_is_restart(const struct journal_move *move)
{
    return strcmp(move->from, move->to) == 0;
}

int journal_read_supplies(struct journal *journal, struct arena *arena,
                          const struct journal_move *move, struct supply_list *supplies,
                          struct err *err)
{
    char *bytes;
    size_t length;

    *supplies = (struct supply_list){ 0 };
    if (move->supplies_digest[0] == '\0') {
        return 0;
    }
    return journal->ops->object(journal, arena, move->supplies_digest, &bytes, &length, err) != 0
               ? -1
               : supply_json_read(arena, bytes, length, supplies, err);
}

const char *journal_move_state_name(enum journal_move_state state)
{
    assert(state < JOURNAL_MOVE_STATE_COUNT);
    return move_state_names[state];
}

enum journal_move_state journal_move_state_from_name(const char *name)
{
    return (enum journal_move_state)text_index(move_state_names, JOURNAL_MOVE_STATE_COUNT, name);
}

const char *journal_step_state_name(enum journal_step_state state)
{
    assert(state < JOURNAL_STEP_STATE_COUNT);
    return step_state_names[state];
}

enum journal_step_state journal_step_state_from_name(const char *name)
{
    return (enum journal_step_state)text_index(step_state_names, JOURNAL_STEP_STATE_COUNT, name);
}

const char *journal_scope_name(enum journal_scope scope)
{
    assert(scope < JOURNAL_SCOPE_COUNT);
    return scope_names[scope];
}

enum journal_scope journal_scope_from_name(const char *name)
{
    return (enum journal_scope)text_index(scope_names, JOURNAL_SCOPE_COUNT, name);
}

const char *journal_protection_name(enum journal_protection protection)
{
    assert(protection < JOURNAL_PROTECTION_COUNT);
    return protection_names[protection];
}

enum journal_protection journal_protection_from_name(const char *name)
{
    return (enum journal_protection)text_index(protection_names, JOURNAL_PROTECTION_COUNT, name);
}
