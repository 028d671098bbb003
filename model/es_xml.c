/* SPDX-License-Identifier: Apache-2.0 */
#include "model/es_xml.h"

#include <libxml/parser.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/base.h"
#include "model/desired.h"
#include "model/es_reader.h"
#include "model/fault.h"

/* What libxml2's callbacks share. */
struct parse {
    const char *file; /* All bytes. */
    size_t file_length;
    const char *bytes; /* Not yet handed out. */
    size_t length;
    struct es_reader *reader;
    struct faults *faults;
    xmlParserCtxtPtr parser;
    bool locates; /* The reader wants to know where tags stand. */
    bool stopped; /* A fault after which reading on makes no sense. */
};

static uint32_t current_line(const struct parse *parse)
{
    const xmlParserInput *input = parse->parser->input;

    return input == NULL || input->line < 0 ? 0 : (uint32_t)input->line;
}

static void stop(struct parse *parse)
{
    parse->stopped = true;
    xmlStopParser(parse->parser);
}

/* The value of an attribute without prefix, out of SAX2's array of (name, prefix, URI, begin, end). */
static struct es_span find_attribute(const xmlChar **attributes, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        const xmlChar **five = attributes + (ptrdiff_t)i * 5;

        if (five[1] == NULL && strcmp((const char *)five[0], name) == 0) {
            return (struct es_span){ (const char *)five[3], (size_t)(five[4] - five[3]) };
        }
    }
    return (struct es_span){ 0 };
}

static bool span_is(struct es_span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

/* Where the tag stands that libxml2 reports.  Its cursor is then at the '>' or '/>' of a start tag, and
 * behind the end of an end tag; no '<' can stand inside a tag. */
static struct es_extent find_tag(const struct parse *parse, bool is_start)
{
    long offset = parse->locates ? xmlByteConsumed(parse->parser) : 0;
    size_t end = offset < 0 ? 0 : (size_t)offset;
    const char *begin;

    if (end == 0 || end >= parse->file_length + !is_start) {
        return (struct es_extent){ 0 };
    }
    begin = memrchr(parse->file, '<', end);
    if (is_start) {
        end += parse->file[end] == '/' ? 2 : 1;
    }
    return (struct es_extent){ begin == NULL ? 0 : (size_t)(begin - parse->file), end };
}

/* Hands out the next bytes.  Reading them piece by piece, libxml2 keeps a few kilobytes instead of a
 * copy of the file. */
static int on_read(void *data, char *buffer, int room)
{
    struct parse *parse = data;
    size_t count = parse->length < (size_t)room ? parse->length : (size_t)room;

    if (count > 0) {
        memcpy(buffer, parse->bytes, count);
        parse->bytes += count;
        parse->length -= count;
    }
    return (int)count;
}

/* The declaration, which can only be the first thing in the file, has been read by now. */
static void on_start_document(void *data)
{
    struct parse *parse = data;
    const xmlChar *encoding = parse->parser->input->encoding != NULL
                                  ? parse->parser->input->encoding
                                  : parse->parser->encoding;

    if (encoding != NULL && strcasecmp((const char *)encoding, "UTF-8") != 0 &&
        strcasecmp((const char *)encoding, "US-ASCII") != 0) {
        fault_add(parse->faults, 1, "not UTF-8: the file declares '%.40s'", (const char *)encoding);
        stop(parse);
    }
}

static void on_doctype(void *data, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    struct parse *parse = data;

    (void)name;
    (void)external;
    (void)system;
    fault_add(parse->faults, current_line(parse), "a DOCTYPE is not allowed");
    stop(parse);
}

static void on_start(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int defaulted, const xmlChar **attributes)
{
    struct parse *parse = data;
    struct es_tag tag = {
        .name = (const char *)name,
        .id = find_attribute(attributes, attribute_count, "id"),
        .deployed = span_is(find_attribute(attributes, attribute_count, "deployed"), "true"),
        .line = current_line(parse),
        .extent = find_tag(parse, true),
    };

    (void)prefix;
    (void)uri;
    (void)namespace_count;
    (void)namespaces;
    (void)defaulted;
    if (!parse->stopped && !es_reader_begin(parse->reader, &tag)) {
        stop(parse);
    }
}

static void on_end(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct parse *parse = data;

    (void)name;
    (void)prefix;
    (void)uri;
    if (!parse->stopped) {
        es_reader_end(parse->reader, find_tag(parse, false));
    }
}

static void on_text(void *data, const xmlChar *text, int length)
{
    struct parse *parse = data;

    if (!parse->stopped && length > 0) {
        es_reader_text(parse->reader, (const char *)text, (size_t)length);
    }
}

/* Only what ends a file's being well-formed counts: the relative namespace URI "model" is a warning,
 * an unknown prefix an error that concerns namespaces only. */
static void on_error(void *data, xmlErrorPtr error)
{
    struct parse *parse = data;
    const char *message = error->message == NULL ? "no reason given" : error->message;

    if (error->code == XML_ERR_NO_MEMORY) {
        abort();
    }
    if (error->level != XML_ERR_FATAL || parse->stopped) {
        return;
    }
    parse->stopped = true; /* What follows from the first one is noise. */
    fault_add(parse->faults, error->line < 0 ? 0 : (uint32_t)error->line, "not well-formed: %.*s",
              (int)strcspn(message, "\n"), message);
}

static xmlParserCtxtPtr parser_new(struct parse *parse)
{
    xmlParserCtxtPtr parser = xmlNewParserCtxt();

    if (parser == NULL) {
        abort();
    }
    *parser->sax = (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .startDocument = on_start_document,
        .internalSubset = on_doctype,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
        .cdataBlock = on_text,
        .serror = on_error,
    };
    parser->userData = parse;
    return parser;
}

/* Nothing is loaded or validated unless asked for, and a DOCTYPE ends reading before its first
 * declaration, so that no entity exists but XML's own five.  XML_PARSE_NOENT concerns those only:
 * without it '&amp;' in an attribute arrives as '&#38;'.  XML_PARSE_HUGE stays off: the limits it
 * lifts, on depth, names and single texts, are wider than anything that is read, and the one on the
 * input is on how much of it one token may need at once. */
static void parse_document(struct parse *parse)
{
    parse->parser = parser_new(parse);
    (void)xmlCtxtReadIO(parse->parser, on_read, NULL, parse, NULL, NULL,
                        XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_BIG_LINES);
    if (!parse->stopped && !parse->parser->wellFormed) {
        parse->stopped = true;
        fault_add(parse->faults, current_line(parse), "not well-formed");
    }
    xmlFreeParserCtxt(parse->parser);
}

/* Bytes of the character at 's', of which 'left' > 0 bytes are there; 0 if it is not UTF-8 (RFC 3629:
 * no overlong form, no surrogate, nothing above U+10FFFF).  NUL is none either: UTF-16 is full of it
 * and XML has none. */
static size_t character_length(const unsigned char *s, size_t left)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        unsigned char length;
    } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    if (s[0] < 0x80) {
        return s[0] != 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (s[0] >= forms[i].first_low && s[0] <= forms[i].first_high) {
            if (left < forms[i].length || s[1] < forms[i].second_low ||
                s[1] > forms[i].second_high) {
                return 0;
            }
            for (size_t k = 2; k < forms[i].length; k++) {
                if ((s[k] & 0xc0U) != 0x80) {
                    return 0;
                }
            }
            return forms[i].length;
        }
    }
    return 0;
}

