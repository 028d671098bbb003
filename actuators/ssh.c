/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/ssh.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "actuators/ssh_command.h"
#include "actuators/ssh_deadline.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/text.h"

/* A kept login whose host has not answered for so long is given up for a new one. */
#define STALE_MS INT64_C(5000)

#define SHOWN_STDERR ((size_t)120) /* Bytes of what a command complained of that are shown. */

struct kept {
    struct ssh_login *login;
    int64_t since; /* The instant (ssh_deadline.h). */
};

struct ssh {
    struct arena arena; /* Of 'settings'; not touched after the beginning. */
    struct ssh_settings settings;
    pthread_mutex_t mutex; /* Guards what follows. */
    size_t users;
    bool closed;
    struct kept kept[SSH_KEPT_MAX]; /* The longest idle first. */
    size_t kept_count;
};

/* A login and the command that is made ready on it. */
struct errand {
    struct ssh_login *login;
    struct ssh_process *process;
};

static void end_errand(struct errand *errand)
{
    if (errand->process != NULL) {
        ssh_process_free(errand->process);
    }
    if (errand->login != NULL) {
        ssh_login_close(errand->login);
    }
}

AUTO_VALUE(errand, struct errand, end_errand);

struct ssh *ssh_open(const struct ssh_settings *settings)
{
    struct ssh *ssh = HEAP_NEW(struct ssh);

    ssh->settings.key = arena_strdup_maybe(&ssh->arena, settings->key);
    ssh->settings.known_hosts = arena_strdup_maybe(&ssh->arena, settings->known_hosts);
    (void)pthread_mutex_init(&ssh->mutex, NULL);
    ssh->users = 1;
    return ssh;
}

struct ssh *ssh_join(struct ssh *ssh)
{
    (void)pthread_mutex_lock(&ssh->mutex);
    ssh->users++;
    (void)pthread_mutex_unlock(&ssh->mutex);
    return ssh;
}

void ssh_leave(struct ssh *ssh)
{
    bool last;

    (void)pthread_mutex_lock(&ssh->mutex);
    last = --ssh->users == 0;
    (void)pthread_mutex_unlock(&ssh->mutex);
    if (last) {
        (void)pthread_mutex_destroy(&ssh->mutex);
        arena_deinit(&ssh->arena);
        free(ssh);
    }
}

/* Takes the login at 'index' out.  Under the mutex. */
static struct ssh_login *take_at(struct ssh *ssh, size_t index)
{
    struct ssh_login *login = ssh->kept[index].login;

    ssh->kept_count--;
    memmove(&ssh->kept[index], &ssh->kept[index + 1],
            (ssh->kept_count - index) * sizeof(*ssh->kept));
    return login;
}

/* Takes the login to 'address' that was used last, or NULL. */
static struct ssh_login *take(struct ssh *ssh, const char *address)
{
    struct ssh_login *found = NULL;

    (void)pthread_mutex_lock(&ssh->mutex);
    for (size_t i = ssh->kept_count; i > 0 && found == NULL; i--) {
        if (strcmp(ssh->kept[i - 1].login->address, address) == 0) {
            found = take_at(ssh, i - 1);
        }
    }
    (void)pthread_mutex_unlock(&ssh->mutex);
    return found;
}

/* The login that is in the way of one more to 'address', taken out, or NULL.  Under the mutex. */
static struct ssh_login *make_room(struct ssh *ssh, const char *address)
{
    size_t first = 0;
    size_t same = 0;

    for (size_t i = ssh->kept_count; i > 0; i--) {
        if (strcmp(ssh->kept[i - 1].login->address, address) == 0) {
            first = i - 1;
            same++;
        }
    }
    if (same == SSH_KEPT_MAX_EACH) {
        return take_at(ssh, first);
    }
    return ssh->kept_count == SSH_KEPT_MAX ? take_at(ssh, 0) : NULL;
}

static void keep(struct ssh *ssh, struct ssh_login *login)
{
    struct ssh_login *surplus = login;

    (void)pthread_mutex_lock(&ssh->mutex);
    if (!ssh->closed) {
        surplus = make_room(ssh, login->address);
        ssh->kept[ssh->kept_count++] = (struct kept){ login, ssh_deadline_in(0) };
    }
    (void)pthread_mutex_unlock(&ssh->mutex);
    if (surplus != NULL) {
        ssh_login_close(surplus);
    }
}

