/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/source.h"

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

struct source source_file(const char *path)
{
    return (struct source){ .name = path, .read = read_file };
}

int source_read_revision(struct source *source, struct arena *arena, const struct policy *policy,
                         struct revision *revision, struct faults *faults, struct err *err)
{
    char *bytes;
    size_t length;

    if (source->read(source, arena, &bytes, &length, err) != 0) {
        return -1;
    }
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
