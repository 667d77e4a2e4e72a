/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "aws/fault.h"
#include "aws/sign.h"
#include "aws/creds.h"
#include "base/scope.h"
#include "registry/ecr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Refusals of any shape give a text; the same bytes as path, query and host of other readers must
 * not hurt them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    SCOPED(buf_release) struct buf canonical = {0};
    SCOPED(buf_release) struct buf names = {0};
    SCOPED(buf_release) struct buf xml = {0};
    struct strv no_headers = {0};
    struct sign_request request = {
        .method = "GET", .path = text, .query = text, .headers = &no_headers};
    char *host = str_dup(text);
    struct ecr_host parsed;
    struct aws_fault fault;
    struct err err = {0};

    fault_read(400, size % 2 ? host : NULL, text, &fault);
    fault_err(&fault, "ecs", "X", NULL, &err);
    if (!err.text[0] || memchr(err.text, '\n', strlen(err.text)))
        abort();
    xml_text(text, "Code", &xml);
    sign_canonical(&request, &canonical, &names);
    ecr_host_parse(host, &parsed);
    free(host);
    return 0;
}
