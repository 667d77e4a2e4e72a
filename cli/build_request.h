/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BUILD_REQUEST_H
#define CLI_BUILD_REQUEST_H

/* What the command line and the environment say of a build, in the builder's terms. */
#include "base/err.h"
#include "base/strv.h"
#include "builder/build.h"
#include "builder/named.h"
#include "builder/run_options.h"
#include "cli/build_opts.h"
#include "registry/reference.h"

struct build_request {
    struct build_options options; /* points into the members below, and into the build_opts */
    struct outputs_names *names;  /* one for each target, at least one */
    size_t names_count;
    struct strv build_args, targets;
    struct platform *platforms;
    struct named_contexts named;
    struct cache_list cache;
    struct output_list outputs;
    struct strv insecure; /* hosts of outputs with registry.insecure */
    struct run_options run;
};

/* ERR_USAGE for what does not fit together, or is not carried out. Both o and context must outlive
 * r, which is to be released on failure too. */
int build_request_make(const struct build_opts *o, const char *context, struct build_request *r,
                       struct err *err);
void build_request_release(struct build_request *r);

#endif
