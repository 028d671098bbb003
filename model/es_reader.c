/* SPDX-License-Identifier: Apache-2.0 */
#include "model/es_reader.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "model/desired.h"
#include "model/es_resolve.h"
#include "model/fault.h"
#include "model/quantity.h"

#define ID_MAX_BYTES    512
#define TEXT_MAX_BYTES  4096
#define QUOTE_MAX_BYTES 100
#define DEPTH_MAX       100
#define VCPUS_MAX       4096

/* Where the reader stands: every element that means something, by its path, and one for all others. */
enum node {
    NODE_DOCUMENT,
    NODE_OTHER,
    NODE_SYSTEM,
    NODE_MACHINES,
    NODE_MACHINE,
    NODE_PLACED,
    NODE_MACHINE_SOFTWARE,
    NODE_MACHINE_CLUSTERS,
    NODE_MACHINE_CLUSTER,
    NODE_MACHINE_VOLUMES,
    NODE_MACHINE_VOLUME,
    NODE_RACKS,
    NODE_RACK,
    NODE_RACK_ITEM,
    NODE_SOFTWARE,
    NODE_CLUSTERS,
    NODE_CLUSTER,
    NODE_STORAGE,
    NODE_VOLUMES,
    NODE_VOLUME,
    NODE_ACTIONS,
    NODE_ACTION,
    NODE_HOST_NAME, /* The first element of which the text is read; those after it are too. */
    NODE_OS_TYPE,
    NODE_VIRTUAL,
    NODE_HOST_MEMORY,
    NODE_GUEST_MEMORY,
    NODE_GUEST_CORES,
    NODE_RACK_FAMILY,
    NODE_CLUSTER_NAME,
    NODE_VOLUME_NAME,
    NODE_VOLUME_DEVICE,
    NODE_SUB_COMMAND,
    NODE_COUNT,
};

#define FIELD_COUNT (NODE_COUNT - NODE_HOST_NAME)

/* Sorted by parent. */
struct edge {
    enum node parent;
    const char *name;
    enum node child;
};

static const struct edge edges[] = {
    { NODE_DOCUMENT, "engineeredSystem", NODE_SYSTEM },
    { NODE_SYSTEM, "machines", NODE_MACHINES },
    { NODE_SYSTEM, "esRacks", NODE_RACKS },
    { NODE_SYSTEM, "software", NODE_SOFTWARE },
    { NODE_SYSTEM, "storage", NODE_STORAGE },
    { NODE_SYSTEM, "actions", NODE_ACTIONS },
    { NODE_MACHINES, "machine", NODE_MACHINE },
    { NODE_MACHINE, "hostName", NODE_HOST_NAME },
    { NODE_MACHINE, "osType", NODE_OS_TYPE },
    { NODE_MACHINE, "virtual", NODE_VIRTUAL },
    { NODE_MACHINE, "physicalMemorySize", NODE_HOST_MEMORY },
    { NODE_MACHINE, "guestMemory", NODE_GUEST_MEMORY },
    { NODE_MACHINE, "guestCores", NODE_GUEST_CORES },
    { NODE_MACHINE, "machine", NODE_PLACED },
    { NODE_MACHINE, "software", NODE_MACHINE_SOFTWARE },
    { NODE_MACHINE, "edvVolumes", NODE_MACHINE_VOLUMES },
    { NODE_MACHINE_SOFTWARE, "clusters", NODE_MACHINE_CLUSTERS },
    { NODE_MACHINE_CLUSTERS, "cluster", NODE_MACHINE_CLUSTER },
    { NODE_MACHINE_VOLUMES, "edvVolume", NODE_MACHINE_VOLUME },
    { NODE_RACKS, "esRack", NODE_RACK },
    { NODE_RACK, "esRackItem", NODE_RACK_ITEM },
    { NODE_RACK_ITEM, "rackItemFamily", NODE_RACK_FAMILY },
    { NODE_SOFTWARE, "clusters", NODE_CLUSTERS },
    { NODE_CLUSTERS, "cluster", NODE_CLUSTER },
    { NODE_CLUSTER, "clusterName", NODE_CLUSTER_NAME },
    { NODE_STORAGE, "edvVolumes", NODE_VOLUMES },
    { NODE_VOLUMES, "edvVolume", NODE_VOLUME },
    { NODE_VOLUME, "edvVolumeName", NODE_VOLUME_NAME },
    { NODE_VOLUME, "edvDevicePath", NODE_VOLUME_DEVICE },
    { NODE_ACTIONS, "action", NODE_ACTION },
    { NODE_ACTION, "subCommand", NODE_SUB_COMMAND },
};

