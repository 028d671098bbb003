/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_endpoint.h"

#include <stdbool.h>
#include <string.h>

#include "actuators/ssh_address.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

/* Ports by the transports of libvirt's URIs; 0 = not over the network, or by nothing that we know. */
static unsigned transport_port(const char *scheme)
{
    static const struct {
        const char *transport;
        unsigned port;
    } transports[] = {
        { "", 16514 },  { "+tls", 16514 }, { "+tcp", 16509 },
        { "+ssh", 22 }, { "+libssh", 22 }, { "+libssh2", 22 },
    };
    const char *transport = strchr(scheme, '+');

    for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
        if (strcmp(transport == NULL ? "" : transport, transports[i].transport) == 0) {
            return transports[i].port;
        }
    }
    return 0;
}

static bool is_address(const char *host)
{
    return text_is_host_name(host) ||
           (strchr(host, ':') != NULL && strspn(host, "0123456789abcdefABCDEF:.") == strlen(host));
}

const char *libvirt_endpoint_of(struct arena *arena, const char *uri, unsigned default_port)
{
    const char *after = strstr(uri, "://");
    struct ssh_address address;
    const char *authority;
    unsigned port;
    struct err err;

    if (after == NULL) {
        return NULL;
    }
    port = default_port != 0 ? default_port
                             : transport_port(text_copy(arena, uri, (size_t)(after - uri)));
    after += strlen("://");
    authority = text_copy(arena, after, strcspn(after, "/?#"));
    if (port == 0 || ssh_address_parse(arena, authority, &address, &err) != 0 ||
        !is_address(address.host)) {
        return NULL;
    }
    return text_format(arena, "%s:%u", address.host, address.has_port ? address.port : port);
}
