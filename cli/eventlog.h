/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * eventlog: events as log lines that can be searched, 'event=NAME key=value ...', for berthd.  Each event
 * is logged once, where it is handled; systemd adds the time.
 */

struct event;

/* Writes one line to stderr.  'file' is the path of es.xml. */
void eventlog_write(const char *file, const struct event *event);
