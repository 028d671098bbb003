/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/document.h"
#include "cli/page.h"
#include "model/fault.h"
#include "reconciler/condition.h"
#include "reconciler/ledger.h"
#include "reconciler/status.h"

#define FORMAT    "berth.status/1"
#define WIDTH_MIN 40 /* Of a terminal for which lines are broken. */

/* What the journal and the file say where no controller can be asked. */
struct state {
    bool readable; /* es.xml can be acted on. */
    struct revision revision;
    struct conditions conditions;
    struct ledger ledger;
    struct journal_revision *revisions;
    size_t revision_count;
    struct journal_run *runs;
    size_t run_count;
};

static void read_file(struct cli *cli, struct state *state)
{
    struct source source = source_file(cli->config.es_xml);
    struct faults faults = fault_list(&cli->arena);
    struct err err = { .code = ERR_NONE };

    state->readable = source_read_revision(&source, &cli->arena, &cli->config.policy,
                                           &state->revision, &faults, &err) == 0;
    if (!state->readable) {
        cli_refuse(cli->config.es_xml, &faults, &err);
    }
    condition_set(&state->conditions, CONDITION_DESIRED_VALID, cli_now_ms(),
                  state->readable ? NULL : source_fault_text(&cli->arena, &source, &faults, &err));
}

static int read_state(struct cli *cli, struct state *state, struct err *err)
{
    struct journal *journal = journal_open_readonly(cli->config.state_dir, err);
    int status;

    if (journal == NULL) {
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    }
    ledger_init(&state->ledger, journal);
    status = ledger_load(&state->ledger, err);
    if (status == 0) {
        status = journal->ops->revisions(journal, &cli->arena, 1, &state->revisions,
                                         &state->revision_count, err);
    }
    if (status == 0) {
        status = journal->ops->runs(journal, &cli->arena, 1, &state->runs, &state->run_count, err);
    }
    journal_close(journal);
    return status;
}

static bool is_acted_on(const struct state *state)
{
    return state->readable && state->revision_count > 0 &&
           strcmp(state->revisions[state->revision_count - 1].digest, state->revision.digest) == 0;
}

/* The document that a controller would give, as far as it can be known without one. */
static int write_document(struct cli *cli, struct text *bytes, struct err *err)
{
    struct state state = { .readable = false };
    struct status status = { .at_ms = cli_now_ms(), .es_xml = cli->config.es_xml };

    if (read_state(cli, &state, err) != 0) {
        return -1;
    }
    read_file(cli, &state);
    status.es_digest = state.readable ? state.revision.digest : NULL;
    status.valid = state.readable;
    status.acted_on = is_acted_on(&state);
    status.controller_pid = journal_holder(cli->config.state_dir);
    status.ledger = &state.ledger;
    status.conditions = &state.conditions;
    status.last_run = state.run_count > 0 ? &state.runs[state.run_count - 1] : NULL;
    status_json(bytes, &status);
    ledger_deinit(&state.ledger);
    return 0;
}

static int read_status(struct cli *cli, struct document *document, struct text *bytes,
                       struct err *err)
{
    AUTO(daemon) struct daemon daemon = { .client = NULL };

    if (daemon_find(cli, &daemon, err) != 0) {
        return -1;
    }
    if (daemon.client != NULL) {
        return daemon_get(&daemon, "/v1/status", FORMAT, document, bytes, err);
    }
    return write_document(cli, bytes, err) == 0
               ? document_parse(document, bytes->data, bytes->length, FORMAT, err)
               : -1;
}

/* Columns for which lines are broken: of the terminal, if the page goes there. */
static size_t width_of_page(void)
{
    struct winsize size;

    return cli_is_terminal(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
                   size.ws_col >= WIDTH_MIN
               ? size.ws_col
               : 0;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 0, 0);
    AUTO(document) struct document document = { .root = NULL };
    struct text bytes = text_new(&cli->arena);
    struct text page = text_new(&cli->arena);
    struct err err;

    if (status >= 0) {
        return status;
    }
    if (read_status(cli, &document, &bytes, &err) != 0) {
        return cli_fail(&err);
    }
    if (cli->json) {
        return cli_print(bytes.data, bytes.length);
    }
    page_print(&page, document.root, width_of_page());
    return cli_print(page.data, page.length);
}

static const struct cli_command command = {
    .name = "status",
    .arguments = "",
    .summary = "what is going on: the file, the controller, moves, what waits and why",
    .details =
        "Where berthd runs, that tells; else the journal does, and no host is asked: 'berth plan' and\n"
        "'berth diff' do.",
    .run = run,
};

const struct cli_command *cmd_status_command(void)
{
    return &command;
}
