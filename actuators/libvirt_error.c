/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_error.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdarg.h>
#include <stdio.h>

/* A system call that failed on the way to the host, not on the host. */
static bool is_transport(int domain)
{
    return domain == VIR_FROM_RPC || domain == VIR_FROM_REMOTE || domain == VIR_FROM_SSH ||
           domain == VIR_FROM_LIBSSH;
}

enum err_code libvirt_error_code(int number, int domain)
{
    switch (number) {
    case VIR_ERR_MIGRATE_UNSAFE:
        return ERR_UNSAFE;
    case VIR_ERR_CPU_INCOMPATIBLE:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
        return ERR_INCOMPATIBLE;
    case VIR_ERR_DOM_EXIST:
        return ERR_EXISTS;
    case VIR_ERR_NO_DOMAIN:
        return ERR_NOT_FOUND;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return ERR_DENIED;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_INVALID_ARG:
        return ERR_INVALID;
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE:
        return ERR_TIMEOUT;
    case VIR_ERR_OPERATION_ABORTED:
        return ERR_CANCELLED;
    case VIR_ERR_OPERATION_INVALID:
        return ERR_CONFLICT;
    case VIR_ERR_RESOURCE_BUSY:
        return ERR_BUSY;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
    case VIR_ERR_RPC:
        return ERR_UNREACHABLE;
    case VIR_ERR_SYSTEM_ERROR:
    case VIR_ERR_INTERNAL_ERROR:
        return is_transport(domain) ? ERR_UNREACHABLE : ERR_FAILED;
    default:
        return ERR_FAILED;
    }
}

/* One line: libvirt puts the output of ssh or QEMU, newlines and all, into its text. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ') {
            *text = ' ';
        }
    }
}

int libvirt_error_set(struct err *err, const char *fmt, ...)
{
    const virError *last = virGetLastError();
    char what[ERR_TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (last == NULL || last->message == NULL) {
        return err_set(err, ERR_FAILED, "%s: libvirt gives no reason", what);
    }
    (void)err_set(err, libvirt_error_code(last->code, last->domain), "%s: %s", what, last->message);
    flatten(err->text);
    return -1;
}

bool libvirt_error_is(int number)
{
    return virGetLastErrorCode() == number;
}

static void ignore(void *context, virErrorPtr error)
{
    (void)context;
    (void)error;
}

void libvirt_error_silence(void)
{
    virSetErrorFunc(NULL, ignore);
}
