/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/entry.h"
#include "cli/follow.h"
#include "cli/revive.h"
#include "cli/run.h"
#include "cli/summary.h"
#include "diff/plan_json.h"
#include "diff/render.h"
#include "model/es_edit.h"
#include "model/fault.h"
#include "reconciler/journal/journal.h"
#include "reconciler/json_member.h"
#include "reconciler/ledger.h"

static bool is_changed(const struct edit *edit)
{
    return strcmp(edit->before.digest, edit->sight.revision.digest) != 0;
}

/* A daemon takes the edit up by itself.  Another command that acts does not look at the file for ever. */
static int find_controller(struct edit *edit)
{
    struct cli *cli = edit->cli;
    int64_t pid = journal_holder(cli->config.state_dir);
    struct journal *journal;
    struct journal_run *runs = NULL;
    size_t count = 0;
    struct err err;

    if (pid == 0) {
        return 0;
    }
    journal = journal_open_readonly(cli->config.state_dir, &err);
    if (journal == NULL) {
        return cli_fail(&err);
    }
    if (journal->ops->runs(journal, &cli->arena, 1, &runs, &count, &err) != 0) {
        journal_close(journal);
        return cli_fail(&err);
    }
    journal_close(journal);
    if (count == 1 && strcmp(runs[0].program, "berthd") == 0) {
        edit->controller = pid;
    } else if (!edit->dry_run) {
        (void)err_set(&err, ERR_BUSY, "%s: state directory '%s' is in use by pid %" PRId64,
                      cli->command, cli->config.state_dir, pid);
        return cli_fail(&err);
    }
    return 0;
}

int edit_begin(struct edit *edit)
{
    struct cli *cli = edit->cli;
    int status;

    if (!edit->yes && !edit->dry_run &&
        !run_can_ask(cli, "--dry-run shows what would be done; --yes does it")) {
        return CLI_INVALID;
    }
    status = find_controller(edit);
    return status == 0 ? cli_load_revision(cli, NULL, &edit->before) : status;
}

int edit_look(struct edit *edit)
{
    struct config *config = &edit->cli->config;
    const struct timetable timetable = config->timetable;
    int status;

    edit->sight.revision = edit->before;
    edit->sight.revision.digest[0] = '\0';
    config->timetable = (struct timetable){ 0 };
    status = reach_see_revision(edit->cli, &edit->sight);
    config->timetable = timetable;
    return status;
}

int edit_restore(struct edit *edit, const char *bytes, size_t length)
{
    struct cli *cli = edit->cli;
    struct faults faults = fault_list(&cli->arena);

    if (source_check(&cli->arena, bytes, length, &cli->config.policy, &edit->sight.revision,
                     &faults) == 0) {
        return 0;
    }
    cli_error(NULL, "%s: '%s' is not changed, because it would be at fault then:", cli->command,
              cli->config.es_xml);
    cli_print_faults(cli->config.es_xml, &faults);
    return CLI_INVALID;
}

int edit_place(struct edit *edit, const struct es_edit *edits, size_t count)
{
    struct cli *cli = edit->cli;
    const char *bytes;
    size_t length;
    struct err err;

    if (es_edit_apply(&cli->arena, edit->before.bytes, edit->before.length, edits, count, &bytes,
                      &length, &err) == 0) {
        return edit_restore(edit, bytes, length);
    }
    cli_error(NULL, "%s: '%s': %s", cli->command, cli->config.es_xml, err.text);
    return CLI_INVALID;
}

int edit_plan(struct edit *edit)
{
    int status =
        edit->sight.view.input.desired != NULL ? 0 : reach_see_revision(edit->cli, &edit->sight);

    if (status == 0) {
        status = run_plan(edit->cli, &edit->sight, edit->only, &edit->plan);
    }
    return status;
}

typedef void change_fn(struct text *text, const char *guest, const char *from, const char *to);

/* Calls change() for each guest whose host differs, in the order of names; 'from' or 'to' is NULL for one
 * that only one of the revisions has. */
