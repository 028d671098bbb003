/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * eventlog: events as lines of berthd's log (cli/logline.h).  Each event is logged once, where it is
 * handled.
 */

struct event;

/* Logs 'event'; what is only for followers is passed over.  'file' is the path of es.xml. */
void eventlog_write(const char *file, const struct event *event);
