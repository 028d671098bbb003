/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/document.h"
#include "cli/news.h"
#include "cli/page.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "cli/summary.h"
#include "diff/plan.h"
#include "diff/plan_json.h"
#include "model/fault.h"
#include "reconciler/order.h"

#define TURN_MS 250   /* Between looks at a berthd that may have come to rest. */
#define LOST_MS 10000 /* Until one that went away is given up: it may be started anew. */

struct follow {
    struct cli *cli;
    struct daemon *daemon;
    const struct run_request *request;
    const char *digest; /* Of the revision that berthd is to have taken up. */
    struct progress progress;
    struct summary summary;
    int signals;        /* Can be read when one has come. */
    int64_t lost_at_ms; /* Since when it does not answer; 0 = it does. */
    bool begun;         /* It answered once. */
    bool up;            /* It tells events. */
    bool planned;       /* A plan was shown. */
    bool passed;        /* It has decided anew since it was asked to look. */
    bool over;
};

static void end(struct follow *follow, int status)
{
    follow->summary.status = status;
    follow->over = true;
}

static void fail(struct follow *follow, const struct err *err)
{
    end(follow, cli_fail(err));
}

static bool counts(const struct follow *follow, const char *guest)
{
    return follow->request->only == NULL || text_equal(follow->request->only, guest);
}

/* Fills '*plan' with what berthd follows. */
static bool get_plan(struct follow *follow, struct plan *plan)
{
    struct arena *arena = &follow->cli->arena;
    AUTO(document) struct document document = { .root = NULL };
    struct text bytes = text_new(arena);
    struct err err;

    return daemon_get(follow->daemon, "/v1/plan", "berth.plan/1", &document, &bytes, &err) == 0 &&
           plan_json_read(arena, bytes.data, bytes.length, plan, &err) == 0;
}

static void show_plan(struct follow *follow)
{
    struct plan plan;

    if (get_plan(follow, &plan)) { /* Else it has been given up meanwhile. */
        (void)run_show_plan(follow->cli, follow->request, &plan, follow->planned);
        follow->planned = true;
    }
}

static void count(struct follow *follow, const struct event *event)
{
    const struct journal_move *move = event->move;

    if (move == NULL || !counts(follow, move->guest)) {
        return;
    }
    if (event->kind == EVENT_MOVE_STUCK) {
        follow->summary.stuck++;
    } else if (event->kind == EVENT_MOVE_END && move->state != JOURNAL_MOVE_DONE &&
               move->state != JOURNAL_MOVE_CANCELLED) {
        follow->summary.failed++;
    } else if (event->kind == EVENT_MOVE_END && journal_move_has_arrived(move)) {
        follow->summary.moved++;
    }
}

static void take_event(struct follow *follow)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(document) struct document document = { .root = NULL };
    const struct client *client = follow->daemon->client;
    struct news news;
    struct err err;

    if (strcmp(client->name, "pass") == 0) {
        follow->passed = true;
    } else if (strcmp(client->name, "plan") == 0) {
        show_plan(follow);
    } else if (document_parse(&document, client->data, strlen(client->data), NULL, &err) == 0 &&
               news_read(&arena, client->name, &document, &news)) {
        progress_show(&follow->progress, &news.event);
        count(follow, &news.event);
        follow->passed = follow->passed && news.event.kind != EVENT_MOVE_END;
    }
}

static void add_blocks(struct follow *follow, const struct json_t *status)
{
    struct arena *arena = &follow->cli->arena;
    size_t all = document_count(status, "blocked");
    struct plan_block *blocks = ARENA_ARRAY(arena, struct plan_block, all + 1);
    size_t used = 0;

    for (size_t i = 0; i < all; i++) {
        const struct json_t *block = document_item(status, "blocked", i);
        const char *guest = document_string(arena, block, "guest");
        const char *code = document_string(arena, block, "code");
        const char *reason = document_string(arena, block, "reason");

        if (guest != NULL && code != NULL && counts(follow, guest) &&
            plan_code_from_name(code) < PLAN_CODE_COUNT) {
            blocks[used].guest = guest;
            blocks[used].code = plan_code_from_name(code);
            blocks[used++].reason = reason == NULL ? "" : reason;
        }
    }
    follow->summary.blocks = blocks;
    follow->summary.block_count = used;
    follow->summary.blocked = used;
}

/* Of the file as it is now, in case somebody has changed it once more. */
static bool is_newest(struct follow *follow, const char *digest)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct cli *cli = follow->cli;
    struct source source = source_file(cli->config.es_xml);
    struct faults faults = fault_list(&arena);
    struct revision revision;
    struct err err;

    return text_equal(digest, follow->digest) ||
           (source_read_revision(&source, &arena, &cli->config.policy, &revision, &faults, &err) ==
                0 &&
            text_equal(digest, revision.digest));
}

static bool is_to_force(const struct follow *follow)
{
    return follow->request->forced != NULL && !follow->request->forced->begun;
}

/* Asks for the forced move.  While another move is under way it is asked for again after that. */
static void force(struct follow *follow)
{
    struct run_forced *forced = follow->request->forced;
    const char *said;
    struct err err;

    if (daemon_force(follow->daemon, &forced->request, &said, &err) == 0) {
        forced->begun = true;
        follow->passed = false;
    } else if (err.code != ERR_BUSY) {
        forced->unclear = err.code == ERR_UNREACHABLE || err.code == ERR_TIMEOUT;
        end(follow, run_refuse_forced(&err));
    }
}

static void rest(struct follow *follow, const struct json_t *status)
{
    struct summary *summary = &follow->summary;

    if (is_to_force(follow)) {
        force(follow);
        return;
    }
    add_blocks(follow, status);
    end(follow, summary->failed > 0 || summary->stuck > 0 ? CLI_FAILED
                : summary->blocked > 0                    ? CLI_BLOCKED
                                                          : CLI_OK);
}

