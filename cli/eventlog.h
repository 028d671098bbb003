/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * eventlog: events as lines of berthd's log (cli/logline.h).  Each event is logged once, where it is
 * handled.
 */

struct event;

/* What files are called. */
struct eventlog {
    const char *es_xml;
    const char *config;
};

/* Logs 'event'; what is only for followers is passed over. */
void eventlog_write(const struct eventlog *log, const struct event *event);
