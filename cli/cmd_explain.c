/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "diff/explain.h"
#include "diff/plan.h"
#include "model/json_token.h"
#include "reconciler/ledger.h"
#include "reconciler/view.h"

static const struct cli_command command;

static int print_text(struct cli *cli, const char *guest, const struct text *explanation)
{
    struct text text = text_new(&cli->arena);

    if (!cli->json) {
        return cli_print(explanation->data, explanation->length);
    }
    text_append(&text, "{\"format\":\"berth.explain/1\",\"guest\":");
    json_token_write_string(&text, guest);
    text_append(&text, ",\"text\":");
    json_token_write_string(&text, explanation->data);
    text_append(&text, "}\n");
    return cli_print(text.data, text.length);
}

static int run(struct cli *cli, int argc, char **argv)
{
    const char *es = NULL;
    const char *observed = NULL;
    const struct cli_option options[] = {
        { .name = "es",
          .value = "FILE",
          .help = "read FILE in place of the config's es_xml",
          .text = &es },
        { .name = "observed",
          .value = "FILE",
          .help = "explain from a recorded observation ('-': stdin)",
          .text = &observed },
    };
    int status = cli_parse(cli, &command, options, ARRAY_LEN(options), &argc, argv, 1, 1);
    struct text text = text_new(&cli->arena);
    struct revision revision;
    struct ledger ledger;
    struct view view;
    struct plan plan;

    if (status >= 0) {
        return status;
    }
    status = cli_load_config(cli);
    if (status == 0) {
        status = reach_view(cli, es, observed, &revision, &ledger, &view);
    }
    if (status != 0) {
        return status;
    }
    plan = plan_build(&cli->arena, &view.input);
    if (!explain_guest(&cli->arena, &text, &view.input, &plan, argv[0])) {
        ledger_deinit(&ledger);
        cli_error("'berth diff' and 'berth observe' list the names they know",
                  "neither es.xml nor any host that answers knows a guest '%s'", argv[0]);
        return CLI_FAILED;
    }
    status = print_text(cli, argv[0], &text);
    ledger_deinit(&ledger);
    return status;
}

static const struct cli_command command = {
    .name = "explain",
    .arguments = "GUEST",
    .summary = "say where a guest is, where it should be, and what stands in the way",
    .run = run,
};

const struct cli_command *cmd_explain_command(void)
{
    return &command;
}
