/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/daemon.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/module.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "reconciler/force.h"
#include "reconciler/json_member.h"
#include "reconciler/order.h"

#define HTTP_OK        200
#define HTTP_NOT_FOUND 404

static int connect_to(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int os_errno;

    if (fd < 0) {
        return errno;
    }
    os_errno = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    (void)close(fd);
    return os_errno == EAGAIN ? 0 : os_errno; /* Others wait already to be let in. */
}

/* 0 if somebody listens at 'path', else errno; at a path too long for a socket nobody does. */
static int knock(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        return ENOENT;
    }
    strcpy(address.sun_path, path);
    return connect_to(&address);
}

static int refuse(const struct daemon *daemon, int os_errno, struct err *err)
{
    const struct api_config *api = &daemon->cli->config.api;

    if (os_errno != EACCES && os_errno != EPERM) {
        return err_set_errno(err, ERR_IO, os_errno, "cannot ask berthd at '%.120s'",
                             daemon->socket);
    }
    return err_set(err, ERR_DENIED,
                   "cannot ask berthd at '%.120s': only root and members of the group '%.32s' may",
                   daemon->socket, api->group != NULL ? api->group : API_DEFAULT_GROUP);
}

int daemon_find(struct cli *cli, struct daemon *daemon, struct err *err)
{
    __typeof__(client_open) *open_client;
    int os_errno;

    *daemon = (struct daemon){ .cli = cli, .socket = config_socket(&cli->arena, &cli->config) };
    os_errno = knock(daemon->socket);
    if (os_errno == ENOENT || os_errno == ENOTDIR || os_errno == ECONNREFUSED) {
        return 0;
    }
    if (os_errno != 0) {
        return refuse(daemon, os_errno, err);
    }
    open_client =
        (__typeof__(open_client))module_find("client", "speaks with berthd", "client_open", err);
    if (open_client == NULL) {
        return -1;
    }
    daemon->client = open_client(daemon->socket);
    return 0;
}

/* What an answer other than 200 says: {"error":{"code":...,"message":...}}. */
static int read_refusal(const struct daemon *daemon, const char *path, long status,
                        const struct text *answer, struct err *err)
{
    AUTO(document) struct document document = { .root = NULL };
    const struct json_t *error = NULL;
    const char *message;

    if (document_parse(&document, answer->data, answer->length, NULL, err) == 0) {
        error = document_object(document.root, "error");
    }
    message = document_string(answer->arena, error, "message");
    if (message != NULL) {
        return err_set(err, err_code_from_name(document_string(answer->arena, error, "code")),
                       "%.200s", message);
    }
    return err_set(err, ERR_INTERNAL, "what listens at '%.100s' answers '%.32s' with status %ld",
                   daemon->socket, path, status);
}

static int ask(struct daemon *daemon, const char *path, const char *body, struct text *answer,
               struct err *err)
{
    struct client *client = daemon->client;
    long status = 0;

    if (client->ops->ask(client, path, body, answer, &status, err) != 0) {
        return -1;
    }
    return status == HTTP_OK ? 0 : read_refusal(daemon, path, status, answer, err);
}

int daemon_get(struct daemon *daemon, const char *path, const char *format,
               struct document *document, struct text *bytes, struct err *err)
{
    if (ask(daemon, path, NULL, bytes, err) != 0) {
        return -1;
    }
    if (document_parse(document, bytes->data, bytes->length, format, err) != 0) {
        return err_wrap(err, "berthd at '%.80s'", daemon->socket);
    }
    return 0;
}

/* Sends 'body' to 'path'; what is said of it in '*said'. */
static int tell(struct daemon *daemon, const char *path, const char *body, const char **said,
                struct err *err)
{
    struct arena *arena = &daemon->cli->arena;
    struct text answer = text_new(arena);
    AUTO(document) struct document document = { .root = NULL };

    if (ask(daemon, path, body, &answer, err) != 0) {
        return -1;
    }
    if (document_parse(&document, answer.data, answer.length, NULL, err) != 0) {
        return err_wrap(err, "berthd at '%.80s'", daemon->socket);
    }
    *said = document_string(arena, document.root, "message");
    return 0;
}

int daemon_order(struct daemon *daemon, const struct order *order, const char **said,
                 struct err *err)
{
    struct arena *arena = &daemon->cli->arena;
    struct text body = text_new(arena);

    text_append(&body, "{");
    if (order->scope == JOURNAL_SCOPE_GUEST || order->scope == JOURNAL_SCOPE_HOST) {
        json_member_string(&body, order->scope == JOURNAL_SCOPE_GUEST ? "guest" : "host",
                           order->name);
    }
    if (order->reason != NULL) {
        json_member_string(&body, "reason", order->reason);
    }
    text_append(&body, "}");
    return tell(daemon, text_format(arena, "/v1/%s", order_verb_name(order->verb)), body.data, said,
                err);
}

int daemon_force(struct daemon *daemon, const struct force_request *request, const char **said,
                 struct err *err)
{
    struct text body = text_new(&daemon->cli->arena);

    text_append(&body, "{");
    json_member_string(&body, "guest", request->guest);
    json_member_string(&body, "to", request->to);
    if (request->dead != NULL) {
        json_member_string(&body, "source_is_dead", request->dead);
    }
    text_append(&body, "}");
    return tell(daemon, "/v1/force", body.data, said, err);
}

enum client_turn daemon_follow(struct daemon *daemon, const int *wakers, size_t count,
                               int timeout_ms, struct err *err)
{
    struct client *client = daemon->client;

    return client->ops->follow(client, "/v1/events", wakers, count, timeout_ms, err);
}

void daemon_deinit(struct daemon *daemon)
{
    if (daemon->client != NULL) {
        daemon->client->ops->close(daemon->client);
        daemon->client = NULL;
    }
}
