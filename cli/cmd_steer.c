/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Commands that tell the controller what a person wants (reconciler/order.h).  A berthd that runs is told;
 * where none does, what holds until somebody takes it back goes into the journal.
 */

#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/entry.h"
#include "cli/handrun.h"
#include "model/fault.h"
#include "reconciler/json_member.h"
#include "reconciler/order.h"

struct steer {
    enum order_verb verb;
    const char *name;   /* What it is about, or NULL: everything. */
    bool guest;         /* It is a guest, ... */
    bool host;          /* ... a host; neither: the file tells. */
    const char *reason; /* In the caller's words, or NULL. */
};

/* Finds out what the name is.  While the file is at fault a berthd that runs knows the last good one: it is
 * given what is said to be a guest or a host. */
static int address(struct cli *cli, const struct steer *steer, const struct daemon *daemon,
                   struct order *order)
{
    struct source source = source_file(cli->config.es_xml);
    struct faults faults = fault_list(&cli->arena);
    struct revision revision;
    struct err err = { .code = ERR_NONE };

    order->scope = steer->name == NULL ? JOURNAL_SCOPE_FLEET
                   : steer->guest      ? JOURNAL_SCOPE_GUEST
                   : steer->host       ? JOURNAL_SCOPE_HOST
                                       : JOURNAL_SCOPE_COUNT;
    order->name = steer->name == NULL ? "" : steer->name;
    if (steer->name == NULL) {
        return 0;
    }
    if (source_read_revision(&source, &cli->arena, &cli->config.policy, &revision, &faults, &err) !=
        0) {
        if (daemon->client != NULL && order->scope != JOURNAL_SCOPE_COUNT) {
            return 0;
        }
        cli_refuse(cli->config.es_xml, &faults, &err);
        if (daemon->client != NULL) {
            cli_error("berthd stays with the last good file: --guest or --host tells",
                      "%s: the file cannot tell what '%s' is", cli->command, steer->name);
        }
        return CLI_INVALID;
    }
    if (order_address(order, steer->name, &revision.desired, &err) != 0) {
        cli_error(NULL, "%s", err.text);
        return CLI_INVALID;
    }
    return 0;
}

/* Without a controller nothing moves, unless 'by_hand', and nobody looks; the rest can be kept for the next one. */
static int enter(struct cli *cli, struct order *order, bool by_hand, const char **said,
                 struct err *err)
{
    AUTO(entry) struct entry entry = { .loop = NULL };
    struct journal_record records[ORDER_RECORDS_MAX];
    size_t count;

    if (order->verb == ORDER_CANCEL && !by_hand) {
        return err_set(err, ERR_NOT_FOUND,
                       "cannot cancel: no berthd runs (Ctrl-C cancels a move of 'berth apply')");
    }
    if (order->verb == ORDER_CHECK) {
        return err_set(err, ERR_NOT_FOUND, "cannot check: no berthd runs ('berth apply' looks)");
    }
    order->user = cli_user(cli);
    if (entry_open(&entry, cli, err) != 0 ||
        order_records(order, &entry.ledger, cli_now_ms(), records, &count, err) != 0 ||
        entry_write(&entry, records, count, err) != 0) {
        return -1;
    }
    *said = order_text(&cli->arena, order);
    return 0;
}

static void write_json(struct text *text, const struct order *order, const char *said)
{
    text_append(text, "{");
    json_member_string(text, "format",
                       text_format(text->arena, "berth.%s/1", order_verb_name(order->verb)));
    json_member_string(text, "guest", order->scope == JOURNAL_SCOPE_GUEST ? order->name : NULL);
    json_member_string(text, "host", order->scope == JOURNAL_SCOPE_HOST ? order->name : NULL);
    json_member_string(text, "message", said);
    text_append(text, "}\n");
}

static int print(struct cli *cli, const struct order *order, const char *said)
{
    struct text text = text_new(&cli->arena);

    said = said == NULL ? "done" : said;
    if (cli->json) {
        write_json(&text, order, said);
    } else {
        text_printf(&text, "%s\n", said);
    }
    return cli_print(text.data, text.length);
}

