/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Digest: SHA-256 as lower-case hexadecimal, the name of a content in the journal and in plans.
 *
 * Any thread.  (nettle: already loaded by libvirt through GnuTLS.)
 */

#include <stddef.h>

#define DIGEST_TEXT_SIZE 65 /* 64 digits and a NUL. */

/* Writes the digest of 'length' bytes at 'bytes' into 'hex' and returns it. */
char *digest_of(const void *bytes, size_t length, char hex[DIGEST_TEXT_SIZE]);
