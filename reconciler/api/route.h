/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Route: what a path, a method, a query and a body ask for.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "reconciler/api/api.h"

struct arena;
struct err;

enum route_kind {
    ROUTE_NONE, /* There is no such path. */
    ROUTE_DOCUMENT,
    ROUTE_EVENTS,
    ROUTE_ACT,
};

struct route {
    enum route_kind kind;
    enum api_document document; /* Of DOCUMENT. */
    enum api_verb verb;         /* Of ACT. */
    struct api_query query;     /* Of DOCUMENT. */
    const char *last_id;        /* Of EVENTS: go on after this one; or NULL. */
};

/* What 'path', unescaped, leads to.  Names live in 'arena'. */
struct route route_find(struct arena *arena, const char *path);

/* The methods that 'route' takes, as the field Allow lists them. */
const char *route_methods(const struct route *route);
bool route_takes(const struct route *route, const char *method);

/* Adds the argument 'name'='value' (NULL: without) of the query.  ERR_INVALID: this path does not take it,
 * or the value does not fit. */
int route_add_argument(struct route *route, struct arena *arena, const char *name,
                       const char *value, struct err *err);

/* Reads the body of an act into 'act', whose verb is route->verb: one object, or nothing.  ERR_INVALID: it
 * is not JSON, has members that the verb does not take or lacks one that it needs. */
int route_read_act(const struct route *route, struct arena *arena, const char *body, size_t length,
                   struct api_act *act, struct err *err);