/* Ends if berthd rests, having seen the newest file. */
static void judge(struct follow *follow)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(document) struct document document = { .root = NULL };
    struct text bytes = text_new(&arena);
    struct err err;

    if (daemon_get(follow->daemon, "/v1/status", "berth.status/1", &document, &bytes, &err) != 0) {
        if (err_is_retryable(&err) && err.code != ERR_FAILED) {
            return; /* The stream will tell whether it has gone. */
        }
        fail(follow, &err);
        return;
    }
    if (!document_flag(document.root, "valid")) {
        cli_error(NULL, "%s: '%s' is not valid any more: berthd stays with the last good one",
                  follow->cli->command, follow->cli->config.es_xml);
        end(follow, CLI_INVALID);
        return;
    }
    if (document_instant(document.root, "next_look") != 0 &&
        document_object(document.root, "moving") == NULL &&
        is_newest(follow, document_string(&arena, document.root, "es_xml_sha256"))) {
        rest(follow, document.root);
    }
}

static void tell_running_move(struct follow *follow)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    AUTO(document) struct document document = { .root = NULL };
    struct text bytes = text_new(&arena);
    const struct json_t *moving;
    struct err err;

    if (daemon_get(follow->daemon, "/v1/status", "berth.status/1", &document, &bytes, &err) != 0) {
        fail(follow, &err);
        return;
    }
    moving = document_object(document.root, "moving");
    if (moving != NULL) {
        show_plan(follow); /* The one that is followed; later ones are told when they are made. */
        (void)fprintf(stderr, "%s: is under way\n", page_move(&arena, moving));
    }
}

/* The stream is there: what is wanted can be asked for without missing what comes of it.  Who has edited the
 * file need not be allowed to ask: berthd watches it. */
static void begin(struct follow *follow)
{
    const struct order look = { .verb = ORDER_CHECK, .scope = JOURNAL_SCOPE_FLEET, .name = "" };
    const char *said;
    struct err err;

    follow->up = true;
    follow->passed = false;
    if (!follow->begun) {
        tell_running_move(follow);
    }
    follow->begun = true;
    if (follow->over) {
        return;
    }
    if (is_to_force(follow)) { /* It is looked at the hosts for that. */
        force(follow);
    } else if (daemon_order(follow->daemon, &look, &said, &err) != 0 && !err_is_retryable(&err) &&
               err.code != ERR_DENIED) {
        fail(follow, &err);
    }
}

static void lose(struct follow *follow, const struct err *err)
{
    int64_t now_ms = cli_now_ms();

    follow->up = false;
    if (follow->lost_at_ms == 0) {
        follow->lost_at_ms = now_ms;
        progress_end(&follow->progress);
        (void)fprintf(stderr, "berthd does not answer: waiting for it\n");
    } else if (now_ms - follow->lost_at_ms > LOST_MS) {
        fail(follow, err);
    }
}

static void on_quiet(struct follow *follow)
{
    struct signalfd_siginfo signal;

    if (read(follow->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        progress_end(&follow->progress);
        (void)fprintf(stderr,
                      "not looking on any more: berthd goes on ('berth cancel' ends a move)\n");
        end(follow, CLI_CANCELLED);
    } else if (follow->up) {
        follow->lost_at_ms = 0; /* One that breaks off at once is as good as none. */
        if (follow->passed) {
            judge(follow);
        }
    }
}

static void take_turn(struct follow *follow)
{
    struct err err;

    switch (daemon_follow(follow->daemon, &follow->signals, 1, TURN_MS, &err)) {
    case CLIENT_QUIET:
        on_quiet(follow);
        break;
    case CLIENT_BEGUN:
        begin(follow);
        break;
    case CLIENT_EVENT:
        take_event(follow);
        break;
    case CLIENT_LOST:
        lose(follow, &err);
        break;
    }
}

static void print_end(struct follow *follow)
{
    struct cli *cli = follow->cli;
    const struct summary *summary = &follow->summary;
    struct text text = text_new(&cli->arena);

    if (follow->request->forced != NULL) {
        follow->request->forced->summary = *summary;
        return;
    }
    if (follow->request->json != NULL) {
        summary_json(follow->request->json, summary);
        return;
    }
    for (size_t i = 0; !follow->planned && i < summary->block_count; i++) {
        text_printf(&text, "%s: %s: %s\n", summary->blocks[i].guest,
                    plan_code_name(summary->blocks[i].code), summary->blocks[i].reason);
    }
    summary_text(&text, summary);
    if (text.length == 0 && !follow->planned && summary->status == CLI_OK) {
        text_append(&text, "Nothing to do.\n");
    }
    if (cli_print(text.data, text.length) != CLI_OK && summary->status == CLI_OK) {
        follow->summary.status = CLI_FAILED;
    }
}

int follow_moves(struct cli *cli, struct daemon *daemon, const struct run_request *request,
                 const char *digest)
{
    struct follow follow = {
        .cli = cli,
        .daemon = daemon,
        .request = request,
        .digest = digest,
        .progress = progress_new(),
    };
    sigset_t signals;
    sigset_t before;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    follow.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (follow.signals < 0) {
        cli_error(NULL, "%s: cannot wait for signals", cli->command);
        return CLI_FAILED;
    }
    if (request->forced == NULL) {
        (void)fprintf(stderr, "berthd carries it out; Ctrl-C ends looking on\n");
    }
    while (!follow.over) {
        take_turn(&follow);
    }
    progress_end(&follow.progress);
    print_end(&follow);
    (void)close(follow.signals);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return follow.summary.status;
}