void ssh_close(struct ssh *ssh)
{
    (void)pthread_mutex_lock(&ssh->mutex);
    ssh->closed = true;
    while (ssh->kept_count > 0) {
        ssh_login_close(take_at(ssh, ssh->kept_count - 1));
    }
    (void)pthread_mutex_unlock(&ssh->mutex);
    ssh_leave(ssh);
}

int64_t ssh_tidy(struct ssh *ssh, int64_t idle_ms)
{
    int64_t next = -1;

    (void)pthread_mutex_lock(&ssh->mutex);
    while (ssh->kept_count > 0 && next < 0) {
        int left = ssh_deadline_left_ms(ssh->kept[0].since + idle_ms);

        if (left == 0) {
            ssh_login_close(take_at(ssh, 0));
        } else {
            next = left;
        }
    }
    (void)pthread_mutex_unlock(&ssh->mutex);
    return next;
}

/* Makes the command ready on a login that is kept; false if there is none that still answers.  With one that
 * does not the others go, which are no younger: waiting for each would take the time of a new one. */
static bool prepare_kept(struct ssh *ssh, const char *address, int64_t deadline,
                         struct errand *errand)
{
    int64_t patience = ssh_deadline_in(STALE_MS);
    struct err ignored;

    errand->login = take(ssh, address);
    if (errand->login == NULL) {
        return false;
    }
    if (ssh_process_new(errand->login, patience < deadline ? patience : deadline, &errand->process,
                        &ignored) == 0) {
        return true;
    }
    while (errand->login != NULL) {
        ssh_login_close(errand->login);
        errand->login = take(ssh, address);
    }
    return false;
}

static int prepare(struct ssh *ssh, const char *address, int64_t deadline, struct errand *errand,
                   struct err *err)
{
    if (prepare_kept(ssh, address, deadline, errand)) {
        return 0;
    }
    if (ssh_login_open(&ssh->settings, address, deadline, &errand->login, err) < 0) {
        return -1;
    }
    return ssh_process_new(errand->login, deadline, &errand->process, err);
}

int ssh_run(struct ssh *ssh, struct arena *arena, const char *address, const struct ssh_call *call,
            struct ssh_output *output, struct err *err)
{
    AUTO(errand) struct errand errand = { 0 };
    int64_t deadline = ssh_deadline_in(call->timeout_ms);
    int64_t begun_ms;
    struct ssh_order order = {
        .input = call->input,
        .input_length = call->input == NULL       ? 0
                        : call->input_length == 0 ? strlen(call->input)
                                                  : call->input_length,
        .max_output = call->max_output,
    };

    output->begun_ms = 0;
    if (ssh_command_line(arena, call->argv, &order.line, err) < 0 ||
        prepare(ssh, address, deadline, &errand, err) < 0) {
        return -1;
    }
    output->begun_ms = begun_ms = ssh_deadline_in(0);
    if (ssh_process_run(errand.process, &order, deadline, arena, output, err) < 0) {
        return -1;
    }
    output->begun_ms = begun_ms;
    ssh_process_free(STEAL(errand.process));
    keep(ssh, STEAL(errand.login));
    return 0;
}

/* The end of what a command complained of, as it may be shown; nothing is cut within a character. */
static const char *last_words(struct arena *arena, const char *complaint)
{
    size_t length = strlen(complaint);
    size_t from = 0;

    while (length > 0 && complaint[length - 1] == '\n') {
        length--;
    }
    if (length > SHOWN_STDERR) {
        from = length - SHOWN_STDERR;
        while (from < length && ((unsigned char)complaint[from] & 0xc0U) == 0x80U) {
            from++;
        }
    }
    return text_visible(arena, text_format(arena, "%s%.*s", from == 0 ? "" : "...",
                                           (int)(length - from), complaint + from));
}

int ssh_check(struct arena *arena, const char *address, const char *what,
              const struct ssh_output *output, struct err *err)
{
    const char *said;

    if (output->status == 0) {
        return 0;
    }
    said = last_words(arena, output->err);
    return err_set(err, ERR_FAILED, "cannot %s on '%s': %s %s%s%s", what, address,
                   output->signal != NULL ? "ended by signal" : "exit status",
                   output->signal != NULL ? output->signal
                                          : text_format(arena, "%d", output->status),
                   *said == '\0' ? "" : ": ", said);
}
