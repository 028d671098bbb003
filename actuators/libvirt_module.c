/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "actuators/libvirt.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

/* From the folder of the program to that of the module: as it was built, and as it is installed. */
static const char *const folders[] = { ".", BERTH_MODULE_FOLDER };

/* The folder of the running program's file. */
static int find_program(char folder[PATH_MAX], struct err *err)
{
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);

    if (length < 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot find this program's file");
    }
    folder[length] = '\0';
    *strrchr(folder, '/') = '\0'; /* The kernel's answer is an absolute path. */
    return 0;
}

static void *load(const char *path, struct err *err)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (module == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "cannot load what speaks with libvirt: %s", dlerror());
    }
    return module;
}

static void *find_module(struct err *err)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    char program[PATH_MAX];
    const char *path = NULL;

    if (find_program(program, err) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        path = text_format(&scratch, "%s/%s/" BERTH_MODULE_FILE, program, folders[i]);
        if (access(path, F_OK) == 0) {
            return load(path, err);
        }
    }
    (void)err_set(err, ERR_NOT_FOUND,
                  "cannot load what speaks with libvirt: '%s' is not there: install Berth anew",
                  path);
    return NULL;
}

struct actuator *libvirt_module_open(struct loop *loop, const struct libvirt_settings *settings,
                                     struct err *err)
{
    void *module = find_module(err);
    __typeof__(libvirt_open) *open_libvirt;

    if (module == NULL) {
        return NULL;
    }
    open_libvirt = (__typeof__(open_libvirt))dlsym(module, "libvirt_open");
    if (open_libvirt == NULL) {
        (void)err_set(err, ERR_INTERNAL, "cannot use what speaks with libvirt: %s", dlerror());
        return NULL;
    }
    return open_libvirt(loop, settings, err);
}
