/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_command.h"

#include <inttypes.h>
#include <regex.h>
#include <string.h>

#include "actuators/libvirt_pool.h"
#include "actuators/ssh.h"
#include "actuators/ssh_command.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/profile.h"

#define KILL_AFTER_S  5              /* A command that does not end by SIGTERM gets SIGKILL then. */
#define LOGIN_MS      INT64_C(15000) /* For what comes before a command. */
#define SLACK_MS      INT64_C(1000) /* Between our asking for a command and the host's running it. */
#define SHORTEST_MS   INT64_C(1000)  /* With less time left nothing is begun. */
#define MATCHES_MAX   ((size_t)4096) /* Of one output. */
#define STATUS_LATE   124            /* Of timeout(1). */
#define STATUS_KILLED 137
#define SHOWN_LINE    ((size_t)200) /* Bytes of a command that are shown. */

static const char blanks[] = " \t\r";

/* What a lookup on this host has found. */
struct libvirt_command_memo {
    struct libvirt_command_memo *next;
    const char *line; /* Its command as it was run. */
    const char *value;
};

AUTO_VALUE(regex, regex_t, regfree);

static void add_item(struct arena *arena, const char ***items, size_t *count, const char *s,
                     size_t length)
{
    if (*count == 0) {
        *items = ARENA_ARRAY(arena, const char *, MATCHES_MAX);
    }
    if (*count < MATCHES_MAX) {
        (*items)[(*count)++] = text_copy(arena, s, length);
    }
}

static void find_lines(struct arena *arena, const char *text, const char ***items, size_t *count)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        const char *line = text_trim(arena, text, length, blanks);

        if (*line != '\0') {
            add_item(arena, items, count, line, strlen(line));
        }
        text += length + (text[length] == '\n');
    }
}

static void find_matches(struct arena *arena, const char *text, const regex_t *regex,
                         const char ***items, size_t *count)
{
    regmatch_t groups[2];
    int flags = 0;

    while (*text != '\0' && regexec(regex, text, ARRAY_LEN(groups), groups, flags) == 0) {
        const regmatch_t *found =
            regex->re_nsub > 0 && groups[1].rm_so >= 0 ? &groups[1] : &groups[0];

        add_item(arena, items, count, text + found->rm_so, (size_t)(found->rm_eo - found->rm_so));
        text += groups[0].rm_eo + (groups[0].rm_eo == groups[0].rm_so);
        flags = text[-1] == '\n' ? 0 : REG_NOTBOL;
    }
}

int libvirt_command_find(struct arena *arena, const char *text, const char *match,
                         const char ***items, size_t *count, struct err *err)
{
    AUTO(regex) regex_t regex;

    *count = 0;
    if (match == NULL) {
        memset(&regex, 0, sizeof(regex));
        find_lines(arena, text, items, count);
        return 0;
    }
    if (regcomp(&regex, match, REG_EXTENDED | REG_NEWLINE) != 0) {
        memset(&regex, 0, sizeof(regex));
        return err_set(err, ERR_INVALID, "'%.100s' is no extended regular expression", match);
    }
    find_matches(arena, text, &regex, items, count);
    return 0;
}

int libvirt_command_pick(struct arena *arena, const char *text, const char *match, const char *what,
                         const char **value, struct err *err)
{
    const char **items = NULL;
    size_t count;

    if (libvirt_command_find(arena, text, match, &items, &count, err) < 0) {
        return -1;
    }
    if (count == 0) {
        return err_set(err, ERR_NOT_FOUND, "cannot find out {%s}: nothing that was said tells it",
                       what);
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(items[i], items[0]) != 0) {
            return err_set(err, ERR_FAILED, "cannot find out {%s}: it may be '%.60s' or '%.60s'",
                           what, text_visible(arena, items[0]), text_visible(arena, items[i]));
        }
    }
    *value = items[0];
    return 0;
}

/* How long a command may take, in whole seconds; 0 if there is no time for one. */
static int64_t time_for(const struct libvirt_command_host *host, int64_t timeout_ms)
{
    int64_t left_ms = host->end_ms - libvirt_pool_now_ms() - KILL_AFTER_S * 1000;
    int64_t ms = timeout_ms < left_ms ? timeout_ms : left_ms;

    return ms < SHORTEST_MS ? 0 : ms / 1000;
}

/* "timeout --kill-after=5 SECONDS" and 'argv'. */
static const char *const *limited(struct arena *arena, const char *const *argv, int64_t seconds)
{
    static const size_t before = 3;
    size_t count = 0;
    const char **words;

    while (argv[count] != NULL) {
        count++;
    }
    words = ARENA_ARRAY(arena, const char *, before + count + 1);
    words[0] = "timeout";
    words[1] = text_format(arena, "--kill-after=%d", KILL_AFTER_S);
    words[2] = text_format(arena, "%" PRId64, seconds);
    memcpy(words + before, argv, count * sizeof(*words));
    return words;
}

static struct libvirt_command_talk talk_of(int64_t timeout_ms)
{
    return (struct libvirt_command_talk){ .timeout_ms = timeout_ms,
                                          .max_output = LIBVIRT_COMMAND_MAX_OUTPUT };
}

