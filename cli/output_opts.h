/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OUTPUT_OPTS_H
#define CLI_OUTPUT_OPTS_H

/* The options of build that are about what comes out: rows for its table, and what they come to. */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/outputs.h"
#include "cli/opts.h"

struct output_opts {
    struct strv outputs, annotations;
    const char *iidfile, *metadata_file;
    bool push, load;
};

/* clang-format off */
#define OUTPUT_OPTS(owner, field)                                                                                      \
    {.type = OPT_LIST, .letter = 'o', .name = "output", .value = "DIR|-|type=TYPE[,KEY=VALUE]",                         \
     .help = "what comes out; may be given many times", .offset = offsetof(owner, field.outputs)},                      \
    {.type = OPT_FLAG, .name = "push",                                                                                  \
     .help = "send the image to the registry of each name", .offset = offsetof(owner, field.push)},                     \
    {.type = OPT_FLAG, .name = "load",                                                                                  \
     .help = "keep the image in the store, beside other outputs", .offset = offsetof(owner, field.load)},               \
    {.type = OPT_LIST, .name = "annotation", .value = "[TYPE:]KEY=VALUE",                                               \
     .help = "annotation of the image's manifest", .offset = offsetof(owner, field.annotations)},                       \
    {.type = OPT_STR, .name = "iidfile", .value = "FILE",                                                               \
     .help = "write the image's id (digest of its config) to FILE", .offset = offsetof(owner, field.iidfile)},          \
    {.type = OPT_STR, .name = "metadata-file", .value = "FILE",                                                         \
     .help = "write digests and names to FILE as JSON", .offset = offsetof(owner, field.metadata_file)}
/* clang-format on */

struct output_list {
    struct output_spec *specs;
    size_t count;
};

/* All outputs, the default one when none is named. ERR_USAGE. */
int output_opts_make(const struct output_opts *opts, struct output_list *out, struct err *err);
void output_list_release(struct output_list *list);
/* Hosts of the images that go to a registry with registry.insecure=true; appends. */
void output_list_insecure(const struct output_list *list, const struct outputs_names *names,
                          struct strv *hosts);

#endif
