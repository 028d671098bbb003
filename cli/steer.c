/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/steer.h"

#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/entry.h"
#include "model/fault.h"
#include "reconciler/json_member.h"

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
        return CLI_INVALID;
    }
    if (order_address(order, steer->name, &revision.desired, &err) != 0) {
        cli_error(NULL, "%s", err.text);
        return CLI_INVALID;
    }
    return 0;
}

/* Without a controller nothing moves and nobody looks; the rest can be kept for the next one. */
static int enter(struct cli *cli, struct order *order, const char **said, struct err *err)
{
    AUTO(entry) struct entry entry = { .loop = NULL };
    struct journal_record records[ORDER_RECORDS_MAX];
    size_t count;

    if (order->verb == ORDER_CANCEL) {
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

int steer_run(struct cli *cli, const struct steer *steer)
{
    AUTO(daemon) struct daemon daemon = { .client = NULL };
    struct order order = { .verb = steer->verb, .reason = steer->reason };
    const char *said = NULL;
    struct err err;
    int status;

    if (daemon_find(cli, &daemon, &err) != 0) {
        return cli_fail(&err);
    }
    status = address(cli, steer, &daemon, &order);
    if (status != 0) {
        return status;
    }
    if ((daemon.client != NULL ? daemon_order(&daemon, &order, &said, &err)
                               : enter(cli, &order, &said, &err)) != 0) {
        return cli_fail(&err);
    }
    if (daemon.client == NULL && order.verb != ORDER_HOLD) {
        (void)fprintf(stderr, "no berthd runs: 'berth apply' acts on it\n");
    }
    return print(cli, &order, said);
}
