/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP: libmicrohttpd on the loop.  It runs without threads and without a listening socket of its own; its
 * epoll descriptor is watched by the loop, and every callback comes on the loop thread.
 */

#include <sys/socket.h>

struct api;
struct connection;
struct err;
struct request;

/* Sets it up; later http_close(). */
int http_open(struct api *api, struct err *err);

/* Ends it and every connection. */
void http_close(struct api *api);

/* Hands the accepted socket of 'connection' over, which is closed whatever comes; -1: it was not taken. */
int http_add(struct connection *connection, const struct sockaddr *address, socklen_t size);

/* Leaves the connection of 'request' alone until http_resume(); at once, and only from its callbacks. */
void http_suspend(struct request *request);

/* Goes on with it soon; nothing happens if it was not suspended. */
void http_resume(struct request *request);