/* The text of an element, which comes in pieces. */
struct field {
    char text[TEXT_MAX_BYTES + 1];
    size_t length;
    uint32_t line;
    unsigned times; /* How often its owner has the element. */
    bool too_long;
};

struct es_reader {
    struct arena *arena; /* Of what the desired state keeps. */
    struct faults *faults;
    struct es_document document;
    uint32_t line;                  /* Of the newest start tag. */
    struct es_extent tag;           /* Likewise. */
    enum node stack[DEPTH_MAX + 1]; /* stack[depth] is the open element; stack[0] the document. */
    size_t depth;
    struct field fields[FIELD_COUNT];
    struct es_machine machine; /* The definition being read, as the next ones. */
    struct es_extent machine_start;
    struct es_ref placed;
    struct es_extent placed_start;
    struct es_ref cluster;
    struct es_ref volume;
    struct es_ref rack_item;
    const char *action_id;
    bool placed_is_reference; /* The machine inside a machine has shown nothing but an id. */
    bool action_deployed;
    bool records_layout;
};

/* How much of a text is worth quoting in a fault: the first line, and of that no more than 100 bytes
 * and no part of a character. */
static int clip(const char *text)
{
    size_t length = strcspn(text, "\n");

    if (length > QUOTE_MAX_BYTES) {
        length = QUOTE_MAX_BYTES;
        while (length > 0 && ((unsigned char)text[length] & 0xc0U) == 0x80) {
            length--;
        }
    }
    return (int)length;
}

/* A copy of the id in 'arena', "" if there is none. */
static const char *copy_id(struct es_reader *reader, struct arena *arena, struct es_span id)
{
    if (id.length > ID_MAX_BYTES) {
        fault_add(reader->faults, reader->line, "an id is longer than %d bytes", ID_MAX_BYTES);
        return "";
    }
    return id.length == 0 ? "" : text_copy(arena, id.text, id.length);
}

static struct es_ref make_ref(struct es_reader *reader, struct arena *arena, struct es_span id)
{
    return (struct es_ref){ copy_id(reader, arena, id), reader->line };
}

static struct field *field_of(struct es_reader *reader, enum node node)
{
    return &reader->fields[node - NODE_HOST_NAME];
}

static void clear_fields(struct es_reader *reader)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        struct field *field = &reader->fields[i];

        field->text[0] = '\0';
        field->length = 0;
        field->times = 0;
        field->too_long = false;
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The field's text without blanks around it, valid until the next element of its kind. */
static const char *field_text(struct es_reader *reader, enum node node)
{
    struct field *field = field_of(reader, node);
    size_t start = 0;

    while (field->length > 0 && is_blank(field->text[field->length - 1])) {
        field->length--;
    }
    field->text[field->length] = '\0';
    while (is_blank(field->text[start])) {
        start++;
    }
    return field->text + start;
}

/* Reports what makes a field useless whatever it says. */
static bool field_is_sound(struct es_reader *reader, enum node node, const char *name)
{
    const struct field *field = field_of(reader, node);

    if (field->times > 1) {
        fault_add(reader->faults, field->line, "a second %s", name);
    }
    if (field->too_long) {
        fault_add(reader->faults, field->line, "%s is longer than %d bytes", name, TEXT_MAX_BYTES);
    }
    return field->times <= 1 && !field->too_long;
}

