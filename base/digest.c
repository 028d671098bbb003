/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>

char *digest_of(const void *bytes, size_t length, char hex[DIGEST_TEXT_SIZE])
{
    struct sha256_ctx context;
    uint8_t raw[SHA256_DIGEST_SIZE];

    sha256_init(&context);
    sha256_update(&context, length, bytes);
    sha256_digest(&context, sizeof(raw), raw);
    base16_encode_update(hex, sizeof(raw), raw);
    hex[DIGEST_TEXT_SIZE - 1] = '\0';
    return hex;
}
