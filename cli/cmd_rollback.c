/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/revisions.h"

/* The bytes of the revision, from the journal. */
static int read_revision(struct cli *cli, const char *name, char **bytes, size_t *length)
{
    AUTO(revisions) struct revisions revisions = { .journal = NULL };
    const struct journal_revision *revision;
    struct err err;

    if (revisions_open(cli, &revisions, &err) != 0) {
        return cli_fail(&err);
    }
    if (revisions_find(&revisions, name, &revision, &err) != 0) {
        cli_error("'berth history --revisions' lists them", "rollback: %s", err.text);
        return CLI_INVALID;
    }
    return revisions_read(&revisions, &cli->arena, revision, bytes, length, &err) == 0
               ? 0
               : cli_fail(&err);
}

static int rollback(struct edit *edit, const char *name)
{
    char *bytes = NULL;
    size_t length = 0;
    int status = edit_begin(edit);

    if (status == 0) {
        status = read_revision(edit->cli, name, &bytes, &length);
    }
    if (status == 0) {
        status = edit_restore(edit, bytes, length);
    }
    if (status == 0) {
        status = edit_plan(edit);
    }
    return status == 0 ? edit_carry_out(edit) : status;
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(edit) struct edit edit = { .cli = cli, .file_only = true };
    const struct cli_option options[] = { EDIT_OPTIONS(edit) };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 1, 1);

    return status >= 0 ? status : rollback(&edit, argv[0]);
}

static const struct cli_command command = {
    .name = "rollback",
    .arguments = "REV",
    .summary = "put an earlier es.xml back into the file",
    .details =
        "REV is a revision as 'berth history --revisions' lists them: its number, 1 being the newest, or\n"
        "the beginning of its digest.  Shows which guests it puts elsewhere and the plan for it, asks, and\n"
        "writes the file.  'berth apply', or berthd where it runs, then moves the guests.",
    .run = run,
};

const struct cli_command *cmd_rollback_command(void)
{
    return &command;
}
