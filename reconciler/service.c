/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/service.h"

#define SD_JOURNAL_SUPPRESS_LOCATION /* An event's source is no line of ours. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "base/err.h"

#define FIELDS_MAX 32u

static void on_beat(void *context)
{
    struct service *service = context;

    (void)sd_notify(false, "WATCHDOG=1");
    loop_timer_start(service->loop, &service->heartbeat, service->beat_ms, on_beat, service);
}

/* sd_watchdog_enabled(3) asks for half of its interval. */
void service_init(struct service *service, struct loop *loop)
{
    uint64_t interval_us = 0;

    *service = (struct service){ .loop = loop };
    if (sd_watchdog_enabled(false, &interval_us) > 0) {
        service->beat_ms = (int64_t)(interval_us / 2000);
        on_beat(service);
    }
}

void service_ready(struct service *service)
{
    service->ready = true;
    (void)sd_notify(false, "READY=1");
}

/* The time is for managers that know Type=notify-reload. */
void service_reloading(struct service *service)
{
    if (service->ready) {
        (void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                         loop_now_ms(service->loop) * 1000);
    }
}

void service_reloaded(struct service *service)
{
    if (service->ready) {
        (void)sd_notify(false, "READY=1");
    }
}

void service_stopping(struct service *service)
{
    (void)service;
    (void)sd_notify(false, "STOPPING=1");
}

void service_status(struct service *service, const char *text)
{
    char status[SERVICE_STATUS_SIZE];

    (void)snprintf(status, sizeof(status), "%s", text);
    status[strcspn(status, "\n")] = '\0'; /* What follows a line end is another assignment. */
    if (strcmp(status, service->status) != 0) {
        memcpy(service->status, status, sizeof(status));
        (void)sd_notifyf(false, "STATUS=%s", status);
    }
}

void service_deinit(struct service *service)
{
    loop_timer_stop(service->loop, &service->heartbeat);
}

bool service_is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;

    if (stream == NULL || fstat(fd, &status) != 0) {
        return false;
    }
    (void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

int service_log(const char *const *fields, size_t count, struct err *err)
{
    struct iovec parts[FIELDS_MAX];
    int status;

    assert(count <= FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        parts[i].iov_base = (void *)(uintptr_t)fields[i]; /* Which the journal only reads. */
        parts[i].iov_len = strlen(fields[i]);
    }
    status = sd_journal_sendv(parts, (int)count);
    return status == 0
               ? 0
               : err_set_errno(err, ERR_IO, -status, "cannot write to the system's journal");
}