static int run(struct libvirt_command_host *host, const char *const *argv,
               const struct libvirt_command_talk *talk, struct ssh_output *output, struct err *err)
{
    int64_t seconds = time_for(host, talk->timeout_ms);
    int64_t most_ms = (seconds + KILL_AFTER_S) * 1000;
    struct ssh_call call = {
        .timeout_ms = LOGIN_MS + most_ms,
        .input = talk->input,
        .input_length = talk->input_length,
        .max_output = talk->max_output,
    };

    host->over_ms = 0;
    if (host->address == NULL) {
        return err_set(err, ERR_INVALID,
                       "cannot run '%s': set [fleet] ssh in berth.conf, so that hosts can be told",
                       argv[0]);
    }
    if (seconds == 0) {
        return err_set(err, ERR_TIMEOUT, "cannot run '%s' on '%s': no time is left", argv[0],
                       host->address);
    }
    call.argv = limited(host->arena, argv, seconds);
    if (ssh_run(host->ssh, host->arena, host->address, &call, output, err) < 0) {
        host->over_ms = output->begun_ms == 0 ? 0 : output->begun_ms + most_ms + SLACK_MS;
        return -1;
    }
    if (output->status == STATUS_LATE || output->status == STATUS_KILLED) {
        return err_set(err, ERR_TIMEOUT,
                       "'%s' on '%s' took longer than %" PRId64 " s and was ended", argv[0],
                       host->address, seconds);
    }
    return 0;
}

/* Adds to '*err' which command it is about; -1. */
static int name_command(const struct libvirt_command_host *host, struct err *err)
{
    struct err plain = *err;

    return err_set(err, plain.code, "%s (%s)", plain.text, host->last);
}

/* The same as run() of a command that 'key' of the profile is. */
static int run_named(struct libvirt_command_host *host, const char *key, const char *const *argv,
                     const struct libvirt_command_talk *talk, struct ssh_output *output,
                     struct err *err)
{
    const char *line = ssh_command_show(host->arena, argv, SHOWN_LINE);

    host->last = key == NULL ? line : text_format(host->arena, "%s: %s", key, line);
    return run(host, argv, talk, output, err) < 0 ? name_command(host, err) : 0;
}

static const char *recall(const struct libvirt_command_host *host, const char *line)
{
    for (const struct libvirt_command_memo *memo = host->memos; memo != NULL; memo = memo->next) {
        if (strcmp(memo->line, line) == 0) {
            return memo->value;
        }
    }
    return NULL;
}

static void remember(struct libvirt_command_host *host, const char *line, const char *value)
{
    struct libvirt_command_memo *memo = ARENA_NEW(host->arena, struct libvirt_command_memo);

    *memo = (struct libvirt_command_memo){ .next = host->memos, .line = line, .value = value };
    host->memos = memo;
}

/* Makes the lookup once for each command that it comes to. */
static int look_up(struct libvirt_command_host *host, const struct profile_lookup *lookup,
                   const struct profile_names *names, int64_t timeout_ms, const char **value,
                   struct err *err)
{
    const struct libvirt_command_talk talk = talk_of(timeout_ms);
    struct ssh_output output = { 0 };
    const char *const *argv;
    const char *line;

    if (profile_expand(host->arena, host->profile, &lookup->command, names, &argv, err) < 0 ||
        ssh_command_line(host->arena, argv, &line, err) < 0) {
        return -1;
    }
    *value = recall(host, line);
    if (*value != NULL) {
        return 0;
    }
    if (run_named(host, lookup->command.key, argv, &talk, &output, err) < 0 ||
        libvirt_command_check(host, text_format(host->arena, "find out {%s}", lookup->name),
                              &output, err) < 0) {
        return -1;
    }
    if (libvirt_command_pick(host->arena, output.out, lookup->match, lookup->name, value, err) <
        0) {
        (void)err_wrap(err, "'%s' on '%s'", argv[0], host->address);
        return name_command(host, err);
    }
    remember(host, line, *value);
    return 0;
}

/* 'names' with every lookup that 'command' needs, in '*known'. */
static int complete(struct libvirt_command_host *host, const struct profile_command *command,
                    const struct profile_names *names, int64_t timeout_ms,
                    struct profile_names *known, struct err *err)
{
    const struct profile *profile = host->profile;
    const char **values = ARENA_ARRAY(host->arena, const char *, profile->lookup_count);
    size_t next;

    *known = *names;
    known->lookups = values;
    while ((next = profile_missing(profile, command, known)) < profile->lookup_count) {
        if (look_up(host, &profile->lookups[next], known, timeout_ms, &values[next], err) < 0) {
            return -1;
        }
    }
    return 0;
}

int libvirt_command_talk(struct libvirt_command_host *host, const struct profile_command *command,
                         const struct profile_names *names, const struct libvirt_command_talk *talk,
                         struct ssh_output *output, struct err *err)
{
    struct profile_names known;
    const char *const *argv;

    if (complete(host, command, names, talk->timeout_ms, &known, err) < 0 ||
        profile_expand(host->arena, host->profile, command, &known, &argv, err) < 0) {
        return -1;
    }
    return run_named(host, command->key, argv, talk, output, err);
}

int libvirt_command_run(struct libvirt_command_host *host, const struct profile_command *command,
                        const struct profile_names *names, int64_t timeout_ms,
                        struct ssh_output *output, struct err *err)
{
    const struct libvirt_command_talk talk = talk_of(timeout_ms);

    return libvirt_command_talk(host, command, names, &talk, output, err);
}

int libvirt_command_check(const struct libvirt_command_host *host, const char *what,
                          const struct ssh_output *output, struct err *err)
{
    return ssh_check(host->arena, host->address, what, output, err) < 0 ? name_command(host, err)
                                                                        : 0;
}

int libvirt_command_word(struct libvirt_command_host *host, const char *word,
                         const struct profile_names *names, int64_t timeout_ms, const char **text,
                         struct err *err)
{
    const char *const words[] = { word, NULL };
    const struct profile_command command = { .words = words };
    struct profile_names known;

    return complete(host, &command, names, timeout_ms, &known, err) < 0
               ? -1
               : profile_expand_word(host->arena, host->profile, word, &known, text, err);
}