/* Copy of a field that may be absent, in the arena of the desired state. */
static const char *copy_field(struct es_reader *reader, enum node node, const char *name)
{
    const char *text = field_text(reader, node);

    if (!field_is_sound(reader, node, name) || *text == '\0') {
        return "";
    }
    return arena_strdup(reader->arena, text);
}

static enum es_kind machine_kind(struct es_reader *reader)
{
    const char *os_type = field_text(reader, NODE_OS_TYPE);
    const char *is_virtual = field_text(reader, NODE_VIRTUAL);

    if (strcmp(os_type, "LinuxKVM") == 0 && strcasecmp(is_virtual, "false") == 0) {
        return ES_HOST;
    }
    if (strcmp(os_type, "LinuxKVMGuest") == 0 && strcasecmp(is_virtual, "true") == 0) {
        return ES_GUEST;
    }
    return ES_IGNORED;
}

static const char *read_name(struct es_reader *reader)
{
    const char *name = copy_field(reader, NODE_HOST_NAME, "hostName");
    const struct field *field = field_of(reader, NODE_HOST_NAME);

    if (field->times == 0) {
        fault_add(reader->faults, reader->machine.line, "machine '%s' has no hostName",
                  reader->machine.id);
    } else if (field->times == 1 && !field->too_long && !text_is_host_name(name)) {
        fault_add(reader->faults, field->line,
                  "hostName '%.*s' is not a host name: letters, digits, '-', '_' and '.' only, "
                  "253 bytes at most",
                  clip(name), name);
    }
    return name;
}

/* A size that must not be 0, or 0 if the element is absent or at fault. */
static uint64_t read_size(struct es_reader *reader, enum node node, const char *name)
{
    const struct field *field = field_of(reader, node);
    const char *text = field_text(reader, node);
    uint64_t kib = 0;

    if (!field_is_sound(reader, node, name) || field->times == 0) {
        return 0;
    }
    if (!quantity_parse_size(text, &kib)) {
        fault_add(reader->faults, field->line,
                  "%s '%.*s' is not a size: a number, then K, M, G or T with B or iB or neither, "
                  "a whole number of KiB",
                  name, clip(text), text);
    } else if (kib == 0) {
        fault_add(reader->faults, field->line, "%s '%.*s' is nothing at all", name, clip(text),
                  text);
    }
    return kib;
}

static uint32_t read_vcpus(struct es_reader *reader)
{
    const struct field *field = field_of(reader, NODE_GUEST_CORES);
    const char *text = field_text(reader, NODE_GUEST_CORES);
    uint64_t vcpus = 0;

    if (!field_is_sound(reader, NODE_GUEST_CORES, "guestCores") || field->times == 0) {
        return 0;
    }
    if (!text_to_u64(text, VCPUS_MAX, &vcpus) || vcpus == 0) {
        fault_add(reader->faults, field->line, "guestCores '%.*s' is not a number from 1 to %d",
                  clip(text), text, VCPUS_MAX);
        return 0;
    }
    return (uint32_t)vcpus;
}

/* A slice runs from where its list was when the machine began to where it is now.  What is read is
 * bounded by the file's size, so counts fit 32 bits. */
static struct es_slice open_slice(const struct es_list *list)
{
    return (struct es_slice){ .first = (uint32_t)list->count };
}

static void close_slice(struct es_slice *slice, const struct es_list *list)
{
    slice->count = (uint32_t)list->count - slice->first;
}

