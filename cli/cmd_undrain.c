/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/revisions.h"
#include "model/es_edit.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "reconciler/journal/journal.h"

/* Guests to bring back. */
struct comeback {
    struct es_edit *edits;
    size_t count;
    size_t left; /* Guests that left the host together, wherever they are now. */
};

/* Guests that 'earlier' has on 'host' and 'later' does not; those that are still where 'later' put them
 * come back. */
static void compare(struct edit *edit, const char *host, const struct desired *earlier,
                    const struct desired *later, struct comeback *comeback)
{
    const struct desired *now = &edit->before.desired;

    for (size_t i = 0; i < earlier->guest_count; i++) {
        const char *guest = earlier->guests[i].name;
        const char *moved_to = desired_host_of(later, guest);

        if (moved_to == NULL || strcmp(moved_to, host) == 0 ||
            strcmp(desired_host_of(earlier, guest), host) != 0) {
            continue;
        }
        comeback->left++;
        if (text_equal(desired_host_of(now, guest), moved_to)) {
            comeback->edits[comeback->count++] =
                (struct es_edit){ now->guests[desired_find_guest(now, guest)].name, host };
        }
    }
}

/* A text that today's rules do not accept tells nothing. */
static bool read_desired(const struct revisions *revisions, struct arena *arena,
                         const struct journal_revision *revision, struct desired *desired)
{
    struct faults faults = fault_list(arena);
    struct err err;
    char *bytes;
    size_t length;

    return revisions_read(revisions, arena, revision, &bytes, &length, &err) == 0 &&
           es_xml_read(arena, bytes, length, desired, &faults) == 0;
}

/* Goes back, revision by revision, to the newest change that took guests away from 'host'. */
static void search(struct edit *edit, const char *host, const struct revisions *revisions,
                   struct comeback *comeback)
{
    struct arena arenas[2] = { ARENA_INIT, ARENA_INIT }; /* Of one revision and the one after it. */
    size_t own = 0;
    struct desired later = edit->before.desired;

    for (size_t i = revisions->count; i-- > 0 && comeback->left == 0;) {
        struct desired earlier = { 0 };

        if (strcmp(revisions->items[i].digest, edit->before.digest) != 0 &&
            read_desired(revisions, &arenas[own], &revisions->items[i], &earlier)) {
            compare(edit, host, &earlier, &later, comeback);
            later = earlier;
            own = 1 - own;
        }
        arena_deinit(&arenas[own]);
    }
    arena_deinit(&arenas[0]);
    arena_deinit(&arenas[1]);
}

static int find_comeback(struct edit *edit, const char *host, struct comeback *comeback)
{
    AUTO(revisions) struct revisions revisions = { .journal = NULL };
    struct err err;

    comeback->edits =
        ARENA_ARRAY(&edit->cli->arena, struct es_edit, edit->before.desired.guest_count + 1);
    if (revisions_open(edit->cli, &revisions, &err) != 0) {
        return cli_fail(&err);
    }
    search(edit, host, &revisions, comeback);
    return 0;
}

static int undrain(struct edit *edit, const char *host)
{
    struct comeback comeback = { .count = 0 };
    uint32_t index = DESIRED_NONE;
    int status = edit_begin(edit);

    if (status == 0) {
        status = edit_find_host(edit, host, &index);
    }
    if (status == 0) {
        status = find_comeback(edit, host, &comeback);
    }
    if (status == 0) {
        status = edit_place(edit, comeback.edits, comeback.count);
    }
    if (status == 0) {
        status = edit_plan(edit);
    }
    if (status != 0) {
        return status;
    }
    if (comeback.count == 0) {
        (void)fprintf(stderr, "nothing to bring back: %s\n",
                      comeback.left == 0
                          ? "no revision in the journal has taken a guest away from there"
                          : "the guests that left have been put elsewhere since, or are back");
        return edit_leave(edit);
    }
    edit_add_blocks(edit, comeback.edits, comeback.count);
    return edit->blocked_count > 0 ? edit_refuse(edit) : edit_carry_out(edit);
}

static const struct cli_command command;

static int run(struct cli *cli, int argc, char **argv)
{
    AUTO(edit) struct edit edit = { .cli = cli };
    const struct cli_option options[] = { EDIT_OPTIONS(edit) };
    int status = cli_start(cli, &command, options, ARRAY_LEN(options), &argc, argv, 1, 1);

    return status >= 0 ? status : undrain(&edit, argv[0]);
}

static const struct cli_command command = {
    .name = "undrain",
    .arguments = "HOST",
    .summary = "bring back the guests that 'berth drain' took away from a host",
    .details =
        "Looks in the journal for the newest change of es.xml that took guests away from HOST, and puts\n"
        "back those of them that es.xml still has where that change put them.  Shows the plan, asks, edits\n"
        "es.xml and moves the guests; where berthd runs, that does it.",
    .run = run,
};

const struct cli_command *cmd_undrain_command(void)
{
    return &command;
}
