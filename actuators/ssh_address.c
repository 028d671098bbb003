/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/ssh_address.h"

#include <string.h>

#include "base/err.h"
#include "base/text.h"

#define DEFAULT_PORT 22
#define MAX_PORT     65535

static int invalid(const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID, "cannot use '%s' for SSH: expected user@host[:port]", text);
}

int ssh_address_parse(struct arena *arena, const char *text, struct ssh_address *address,
                      struct err *err)
{
    const char *at = strchr(text, '@');
    const char *host = at == NULL ? text : at + 1;
    bool bracketed = *host == '[';
    const char *end = bracketed ? strchr(host, ']') : host + strcspn(host, ":");
    uint64_t port = DEFAULT_PORT;

    if (end == NULL || at == text || text[0] == '-' || host[0] == '-') {
        return invalid(text, err);
    }
    host += bracketed ? 1 : 0;
    address->host = text_copy(arena, host, (size_t)(end - host));
    end += bracketed ? 1 : 0;
    if (*address->host == '\0' || strpbrk(address->host, "@/ \t\n") != NULL ||
        (*end != '\0' && (*end != ':' || !text_to_u64(end + 1, MAX_PORT, &port) || port == 0))) {
        return invalid(text, err);
    }
    address->user = at == NULL ? NULL : text_copy(arena, text, (size_t)(at - text));
    address->port = (unsigned)port;
    address->has_port = *end != '\0';
    return 0;
}
