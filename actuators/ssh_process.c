/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/ssh_process.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/ssh_deadline.h"
#include "actuators/ssh_login.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/text.h"

#define CHUNK_BYTES 8192

struct ssh_process {
    const struct ssh_login *login;
    struct ssh_channel_struct *channel;
    struct ssh_channel_callbacks_struct callbacks;
    struct arena arena;
    const char *signal; /* That has ended it, or NULL. */
};

/* What has been said of a command so far, and what it has not heard yet. */
struct talk {
    const char *input;
    size_t input_left;
    bool ended; /* Our end of its standard input is closed. */
    size_t max_output;
    struct text out;
    struct text errors;
};

AUTO_POINTER(process, struct ssh_process, ssh_process_free);

static int fail(const struct ssh_process *process, int64_t deadline, enum err_code code,
                const char *what, struct err *err)
{
    return ssh_login_fail(process->login, deadline, code, what, err);
}

static void on_signal(ssh_session session, ssh_channel channel, const char *signal, int core,
                      const char *text, const char *language, void *context)
{
    struct ssh_process *process = context;

    (void)session;
    (void)channel;
    (void)core;
    (void)text;
    (void)language;
    process->signal = text_visible(&process->arena, arena_strdup(&process->arena, signal));
}

int ssh_process_new(const struct ssh_login *login, int64_t deadline, struct ssh_process **process,
                    struct err *err)
{
    AUTO(process) struct ssh_process *made = HEAP_NEW(struct ssh_process);
    int result;

    made->login = login;
    made->callbacks.channel_exit_signal_function = on_signal;
    made->callbacks.userdata = made;
    ssh_callbacks_init(&made->callbacks);
    made->channel = ssh_channel_new(login->session);
    if (made->channel == NULL ||
        ssh_set_channel_callbacks(made->channel, &made->callbacks) != SSH_OK) {
        return fail(made, deadline, ERR_FAILED, "prepare a command on", err);
    }
    do {
        result = ssh_channel_open_session(made->channel);
    } while (result == SSH_AGAIN && ssh_login_await(login, deadline));
    if (result != SSH_OK) {
        return fail(made, deadline, ERR_FAILED, "prepare a command on", err);
    }
    *process = STEAL(made);
    return 0;
}

static int begin(const struct ssh_process *process, const char *line, int64_t deadline,
                 struct err *err)
{
    int result;

    do {
        result = ssh_channel_request_exec(process->channel, line);
    } while (result == SSH_AGAIN && ssh_login_await(process->login, deadline));
    return result == SSH_OK ? 0 : fail(process, deadline, ERR_FAILED, "run a command on", err);
}

/* Sends as much input as the host takes now.  A command that ends without reading all of it is none the
 * worse for that. */
static int send_input(const struct ssh_process *process, struct talk *talk, int64_t deadline,
                      struct err *err)
{
    uint32_t size = talk->input_left > CHUNK_BYTES ? CHUNK_BYTES : (uint32_t)talk->input_left;
    int written;

    if (talk->ended || ssh_channel_is_closed(process->channel) != 0) {
        return 0;
    }
    written = size == 0 ? 0 : ssh_channel_write(process->channel, talk->input, size);
    if (written < 0 && ssh_channel_is_closed(process->channel) == 0) {
        return fail(process, deadline, ERR_UNREACHABLE, "send input to the command on", err);
    }
    if (written > 0) {
        talk->input += written;
        talk->input_left -= (size_t)written;
    }
    if (talk->input_left == 0) {
        talk->ended = true;
        (void)ssh_channel_send_eof(process->channel); /* Its failure shows at the next read. */
    }
    return 0;
}

/* Reads what has arrived on one of the two streams: how much, 0 for nothing now, -1 for an error.  What
 * exceeds 'limit' is dropped, and '*dropped' says so. */
static int read_stream(const struct ssh_process *process, bool is_stderr, size_t limit,
                       struct text *text, bool *dropped)
{
    char chunk[CHUNK_BYTES];
    int got = ssh_channel_read_nonblocking(process->channel, chunk, sizeof(chunk), is_stderr);

