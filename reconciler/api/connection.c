/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/connection.h"

#include <poll.h>
#include <sys/ioctl.h>

#include "reconciler/api/http.h"
#include "reconciler/api/request.h"
#include "reconciler/api/server.h"

#define SWEEP_MS 1000

/* The caller will send nothing more, all it has sent was read, and that is no whole request.  libmicrohttpd
 * does not notice an end that comes together with the last bytes: its epoll is edge-triggered, and it reads
 * no further once a read has come back short. */
static bool is_deserted(const struct connection *connection)
{
    const struct request *request = connection->request;
    struct pollfd socket = { .fd = connection->fd, .events = POLLRDHUP };
    int unread = 0;

    return (request == NULL || request->state == REQUEST_READING) && poll(&socket, 1, 0) > 0 &&
           ioctl(connection->fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* Seen twice, that is: what libmicrohttpd has just read it may be about to look at. */
static void check(struct connection *connection, int64_t now_ms)
{
    bool deserted = is_deserted(connection);

    if (connection->request != NULL) {
        request_check(connection->request);
    }
    if (now_ms >= connection->due_ms || (deserted && connection->deserted)) {
        connection_cut(connection);
    }
    connection->deserted = deserted;
}

/* The places, once a second as long as one is taken. */
static void sweep(void *context)
{
    struct api *api = context;
    int64_t now_ms = loop_now_ms(api->loop);
    bool any = false;

    for (size_t i = 0; i < API_CONNECTIONS_MAX; i++) {
        struct connection *connection = &api->connections[i];

        if (!connection->in_use) {
            continue;
        }
        any = true;
        check(connection, now_ms);
    }
    if (any) {
        loop_timer_start(api->loop, &api->sweep_timer, SWEEP_MS, sweep, api);
    }
}

static struct connection *find_place(struct api *api)
{
    for (size_t i = 0; i < API_CONNECTIONS_MAX; i++) {
        if (!api->connections[i].in_use) {
            return &api->connections[i];
        }
    }
    return NULL;
}

bool connection_open(struct api *api, int fd, const struct peer *peer,
                     const struct sockaddr *address, socklen_t size)
{
    struct connection *connection = find_place(api);

    if (connection == NULL ||
        !quota_enter(&api->quota, peer_key(peer), API_PEER_MAX, loop_now_ms(api->loop))) {
        return false;
    }
    *connection = (struct connection){ .api = api, .in_use = true, .fd = fd, .peer = *peer };
    connection_extend(connection);
    if (!api->sweep_timer.armed) {
        loop_timer_start(api->loop, &api->sweep_timer, SWEEP_MS, sweep, api);
    }
    if (http_add(connection, address, size) != 0) {
        connection_free(connection);
    }
    return true;
}

void connection_extend(struct connection *connection)
{
    connection->due_ms = loop_now_ms(connection->api->loop) + connection->api->request_ms;
    connection->deserted = false;
}

void connection_cut(struct connection *connection)
{
    connection->due_ms = INT64_MAX;
    (void)shutdown(connection->fd, SHUT_RDWR);
}

void connection_free(struct connection *connection)
{
    if (connection->in_use) {
        quota_leave(&connection->api->quota, peer_key(&connection->peer));
        connection->in_use = false;
    }
}
