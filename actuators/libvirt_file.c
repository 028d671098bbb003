/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_file.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "actuators/libvirt_command.h"
#include "actuators/libvirt_pool.h"
#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/supply.h"

#define ABSENT  1 /* What a probe says of a thing that is not there. */
#define POLL_MS INT64_C(250)
#define FIELDS  5

static const struct profile_supply *state_of(const struct libvirt_file_host *at)
{
    return &at->host->profile->supplies[SUPPLY_STATE];
}

/* "read '/nvram/vm1'" */
static const char *describe(const struct libvirt_file_host *at, enum profile_verb verb,
                            const char *path)
{
    return text_format(at->host->arena, "%s '%s'", profile_verb_name(verb), path);
}

/* What a command is about, and what is said to it. */
struct request {
    enum profile_verb verb;
    const char *path;
    const char *to;                  /* RENAME. */
    const struct libvirt_file *like; /* CREATE, WRITE. */
};

static int run(const struct libvirt_file_host *at, const struct request *request,
               struct ssh_output *output, struct err *err)
{
    const struct profile_supply *state = state_of(at);
    const struct profile_commands *commands = &state->verbs[request->verb];
    const struct libvirt_file *like = request->like;
    struct profile_names names = at->names;
    struct libvirt_command_talk talk = {
        .timeout_ms = state->timeout_ms,
        .max_output = LIBVIRT_COMMAND_MAX_OUTPUT,
    };

    assert(commands->count == 1); /* config_profile.h sees to it. */
    names.device = request->path;
    names.new_device = request->to;
    if (like != NULL) {
        names.permissions = like->permissions;
        names.owner = like->owner;
        names.group = like->group;
    }
    if (request->verb == PROFILE_WRITE) {
        talk.input = like->bytes;
        talk.input_length = (size_t)like->size;
    } else if (request->verb == PROFILE_READ) {
        talk.max_output = (size_t)state->max_bytes;
    }
    if (libvirt_command_talk(at->host, &commands->items[0], &names, &talk, output, err) < 0) {
        return err_wrap(err, "cannot %s", describe(at, request->verb, request->path));
    }
    return 0;
}

/* The same of a command that must succeed. */
static int run_to_success(const struct libvirt_file_host *at, const struct request *request,
                          struct ssh_output *output, struct err *err)
{
    return run(at, request, output, err) < 0
               ? -1
               : libvirt_command_check(at->host, describe(at, request->verb, request->path), output,
                                       err);
}

int libvirt_file_exists(const struct libvirt_file_host *at, const char *path, bool *exists,
                        struct err *err)
{
    const struct request request = { .verb = PROFILE_PROBE, .path = path };
    struct ssh_output output = { 0 };

    if (run(at, &request, &output, err) < 0) {
        return -1;
    }
    *exists = output.status == 0;
    return output.status == 0 || output.status == ABSENT
               ? 0
               : libvirt_command_check(at->host, describe(at, PROFILE_PROBE, path), &output, err);
}

/* The fields of 'line' up to the end of it; how many there are. */
static size_t split(struct arena *arena, const char *line, const char *fields[FIELDS])
{
    size_t length = strcspn(line, "\n");
    size_t count = 0;

    for (const char *at = line; count < FIELDS; at++) {
        size_t size = strcspn(at, "|\n");

        fields[count++] = text_copy(arena, at, size);
        at += size;
        if (at == line + length) {
            return line[length] == '\0' || line[length + 1] == '\0' ? count : 0;
        }
    }
    return 0;
}

int libvirt_file_parse(struct arena *arena, const char *line, const char **type,
                       struct libvirt_file *file, struct err *err)
{
    const char *fields[FIELDS];

    if (split(arena, line, fields) != FIELDS ||
        !text_to_u64(fields[4], PROFILE_STATE_MAX_BYTES * 1024, &file->size)) {
        return err_set(err, ERR_FAILED,
                       "'%.100s' does not tell type, permissions, owner, group and size of a file",
                       text_visible(arena, line));
    }
    *type = fields[0];
    file->permissions = fields[1];
    file->owner = fields[2];
    file->group = fields[3];
    return 0;
}

int libvirt_file_stat(const struct libvirt_file_host *at, const char *path,
                      struct libvirt_file *file, struct err *err)
{
    const struct request request = { .verb = PROFILE_STAT, .path = path };
    uint64_t most = state_of(at)->max_bytes;
    struct ssh_output output = { 0 };
    const char *type;

    if (run_to_success(at, &request, &output, err) < 0 ||
        libvirt_file_parse(at->host->arena, output.out, &type, file, err) < 0) {
        return -1;
    }
    if (strcmp(type, "regular file") != 0) {
        return err_set(err, ERR_UNSAFE, "'%s' on '%s' is no plain file with something in it (%s)",
                       path, at->names.host, text_visible(at->host->arena, type));
    }
    return file->size <= most ? 0
                              : err_set(err, ERR_UNSAFE,
                                        "'%s' on '%s' has %" PRIu64
                                        " bytes, and [state] max_size of the profile is %" PRIu64,
                                        path, at->names.host, file->size, most);
}