static void for_each_change(const struct edit *edit, struct text *text, change_fn *change)
{
    const struct desired *before = &edit->before.desired;
    const struct desired *after = &edit->sight.revision.desired;
    size_t i = 0;
    size_t k = 0;

    while (i < before->guest_count || k < after->guest_count) {
        int order = i == before->guest_count ? 1
                    : k == after->guest_count
                        ? -1
                        : strcmp(before->guests[i].name, after->guests[k].name);
        const char *guest = order <= 0 ? before->guests[i].name : after->guests[k].name;
        const char *from = desired_host_of(before, guest);
        const char *to = desired_host_of(after, guest);

        if (!text_equal(from, to)) {
            change(text, guest, from, to);
        }
        i += order <= 0;
        k += order >= 0;
    }
}

static void print_change(struct text *text, const char *guest, const char *from, const char *to)
{
    text_printf(text, "  %-20s %s -> %s\n", guest, from == NULL ? "(not in the file)" : from,
                to == NULL ? "(not in the file)" : to);
}

static void json_change(struct text *text, const char *guest, const char *from, const char *to)
{
    json_member_next(text);
    text_append(text, "\n {");
    json_member_string(text, "guest", guest);
    json_member_string(text, "from", from);
    json_member_string(text, "to", to);
    text_append(text, "}");
}

static void print_edit(const struct edit *edit, struct text *text)
{
    if (is_changed(edit)) {
        text_printf(text, "%s:\n", edit->cli->config.es_xml);
        for_each_change(edit, text, print_change);
        text_append(text, "\n");
    }
    for (size_t i = 0; i < edit->blocked_count && !edit->forced;
         i++) { /* Else the plan has them. */
        text_printf(text, "%s stays: %s: %s\n", edit->blocked[i].guest,
                    plan_code_name(edit->blocked[i].code),
                    text_visible(text->arena, edit->blocked[i].reason));
    }
}

/* 'run' is the "berth.apply/1" object of the moves that were made, or empty. */
static int print_json(const struct edit *edit, bool written, const struct text *run)
{
    struct text text = text_new(&edit->cli->arena);

    text_append(&text, "{");
    json_member_string(&text, "format", "berth.edit/1");
    json_member_string(&text, "es_xml", edit->cli->config.es_xml);
    json_member_flag(&text, "written", written);
    json_member_string(&text, "before", edit->before.digest);
    json_member_string(&text, "after", edit->sight.revision.digest);
    json_member_signed(&text, "controller_pid", edit->controller);
    json_member_name(&text, "changes");
    text_append(&text, "[");
    for_each_change(edit, &text, json_change);
    text_append(&text, "]");
    summary_json_blocked(&text, edit->blocked, edit->blocked_count);
    json_member_name(&text, "plan");
    plan_json_write(&text, &edit->plan);
    json_member_name(&text, "run");
    text_append(&text, run->length == 0 ? "null" : run->data);
    text_append(&text, "}\n");
    return cli_print(text.data, text.length);
}

/* A controller that runs has journaled the revision that stands already. */
static int keep_before(struct edit *edit, struct err *err)
{
    AUTO(entry) struct entry entry = { .loop = NULL };
    struct journal_record records[2] = { { .kind = JOURNAL_OBJECT }, { .kind = JOURNAL_REVISION } };
    const struct revision *before = &edit->before;

    if (edit->controller != 0) {
        return 0;
    }
    records[0].object.bytes = before->bytes;
    records[0].object.length = before->length;
    memcpy(records[0].object.digest, before->digest, DIGEST_TEXT_SIZE);
    memcpy(records[1].revision.digest, before->digest, DIGEST_TEXT_SIZE);
    records[1].revision.at_ms = cli_now_ms();
    return entry_open(&entry, edit->cli, err) == 0
               ? entry_write(&entry, records, ARRAY_LEN(records), err)
               : -1;
}

int edit_write(struct edit *edit)
{
    const struct revision *after = &edit->sight.revision;
    struct file_bytes old = { edit->before.bytes, edit->before.length };
    struct file_bytes new = { after->bytes, after->length };
    struct err err;

    if (!is_changed(edit)) {
        return 0;
    }
    if (keep_before(edit, &err) != 0 ||
        file_replace_unchanged(edit->cli->config.es_xml, old, new, &err) != 0) {
        return cli_fail(&err);
    }
    return 0;
}

/* One letter for each. */
static void count_change(struct text *text, const char *guest, const char *from, const char *to)
{
    (void)guest;
    (void)from;
    (void)to;
    text_append(text, ".");
}

