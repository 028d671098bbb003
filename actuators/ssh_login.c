/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/ssh_login.h"

#include <libssh/callbacks.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "actuators/ssh_address.h"
#include "actuators/ssh_deadline.h"
#include "base/base.h"
#include "base/heap.h"

/* How long a wait lasts at most before libssh is asked again: it may have read ahead what the socket then
 * does not announce any more. */
#define SLICE_MS 50

AUTO_POINTER(login, struct ssh_login, ssh_login_close);
AUTO_POINTER(key, struct ssh_key_struct, ssh_key_free);

bool ssh_login_await(const struct ssh_login *login, int64_t deadline)
{
    const int yes = 1;
    int left = ssh_deadline_left_ms(deadline);
    bool write = (ssh_get_poll_flags(login->session) & SSH_WRITE_PENDING) != 0;
    struct pollfd entry = { .fd = ssh_get_fd(login->session),
                            .events = (short)(POLLIN | (write ? POLLOUT : 0)) };

    /* sshd sends small messages one by one, of which Nagle holds back the second until the first is
     * acknowledged; the kernel takes this wish back by itself. */
    (void)setsockopt(entry.fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
    (void)poll(&entry, 1, left < SLICE_MS ? left : SLICE_MS);
    return left > 0;
}

int ssh_login_fail(const struct ssh_login *login, int64_t deadline, enum err_code code,
                   const char *what, struct err *err)
{
    if (ssh_deadline_left_ms(deadline) == 0) {
        return err_set(err, ERR_TIMEOUT, "cannot %s '%s' over SSH: no answer in time", what,
                       login->address);
    }
    return err_set(err, ssh_is_connected(login->session) != 0 ? code : ERR_UNREACHABLE,
                   "cannot %s '%s' over SSH: %s", what, login->address,
                   ssh_get_error(login->session));
}

static int set_options(const struct ssh_login *login, const struct ssh_settings *settings,
                       const struct ssh_address *address)
{
    struct ssh_session_struct *session = login->session;
    const bool own_config = false;
    /* libssh writes a message in pieces, of which Nagle holds the last one back until the peer's delayed
     * acknowledgement, 40 ms later. */
    const int no_delay = 1;
    int status = ssh_options_set(session, SSH_OPTIONS_HOST, address->host);

    status |= ssh_options_set(session, SSH_OPTIONS_PORT, &address->port);
    status |= ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &own_config);
    status |= ssh_options_set(session, SSH_OPTIONS_NODELAY, &no_delay);
    if (address->user != NULL) {
        status |= ssh_options_set(session, SSH_OPTIONS_USER, address->user);
    }
    if (settings->known_hosts != NULL) {
        /* A file that was named is the only one that counts, the system's included. */
        status |= ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, settings->known_hosts);
        status |= ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, settings->known_hosts);
    }
    ssh_set_blocking(session, 0);
    return status == SSH_OK ? 0 : -1;
}

static int exchange_keys(const struct ssh_login *login, int64_t deadline, struct err *err)
{
    int result;

    do {
        result = ssh_connect(login->session);
    } while (result == SSH_AGAIN && ssh_login_await(login, deadline));
    return result == SSH_OK ? 0
                            : ssh_login_fail(login, deadline, ERR_UNREACHABLE, "connect to", err);
}

static int check_host_key(const struct ssh_login *login, const struct ssh_settings *settings,
                          int64_t deadline, struct err *err)
{
    const char *file = settings->known_hosts == NULL ? "known_hosts" : settings->known_hosts;

    switch (ssh_session_is_known_server(login->session)) {
    case SSH_KNOWN_HOSTS_OK:
        return 0;
    case SSH_KNOWN_HOSTS_CHANGED:
    case SSH_KNOWN_HOSTS_OTHER:
        return err_set(
            err, ERR_DENIED,
            "cannot trust '%s': its host key is not the one in '%s'; if it was renewed on "
            "purpose, replace it there",
            login->address, file);
    case SSH_KNOWN_HOSTS_NOT_FOUND:
    case SSH_KNOWN_HOSTS_UNKNOWN:
        return err_set(err, ERR_DENIED,
                       "cannot trust '%s': its host key is not in '%s'; check it and add it with "
                       "ssh-keyscan",
                       login->address, file);
    case SSH_KNOWN_HOSTS_ERROR:
    default:
        return ssh_login_fail(login, deadline, ERR_FAILED, "check the host key of", err);
    }
}

/* Instead of asking a person for a passphrase: there is nobody. */
static int refuse_passphrase(const char *prompt, char *buffer, size_t length, int echo, int verify,
                             void *context)
{
    (void)prompt;
    (void)buffer;
    (void)length;
    (void)echo;
    (void)verify;
    (void)context;
    return -1;
}

static int offer_key(const struct ssh_login *login, struct ssh_key_struct *key)
{
    return key == NULL ? ssh_userauth_publickey_auto(login->session, NULL, "")
                       : ssh_userauth_publickey(login->session, NULL, key);
}

static int authenticate(const struct ssh_login *login, const struct ssh_settings *settings,
                        int64_t deadline, struct err *err)
{
    AUTO(key) struct ssh_key_struct *key = NULL;
    int result;

    if (settings->key != NULL &&
        ssh_pki_import_privkey_file(settings->key, NULL, refuse_passphrase, NULL, &key) != SSH_OK) {
        return err_set(err, ERR_DENIED,
                       "cannot use the SSH key '%s' for '%s': not a readable private key without a "
                       "passphrase",
                       settings->key, login->address);
    }
    do {
        result = offer_key(login, key);
    } while (result == SSH_AUTH_AGAIN && ssh_login_await(login, deadline));
    if (result == SSH_AUTH_SUCCESS) {
        return 0;
    }
    if (result == SSH_AUTH_DENIED || result == SSH_AUTH_PARTIAL) {
        return err_set(err, ERR_DENIED,
                       "cannot log in to '%s' over SSH: it accepts none of our keys",
                       login->address);
    }
    return ssh_login_fail(login, deadline, ERR_FAILED, "log in to", err);
}

int ssh_login_open(const struct ssh_settings *settings, const char *address, int64_t deadline,
                   struct ssh_login **login, struct err *err)
{
    AUTO(login) struct ssh_login *opened = HEAP_NEW(struct ssh_login);
    struct ssh_address parsed = { 0 };

    opened->address = arena_strdup(&opened->arena, address);
    if (ssh_address_parse(&opened->arena, address, &parsed, err) < 0) {
        return -1;
    }
    opened->session = ssh_new();
    if (opened->session == NULL || set_options(opened, settings, &parsed) < 0) {
        return err_set(err, ERR_FAILED, "cannot prepare for '%s' over SSH", address);
    }
    if (exchange_keys(opened, deadline, err) < 0 ||
        check_host_key(opened, settings, deadline, err) < 0 ||
        authenticate(opened, settings, deadline, err) < 0) {
        return -1;
    }
    *login = STEAL(opened);
    return 0;
}

void ssh_login_close(struct ssh_login *login)
{
    if (login->session != NULL) {
        ssh_disconnect(login->session);
        ssh_free(login->session);
    }
    arena_deinit(&login->arena);
    free(login);
}
