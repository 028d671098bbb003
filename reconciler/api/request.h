/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Request: one request from its head to its answer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "reconciler/api/api.h"
#include "reconciler/api/route.h"

struct MHD_Connection;
struct connection;
struct stream;

enum request_state {
    REQUEST_READING,
    REQUEST_ACTING,   /* With the backend. */
    REQUEST_REPLIED,  /* By the backend; not answered yet. */
    REQUEST_ANSWERED, /* The answer is libmicrohttpd's. */
};

struct request {
    struct connection *connection;
    struct MHD_Connection *http;
    struct arena arena;
    struct route route;
    enum request_state state;
    bool suspended; /* libmicrohttpd leaves it alone until http_resume(). */
    bool too_large;
    char body[API_BODY_MAX];
    size_t body_length;
    struct api_act act;
    uint64_t ticket; /* Of the act. */
    int64_t act_due_ms;
    bool failed;
    struct err err;        /* Why. */
    const char *message;   /* What came of it, or NULL. */
    struct stream *stream; /* Of an event stream that has begun, else NULL. */
};

/* A request whose head has come.  What cannot be is answered at once; false: then end the connection. */
bool request_begin(struct connection *connection, struct MHD_Connection *http, const char *method,
                   const char *path);

/* The next bytes of its body. */
void request_add_body(struct request *request, const char *bytes, size_t length);

/* It has come whole, or was resumed: answers, or waits for the backend.  false: end the connection. */
bool request_continue(struct request *request);

/* The backend's reply, which is copied; 'err' NULL: done. */
void request_reply(struct request *request, const struct err *err, const char *message);

/* Once in a while: an act that the backend has not answered in time is answered for it; a stream is looked
 * after. */
void request_check(struct request *request);

/* The server closes: an act is answered, a stream ends. */
void request_end(struct request *request);

/* It has been answered, or its connection has gone. */
void request_free(struct request *request);