int libvirt_file_sum(const struct libvirt_file_host *at, const char *path,
                     char sum[DIGEST_TEXT_SIZE], struct err *err)
{
    const struct request request = { .verb = PROFILE_SUM, .path = path };
    struct ssh_output output = { 0 };

    if (run_to_success(at, &request, &output, err) < 0) {
        return -1;
    }
    if (strspn(output.out, "0123456789abcdef") != DIGEST_TEXT_SIZE - 1) {
        return err_set(err, ERR_FAILED, "cannot %s on '%s': it printed no SHA-256",
                       describe(at, PROFILE_SUM, path), at->names.host);
    }
    memcpy(sum, output.out, DIGEST_TEXT_SIZE - 1);
    sum[DIGEST_TEXT_SIZE - 1] = '\0';
    return 0;
}

int libvirt_file_read(const struct libvirt_file_host *at, const char *path,
                      struct libvirt_file *file, struct err *err)
{
    const struct request request = { .verb = PROFILE_READ, .path = path };
    struct ssh_output output = { 0 };
    char sum[DIGEST_TEXT_SIZE];

    if (libvirt_file_stat(at, path, file, err) < 0 ||
        run_to_success(at, &request, &output, err) < 0 ||
        libvirt_file_sum(at, path, file->sum, err) < 0) {
        return -1;
    }
    file->bytes = output.out;
    if (output.out_length != file->size ||
        strcmp(digest_of(output.out, output.out_length, sum), file->sum) != 0) {
        return err_set(err, ERR_BUSY, "'%s' on '%s' has changed while it was read", path,
                       at->names.host);
    }
    return 0;
}

/* Fails unless the file at 'path' is like 'file' in everything. */
static int check_like(const struct libvirt_file_host *at, const char *path,
                      const struct libvirt_file *file, struct err *err)
{
    struct libvirt_file found = { .size = 0 };

    if (libvirt_file_stat(at, path, &found, err) < 0 ||
        libvirt_file_sum(at, path, found.sum, err) < 0) {
        return -1;
    }
    if (found.size != file->size || strcmp(found.sum, file->sum) != 0) {
        return err_set(err, ERR_FAILED, "what was written to '%s' on '%s' is not what is there",
                       path, at->names.host);
    }
    if (strcmp(found.owner, file->owner) != 0 || strcmp(found.group, file->group) != 0 ||
        strcmp(found.permissions, file->permissions) != 0) {
        return err_set(err, ERR_FAILED, "'%s' on '%s' is %s:%s (%s), and not %s:%s (%s)", path,
                       at->names.host, text_visible(at->host->arena, found.owner),
                       text_visible(at->host->arena, found.group), found.permissions, file->owner,
                       file->group, file->permissions);
    }
    return 0;
}

static bool is_renamed(const struct libvirt_file_host *at, const char *from, const char *to)
{
    bool old = true;
    bool new = false;
    struct err ignored;

    return libvirt_file_exists(at, from, &old, &ignored) == 0 && !old &&
           libvirt_file_exists(at, to, &new, &ignored) == 0 && new;
}

/* Looks for the effect of a command that was lost until it can do nothing more. */
static bool await_renamed(const struct libvirt_file_host *at, const char *from, const char *to)
{
    int64_t end_ms = at->host->over_ms;

    while (!is_renamed(at, from, to)) {
        if (libvirt_pool_now_ms() >= end_ms ||
            libvirt_pool_wait(at->job, POLL_MS) == LIBVIRT_JOB_ABANDONED) {
            return false;
        }
    }
    return true;
}

int libvirt_file_rename(const struct libvirt_file_host *at, const char *from, const char *to,
                        struct err *err)
{
    const struct request rename = { .verb = PROFILE_RENAME, .path = from, .to = to };
    const struct request sync[] = { { .verb = PROFILE_SYNC, .path = to } };
    struct ssh_output output = { 0 };

    if (run_to_success(at, &rename, &output, err) < 0) {
        if (!await_renamed(at, from, to)) {
            return -1;
        }
    } else if (!is_renamed(at, from, to)) {
        return err_set(err, ERR_EXISTS, "cannot call '%s' on '%s' '%s': that is there already",
                       from, at->names.host, to);
    }
    return run_to_success(at, sync, &output, err);
}

int libvirt_file_write(const struct libvirt_file_host *at, const char *path, const char *coming,
                       const struct libvirt_file *file, struct err *err)
{
    const struct request create = { .verb = PROFILE_CREATE, .path = coming, .like = file };
    const struct request write = { .verb = PROFILE_WRITE, .path = coming, .like = file };
    struct ssh_output output = { 0 };
    struct err ignored;

    if (run_to_success(at, &create, &output, err) < 0 ||
        run_to_success(at, &write, &output, err) < 0 || check_like(at, coming, file, err) < 0 ||
        libvirt_file_rename(at, coming, path, err) < 0) {
        return -1;
    }
    if (check_like(at, path, file, err) < 0) { /* A command of an earlier life has come late. */
        (void)libvirt_file_rename(at, path, coming, &ignored);
        return -1;
    }
    return 0;
}
