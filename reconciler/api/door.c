/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/door.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "reconciler/api/connection.h"
#include "reconciler/api/server.h"

#define CALLERS_A_TURN 16 /* Then the loop's other users have their turn. */
#define PAUSE_MS       1000

/* Where a caller is, in each of the families that doors have. */
union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

/* Says why and lets go: one write into an empty buffer, which waits for nobody. */
static void turn_away(int fd, const char *status, const char *code, const char *message)
{
    char body[256];
    char answer[512];
    int length = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n",
                          code, message);

    length = snprintf(answer, sizeof(answer),
                      "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                      "Retry-After: 1\r\nConnection: close\r\n\r\n%s",
                      status, length, body);
    (void)send(fd, answer, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

/* Who cannot be told is nobody. */
static struct peer identify(struct door *door, int fd)
{
    struct peer peer = { .role = PEER_NOBODY };
    struct err err;

    if (door->listener.path == NULL) {
        return peer_of_tcp();
    }
    (void)peer_of_socket(fd, &door->api->access, &peer, &err);
    return peer;
}

static void let_in(struct door *door, int fd, const struct sockaddr *address, socklen_t size)
{
    struct peer peer = identify(door, fd);

    if (peer.role == PEER_NOBODY) {
        turn_away(fd, "403 Forbidden", "denied", "you are not in the group that may read");
    } else if (!connection_open(door->api, fd, &peer, address, size)) {
        turn_away(fd, "503 Service Unavailable", "busy", "too many connections");
    }
}

static void on_pause_over(void *context)
{
    door_open(context);
}

static void on_caller(void *context)
{
    struct door *door = context;
    union address address = { .any = { .sa_family = AF_UNSPEC } };

    for (int i = 0; i < CALLERS_A_TURN; i++) {
        socklen_t size = sizeof(address);
        int fd = accept4(door->listener.fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            let_in(door, fd, &address.any, size);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The caller stays in the queue, and would wake the loop again and again. */
            loop_watch_stop(door->api->loop, &door->watch);
            loop_timer_start(door->api->loop, &door->pause, PAUSE_MS, on_pause_over, door);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

void door_open(struct door *door)
{
    if (door->listener.fd >= 0) {
        loop_watch_start(door->api->loop, &door->watch, door->listener.fd, on_caller, door);
    }
}

void door_close(struct door *door)
{
    loop_timer_stop(door->api->loop, &door->pause);
    loop_watch_stop(door->api->loop, &door->watch);
    listener_close(&door->listener);
}
