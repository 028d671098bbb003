/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/revisions.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/cli.h"
#include "reconciler/journal/journal.h"
#include "reconciler/json_member.h"

/* A number of up to five digits says how far back; what is longer begins a digest. */
#define NUMBER_MAX    99999
#define PREFIX_MIN    6
#define DIGEST_SHOWN  12
#define DIGEST_DIGITS "0123456789abcdef"

int revisions_open(struct cli *cli, struct revisions *revisions, struct err *err)
{
    struct journal_revision *items;

    *revisions = (struct revisions){ .journal = NULL };
    revisions->journal = journal_open_readonly(cli->config.state_dir, err);
    if (revisions->journal == NULL) {
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    }
    if (revisions->journal->ops->revisions(revisions->journal, &cli->arena, 0, &items,
                                           &revisions->count, err) != 0) {
        return -1;
    }
    revisions->items = items;
    return 0;
}

static int find_number(const struct revisions *revisions, uint64_t number,
                       const struct journal_revision **found, struct err *err)
{
    if (number == 0 || number > revisions->count) {
        return err_set(err, ERR_NOT_FOUND, "there is no revision %llu: the journal has %zu",
                       (unsigned long long)number, revisions->count);
    }
    *found = &revisions->items[revisions->count - number];
    return 0;
}

static int find_digest(const struct revisions *revisions, const char *prefix,
                       const struct journal_revision **found, struct err *err)
{
    const struct journal_revision *match = NULL;
    size_t matches = 0;

    for (size_t i = 0; i < revisions->count; i++) {
        if (strncmp(revisions->items[i].digest, prefix, strlen(prefix)) == 0) {
            match = &revisions->items[i];
            matches++;
        }
    }
    if (matches > 1) {
        return err_set(err, ERR_INVALID, "'%.80s' begins more than one revision", prefix);
    }
    if (matches == 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no revision '%.80s'", prefix);
    }
    *found = match;
    return 0;
}

int revisions_find(const struct revisions *revisions, const char *name,
                   const struct journal_revision **found, struct err *err)
{
    size_t length = strlen(name);
    uint64_t number;

    if (length < PREFIX_MIN && text_to_u64(name, NUMBER_MAX, &number)) {
        return find_number(revisions, number, found, err);
    }
    if (length < PREFIX_MIN || strspn(name, DIGEST_DIGITS) != length) {
        return err_set(
            err, ERR_INVALID,
            "'%.80s' is no revision: give its number, or %d digits of its digest or more", name,
            PREFIX_MIN);
    }
    return find_digest(revisions, name, found, err);
}

int revisions_read(const struct revisions *revisions, struct arena *arena,
                   const struct journal_revision *revision, char **bytes, size_t *length,
                   struct err *err)
{
    return revisions->journal->ops->object(revisions->journal, arena, revision->digest, bytes,
                                           length, err);
}

static void print_one(struct text *text, const struct journal_revision *revision, size_t number)
{
    char at[CLOCK_TEXT_SIZE];

    text_printf(text, "%5zu  %s  %.*s\n", number, clock_format(revision->at_ms, at), DIGEST_SHOWN,
                revision->digest);
}

static void json_one(struct text *text, const struct journal_revision *revision, size_t number)
{
    text_append(text, text->data[text->length - 1] == '[' ? "\n {" : ",\n {");
    json_member_number(text, "number", number);
    json_member_string(text, "es_xml_sha256", revision->digest);
    json_member_instant(text, "at", revision->at_ms);
    text_append(text, "}");
}

int revisions_print(struct cli *cli, size_t limit)
{
    AUTO(revisions) struct revisions revisions = { .journal = NULL };
    struct text text = text_new(&cli->arena);
    struct err err;
    size_t first;

    if (revisions_open(cli, &revisions, &err) != 0) {
        return cli_fail(&err);
    }
    text_append(&text,
                cli->json ? "{\"format\":\"berth.history/1\",\"moves\":[],\"revisions\":[" : "");
    first = limit == 0 || limit > revisions.count ? 0 : revisions.count - limit;
    for (size_t i = first; i < revisions.count; i++) {
        (cli->json ? json_one : print_one)(&text, &revisions.items[i], revisions.count - i);
    }
    text_append(&text, cli->json ? "]}\n" : "");
    return text.length == 0 ? CLI_OK : cli_print(text.data, text.length);
}

void revisions_close(struct revisions *revisions)
{
    if (revisions->journal != NULL) {
        journal_close(revisions->journal);
        revisions->journal = NULL;
    }
}
