/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The control API over a backend that holds nothing but what its arguments say: for tests, which ask it as
 * any client would.
 *
 *   server SOCKET [group=G] [admin_group=G] [listen=ADDRESS] [token_file=FILE] [documents=FOLDER]
 *          [request_ms=N] [act_ms=N] [heartbeat_ms=N]
 *
 * A document is the file FOLDER/NAME.json (metrics: metrics.txt; of one guest or host: NAME-HOST.json);
 * what is asked for besides is in the file FOLDER/asked.  An act is answered from a later turn of the loop,
 * with what it was; guest "slow" after SLOW_MS, guest "never" never, guest "now" at once, "refused",
 * "absent" and "busy" with that error.  A line on stdin, "NAME JSON", is published; its end ends the server.
 * "ready" on stdout once it serves.
 */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "reconciler/api/api.h"

#define SLOW_MS      300
#define DOCUMENT_MAX ((size_t)64 * 1024 * 1024)
#define INPUT_MAX    ((size_t)256 * 1024)
#define PENDING_MAX  16

/* An act that waits for its reply. */
struct pending {
    struct server *server;
    struct loop_timer timer;
    uint64_t ticket; /* 0 = free. */
    char guest[256];
    char message[512];
};

struct server {
    struct loop *loop;
    struct api *api;
    const char *documents;
    struct loop_watch input;
    char line[INPUT_MAX];
    size_t line_length;
    struct pending pending[PENDING_MAX];
};

static int read_document(void *context, enum api_document which, const struct api_query *query,
                         struct text *text, struct err *err)
{
    struct server *server = context;
    const char *name = query->guest != NULL ? query->guest : query->host;
    const char *path = text_format(
        text->arena, "%s/%s%s%s.%s", server->documents, api_document_name(which),
        name == NULL || which == API_HISTORY ? "" : "-",
        name == NULL || which == API_HISTORY ? "" : name, which == API_METRICS ? "txt" : "json");
    const char *asked = text_format(text->arena, "%s/asked", server->documents);
    const char *told =
        text_format(text->arena, "guest=%s host=%s limit=%zu since=%" PRId64 "\n",
                    query->guest == NULL ? "" : query->guest,
                    query->host == NULL ? "" : query->host, query->limit, query->since_ms);
    char *bytes;
    size_t length;

    if (file_replace(asked, told, strlen(told), 0600, err) != 0 ||
        file_read(text->arena, path, DOCUMENT_MAX, &bytes, &length, err) != 0) {
        return -1;
    }
    text_append_bytes(text, bytes, length);
    return 0;
}

static void reply(void *context)
{
    static const struct {
        const char *guest;
        enum err_code code;
    } errors[] = { { "refused", ERR_REFUSED }, { "absent", ERR_NOT_FOUND }, { "busy", ERR_BUSY } };
    struct pending *pending = context;
    uint64_t ticket = pending->ticket;
    struct err err;

    pending->ticket = 0;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        if (strcmp(pending->guest, errors[i].guest) == 0) {
            (void)err_set(&err, errors[i].code, "the backend says '%s'", errors[i].guest);
            api_reply(pending->server->api, ticket, &err, NULL);
            return;
        }
    }
    api_reply(pending->server->api, ticket, NULL, pending->message);
}

static struct pending *find_free(struct server *server)
{
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (server->pending[i].ticket == 0) {
            return &server->pending[i];
        }
    }
    abort();
}

static void act(void *context, const struct api_act *act, uint64_t ticket)
{
    struct server *server = context;
    struct pending *pending = find_free(server);
    const char *guest = act->guest == NULL ? "" : act->guest;

    if (strcmp(guest, "never") == 0) {
        return;
    }
    pending->server = server;
    pending->ticket = ticket;
    (void)snprintf(pending->guest, sizeof(pending->guest), "%s", guest);
    (void)snprintf(
        pending->message, sizeof(pending->message),
        "verb=%s guest=%s host=%s reason=%s%s%s%s%s user=%s", api_verb_name(act->verb), guest,
        act->host == NULL ? "" : act->host, act->reason == NULL ? "" : act->reason,
        act->to == NULL ? "" : " to=", act->to == NULL ? "" : act->to,
        act->dead == NULL ? "" : " dead=", act->dead == NULL ? "" : act->dead, act->user);
    if (strcmp(guest, "now") == 0) {
        reply(pending);
        return;
    }
    loop_timer_start(server->loop, &pending->timer, strcmp(guest, "slow") == 0 ? SLOW_MS : 0, reply,
                     pending);
}

