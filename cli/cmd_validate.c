/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/relaxng.h"
#include "model/fault.h"
#include "model/json_token.h"

static void print_json(struct text *text, const char *file, const struct revision *revision,
                       const struct faults *faults)
{
    text_append(text, "{\"format\":\"berth.faults/1\",\"file\":");
    json_token_write_string(text, file);
    text_printf(text, ",\"valid\":%s,\"hosts\":%zu,\"guests\":%zu,\"dropped\":%zu,\"faults\":[",
                faults->count == 0 ? "true" : "false", revision->desired.host_count,
                revision->desired.guest_count, faults->dropped);
    for (size_t i = 0; i < faults->count; i++) {
        text_printf(text, "%s\n {\"line\":%u,\"message\":", i == 0 ? "" : ",",
                    faults->items[i].line);
        json_token_write_string(text, faults->items[i].text);
        text_append(text, "}");
    }
    text_append(text, "]}\n");
}

static int report(struct cli *cli, const char *file, const struct revision *revision,
                  const struct faults *faults)
{
    struct text text = text_new(&cli->arena);
    int status = CLI_OK;

    if (cli->json) {
        print_json(&text, file, revision, faults);
    } else if (faults->count == 0) {
        text_printf(&text, "%s: valid: %zu hosts, %zu guests\n", file, revision->desired.host_count,
                    revision->desired.guest_count);
    } else {
        cli_print_faults(file, faults);
    }
    status = cli_print(text.data, text.length);
    return faults->count > 0 ? CLI_INVALID : status;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    const char *schema = NULL;
    const struct cli_option options[] = {
        { .name = "schema",
          .value = "FILE",
          .help = "check against this RELAX NG schema too (es.rng)",
          .text = &schema },
    };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 0, 1);
    struct faults faults = fault_list(&cli->arena);
    struct revision revision = { .length = 0 };
    struct err err = { .code = ERR_NONE };
    struct source source;

    if (status >= 0) {
        return status;
    }
    source = source_file(argc > 0 ? argv[0] : cli->config.es_xml);
    if (source_read_revision(&source, &cli->arena, &cli->config.policy, &revision, &faults, &err) !=
            0 &&
        faults.count == 0) {
        cli_refuse(source.name, &faults, &err);
        return CLI_INVALID;
    }
    if (schema != NULL &&
        relaxng_check(schema, revision.bytes, revision.length, &faults, &err) != 0) {
        (void)cli_fail(&err);
        return CLI_INVALID;
    }
    fault_sort(&faults);
    return report(cli, source.name, &revision, &faults);
}

static const struct cli_command command = {
    .name = "validate",
    .arguments = "[ES_XML]",
    .summary = "check a file, print every fault with its line",
    .details =
        "Reads ES_XML (default: the config's es_xml) as the controller would, without asking any\n"
        "host.  Exit status 0: it can be acted on; 2: it cannot, each fault on a line of its own\n"
        "as FILE:LINE: message.",
    .run = run,
};

const struct cli_command *cmd_validate_command(void)
{
    return &command;
}