static void end_machine(struct es_reader *reader)
{
    struct es_machine *machine = &reader->machine;
    struct es_machine *kept;

    machine->kind = machine_kind(reader);
    if (machine->kind != ES_IGNORED) {
        bool is_host = machine->kind == ES_HOST;

        (void)field_is_sound(reader, NODE_OS_TYPE, "osType");
        (void)field_is_sound(reader, NODE_VIRTUAL, "virtual");
        machine->name = read_name(reader);
        machine->memory_kib = is_host ? read_size(reader, NODE_HOST_MEMORY, "physicalMemorySize")
                                      : read_size(reader, NODE_GUEST_MEMORY, "guestMemory");
        machine->vcpus = is_host ? 0 : read_vcpus(reader);
        if (*machine->id == '\0') {
            fault_add(reader->faults, machine->line, "machine '%s' has no id", machine->name);
        }
    }
    close_slice(&machine->placements, &reader->document.placements);
    close_slice(&machine->clusters, &reader->document.cluster_refs);
    close_slice(&machine->volumes, &reader->document.volume_refs);
    kept = es_resolve_append(&reader->document, &reader->document.machines);
    *kept = *machine;
}

/* Where the machine stood that has just been kept. */
static void record_machine(struct es_reader *reader, struct es_extent stop)
{
    struct es_layout_machine *kept;

    if (reader->records_layout) {
        kept = es_resolve_append(&reader->document, &reader->document.machine_layout);
        kept->id = reader->machine.id;
        kept->start = reader->machine_start;
        kept->stop = stop.begin == kept->start.begin
                         ? (struct es_extent){ kept->start.end, kept->start.end }
                         : stop;
    }
}

/* Where the reference stood; the machine it is in comes next in the list of machines. */
static void record_place(struct es_reader *reader, struct es_extent stop)
{
    struct es_layout_place *kept;

    if (reader->records_layout) {
        kept = es_resolve_append(&reader->document, &reader->document.place_layout);
        kept->id = arena_strdup(reader->arena, reader->placed.id);
        kept->machine = (uint32_t)reader->document.machines.count;
        kept->extent = (struct es_extent){ reader->placed_start.begin, stop.end };
    }
}

static void append_ref(struct es_reader *reader, struct es_list *list, struct es_ref ref)
{
    struct es_ref *kept = es_resolve_append(&reader->document, list);

    *kept = ref;
}

/* What has no id cannot be meant by anything that is read. */
static void end_cluster(struct es_reader *reader)
{
    if (*reader->cluster.id != '\0') {
        struct es_cluster *kept = es_resolve_append(&reader->document, &reader->document.clusters);

        kept->own = reader->cluster;
        kept->name = copy_field(reader, NODE_CLUSTER_NAME, "clusterName");
    }
}

static void end_volume(struct es_reader *reader)
{
    if (*reader->volume.id != '\0') {
        struct es_volume *kept = es_resolve_append(&reader->document, &reader->document.volumes);

        kept->own = reader->volume;
        kept->name = copy_field(reader, NODE_VOLUME_NAME, "edvVolumeName");
        kept->device = copy_field(reader, NODE_VOLUME_DEVICE, "edvDevicePath");
    }
}

static void end_rack_item(struct es_reader *reader)
{
    struct es_rack_item *kept = es_resolve_append(&reader->document, &reader->document.rack_items);

    kept->machine = reader->rack_item;
    kept->family = copy_field(reader, NODE_RACK_FAMILY, "rackItemFamily");
}

/* The next word at '*text', or one of length 0 at its end; '*text' moves behind it. */
static struct es_span next_word(const char **text)
{
    struct es_span word = { 0 };

    while (is_blank(**text)) {
        (*text)++;
    }
    word.text = *text;
    while (**text != '\0' && !is_blank(**text)) {
        (*text)++;
        word.length++;
    }
    return word;
}

static bool word_is(struct es_span word, const char *upper)
{
    return word.length == strlen(upper) && strncasecmp(word.text, upper, word.length) == 0;
}

