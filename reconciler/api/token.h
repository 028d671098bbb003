/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Token: the secret that lets a caller over TCP act (RFC 6750, bearer tokens).  Only its digest is kept.
 */

#include <stdbool.h>

#include "base/digest.h"

struct err;

#define TOKEN_MIN_BYTES 16
#define TOKEN_MAX_BYTES 512

struct token {
    bool is_set; /* Else nothing matches. */
    char digest[DIGEST_TEXT_SIZE];
};

/* Reads the one line of 'path': TOKEN_MIN_BYTES to TOKEN_MAX_BYTES visible characters of ASCII.
 * ERR_DENIED: group or others have rights on the file, or its owner is neither root nor the user of this
 * process.  The contents are in no message. */
int token_read(struct token *token, const char *path, struct err *err);

/* The token itself, for who has to show it: from a file that token_read() would take.  Whoever gets it wipes
 * it. */
int token_copy(char text[TOKEN_MAX_BYTES + 1], const char *path, struct err *err);

/* True if the value 'header' of a field Authorization is "Bearer" and the token.  Takes as long for a
 * guess that is nearly right as for any other of its length. */
bool token_matches(const struct token *token, const char *header);
