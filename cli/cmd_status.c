/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/records.h"
#include "model/fault.h"
#include "reconciler/ledger.h"
#include "reconciler/status.h"

/* Everything the page shows, read before anything is printed. */
struct state {
    int64_t holder; /* Pid of the acting controller, or 0. */
    bool readable;  /* es.xml can be acted on. */
    struct revision revision;
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

static void print_run(struct text *text, const struct state *state)
{
    const struct journal_run *run = &state->runs[state->run_count - 1];
    char at[CLOCK_TEXT_SIZE];

    text_printf(text, "last run    %s by %s at %s", run->program,
                text_visible(text->arena, run->user), clock_format(run->begun_ms, at));
    if (run->ended_ms != 0) {
        text_printf(text, ", ended with status %d\n", run->exit_status);
    } else {
        text_append(text, state->holder != 0
                              ? ", goes on\n"
                              : ", did not end: 'berth apply' takes up what it left\n");
    }
}

static void print_file(struct cli *cli, struct text *text, const struct state *state)
{
    text_printf(text, "es.xml      %s: ", cli->config.es_xml);
    if (!state->readable) {
        text_append(text, "not valid, nothing is done with it\n");
        return;
    }
    text_printf(text, "%zu hosts, %zu guests, revision %.12s%s\n",
                state->revision.desired.host_count, state->revision.desired.guest_count,
                state->revision.digest,
                is_acted_on(state) ? "" : " (not acted on yet: see 'berth plan')");
}

static void print_waiting(struct text *text, const struct state *state, int64_t now_ms)
{
    for (size_t i = 0; i < state->ledger.retry_count; i++) {
        const struct journal_retry *retry = &state->ledger.retries[i];
        const char *reason = text_visible(text->arena, retry->reason);
        char wait[CLOCK_TEXT_SIZE];

        if (state->readable && strcmp(retry->es_digest, state->revision.digest) != 0) {
            continue;
        }
        if (retry->next_ms == INT64_MAX) {
            text_printf(text, "parked      %s: %s; 'berth retry %s' tries again\n", retry->guest,
                        reason, retry->guest);
        } else {
            text_printf(text, "waiting     %s: %s; tried %" PRIu32 " times, next in %s\n",
                        retry->guest, reason, retry->attempts,
                        clock_format_duration(retry->next_ms - now_ms, wait));
        }
    }
    for (size_t i = 0; i < state->ledger.owed_count; i++) {
        text_printf(text, "owed start  %s: was stopped on '%s' and must run again\n",
                    state->ledger.owed[i].guest, state->ledger.owed[i].host);
    }
}

static void print_text(struct cli *cli, struct text *text, const struct state *state)
{
    int64_t now_ms = cli_now_ms();

    print_file(cli, text, state);
    if (state->holder != 0) {
        text_printf(text, "controller  pid %" PRId64 " is acting\n", state->holder);
    } else {
        text_append(text, "controller  none is acting\n");
    }
    if (state->run_count > 0) {
        print_run(text, state);
    }
    for (size_t i = 0; i < state->ledger.move_count; i++) {
        text_append(text, state->holder != 0 ? "moving      " : "unfinished  ");
        records_print_move(text, &state->ledger.moves[i], now_ms);
    }
    print_waiting(text, state, now_ms);
}

static void print_json(struct cli *cli, struct text *text, const struct state *state)
{
    const struct status status = {
        .at_ms = cli_now_ms(),
        .es_xml = cli->config.es_xml,
        .es_digest = state->readable ? state->revision.digest : NULL,
        .valid = state->readable,
        .acted_on = is_acted_on(state),
        .controller_pid = state->holder,
        .ledger = &state->ledger,
    };

    status_json(text, &status);
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    int status = cli_start(cli, &command, NULL, 0, &argc, argv, 0, 0);
    struct text text = text_new(&cli->arena);
    struct state state = { .holder = 0 };
    struct err err;

    if (status >= 0) {
        return status;
    }
    if (read_state(cli, &state, &err) != 0) {
        return cli_fail(&err);
    }
    state.holder = journal_holder(cli->config.state_dir);
    read_file(cli, &state);
    if (cli->json) {
        print_json(cli, &text, &state);
    } else {
        print_text(cli, &text, &state);
    }
    ledger_deinit(&state.ledger);
    return cli_print(text.data, text.length);
}

static const struct cli_command command = {
    .name = "status",
    .arguments = "",
    .summary = "what is going on: the file, the controller, moves, what waits and why",
    .details = "Asks no host: 'berth plan' and 'berth diff' do.",
    .run = run,
};

const struct cli_command *cmd_status_command(void)
{
    return &command;
}