static struct es_span without_quotes(struct es_span word)
{
    if (word.length >= 2 && (*word.text == '\'' || *word.text == '"') &&
        word.text[word.length - 1] == *word.text) {
        return (struct es_span){ word.text + 1, word.length - 2 };
    }
    return word;
}

/* OEDACLI's 'MIGRATE GUEST HOSTNAME=...'; it takes its words in either case, and values quoted. */
static void end_sub_command(struct es_reader *reader)
{
    static const char key[] = "HOSTNAME=";
    const size_t key_length = sizeof(key) - 1;
    const char *rest = field_text(reader, NODE_SUB_COMMAND);
    struct es_span word = next_word(&rest);

    if (reader->action_deployed || !word_is(word, "MIGRATE") ||
        !word_is(next_word(&rest), "GUEST")) {
        return;
    }
    for (word = next_word(&rest); word.length > 0; word = next_word(&rest)) {
        if (word.length > key_length && strncasecmp(word.text, key, key_length) == 0) {
            struct es_span value = without_quotes(
                (struct es_span){ word.text + key_length, word.length - key_length });
            struct es_action *kept =
                es_resolve_append(&reader->document, &reader->document.pending_actions);

            kept->id = reader->action_id;
            kept->guest = text_copy(reader->document.scratch, value.text, value.length);
            return;
        }
    }
}

static void begin_machine(struct es_reader *reader, struct es_span id)
{
    clear_fields(reader);
    reader->machine_start = reader->tag;
    reader->machine = (struct es_machine){
        .line = reader->line,
        .id = copy_id(reader, reader->arena, id),
        .name = "",
        .placements = open_slice(&reader->document.placements),
        .clusters = open_slice(&reader->document.cluster_refs),
        .volumes = open_slice(&reader->document.volume_refs),
    };
}

static void begin_action(struct es_reader *reader, struct es_span id, bool deployed)
{
    reader->action_id = copy_id(reader, reader->arena, id);
    if (*reader->action_id == '\0') {
        reader->action_id = "?"; /* It blocks its guest all the same. */
    }
    reader->action_deployed = deployed;
}

static void begin_field(struct es_reader *reader, enum node node)
{
    struct field *field = field_of(reader, node);

    field->times++;
    field->length = 0;
    field->too_long = false;
    field->line = reader->line;
}

/* Racks refer to things that are not machines; their ids are all that is kept of them. */
static void begin_other(struct es_reader *reader, struct es_span id)
{
    enum node section = reader->depth < 2 ? NODE_OTHER : reader->stack[2];

    if (id.length > 0 && id.length <= ID_MAX_BYTES && section != NODE_MACHINES &&
        section != NODE_RACKS) {
        append_ref(reader, &reader->document.other_ids,
                   make_ref(reader, reader->document.scratch, id));
    }
}

static void begin(struct es_reader *reader, enum node node, struct es_span id, bool deployed)
{
    switch ((int)node) {
    case NODE_MACHINE:
        begin_machine(reader, id);
        break;
    case NODE_PLACED:
        reader->placed = make_ref(reader, reader->document.scratch, id);
        reader->placed_start = reader->tag;
        reader->placed_is_reference = true;
        break;
    case NODE_MACHINE_CLUSTER:
        append_ref(reader, &reader->document.cluster_refs,
                   make_ref(reader, reader->document.scratch, id));
        break;
    case NODE_MACHINE_VOLUME:
        append_ref(reader, &reader->document.volume_refs,
                   make_ref(reader, reader->document.scratch, id));
        break;
    case NODE_CLUSTER:
        clear_fields(reader);
        reader->cluster = make_ref(reader, reader->arena, id);
        break;
    case NODE_VOLUME:
        clear_fields(reader);
        reader->volume = make_ref(reader, reader->arena, id);
        break;
    case NODE_RACK_ITEM:
        clear_fields(reader);
        reader->rack_item = make_ref(reader, reader->document.scratch, id);
        break;
    case NODE_ACTION:
        begin_action(reader, id, deployed);
        break;
    case NODE_OTHER:
        begin_other(reader, id);
        break;
    default:
        if (node >= NODE_HOST_NAME) {
            begin_field(reader, node);
        }
        break;
    }
}