static void publish(struct server *server, char *line)
{
    char *json = strchr(line, ' ');

    if (json == NULL) {
        abort();
    }
    *json = '\0';
    api_publish(server->api, line, json + 1);
}

static void on_input(void *context)
{
    struct server *server = context;
    ssize_t count = read(STDIN_FILENO, server->line + server->line_length,
                         sizeof(server->line) - 1 - server->line_length);
    char *end;

    if (count <= 0) {
        loop_stop(server->loop);
        return;
    }
    server->line_length += (size_t)count;
    server->line[server->line_length] = '\0';
    for (end = strchr(server->line, '\n'); end != NULL; end = strchr(server->line, '\n')) {
        *end = '\0';
        publish(server, server->line);
        server->line_length -= (size_t)(end + 1 - server->line);
        memmove(server->line, end + 1, server->line_length + 1);
    }
}

/* "NAME=N" of struct api_config's times; false if it is another argument. */
static bool read_time(const char *argument, struct api_config *config)
{
    const struct {
        const char *name;
        int64_t *value;
    } times[] = {
        { "request_ms=", &config->request_ms },
        { "act_ms=", &config->act_ms },
        { "heartbeat_ms=", &config->heartbeat_ms },
    };
    uint64_t ms;

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        size_t length = strlen(times[i].name);

        if (strncmp(argument, times[i].name, length) == 0 &&
            text_to_u64(argument + length, INT32_MAX, &ms)) {
            *times[i].value = (int64_t)ms;
            return true;
        }
    }
    return false;
}

static void read_argument(const char *argument, struct api_config *config, struct server *server)
{
    const struct {
        const char *name;
        const char **value;
    } arguments[] = {
        { "group=", &config->group },         { "admin_group=", &config->admin_group },
        { "listen=", &config->listen },       { "token_file=", &config->token_file },
        { "documents=", &server->documents },
    };

    for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
        size_t length = strlen(arguments[i].name);

        if (strncmp(argument, arguments[i].name, length) == 0) {
            *arguments[i].value = argument + length;
            return;
        }
    }
    if (!read_time(argument, config)) {
        (void)fprintf(stderr, "server: unknown argument '%s'\n", argument);
        exit(2);
    }
}

static void stop(void *context)
{
    loop_stop(context);
}

int main(int argc, char **argv)
{
    struct server *server = calloc(1, sizeof(*server));
    struct api_config config = { .socket = argc > 1 ? argv[1] : "" };
    struct api_backend backend = { .context = server, .document = read_document, .act = act };
    struct err err;

    if (server == NULL) {
        abort();
    }
    server->documents = ".";
    for (int i = 2; i < argc; i++) {
        read_argument(argv[i], &config, server);
    }
    server->loop = loop_uv_new();
    loop_uv_on_signal(server->loop, SIGTERM, stop, server->loop);
    server->api = api_open(server->loop, &config, &backend, &err);
    if (server->api == NULL) {
        (void)fprintf(stderr, "%s: %s\n", err_code_name(err.code), err.text);
    } else {
        loop_watch_start(server->loop, &server->input, STDIN_FILENO, on_input, server);
        (void)printf("ready\n");
        (void)fflush(stdout);
        loop_run(server->loop);
        loop_watch_stop(server->loop, &server->input);
    }
    for (size_t i = 0; i < PENDING_MAX; i++) {
        loop_timer_stop(server->loop, &server->pending[i].timer);
    }
    argc = server->api == NULL ? EXIT_FAILURE : EXIT_SUCCESS;
    api_close(server->api);
    loop_uv_free(server->loop);
    free(server);
    return argc;
}
