/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/ssh.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

#define MAX_STDERR_BYTES ((size_t)1024)
#define MAX_PORT         65535
#define CHUNK_BYTES      4096

/* The libssh objects of one command. */
struct call {
    struct ssh_session_struct *session;
    struct ssh_channel_struct *channel;
    const char *spec;
    int64_t deadline_ms; /* Monotonic. */
};

static void end_session(struct ssh_session_struct *session)
{
    ssh_disconnect(session);
    ssh_free(session);
}

AUTO_POINTER(session, struct ssh_session_struct, end_session);
AUTO_POINTER(channel, struct ssh_channel_struct, ssh_channel_free);
AUTO_POINTER(key, struct ssh_key_struct, ssh_key_free);

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int left_ms(const struct call *call)
{
    int64_t left = call->deadline_ms - now_ms();

    return left < 0 ? 0 : (int)left;
}

static int fail_timeout(const struct call *call, const char *what, struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "cannot %s '%s' over SSH: no answer in time", what,
                   call->spec);
}

static int fail(const struct call *call, enum err_code code, const char *what, struct err *err)
{
    return err_set(err, code, "cannot %s '%s' over SSH: %s", what, call->spec,
                   ssh_get_error(call->session));
}

static int invalid_spec(const char *spec, struct err *err)
{
    return err_set(err, ERR_INVALID, "cannot use '%s' for SSH: expected user@host[:port]", spec);
}

int ssh_parse_spec(struct arena *arena, const char *spec, struct ssh_spec *parsed, struct err *err)
{
    const char *at = strchr(spec, '@');
    const char *host = at == NULL ? spec : at + 1;
    bool bracketed = *host == '[';
    const char *end = bracketed ? strchr(host, ']') : host + strcspn(host, ":");
    uint64_t port = 22;

    if (end == NULL || at == spec || spec[0] == '-' || host[0] == '-') {
        return invalid_spec(spec, err);
    }
    host += bracketed ? 1 : 0;
    parsed->host = text_copy(arena, host, (size_t)(end - host));
    end += bracketed ? 1 : 0;
    if (*parsed->host == '\0' || strpbrk(parsed->host, "@/ \t\n") != NULL ||
        (*end != '\0' && (*end != ':' || !text_to_u64(end + 1, MAX_PORT, &port) || port == 0))) {
        return invalid_spec(spec, err);
    }
    parsed->user = at == NULL ? NULL : text_copy(arena, spec, (size_t)(at - spec));
    parsed->port = (unsigned)port;
    return 0;
}

const char *ssh_quote(struct arena *arena, const char *s)
{
    struct text text = text_new(arena);

    text_append(&text, "'");
    for (; *s != '\0'; s++) {
        if (*s == '\'') {
            text_append(&text, "'\\''");
        } else {
            text_append_bytes(&text, s, 1);
        }
    }
    text_append(&text, "'");
    return text.data;
}

static int set_options(struct call *call, const struct ssh_settings *settings,
                       const struct ssh_spec *spec, struct err *err)
{
    struct ssh_session_struct *session = call->session;
    long seconds = left_ms(call) / 1000 + 1;
    bool own_config = false;
    bool ok = ssh_options_set(session, SSH_OPTIONS_HOST, spec->host) == SSH_OK &&
              ssh_options_set(session, SSH_OPTIONS_PORT, &spec->port) == SSH_OK &&
              ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &seconds) == SSH_OK &&
              ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &own_config) == SSH_OK;

    if (ok && spec->user != NULL) {
        ok = ssh_options_set(session, SSH_OPTIONS_USER, spec->user) == SSH_OK;
    }
    if (ok && settings->known_hosts != NULL) {
        /* A file that was named is the only one that counts, the system's included. */
        ok = ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, settings->known_hosts) == SSH_OK &&
             ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, settings->known_hosts) ==
                 SSH_OK;
    }
    return ok ? 0 : fail(call, ERR_INVALID, "prepare for", err);
}

static int check_host_key(const struct call *call, const struct ssh_settings *settings,
                          struct err *err)
{
    const char *file = settings->known_hosts == NULL ? "known_hosts" : settings->known_hosts;

    switch (ssh_session_is_known_server(call->session)) {
    case SSH_KNOWN_HOSTS_OK:
        return 0;
    case SSH_KNOWN_HOSTS_CHANGED:
    case SSH_KNOWN_HOSTS_OTHER:
        return err_set(
            err, ERR_DENIED,
            "cannot trust '%s': its host key is not the one in '%s'; if it was renewed on "
            "purpose, replace it there",
            call->spec, file);
    case SSH_KNOWN_HOSTS_NOT_FOUND:
    case SSH_KNOWN_HOSTS_UNKNOWN:
        return err_set(err, ERR_DENIED,
                       "cannot trust '%s': its host key is not in '%s'; check it and add it with "
                       "ssh-keyscan",
                       call->spec, file);
    case SSH_KNOWN_HOSTS_ERROR:
    default:
        return fail(call, ERR_FAILED, "check the host key of", err);
    }
}

/* Instead of asking a person for a passphrase: there is nobody. */
static int refuse_passphrase(const char *prompt, char *buffer, size_t length, int echo, int verify,
                             void *context)
{
    (void)prompt;
    (void)buffer;
    (void)length;
    (void)echo;
    (void)verify;
    (void)context;
    return -1;
}

static int authenticate(const struct call *call, const struct ssh_settings *settings,
                        struct err *err)
{
    AUTO(key) struct ssh_key_struct *key = NULL;
    int result;