static enum node find_child(enum node parent, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(edges) && edges[i].parent <= parent; i++) {
        if (edges[i].parent == parent && edges[i].name[0] == name[0] &&
            strcmp(edges[i].name, name) == 0) {
            return edges[i].child;
        }
    }
    return NODE_OTHER;
}

static void end(struct es_reader *reader, enum node node, struct es_extent tag)
{
    switch ((int)node) {
    case NODE_MACHINE:
        end_machine(reader);
        record_machine(reader, tag);
        break;
    case NODE_PLACED:
        if (reader->placed_is_reference) {
            append_ref(reader, &reader->document.placements, reader->placed);
            record_place(reader, tag);
        }
        break;
    case NODE_CLUSTER:
        end_cluster(reader);
        break;
    case NODE_VOLUME:
        end_volume(reader);
        break;
    case NODE_RACK_ITEM:
        end_rack_item(reader);
        break;
    case NODE_SUB_COMMAND:
        end_sub_command(reader);
        break;
    default:
        break;
    }
}

static void *copy_list(struct arena *arena, const struct es_list *list)
{
    void *items = arena_alloc(arena, list->count + 1, list->size);

    if (list->count > 0) {
        memcpy(items, list->items, list->count * list->size);
    }
    return items;
}

struct es_reader *es_reader_new(struct arena *arena, struct arena *scratch, struct faults *faults)
{
    struct es_reader *reader = ARENA_NEW(scratch, struct es_reader);

    reader->arena = arena;
    reader->faults = faults;
    reader->document = es_resolve_document(scratch);
    return reader;
}

void es_reader_record_layout(struct es_reader *reader)
{
    reader->records_layout = true;
}

bool es_reader_begin(struct es_reader *reader, const struct es_tag *tag)
{
    enum node parent = reader->stack[reader->depth];
    enum node node = find_child(parent, tag->name);

    reader->line = tag->line;
    reader->tag = tag->extent;
    if (reader->depth == DEPTH_MAX) {
        fault_add(reader->faults, tag->line, "elements are nested more than %d deep", DEPTH_MAX);
        return false;
    }
    if (parent == NODE_DOCUMENT && node != NODE_SYSTEM) {
        fault_add(reader->faults, tag->line, "the first element is '%.*s', not 'engineeredSystem'",
                  clip(tag->name), tag->name);
        return false;
    }
    if (parent == NODE_PLACED) {
        reader->placed_is_reference = false;
    }
    reader->stack[++reader->depth] = node;
    begin(reader, node, tag->id, tag->deployed);
    return true;
}

void es_reader_text(struct es_reader *reader, const char *text, size_t length)
{
    enum node node = reader->stack[reader->depth];
    struct field *field;

    if (node < NODE_HOST_NAME) {
        return;
    }
    field = field_of(reader, node);
    if (length > TEXT_MAX_BYTES - field->length) {
        field->too_long = true;
        return;
    }
    memcpy(field->text + field->length, text, length);
    field->length += length;
}

void es_reader_end(struct es_reader *reader, struct es_extent extent)
{
    if (reader->depth > 0) {
        end(reader, reader->stack[reader->depth--], extent);
    }
}

void es_reader_finish(struct es_reader *reader, struct desired *desired)
{
    es_resolve_desired(reader->arena, &reader->document, desired, reader->faults);
}

struct es_layout es_reader_layout(const struct es_reader *reader)
{
    return (struct es_layout){
        .machines = copy_list(reader->arena, &reader->document.machine_layout),
        .machine_count = reader->document.machine_layout.count,
        .places = copy_list(reader->arena, &reader->document.place_layout),
        .place_count = reader->document.place_layout.count,
    };
}
