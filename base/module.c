/* SPDX-License-Identifier: Apache-2.0 */
#include "base/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/program.h"
#include "base/text.h"

/* From the folder of the program to that of the module: as it was built, and as it is installed. */
static const char *const folders[] = { ".", BERTH_MODULE_FOLDER };

static void *load(const char *path, const char *purpose, struct err *err)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (module == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "cannot load what %s: %s", purpose, dlerror());
    }
    return module;
}

static void *find_file(const char *name, const char *purpose, struct err *err)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    char program[PATH_MAX];
    const char *path = NULL;

    if (program_folder(program, err) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        path =
            text_format(&scratch, "%s/%s/berth-%s-" BERTH_VERSION ".so", program, folders[i], name);
        if (access(path, F_OK) == 0) {
            return load(path, purpose, err);
        }
    }
    (void)err_set(err, ERR_NOT_FOUND, "cannot load what %s: '%s' is not there: install Berth anew",
                  purpose, path);
    return NULL;
}

void *module_find(const char *name, const char *purpose, const char *symbol, struct err *err)
{
    void *module = find_file(name, purpose, err);
    void *found = module == NULL ? NULL : dlsym(module, symbol);

    if (module != NULL && found == NULL) {
        (void)err_set(err, ERR_INTERNAL, "cannot use what %s: %s", purpose, dlerror());
    }
    return found;
}
