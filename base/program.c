/* SPDX-License-Identifier: Apache-2.0 */
#include "base/program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

/* From the folder of the program to that of its data: as it was built, and as it is installed. */
static const char *const folders[] = { "data", BERTH_DATA_FOLDER };

int program_folder(char folder[PATH_MAX], struct err *err)
{
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);

    if (length < 0) {
        return err_set_errno(err, ERR_IO, errno, "cannot find this program's file");
    }
    folder[length] = '\0';
    *strrchr(folder, '/') = '\0'; /* The kernel's answer is an absolute path. */
    return 0;
}

const char *program_find_data(struct arena *arena, const char *name, struct err *err)
{
    char program[PATH_MAX];
    const char *path = NULL;

    if (program_folder(program, err) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        path = text_format(arena, "%s/%s/%s", program, folders[i], name);
        if (access(path, F_OK) == 0) {
            return path;
        }
    }
    (void)err_set(err, ERR_NOT_FOUND, "'%s' is not there", path);
    return NULL;
}
