/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "diff/explain.h"
#include "diff/plan.h"
#include "model/json_token.h"

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
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    const struct cli_option options[] = {
        REACH_SIGHT_OPTIONS(sight),
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 1, 1);
    struct text text = text_new(&cli->arena);
    struct plan plan;

    if (status >= 0) {
        return status;
    }
    status = reach_see(cli, &sight);
    if (status != 0) {
        return status;
    }
    plan = view_plan(&cli->arena, &sight.view);
    if (!explain_guest(&cli->arena, &text, &sight.view.input, &plan, argv[0])) {
        cli_error("'berth diff' and 'berth observe' list the names they know",
                  "neither es.xml nor any host that answers knows a guest '%s'", argv[0]);
        return CLI_FAILED;
    }
    status = print_text(cli, argv[0], &text);
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
