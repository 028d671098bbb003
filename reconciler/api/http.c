/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/http.h"

#include <microhttpd.h>

#include "base/err.h"
#include "reconciler/api/request.h"
#include "reconciler/api/server.h"

#define CONNECTION_MEMORY ((size_t)16 * 1024) /* Its head, and a buffer to send from. */

static struct connection *connection_of(struct MHD_Connection *http)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

/* Called with the head, with each part of the body, and when all has come or the request was resumed. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *http, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *length, void **slot)
{
    struct connection *connection = connection_of(http);

    (void)context;
    (void)version;
    (void)slot; /* The request is its connection's. */
    if (connection->request == NULL) {
        return request_begin(connection, http, method, path) ? MHD_YES : MHD_NO;
    }
    if (*length > 0) {
        request_add_body(connection->request, body, *length);
        *length = 0;
        return MHD_YES;
    }
    return request_continue(connection->request) ? MHD_YES : MHD_NO;
}

static void on_completed(void *context, struct MHD_Connection *http, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    struct connection *connection = connection_of(http);

    (void)context;
    (void)slot;
    (void)code;
    if (connection->request != NULL) {
        request_free(connection->request);
        connection->request = NULL;
        connection_extend(connection);
    }
}

static void on_connection(void *context, struct MHD_Connection *http, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = context;

    (void)http;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = api->arriving;
    } else {
        connection_free(*slot);
    }
}

static void on_turn(void *context)
{
    struct api *api = context;
    MHD_UNSIGNED_LONG_LONG wait_ms;

    (void)MHD_run(api->http);
    /* It has connections of which it knows already that they can go on. */
    if (MHD_get_timeout(api->http, &wait_ms) == MHD_YES) {
        loop_timer_start(api->loop, &api->http_timer, (int64_t)wait_ms, on_turn, api);
    }
}

static void run_soon(struct api *api)
{
    loop_timer_start(api->loop, &api->http_timer, 0, on_turn, api);
}

int http_open(struct api *api, struct err *err)
{
    const union MHD_DaemonInfo *info;

    api->http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        on_request, api, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, api, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, (unsigned)API_CONNECTIONS_MAX,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    info = api->http == NULL ? NULL : MHD_get_daemon_info(api->http, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        return err_set(err, ERR_IO, "cannot start the HTTP server");
    }
    loop_watch_start(api->loop, &api->http_watch, info->epoll_fd, on_turn, api);
    return 0;
}

void http_close(struct api *api)
{
    if (api->http == NULL) {
        return;
    }
    loop_watch_stop(api->loop, &api->http_watch);
    loop_timer_stop(api->loop, &api->http_timer);
    (void)MHD_run(api->http); /* What was resumed is sent as far as it goes. */
    MHD_stop_daemon(api->http);
}

int http_add(struct connection *connection, const struct sockaddr *address, socklen_t size)
{
    struct api *api = connection->api;
    enum MHD_Result result;

    api->arriving = connection;
    result = MHD_add_connection(api->http, connection->fd, address, size);
    api->arriving = NULL;
    run_soon(api);
    return result == MHD_YES ? 0 : -1;
}

void http_suspend(struct request *request)
{
    request->suspended = true;
    MHD_suspend_connection(request->http);
}

void http_resume(struct request *request)
{
    if (request->suspended) {
        request->suspended = false;
        MHD_resume_connection(request->http);
        run_soon(request->connection->api);
    }
}
