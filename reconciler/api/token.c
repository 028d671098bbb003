/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/api/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

static int check_owner(int fd, const char *path, struct err *err)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot read the token in '%s'", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_INVALID, "cannot read the token in '%s': not a plain file", path);
    }
    if (status.st_uid != 0 && status.st_uid != geteuid()) {
        return err_set(err, ERR_DENIED, "will not use the token in '%s': it is another user's file",
                       path);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return err_set(err, ERR_DENIED,
                       "will not use the token in '%s': others may read or write it (chmod 0600)",
                       path);
    }
    return 0;
}

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

static int read_open(char text[TOKEN_MAX_BYTES + 1], int fd, const char *path, struct err *err)
{
    char bytes[TOKEN_MAX_BYTES + 2]; /* A line end, and one that is too many. */
    ssize_t count = check_owner(fd, path, err) != 0 ? -2 : read(fd, bytes, sizeof(bytes));
    size_t length = count < 0 ? 0 : measure(bytes, (size_t)count);

    if (count == -2) {
        return -1;
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

int token_copy(char text[TOKEN_MAX_BYTES + 1], const char *path, struct err *err)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno,
                             "cannot read the token in '%s'", path);
    }
    return read_open(text, fd, path, err);
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
