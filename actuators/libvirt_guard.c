/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_guard.h"

#include <fnmatch.h>
#include <string.h>

#include "actuators/libvirt_move.h"
#include "actuators/ssh.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"
#include "model/op.h"
#include "model/record_json.h"

#define STATUS_MAX_BYTES  ((size_t)1 << 20)
#define RELEASE_MAX_BYTES ((size_t)1 << 20)

/* Exit statuses of sh: there is no such program. */
#define NOT_THERE 127

/* Where administrators put it may not be in the path of a command over SSH.  Names are parameters of the
 * script, never a part of it; what it starts is dead for certain when its time is over. */
static const char script[] = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n"
                             "command -v berth-guard >/dev/null || exit 127\n"
                             "exec timeout --kill-after=5 \"$@\"\n";

struct answer {
    const char *state;
    const char *const *held;
    size_t held_count;
    const char *const *exempt;
    size_t exempt_count;
};

static const struct record_json_field answer_fields[] = {
    { .name = "format",
      .type = RECORD_JSON_FORMAT,
      .presence = RECORD_JSON_ALWAYS,
      .format = "berth.guard/1" },
    { RECORD_JSON_FIELD(answer, state, "state", TEXT, REQUIRED) },
    { RECORD_JSON_FIELD(answer, held, "held", TEXTS, OPTIONAL),
      .count_offset = offsetof(struct answer, held_count) },
    { RECORD_JSON_FIELD(answer, exempt, "exempt", TEXTS, OPTIONAL),
      .count_offset = offsetof(struct answer, exempt_count) },
};
static const struct record_json_table answer_table = RECORD_JSON_TABLE(answer, answer_fields);

/* "late", "partly" and "missed" protect this boot from nothing. */
static enum observed_guard state_of(const char *name)
{
    if (strcmp(name, "held") == 0) {
        return OBSERVED_GUARD_HOLDING;
    }
    return strcmp(name, "released") == 0 ? OBSERVED_GUARD_RELEASED : OBSERVED_GUARD_NONE;
}

struct libvirt_guard libvirt_guard_read(struct arena *arena, const char *bytes, size_t length)
{
    struct answer answer = { 0 };
    struct err ignored;

    if (record_json_read(arena, bytes, length, &answer_table, &answer, &ignored) != 0) {
        return (struct libvirt_guard){ .state = OBSERVED_GUARD_UNKNOWN };
    }
    return (struct libvirt_guard){
        .state = state_of(answer.state),
        .held = answer.held,
        .held_count = answer.held_count,
        .exempt = answer.exempt,
        .exempt_count = answer.exempt_count,
    };
}

struct libvirt_guard libvirt_guard_ask(struct ssh *ssh, struct arena *arena, const char *address)
{
    const char *const argv[] = { "sh",          "-c",     script,   "berth", "2",
                                 "berth-guard", "status", "--json", NULL };
    const struct ssh_call call = { .argv = argv,
                                   .timeout_ms = LIBVIRT_GUARD_ASK_MS,
                                   .max_output = STATUS_MAX_BYTES };
    struct ssh_output output;
    struct err ignored;

    if (ssh_run(ssh, arena, address, &call, &output, &ignored) != 0) {
        return (struct libvirt_guard){ .state = OBSERVED_GUARD_UNKNOWN };
    }
    if (output.status == NOT_THERE) {
        return (struct libvirt_guard){ .state = OBSERVED_GUARD_NONE };
    }
    return libvirt_guard_read(arena, output.out, output.out_length);
}

static bool holds(const struct libvirt_guard *guard, const char *name)
{
    return text_index(guard->held, guard->held_count, name) < guard->held_count;
}

static bool exempts(const struct libvirt_guard *guard, const char *name)
{
    for (size_t i = 0; i < guard->exempt_count; i++) {
        if (fnmatch(guard->exempt[i], name, 0) == 0) {
            return true;
        }
    }
    return false;
}

void libvirt_guard_apply(struct arena *arena, const struct libvirt_guard *guard,
                         struct observed_host *host)
{
    struct observed_guest *guests = ARENA_ARRAY(arena, struct observed_guest, host->guest_count);

    host->guard = guard->state;
    for (size_t i = 0; i < host->guest_count; i++) {
        guests[i] = host->guests[i];
        guests[i].exempt = exempts(guard, guests[i].name);
        guests[i].held = holds(guard, guests[i].name);
        guests[i].autostart |= guests[i].held;
    }
    host->guests = guests;
}

/* It starts one guest after the other, so all of them may take long. */
static const char *seconds_of(struct arena *arena, const struct op *op)
{
    return text_format(arena, "%lld", (long long)(op->timeout_ms + 999) / 1000);
}

int libvirt_guard_release(const struct libvirt_move *move, struct err *err)
{
    const struct op *op = move->op;
    const char *const argv[] = {
        "sh",      "-c", script,    "berth", seconds_of(move->arena, op), "berth-guard", "release",
        "--start", "--", op->guest, NULL
    };
    /* The margin is for the way there, and for ending it. */
    const struct ssh_call call = { .argv = argv,
                                   .timeout_ms = op->timeout_ms + 20000,
                                   .max_output = RELEASE_MAX_BYTES };
    const char *what = op->guest == NULL
                           ? "release its guests"
                           : text_format(move->arena, "release guest '%s'", op->guest);
    struct ssh_output output;

    if (move->source.ssh == NULL) {
        return err_set(err, ERR_REFUSED, "cannot %s on '%s': no 'ssh' for it in berth.conf", what,
                       op->host);
    }
    if (ssh_run(move->ssh, move->arena, move->source.ssh, &call, &output, err) != 0) {
        return err_wrap(err, "cannot %s on '%s'", what, op->host);
    }
    if (output.status == NOT_THERE) {
        return err_set(err, ERR_NOT_FOUND, "cannot %s on '%s': there is no berth-guard", what,
                       op->host);
    }
    return ssh_check(move->arena, move->source.ssh, what, &output, err);
}
