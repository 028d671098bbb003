/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loopback.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

bool loopback_parse(const char *text, union loopback *address, socklen_t *size)
{
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    uint64_t port;

    if (colon == NULL || length >= sizeof(host) || !text_to_u64(colon + 1, UINT16_MAX, &port) ||
        port == 0) {
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    if (strcmp(host, "[::1]") == 0) {
        address->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
                                              .sin6_port = htons((uint16_t)port),
                                              .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        *size = sizeof(address->in6);
        return true;
    }
    address->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    *size = sizeof(address->in);
    return inet_pton(AF_INET, host, &address->in.sin_addr) == 1 &&
           ntohl(address->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}
