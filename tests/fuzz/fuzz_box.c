/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "runtime/box.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Each line is one option's text: "s" security, "d" a server, "o" an option, "f" a domain, then the
 * text; what is left, the host's resolv.conf. A word that was taken is one word of one line. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static int (*const add[])(struct box *, const char *, struct err *) = {
        box_add_security, box_add_dns, box_add_dns_option, box_add_dns_search};
    SCOPED(box_release) struct box box = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct str rest = {(const char *)bytes, size}, line;

    if (memchr(bytes, 0, size))
        return 0;
    while (rest.size && strchr("sdof", rest.ptr[0]) && str_line(&rest, &line)) {
        AUTO_FREE char *text = str_dup(str_slice(line, 1, line.size));
        size_t which = (size_t)(strchr("sdof", line.ptr[0]) - "sdof");
        struct err err = {0};

        if (add[which](&box, text, &err) < 0 && !err.text[0])
            abort();
    }
    box_print_resolv_conf(&box, rest, &out);
    for (size_t i = 0; i < box.dns_options.count; i++)
        if (strpbrk(box.dns_options.ptr[i], " \t\n"))
            abort();
    return 0;
}
