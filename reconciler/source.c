/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/source.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "model/es_xml.h"
#include "model/fault.h"
#include "model/validate.h"
#include "reconciler/watch.h"

static int read_file(struct source *self, struct arena *arena, char **bytes, size_t *length,
                     struct err *err)
{
    return file_read(arena, self->name, ES_XML_MAX_BYTES, bytes, length, err);
}

static void subscribe_file(struct source *self, struct loop *loop,
                           const struct watch_listener *listener)
{
    self->watch = watch_new(loop, self->name, listener);
}

static void unsubscribe_file(struct source *self)
{
    watch_free(self->watch);
    self->watch = NULL;
}

static int replace_file(struct source *self, struct file_bytes old, struct file_bytes bytes,
                        struct err *err)
{
    return file_replace_unchanged(self->name, old, bytes, err);
}

struct source source_file(const char *path)
{
    return (struct source){
        .name = path,
        .read = read_file,
        .subscribe = subscribe_file,
        .replace = replace_file,
        .unsubscribe = unsubscribe_file,
    };
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

const char *source_fault_text(struct arena *arena, const struct source *source,
                              const struct faults *faults, const struct err *err)
{
    return faults->count == 0
               ? arena_strdup(arena, err->text)
               : text_format(arena, "%s:%u: %s%s", source->name, faults->items[0].line,
                             faults->items[0].text, faults->count > 1 ? "; and more" : "");
}