int edit_put_back(struct edit *edit, const struct es_edit *edits, size_t count)
{
    const struct revision *after = &edit->sight.revision;
    struct file_bytes old = { after->bytes, after->length };
    struct file_bytes new = { edit->before.bytes, edit->before.length };
    struct text changes = text_new(&edit->cli->arena);
    struct err err;

    for_each_change(edit, &changes, count_change);
    if ((count < changes.length &&
         es_edit_apply(&edit->cli->arena, after->bytes, after->length, edits, count, &new.data,
                       &new.length, &err) != 0) ||
        file_replace_unchanged(edit->cli->config.es_xml, old, new, &err) != 0) {
        return cli_fail(&err);
    }
    return CLI_OK;
}

/* Guests of the file that 'host' has still: running, defined or arriving there. */
static size_t count_left(const struct edit *edit, const struct observed *observed, const char *host,
                         struct text *names)
{
    const struct observed_host *seen = observed_find_host(observed, host);
    size_t count = 0;

    for (size_t i = 0; seen != NULL && i < seen->guest_count; i++) {
        if (desired_find_guest(&edit->sight.revision.desired, seen->guests[i].name) !=
            DESIRED_NONE) {
            text_printf(names, "%s%s", count == 0 ? "" : ", ", seen->guests[i].name);
            count++;
        }
    }
    for (size_t i = 0; i < observed->in_flight_count; i++) {
        if (strcmp(observed->in_flight[i].to, host) == 0) {
            text_printf(names, "%s%s (arriving)", count == 0 ? "" : ", ",
                        observed->in_flight[i].guest);
            count++;
        }
    }
    return count;
}

/* 'Drained' is what the host says, not what was attempted. */
static int tell_drained(struct edit *edit, int status)
{
    struct cli *cli = edit->cli;
    AUTO(sight) struct reach_sight sight = { .revision = edit->sight.revision };
    const struct observed_host *host;
    struct text names = text_new(&cli->arena);
    int seen = reach_see_revision(cli, &sight);

    if (seen != 0) {
        return status == CLI_OK ? seen : status;
    }
    host = observed_find_host(&sight.view.observed, edit->drained);
    if (host == NULL || !host->reachable) {
        cli_error(NULL, "%s: '%s' does not answer: it is not known to be drained", cli->command,
                  edit->drained);
        return status == CLI_OK ? CLI_BLOCKED : status;
    }
    if (count_left(edit, &sight.view.observed, edit->drained, &names) > 0) {
        cli_error("'berth diff' and 'berth plan' tell more", "%s: '%s' is not drained: it has %s",
                  cli->command, edit->drained, names.data);
        return status == CLI_OK ? CLI_BLOCKED : status;
    }
    (void)fprintf(stderr,
                  "'%s' is drained: no guest of the file runs, is defined or arrives there\n",
                  edit->drained);
    return status;
}

/* Looks on while the controller carries it out.  False: it cannot be asked. */
static bool follow(struct edit *edit, const struct run_request *request, int *status)
{
    AUTO(daemon) struct daemon daemon = { .client = NULL };
    struct err err;

    if (daemon_find(edit->cli, &daemon, &err) != 0 || daemon.client == NULL) {
        return false;
    }
    *status = follow_moves(edit->cli, &daemon, request, edit->sight.revision.digest);
    return true;
}

/* What comes after the file was written; '*run' gets the JSON of moves made here. */
static int move_guests(struct edit *edit, const char *agreed, struct text *run)
{
    const struct run_request request = {
        .only = edit->only,
        .step = edit->step,
        .agreed = agreed,
        .json = edit->cli->json ? run : NULL,
    };
    int status;

    if (edit->forced) {
        return revive_guests(edit, run);
    }
    if (edit->controller != 0 && follow(edit, &request, &status)) {
        edit->carried_out = status != CLI_CANCELLED;
        return status;
    }
    if (edit->controller != 0) {
        (void)fprintf(
            stderr, "berthd (pid %" PRId64 ") carries it out: 'berth status' tells how far it is\n",
            edit->controller);
        return CLI_OK;
    }
    if (edit->file_only) {
        (void)fprintf(stderr, "'berth apply' carries it out\n");
        return CLI_OK;
    }
    edit->carried_out = true;
    return run_moves(edit->cli, &request);
}

