/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/token.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

/* The length of the token in the 'length' bytes at 'bytes', or 0 if there is none. */
static size_t measure(const char *bytes, size_t length)
{
    if (length > 0 && bytes[length - 1] == '\n') {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~') {
            return 0;
        }
    }
    return length < TOKEN_MIN_BYTES || length > TOKEN_MAX_BYTES ? 0 : length;
}

int token_copy(char text[TOKEN_MAX_BYTES + 1], const char *path, struct err *err)
{
    AUTO(fd) int fd = file_open_private(path, err);
    char bytes[TOKEN_MAX_BYTES + 2]; /* A line end, and one that is too many. */
    ssize_t count = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes));
    size_t length = count < 0 ? 0 : measure(bytes, (size_t)count);

    if (fd < 0) {
        return err_wrap(err, "cannot use the token");
    }
    if (count < 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot read the token in '%s'", path);
    }
    if (length == 0) {
        return err_set(err, ERR_INVALID,
                       "cannot use the token in '%s': want one line of %d to %d visible characters",
                       path, TOKEN_MIN_BYTES, TOKEN_MAX_BYTES);
    }
    memcpy(text, bytes, length);
    text[length] = '\0';
    explicit_bzero(bytes, sizeof(bytes));
    return 0;
}

int token_read(struct token *token, const char *path, struct err *err)
{
    char text[TOKEN_MAX_BYTES + 1];

    if (token_copy(text, path, err) != 0) {
        return -1;
    }
    (void)digest_of(text, strlen(text), token->digest);
    explicit_bzero(text, sizeof(text));
    token->is_set = true;
    return 0;
}

bool token_matches(const struct token *token, const char *header)
{
    static const char scheme[] = "Bearer ";
    char digest[DIGEST_TEXT_SIZE];
    unsigned difference = 0;

    if (!token->is_set || strncasecmp(header, scheme, sizeof(scheme) - 1) != 0) {
        return false;
    }
    header += sizeof(scheme) - 1;
    (void)digest_of(header, strlen(header), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        difference |= (unsigned)(digest[i] ^ token->digest[i]);
    }
    return difference == 0;
}
