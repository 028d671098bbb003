/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Answer: what goes back.  Each of these answers 'request' and returns false if that failed, after which
 * the connection is to be ended.
 */

#include <stdbool.h>

struct err;
struct request;
struct text;

#define ANSWER_JSON "application/json"
#define ANSWER_TEXT "text/plain; version=0.0.4; charset=utf-8" /* Of Prometheus. */

/* 200 with 'text'. */
bool answer_document(struct request *request, const char *type, const struct text *text);

/* An error: {"error":{"code":CODE,"message":MESSAGE,"hint":HINT}}; 'hint' may be NULL. */
bool answer_error(struct request *request, unsigned status, const char *code, const char *message,
                  const char *hint);

/* The same for what a function has reported. */
bool answer_failure(struct request *request, const struct err *err);

/* 200, and events from now on, or from after route.last_id; 503 if too many follow already. */
bool answer_stream(struct request *request);
