/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/reach.h"
#include "model/observed_json.h"

static size_t warn_unreachable(const struct observed *observed)
{
    size_t count = 0;

    for (size_t i = 0; i < observed->host_count; i++) {
        if (!observed->hosts[i].reachable) {
            cli_error(NULL, "host '%s' is not reachable: %s", observed->hosts[i].name,
                      observed->hosts[i].error);
            count++;
        }
    }
    return count;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(sight) struct reach_sight sight = { .es = NULL };
    const char *out = NULL;
    const struct cli_option options[] = {
        { .name = "out",
          .letter = 'o',
          .value = "FILE",
          .help = "write to FILE, replacing it whole",
          .text = &out },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 0);
    struct text text = text_new(&cli->arena);
    struct err err;
    size_t unreachable;

    if (status >= 0) {
        return status;
    }
    status = reach_see(cli, &sight);
    if (status != 0) {
        return status;
    }
    observed_json_write(&text, &sight.view.observed);
    if (out == NULL) {
        status = cli_print(text.data, text.length);
    } else if (file_replace(out, text.data, text.length, 0644, &err) != 0) {
        status = cli_fail(&err);
    }
    unreachable = warn_unreachable(&sight.view.observed);
    return status == CLI_OK && unreachable > 0 ? CLI_FAILED : status;
}

static const struct cli_command command = {
    .name = "observe",
    .arguments = "",
    .summary = "ask every host, print what runs where",
    .details =
        "Prints the observation as JSON (format berth.observed/1), which 'berth plan --observed'\n"
        "reads.  A host that does not answer within 10 s is reported as not reachable and makes\n"
        "the exit status 1; the others are printed all the same.",
    .run = run,
};

const struct cli_command *cmd_observe_command(void)
{
    return &command;
}
