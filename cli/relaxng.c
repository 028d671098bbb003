/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/relaxng.h"

#include <limits.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/relaxng.h>

#include "base/base.h"
#include "base/err.h"
#include "model/fault.h"

AUTO_POINTER(parser, xmlRelaxNGParserCtxt, xmlRelaxNGFreeParserCtxt);
AUTO_POINTER(schema, xmlRelaxNG, xmlRelaxNGFree);
AUTO_POINTER(valid, xmlRelaxNGValidCtxt, xmlRelaxNGFreeValidCtxt);
AUTO_POINTER(document, xmlDoc, xmlFreeDoc);

/* libxml2 ends its messages with a newline. */
static void add_fault(void *context, xmlErrorPtr error)
{
    size_t length = error->message == NULL ? 0 : strcspn(error->message, "\n");

    fault_add(context, error->line > 0 ? (uint32_t)error->line : 0, "schema: %.*s", (int)length,
              error->message == NULL ? "" : error->message);
}

static void ignore(void *context, xmlErrorPtr error)
{
    (void)context;
    (void)error;
}

int relaxng_check(const char *path, const char *bytes, size_t length, struct faults *faults,
                  struct err *err)
{
    AUTO(parser) xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(path);
    AUTO(schema) xmlRelaxNG *schema = NULL;
    AUTO(valid) xmlRelaxNGValidCtxt *valid = NULL;
    AUTO(document) xmlDoc *document = NULL;

    if (parser != NULL) {
        xmlRelaxNGSetParserStructuredErrors(parser, ignore, NULL);
        schema = xmlRelaxNGParse(parser);
    }
    if (schema == NULL) {
        return err_set(err, ERR_INVALID, "cannot use the schema '%s': no RELAX NG in it", path);
    }
    if (length > INT_MAX) {
        return err_set(err, ERR_INVALID, "cannot check against '%s': the file is too large", path);
    }
    document = xmlReadMemory(bytes, (int)length, NULL, NULL,
                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                 XML_PARSE_BIG_LINES);
    if (document == NULL) {
        return 0; /* Not well-formed: the reader has said so already. */
    }
    valid = xmlRelaxNGNewValidCtxt(schema);
    if (valid == NULL) {
        return err_set(err, ERR_INTERNAL, "cannot check against '%s': out of memory", path);
    }
    xmlRelaxNGSetValidStructuredErrors(valid, add_fault, faults);
    (void)xmlRelaxNGValidateDoc(valid, document);
    return 0;
}