static int show(struct edit *edit, const char **agreed)
{
    struct text text = text_new(&edit->cli->arena);
    struct text plan = text_new(&edit->cli->arena);

    print_edit(edit, &text);
    render_plan(&edit->cli->arena, &plan, &edit->plan, edit->cli->colour);
    text_append(&text, plan.data);
    render_checks(&edit->cli->arena, &text, &edit->plan, false, edit->cli->colour);
    *agreed = plan.data;
    return edit->cli->json ? CLI_OK : cli_print(text.data, text.length);
}

/* Neither the file nor a guest is to change, and no earlier run left anything. */
static bool is_settled(const struct edit *edit)
{
    return !is_changed(edit) && edit->plan.move_count == 0 && edit->sight.ledger.move_count == 0 &&
           edit->sight.ledger.owed_count == 0;
}

int edit_carry_out(struct edit *edit)
{
    bool acts = !edit->dry_run && !is_settled(edit);
    struct text run = text_new(&edit->cli->arena);
    const char *agreed;
    int status = edit->checks && edit->dry_run && !edit->forced
                     ? checks_make(edit->cli, &edit->sight, &edit->plan)
                     : CLI_OK;
    int printed;

    if (status == CLI_OK) {
        status = show(edit, &agreed);
    }
    if (status == CLI_OK && acts && !edit->yes && !run_is_wanted()) {
        return CLI_CANCELLED;
    }
    if (status == CLI_OK && acts) {
        status = edit_write(edit);
        if (status != CLI_OK) {
            return status;
        }
        status = move_guests(edit, agreed, &run);
    }
    if (edit->drained != NULL && !edit->dry_run && (!acts || edit->carried_out)) {
        status = tell_drained(edit, status);
    }
    printed = edit->cli->json ? print_json(edit, acts && is_changed(edit), &run) : CLI_OK;
    if (status != CLI_OK) {
        return status;
    }
    return printed == CLI_OK && (edit->blocked_count > 0 || checks_failed(&edit->plan))
               ? CLI_BLOCKED
               : printed;
}

void edit_force(struct edit *edit, const struct plan *plan)
{
    edit->plan = *plan;
    edit->plan.es_xml_sha256 = edit->sight.revision.digest;
    edit->blocked = plan->blocked;
    edit->blocked_count = plan->block_count;
    edit->forced = true;
}

int edit_refuse(struct edit *edit)
{
    struct text nothing = text_new(&edit->cli->arena);
    const char *agreed;
    int status = edit->cli->json ? print_json(edit, false, &nothing) : show(edit, &agreed);

    (void)fprintf(stderr, "nothing was changed\n");
    return status == CLI_OK ? CLI_BLOCKED : status;
}

static bool is_named(const struct es_edit *edits, size_t count, const char *guest)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(edits[i].guest, guest) == 0) {
            return true;
        }
    }
    return false;
}

/* A controller waits for the end of a move that is under way, or for a window, and then goes by the file. */
static bool passes(const struct edit *edit, const struct plan_block *block)
{
    return edit->controller != 0 && (block->code == PLAN_IN_FLIGHT || block->code == PLAN_WINDOW);
}

void edit_add_blocks(struct edit *edit, const struct es_edit *edits, size_t count)
{
    struct plan_block *blocked = ARENA_ARRAY(&edit->cli->arena, struct plan_block,
                                             edit->blocked_count + edit->plan.block_count + 1);
    size_t used = edit->blocked_count;

    if (used > 0) {
        memcpy(blocked, edit->blocked, used * sizeof(*blocked));
    }
    for (size_t i = 0; i < edit->plan.block_count; i++) {
        const struct plan_block *block = &edit->plan.blocked[i];

        if (is_named(edits, count, block->guest) && !passes(edit, block)) {
            blocked[used++] = *block;
        }
    }
    edit->blocked = blocked;
    edit->blocked_count = used;
}

int edit_leave(struct edit *edit)
{
    struct text nothing = text_new(&edit->cli->arena);

    return edit->cli->json ? print_json(edit, false, &nothing) : CLI_OK;
}

int edit_find_host(const struct edit *edit, const char *name, uint32_t *host)
{
    *host = desired_find_host(&edit->before.desired, name);
    if (*host != DESIRED_NONE) {
        return 0;
    }
    cli_error(NULL, "%s: '%s' names no host '%s'", edit->cli->command, edit->cli->config.es_xml,
              name);
    return CLI_INVALID;
}

void edit_deinit(struct edit *edit)
{
    reach_sight_deinit(&edit->sight);
}