    if (settings->key == NULL) {
        result = ssh_userauth_publickey_auto(call->session, NULL, "");
    } else if (ssh_pki_import_privkey_file(settings->key, NULL, refuse_passphrase, NULL, &key) !=
               SSH_OK) {
        return err_set(err, ERR_DENIED,
                       "cannot use the SSH key '%s' for '%s': not a readable private key without a "
                       "passphrase",
                       settings->key, call->spec);
    } else {
        result = ssh_userauth_publickey(call->session, NULL, key);
    }
    if (result == SSH_AUTH_SUCCESS) {
        return 0;
    }
    if (left_ms(call) == 0) {
        return fail_timeout(call, "log in to", err);
    }
    return err_set(err, ERR_DENIED, "cannot log in to '%s' over SSH: it accepts none of our keys",
                   call->spec);
}

static int connect_session(struct call *call, const struct ssh_settings *settings,
                           const struct ssh_spec *spec, struct err *err)
{
    if (set_options(call, settings, spec, err) < 0) {
        return -1;
    }
    if (ssh_connect(call->session) != SSH_OK) {
        return left_ms(call) == 0 ? fail_timeout(call, "connect to", err)
                                  : fail(call, ERR_UNREACHABLE, "connect to", err);
    }
    return check_host_key(call, settings, err) < 0 ? -1 : authenticate(call, settings, err);
}

static int send_input(const struct call *call, const char *command, const char *input,
                      struct err *err)
{
    size_t left = strlen(input);

    if (ssh_channel_open_session(call->channel) != SSH_OK ||
        ssh_channel_request_exec(call->channel, command) != SSH_OK) {
        return fail(call, ERR_FAILED, "run a command on", err);
    }
    while (left > 0) {
        uint32_t size = left > CHUNK_BYTES ? CHUNK_BYTES : (uint32_t)left;
        int written = ssh_channel_write(call->channel, input, size);

        if (written <= 0 || left_ms(call) == 0) {
            return fail(call, ERR_UNREACHABLE, "send a script to", err);
        }
        input += written;
        left -= (size_t)written;
    }
    return ssh_channel_send_eof(call->channel) == SSH_OK
               ? 0
               : fail(call, ERR_UNREACHABLE, "send a script to", err);
}

/* Reads what has arrived on one of the two streams, waiting at most 'wait_ms'.  What exceeds 'limit' is
 * read all the same, so that the command can end, and dropped; '*dropped' says so. */
static int read_stream(const struct call *call, bool is_stderr, int wait_ms, size_t limit,
                       struct text *text, bool *dropped)
{
    char chunk[CHUNK_BYTES];
    int got =
        ssh_channel_read_timeout(call->channel, chunk, sizeof(chunk), is_stderr ? 1 : 0, wait_ms);

    if (got > 0) {
        size_t room = limit - text->length;
        size_t kept = (size_t)got < room ? (size_t)got : room;

        text_append_bytes(text, chunk, kept);
        *dropped |= kept < (size_t)got;
    }
    return got;
}

static int read_output(const struct call *call, size_t max_output, struct text *out,
                       struct text *errors, struct err *err)
{
    const int slice_ms = 100;
    bool too_long = false;
    bool cut = false;

    while (!ssh_channel_is_eof(call->channel)) {
        int wait_ms = left_ms(call) < slice_ms ? left_ms(call) : slice_ms;

        if (wait_ms == 0) {
            return fail_timeout(call, "hear from the script on", err);
        }
        if (read_stream(call, false, wait_ms, max_output, out, &too_long) == SSH_ERROR ||
            read_stream(call, true, 0, MAX_STDERR_BYTES, errors, &cut) == SSH_ERROR) {
            return fail(call, ERR_UNREACHABLE, "hear from the script on", err);
        }
        if (too_long) {
            return err_set(err, ERR_FAILED,
                           "cannot hear from the script on '%s': more than %zu bytes", call->spec,
                           max_output);
        }
    }
    while (read_stream(call, true, 0, MAX_STDERR_BYTES, errors, &cut) > 0) {
    }
    return 0;
}

static int run_command(const struct call *call, const struct ssh_command *command,
                       struct ssh_output *output, struct arena *arena, struct err *err)
{
    struct text out = text_new(arena);
    struct text errors = text_new(arena);

    if (send_input(call, command->command, command->input, err) < 0 ||
        read_output(call, command->max_output, &out, &errors, err) < 0) {
        return -1;
    }
    output->status = ssh_channel_get_exit_status(call->channel);
    output->out = out.data;
    output->out_length = out.length;
    output->err = errors.data;
    return 0;
}

int ssh_run(struct arena *arena, const struct ssh_settings *settings, const char *spec,
            const struct ssh_command *command, struct ssh_output *output, struct err *err)
{
    AUTO(session) struct ssh_session_struct *session = NULL;
    AUTO(channel) struct ssh_channel_struct *channel = NULL;
    struct call call = { .spec = spec, .deadline_ms = now_ms() + command->timeout_ms };
    struct ssh_spec parsed = { 0 };

    if (ssh_parse_spec(arena, spec, &parsed, err) < 0) {
        return -1;
    }
    session = ssh_new();
    if (session == NULL) {
        return err_set(err, ERR_FAILED, "cannot prepare for '%s': out of SSH sessions", spec);
    }
    call.session = session;
    if (connect_session(&call, settings, &parsed, err) < 0) {
        return -1;
    }
    channel = ssh_channel_new(session);
    if (channel == NULL) {
        return fail(&call, ERR_FAILED, "open a channel to", err);
    }
    call.channel = channel;
    return run_command(&call, command, output, arena, err);
}