/* Gives the order and prints what was done.  The exit status. */
static int give(struct cli *cli, const struct steer *steer)
{
    AUTO(daemon) struct daemon daemon = { .client = NULL };
    struct order order = { .verb = steer->verb, .reason = steer->reason };
    const char *said = NULL;
    bool by_hand = false;
    struct err err;
    int status;
    int printed;

    if (daemon_find(cli, &daemon, &err) != 0) {
        return cli_fail(&err);
    }
    status = address(cli, steer, &daemon, &order);
    if (status == 0 && daemon.client == NULL && order.verb == ORDER_CANCEL &&
        order.scope == JOURNAL_SCOPE_GUEST) {
        status = handrun_find(cli, order.name, &by_hand);
    }
    if (status != 0) {
        return status;
    }
    if ((daemon.client != NULL ? daemon_order(&daemon, &order, &said, &err)
                               : enter(cli, &order, by_hand, &said, &err)) != 0) {
        return cli_fail(&err);
    }
    if (by_hand) { /* Its guest may be down: nobody is to wait for the next run. */
        status = handrun_take_back(cli, order.name);
        printed = print(cli, &order, said);
        return status == CLI_OK ? printed : status;
    }
    if (daemon.client == NULL && order.verb != ORDER_HOLD) {
        (void)fprintf(stderr, "no berthd runs: 'berth apply' acts on it\n");
    }
    return print(cli, &order, said);
}

/* A command, and what it takes beside the common options. */
struct verb {
    struct cli_command command;
    int min_arguments;
    int max_arguments;
    bool takes_host; /* The name may be a host's too. */
    bool takes_reason;
};

static int run(struct cli *cli, int argc, char **argv);

static const struct verb verbs[ORDER_VERB_COUNT] = {
    [ORDER_CANCEL] = {
        .command = {
            .name = "cancel",
            .arguments = "[GUEST]",
            .summary = "end the running move with its guest where it was, and hold the guest",
            .details =
                "Asks the berthd that runs.  With GUEST, only if it is that one that is moving.  'berth release GUEST'\n"
                "lets it move again.",
            .run = run,
        },
        .max_arguments = 1,
    },
    [ORDER_HOLD] = {
        .command = {
            .name = "hold",
            .arguments = "[GUEST|HOST]",
            .summary = "move nothing of a guest or a host, or at all, until it is released",
            .details =
                "A move that runs already goes on: 'berth cancel' ends it.  A hold stays across restarts.",
            .run = run,
        },
        .max_arguments = 1,
        .takes_host = true,
        .takes_reason = true,
    },
    [ORDER_RELEASE] = {
        .command = {
            .name = "release",
            .arguments = "[GUEST|HOST]",
            .summary = "let move again what was held or cancelled",
            .details = "What a hold of something else covers stays held.",
            .run = run,
        },
        .max_arguments = 1,
        .takes_host = true,
    },
    [ORDER_RETRY] = {
        .command = {
            .name = "retry",
            .arguments = "GUEST",
            .summary = "forget that moving a guest failed, so that it is tried again at once",
            .details =
                "For a guest that is parked after a permanent error, waits for its next try, or was cancelled.",
            .run = run,
        },
        .min_arguments = 1,
        .max_arguments = 1,
    },
    [ORDER_CHECK] = {
        .command = {
            .name = "check",
            .arguments = "",
            .summary = "let the controller look at the file and the hosts now",
            .details =
                "Asks the berthd that runs: it corrects what drifted as it does at its own times.",
            .run = run,
        },
    },
};

static int run(struct cli *cli, int argc, char **argv)
{
    enum order_verb which = order_verb_from_name(cli->command);
    const struct verb *verb = &verbs[which];
    struct steer steer = { .verb = which, .guest = !verb->takes_host };
    const struct cli_option options[] = {
        { .name = "reason",
          .letter = 'r',
          .value = "TEXT",
          .help = "why, for whoever reads 'berth status'",
          .text = &steer.reason },
        { .name = "guest", .help = "the name is a guest's", .flag = &steer.guest },
        { .name = "host", .help = "the name is a host's", .flag = &steer.host },
    };
    size_t first = verb->takes_reason ? 0 : 1;
    size_t count = verb->takes_host ? ARRAY_LEN(options) - first : 0;
    int status = cli_start(cli, &verb->command, options + first, count, &argc, argv,
                           verb->min_arguments, verb->max_arguments);

    if (status >= 0) {
        return status;
    }
    steer.name = argc > 0 ? argv[0] : NULL;
    return give(cli, &steer);
}

const struct cli_command *cmd_steer_cancel(void)
{
    return &verbs[ORDER_CANCEL].command;
}

const struct cli_command *cmd_steer_hold(void)
{
    return &verbs[ORDER_HOLD].command;
}

const struct cli_command *cmd_steer_release(void)
{
    return &verbs[ORDER_RELEASE].command;
}

const struct cli_command *cmd_steer_retry(void)
{
    return &verbs[ORDER_RETRY].command;
}

const struct cli_command *cmd_steer_check(void)
{
    return &verbs[ORDER_CHECK].command;
}
