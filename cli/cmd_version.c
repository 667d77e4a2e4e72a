/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "registry/platform.h"

struct version_opts {
    bool json;
};

static int version_run(struct cmd_context *context, const void *values, int count, char **args,
                       struct err *err)
{
    const struct version_opts *opts = values;
    struct platform host = platform_host();
    char text[PLATFORM_TEXT_SIZE];

    (void)context, (void)count, (void)args, (void)err;
    platform_format(&host, text);
    if (opts->json) {
        SCOPED(buf_release) struct buf out = {0};
        json_auto_t *doc = json_pack("{s:s, s:s}", "version", SLIPWAY_VERSION, "platform", text);

        json_print(doc, &out);
        printf("%s\n", buf_cstr(&out));
    } else {
        printf("slipway %s %s\n", SLIPWAY_VERSION, text);
    }
    return 0;
}

static const struct opt version_opts[] = {
    {.type = OPT_FLAG,
     .name = "json",
     .help = "as JSON",
     .offset = offsetof(struct version_opts, json)},
    {.type = OPT_END},
};
const struct cmd cmd_version = {.name = "version",
                                .args = "",
                                .summary = "print the program's version",
                                .opts = version_opts,
                                .opts_size = sizeof(struct version_opts),
                                .run = version_run};
