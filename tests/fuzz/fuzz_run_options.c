/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/str.h"
#include "builder/run_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The small texts of build's command line that are about RUN: each line is tried as every one. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str all = {(const char *)bytes, size}, line;

    if (memchr(bytes, 0, size))
        return 0;
    while (str_line(&all, &line)) {
        AUTO_FREE char *text = str_dup(line);
        SCOPED(secret_spec_release) struct secret_spec secret = {0};
        SCOPED(ssh_spec_release) struct ssh_spec ssh = {0};
        SCOPED(run_options_release) struct run_options o = {0};
        enum run_network network;
        struct err err[5] = {0};

        if ((secret_spec_parse(line, &secret, &err[0]) < 0) != (err[0].text[0] != 0) ||
            (ssh_spec_parse(line, &ssh, &err[1]) < 0) != (err[1].text[0] != 0) ||
            (run_network_parse(text, &network, &err[2]) < 0) != (err[2].text[0] != 0) ||
            (run_options_add_host(&o, text, &err[3]) < 0) != (err[3].text[0] != 0) ||
            (run_options_allow(&o, text, &err[4]) < 0) != (err[4].text[0] != 0))
            abort();
        if (!err[0].text[0] && (!secret.id || (secret.file && secret.env)))
            abort();
        if (!err[1].text[0] && !ssh.id)
            abort();
        for (size_t i = 0; i < o.hosts.count; i++)
            if (strchr(o.hosts.ptr[i], '\n') || strchr(o.hosts.ptr[i], ' '))
                abort();
    }
    return 0;
}