/* True if the eight bytes at 's' are ASCII and none is NUL: nearly all of every file. */
static bool is_plain_word(const unsigned char *s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;

    memcpy(&word, s, sizeof(word));
    return ((word | (word - ones)) & (ones << 7)) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool check_utf8(const char *bytes, size_t length, struct faults *faults)
{
    const unsigned char *s = (const unsigned char *)bytes;
    size_t i = 0;

    while (i < length) {
        size_t step =
            length - i >= 8 && is_plain_word(s + i) ? 8 : character_length(s + i, length - i);

        if (step == 0) {
            uint32_t line = 1;

            for (size_t k = 0; k < i; k++) {
                line += bytes[k] == '\n';
            }
            fault_add(faults, line, "not UTF-8: byte 0x%02x at offset %zu", s[i], i);
            return false;
        }
        i += step;
    }
    return true;
}

/* What can be said of the bytes before they are parsed. */
static bool check_bytes(const char *bytes, size_t length, struct faults *faults)
{
    size_t blank = 0;

    if (length > ES_XML_MAX_BYTES) {
        fault_add(faults, 0, "larger than %zu MiB", ES_XML_MAX_BYTES / 1024 / 1024);
        return false;
    }
    while (blank < length && is_blank(bytes[blank])) {
        blank++;
    }
    if (blank == length) {
        fault_add(faults, 1, "the file is empty");
        return false;
    }
    return check_utf8(bytes, length, faults);
}

/* es_xml_locate(), 'layout' NULL: nobody asks where things stand. */
static int read_bytes(struct arena *arena, const char *bytes, size_t length,
                      struct desired *desired, struct es_layout *layout, struct faults *faults)
{
    AUTO(arena) struct arena scratch = ARENA_INIT;
    struct parse parse = {
        .file = bytes,
        .file_length = length,
        .bytes = bytes,
        .length = length,
        .reader = es_reader_new(arena, &scratch, faults),
        .faults = faults,
        .locates = layout != NULL,
    };
    size_t before = faults->count + faults->dropped;
    struct desired read = { 0 };

    if (layout != NULL) {
        es_reader_record_layout(parse.reader);
    }
    if (check_bytes(bytes, length, faults)) {
        parse_document(&parse);
        if (!parse.stopped) {
            es_reader_finish(parse.reader, &read);
        }
    }
    if (faults->count + faults->dropped != before) {
        fault_sort(faults);
        return -1;
    }
    *desired = read;
    if (layout != NULL) {
        *layout = es_reader_layout(parse.reader);
    }
    return 0;
}

int es_xml_read(struct arena *arena, const char *bytes, size_t length, struct desired *desired,
                struct faults *faults)
{
    return read_bytes(arena, bytes, length, desired, NULL, faults);
}

int es_xml_locate(struct arena *arena, const char *bytes, size_t length, struct desired *desired,
                  struct es_layout *layout, struct faults *faults)
{
    return read_bytes(arena, bytes, length, desired, layout, faults);
}