    if (got > 0) {
        size_t room = limit - text->length;
        size_t kept = (size_t)got < room ? (size_t)got : room;

        text_append_bytes(text, chunk, kept);
        *dropped |= kept < (size_t)got;
    }
    if (got == SSH_ERROR) {
        return -1;
    }
    return got < 0 ? 0 : got; /* SSH_EOF and SSH_AGAIN. */
}

/* Of what a command complains of the end tells most. */
static void keep_end(struct text *text, size_t limit)
{
    if (text->length > limit) {
        memmove(text->data, text->data + text->length - limit, limit);
        text->length = limit;
        text->data[limit] = '\0';
    }
}

/* Reads both streams; 1 if there was something, 0 if not. */
static int read_output(const struct ssh_process *process, struct talk *talk, int64_t deadline,
                       struct err *err)
{
    bool too_long = false;
    bool cut = false; /* Never: there is always room for a chunk more. */
    int out = read_stream(process, false, talk->max_output, &talk->out, &too_long);
    int errors =
        read_stream(process, true, SSH_PROCESS_MAX_STDERR + CHUNK_BYTES, &talk->errors, &cut);

    keep_end(&talk->errors, SSH_PROCESS_MAX_STDERR);
    if (out < 0 || errors < 0) {
        return fail(process, deadline, ERR_UNREACHABLE, "hear from the command on", err);
    }
    if (too_long) {
        return err_set(err, ERR_FAILED,
                       "cannot hear from the command on '%s': it said more than %zu bytes",
                       process->login->address, talk->max_output);
    }
    return out > 0 || errors > 0 ? 1 : 0;
}

/* True once there is nothing more to come.  Asking for the status also lets libssh read what follows the end
 * of the output. */
static bool is_over(const struct ssh_process *process)
{
    int status = ssh_channel_get_exit_status(process->channel);

    return ssh_channel_is_eof(process->channel) != 0 &&
           (status >= 0 || ssh_channel_is_closed(process->channel) != 0);
}

static int converse(const struct ssh_process *process, struct talk *talk, int64_t deadline,
                    struct err *err)
{
    for (;;) {
        int got;

        if (send_input(process, talk, deadline, err) < 0) {
            return -1;
        }
        got = read_output(process, talk, deadline, err);
        if (got < 0) {
            return -1;
        }
        if (got == 0 && is_over(process)) {
            return 0;
        }
        if (got == 0 ? !ssh_login_await(process->login, deadline)
                     : ssh_deadline_left_ms(deadline) == 0) {
            return fail(process, deadline, ERR_TIMEOUT, "hear from the command on", err);
        }
    }
}

int ssh_process_run(struct ssh_process *process, const struct ssh_order *order, int64_t deadline,
                    struct arena *arena, struct ssh_output *output, struct err *err)
{
    struct talk talk = {
        .input = order->input,
        .input_left = order->input_length,
        .max_output = order->max_output,
        .out = text_new(arena),
        .errors = text_new(arena),
    };
    int status;

    if (begin(process, order->line, deadline, err) < 0 ||
        converse(process, &talk, deadline, err) < 0) {
        return -1;
    }
    status = ssh_channel_get_exit_status(process->channel);
    if (status < 0 && process->signal == NULL) {
        return err_set(err, ERR_UNREACHABLE,
                       "cannot hear from the command on '%s' over SSH: it ended without a status",
                       process->login->address);
    }
    *output = (struct ssh_output){
        .status = status < 0 ? -1 : status,
        .signal = arena_strdup_maybe(arena, process->signal),
        .out = talk.out.data,
        .out_length = talk.out.length,
        .err = talk.errors.data,
    };
    return 0;
}

void ssh_process_free(struct ssh_process *process)
{
    if (process->channel != NULL) {
        (void)ssh_remove_channel_callbacks(process->channel, &process->callbacks);
        ssh_channel_free(process->channel);
    }
    arena_deinit(&process->arena);
    free(process);
}
