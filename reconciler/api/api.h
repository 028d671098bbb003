/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * API: how other programs look at a running controller and steer it: HTTP and JSON on a Unix socket and,
 * if asked for, on a loopback address (docs/api.md, docs/openapi.yaml).
 *
 * It knows requests, callers, limits and nothing of fleets: documents and acts are its backend's, which
 * berthd provides.  Everything runs on the loop thread and nothing waits: a client that is slow, silent
 * or hostile costs at most its place among API_CONNECTIONS_MAX.
 *
 * Who may what: over the Unix socket the kernel says who asks (unix(7), SO_PEERCRED).  Root, the user of
 * this process and members of the admin group read and act, members of the group read, nobody else gets
 * an answer.  Over TCP everybody on this machine reads, and who knows the token acts.
 */

#include <stddef.h>
#include <stdint.h>

#define API_CONNECTIONS_MAX 64 /* At a time. */
#define API_PEER_MAX        16 /* Of one user; of TCP as a whole. */
#define API_STREAMS_MAX     16 /* Followers of /v1/events at a time. */
#define API_BODY_MAX        4096
#define API_ANSWERS_MAX     ((size_t)64 * 1024 * 1024) /* Bytes of answers that wait to be taken. */
#define API_EVENT_MAX       ((size_t)64 * 1024)        /* Bytes of one event. */
#define API_EVENTS_KEPT     256                        /* For who was away for a moment. */
#define API_REQUEST_MS      30000 /* For a whole request to come; then for its answer to be taken. */
#define API_ACT_MS          30000 /* For the backend to answer. */
#define API_HEARTBEAT_MS    15000 /* Of silence on a stream. */

#define API_DEFAULT_GROUP       "berth"
#define API_DEFAULT_ADMIN_GROUP "berth-admin"

#define API_LIMIT_DEFAULT 50 /* Of query.limit. */
#define API_LIMIT_MAX     100000

struct api;
struct err;
struct loop;
struct text;

struct api_config {
    const char *socket;      /* Path of the Unix socket. */
    const char *group;       /* May read; NULL: API_DEFAULT_GROUP if there is such a group. */
    const char *admin_group; /* May act; NULL: API_DEFAULT_ADMIN_GROUP if there is such a group. */
    const char *listen;      /* "127.0.0.1:PORT" or "[::1]:PORT"; NULL: no TCP. */
    const char *token_file;  /* What lets act over TCP; NULL: nothing does. */
    int64_t request_ms;      /* In place of API_REQUEST_MS; 0: that.  So are the next two. */
    int64_t act_ms;
    int64_t heartbeat_ms;
};

enum api_document {
    API_STATUS,
    API_PLAN,
    API_GUESTS, /* All, or query.guest alone. */
    API_HOSTS,  /* All, or query.host alone. */
    API_HISTORY,
    API_METRICS, /* Prometheus text; the others are JSON. */
    API_DOCUMENT_COUNT,
};

/* Names are host names in form (text_is_host_name()), not known to exist. */
struct api_query {
    const char *guest; /* Or NULL. */
    const char *host;  /* Or NULL. */
    size_t limit;      /* Of HISTORY: the newest this many, 1..API_LIMIT_MAX. */
    int64_t since_ms;  /* Of HISTORY: from then on (base/clock.h); 0 = from the beginning. */
};

enum api_verb {
    API_CANCEL,  /* The running move, or 'guest's. */
    API_HOLD,    /* 'guest', 'host' or, with neither, everything. */
    API_RELEASE, /* The same. */
    API_RETRY,   /* 'guest'. */
    API_CHECK,   /* Look at the file and the hosts now. */
    API_FORCE,   /* Start 'guest' of a dead host on 'to'. */
    API_VERB_COUNT,
};

struct api_act {
    enum api_verb verb;
    const char *guest;  /* Or NULL; a host name in form, as 'host'. */
    const char *host;   /* Or NULL; never together with 'guest'. */
    const char *to;     /* Of FORCE: a host name in form, as the next. */
    const char *dead;   /* Of FORCE: the host that the caller attests to be dead, or NULL. */
    const char *reason; /* Or NULL; as the caller wrote it: any text. */
    const char *user;   /* Who: a name of /etc/passwd, "uid 1234", or "token". */
};

/* What is told and done.  Values are valid during the call. */
struct api_backend {
    void *context;
    /* Writes the document 'which'.  ERR_NOT_FOUND is answered 404, ERR_INVALID 400, what a retry can help
     * 503.  Must not wait. */
    int (*document)(void *context, enum api_document which, const struct api_query *query,
                    struct text *text, struct err *err);
    /* Does 'act', and calls api_reply() with 'ticket' once, later or at once: after the commit that makes
     * it last. */
    void (*act)(void *context, const struct api_act *act, uint64_t ticket);
};

/* Serves 'config' from 'loop' (base/loop_uv.h) until api_close(); strings of 'config' are copied.  NULL and
 * '*err': a path or address is not usable, ERR_BUSY if another program listens there, ERR_INVALID for a
 * group that does not exist, an address that is not loopback or a token that is none, ERR_DENIED for one
 * that others can read. */
struct api *api_open(struct loop *loop, const struct api_config *config,
                     const struct api_backend *backend, struct err *err);

/* Answers the act behind 'ticket': 'err' NULL: done, 'message' (or NULL) says what came of it; else why
 * not.  A ticket that nobody waits for any more is passed over. */
void api_reply(struct api *api, uint64_t ticket, const struct err *err, const char *message);

/* Tells everybody who follows /v1/events: 'name' ([a-z-]+) and 'json', one value.  One that does not fit
 * into API_EVENT_MAX is told without its contents. */
void api_publish(struct api *api, const char *name, const char *json);

/* Ends it: acts under way are answered 503, streams end, the socket is removed.  NULL is fine. */
void api_close(struct api *api);

/* Stable names of a verb and a document: their paths are /v1/NAME, but /metrics.  The reverse returns the
 * count for no such name. */
const char *api_verb_name(enum api_verb verb);
enum api_verb api_verb_from_name(const char *name);
const char *api_document_name(enum api_document document);
enum api_document api_document_from_name(const char *name);
