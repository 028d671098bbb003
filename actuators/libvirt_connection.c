/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_connection.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actuators/libvirt_error.h"
#include "actuators/libvirt_pool.h"
#include "actuators/libvirt_xml.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/observed.h"

/* A connection is given up after 5 s * (3 + 1) of silence. */
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      3

static __attribute__((noreturn)) void *run_events(void *context)
{
    const struct timespec pause = { .tv_nsec = 100000000 };

    (void)context;
    (void)pthread_setname_np(pthread_self(), "berth-events");
    for (;;) {
        if (virEventRunDefaultImpl() < 0) {
            (void)nanosleep(&pause,
                            NULL); /* Out of descriptors, say; must not become a busy loop. */
        }
    }
}

int libvirt_connection_prepare(struct err *err)
{
    int error;

    libvirt_error_silence();
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) {
        return libvirt_error_set(err, "cannot start libvirt");
    }
    error = libvirt_pool_thread(NULL, run_events, NULL);
    return error == 0
               ? 0
               : err_set_errno(err, ERR_FAILED, error, "cannot start libvirt's event thread");
}

static bool has_parameter(const char *uri, const char *name)
{
    const char *query = strchr(uri, '?');
    size_t length = strlen(name);

    while (query != NULL) {
        query++;
        if (strncmp(query, name, length) == 0 && query[length] == '=') {
            return true;
        }
        query = strpbrk(query, "&;");
    }
    return false;
}

const char *libvirt_connection_uri(struct arena *arena, const char *uri, const char *ssh_key)
{
    size_t scheme = strcspn(uri, ":/");
    struct text text = text_new(arena);
    bool program = scheme >= strlen("+ssh") &&
                   strncmp(uri + scheme - strlen("+ssh"), "+ssh", strlen("+ssh")) == 0;

    text_append(&text, uri);
    if (program && !has_parameter(uri, "no_tty")) {
        text_append(&text, strchr(text.data, '?') == NULL ? "?no_tty=1" : "&no_tty=1");
    }
    if (program && ssh_key != NULL && !has_parameter(uri, "keyfile")) {
        text_printf(&text, "%ckeyfile=%s", strchr(text.data, '?') == NULL ? '?' : '&', ssh_key);
    }
    return text.data;
}

/* Instead of prompting, as libvirt's default would: fails whatever is asked. */
static int refuse_credentials(virConnectCredentialPtr credentials, unsigned count, void *context)
{
    (void)credentials;
    (void)count;
    (void)context;
    return -1;
}

static int read_hostname(struct arena *arena, virConnectPtr connection, struct observed_host *host,
                         struct err *err)
{
    char *name = virConnectGetHostname(connection);

    if (name == NULL) {
        return libvirt_error_set(err, "cannot ask '%s' for its name", host->name);
    }
    host->hostname = arena_strdup(arena, name);
    free(name);
    return 0;
}

static int read_versions(virConnectPtr connection, struct observed_host *host, struct err *err)
{
    unsigned long qemu;
    unsigned long libvirt;

    if (virConnectGetVersion(connection, &qemu) < 0 ||
        virConnectGetLibVersion(connection, &libvirt) < 0) {
        return libvirt_error_set(err, "cannot ask '%s' for its versions", host->name);
    }
    host->qemu_version = qemu;
    host->libvirt_version = libvirt;
    return 0;
}

static int read_capabilities(struct arena *arena, virConnectPtr connection,
                             struct observed_host *host, struct err *err)
{
    char *xml = virConnectGetCapabilities(connection);
    int status;

    if (xml == NULL) {
        return libvirt_error_set(err, "cannot ask '%s' for its capabilities", host->name);
    }
    status = libvirt_xml_read_capabilities(arena, xml, host, err);
    free(xml);
    return status < 0 ? err_wrap(err, "cannot use '%s'", host->name) : 0;
}

int libvirt_connection_open(struct arena *arena, const char *uri, struct observed_host *host,
                            virConnectPtr *connection, struct err *err)
{
    virConnectAuth auth = { .cb = refuse_credentials };
    AUTO(connection) virConnect *opened = virConnectOpenAuth(uri, &auth, 0);

    if (opened == NULL) {
        return libvirt_error_set(err, "cannot connect to '%s' at '%s'", host->name, uri);
    }
    /* A local socket does not do keepalive, and needs none. */
    if (virConnectSetKeepAlive(opened, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT) < 0) {
        return libvirt_error_set(err, "cannot keep the connection to '%s' alive", host->name);
    }
    if (read_hostname(arena, opened, host, err) < 0 || read_versions(opened, host, err) < 0 ||
        read_capabilities(arena, opened, host, err) < 0) {
        return -1;
    }
    *connection = STEAL(opened);
    return 0;
}

bool libvirt_connection_is_alive(virConnectPtr connection)
{
    return virConnectIsAlive(connection) == 1;
}
