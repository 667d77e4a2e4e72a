/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"

#define JOBS_MAX 256 /* ours: more stages at once than any Dockerfile has */

void build_request_release(struct build_request *r)
{
    for (size_t i = 0; i < r->options.tags_count; i++)
        reference_release(&r->tags[i]);
    free(r->tags);
    strv_release(&r->build_args);
    strv_release(&r->targets);
    named_release(&r->named);
    output_list_release(&r->outputs);
    strv_release(&r->insecure);
    run_options_release(&r->run);
    *r = (struct build_request){0};
}

static int set_platform(struct build_request *r, const char *text, struct err *err)
{
    r->platforms[0] = platform_host();
    r->options.platforms = r->platforms;
    r->options.platforms_count = 1;
    if (!text)
        text = getenv("DOCKER_DEFAULT_PLATFORM");
    if (!text || !*text)
        return 0;
    if (strchr(text, ','))
        return err_set(err, ERR_USAGE, 0,
                       "--platform %.200s: one platform a build is carried out, not a list", text);
    return platform_parse(text, &r->platforms[0], err);
}

/* NAME without value takes the environment's; one that is not set there counts as not given
 * (docker). */
static void set_build_args(struct build_request *r, const struct strv *given)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");

    /* Of the environment it counts as an argument too, so ARG can show it (docker buildx). */
    if (epoch && *epoch)
        strv_addf(&r->build_args, "SOURCE_DATE_EPOCH=%s", epoch);
    for (size_t i = 0; i < given->count; i++) {
        const char *value = strchr(given->ptr[i], '=') ? NULL : getenv(given->ptr[i]);

        if (strchr(given->ptr[i], '='))
            strv_add(&r->build_args, given->ptr[i]);
        else if (value)
            strv_addf(&r->build_args, "%s=%s", given->ptr[i], value);
    }
    r->options.build_args = &r->build_args;
}

static int set_labels(struct build_request *r, const struct strv *given, struct err *err)
{
    for (size_t i = 0; i < given->count; i++)
        if (!strchr(given->ptr[i], '=') || given->ptr[i][0] == '=')
            return err_set(err, ERR_USAGE, 0, "--label %.200s: want NAME=VALUE", given->ptr[i]);
    r->options.labels = given;
    return 0;
}

int build_request_make(const struct build_opts *o, const char *context, struct build_request *r,
                       struct err *err)
{
    if (named_parse(&o->build_contexts, &r->named, err) < 0 ||
        set_platform(r, o->platform, err) < 0 || set_labels(r, &o->labels, err) < 0 ||
        legacy_opts_check(&o->legacy, err) < 0 ||
        output_opts_make(&o->output, &r->outputs, err) < 0 ||
        run_opts_make(&o->run, &r->run, err) < 0)
        return -1;
    r->tags = xcalloc(o->tags.count, sizeof(*r->tags));
    for (size_t i = 0; i < o->tags.count; i++, r->options.tags_count++) {
        if (reference_parse(o->tags.ptr[i], &r->tags[i], err) < 0)
            return err_wrap(err, "--tag");
        if (r->tags[i].digest) {
            reference_release(&r->tags[i]);
            return err_set(err, ERR_USAGE, 0, "--tag %s: a name to give has no digest",
                           o->tags.ptr[i]);
        }
    }
    set_build_args(r, &o->build_args);
    r->options.context = context;
    r->options.dockerfile = o->file;
    r->options.input_fd = STDIN_FILENO;
    r->options.named = &r->named;
    if (o->target)
        strv_add(&r->targets, o->target);
    r->options.targets = &r->targets;
    r->options.tags = r->tags;
    r->options.outputs = r->outputs.specs;
    r->options.outputs_count = r->outputs.count;
    output_list_insecure(&r->outputs, &o->tags, &r->insecure);
    r->options.run = &r->run;
    r->options.jobs = o->jobs < JOBS_MAX ? (unsigned)o->jobs : JOBS_MAX;
    r->options.no_cache = o->no_cache;
    r->options.pull = o->pull;
    return 0;
}
