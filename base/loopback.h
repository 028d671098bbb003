/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Loopback: an address of this machine that no other machine can reach, as text: "127.0.0.1:8420" or
 * "[::1]:8420".  Any thread.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

union loopback {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Reads 'text'; false if it is anything else: a name, an address that others reach, no port or port 0. */
bool loopback_parse(const char *text, union loopback *address, socklen_t *size);
