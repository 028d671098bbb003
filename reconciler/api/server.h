/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Server: struct api as its own files see it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "reconciler/api/api.h"
#include "reconciler/api/connection.h"
#include "reconciler/api/door.h"
#include "reconciler/api/peer.h"
#include "reconciler/api/quota.h"
#include "reconciler/api/ring.h"
#include "reconciler/api/token.h"

struct MHD_Daemon;

struct api {
    struct loop *loop;
    struct api_backend backend;
    int64_t request_ms; /* These three as struct api_config has them, never 0. */
    int64_t act_ms;
    int64_t heartbeat_ms;
    struct peer_access access;
    struct token token;
    struct door unix_door;
    struct door tcp_door;
    struct MHD_Daemon *http;
    struct loop_watch http_watch; /* Of its epoll descriptor. */
    struct loop_timer http_timer;
    struct connection connections[API_CONNECTIONS_MAX];
    struct connection *arriving;   /* Being handed to libmicrohttpd. */
    struct loop_timer sweep_timer; /* Armed while there is a connection. */
    struct quota quota;
    struct ring ring;
    size_t stream_count;
    size_t answer_bytes; /* That wait to be taken. */
    uint64_t last_ticket;
};
