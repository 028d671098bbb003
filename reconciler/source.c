/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/source.h"

#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "model/validate.h"

static int read_file(struct source *self, struct arena *arena, char **bytes, size_t *length,
                     struct err *err)
{
    return file_read(arena, self->name, ES_XML_MAX_BYTES, bytes, length, err);
}

/* A file that is absent has a stamp too. */
static uint64_t stamp_file(struct source *self)
{
    struct stat status;
    uint64_t parts[4] = { 0 };
    uint64_t stamp = UINT64_C(0xcbf29ce484222325); /* FNV-1a over words. */

    if (stat(self->name, &status) == 0) {
        parts[0] = (uint64_t)status.st_ino;
        parts[1] = (uint64_t)status.st_size;
        parts[2] = (uint64_t)status.st_mtim.tv_sec;
        parts[3] = (uint64_t)status.st_mtim.tv_nsec;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        stamp = (stamp ^ parts[i]) * UINT64_C(0x100000001b3);
    }
    return stamp;
}

struct source source_file(const char *path)
{
    return (struct source){ .name = path, .read = read_file, .stamp = stamp_file };
}

int source_check(struct arena *arena, const char *bytes, size_t length, const struct policy *policy,
                 struct revision *revision, struct faults *faults)
{
    revision->bytes = bytes;
    revision->length = length;
    digest_of(bytes, length, revision->digest);
    if (es_xml_read(arena, bytes, length, &revision->desired, faults) != 0) {
        return -1;
    }
    validate_capacity(&revision->desired, policy, faults);
    fault_sort(faults);
    return faults->count == 0 ? 0 : -1;
}

int source_read_revision(struct source *source, struct arena *arena, const struct policy *policy,
                         struct revision *revision, struct faults *faults, struct err *err)
{
    char *bytes;
    size_t length;

    if (source->read(source, arena, &bytes, &length, err) != 0) {
        return -1;
    }
    return source_check(arena, bytes, length, policy, revision, faults);
}
