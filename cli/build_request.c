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
    for (size_t i = 0; i < r->names_count; i++) {
        for (size_t k = 0; k < r->names[i].count; k++)
            reference_release(&r->names[i].refs[k]);
        free(r->names[i].refs);
    }
    free(r->names);
    free(r->platforms);
    strv_release(&r->build_args);
    strv_release(&r->targets);
    named_release(&r->named);
    cache_list_release(&r->cache);
    output_list_release(&r->outputs);
    strv_release(&r->insecure);
    run_options_release(&r->run);
    *r = (struct build_request){0};
}

static int add_platform(struct build_request *r, struct str text, struct err *err)
{
    AUTO_FREE char *name = str_dup(str_trim(text));
    struct platform platform;

    if (platform_parse(name, &platform, err) < 0)
        return -1;
    for (size_t i = 0; i < r->options.platforms_count; i++)
        if (platform_eq(&r->platforms[i], &platform))
            return 0;
    r->platforms = xreallocarray(r->platforms, r->options.platforms_count + 1, sizeof(platform));
    r->platforms[r->options.platforms_count++] = platform;
    return 0;
}

/* Lists, each platform once; else the environment's, else the host's. */
static int set_platforms(struct build_request *r, const struct strv *given, struct err *err)
{
    const char *usual = getenv("DOCKER_DEFAULT_PLATFORM");
    char host[PLATFORM_TEXT_SIZE];
    struct platform here = platform_host();
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < given->count; i++) {
        struct str rest = str_of(given->ptr[i]), one;

        do {
            str_cut(rest, ',', &one, &rest);
            rc = add_platform(r, one, err);
        } while (rc == 0 && rest.size);
    }
    if (rc == 0 && !given->count)
        rc = add_platform(r, str_of(usual && *usual ? usual : platform_format(&here, host)), err);
    r->options.platforms = r->platforms;
    return rc < 0 ? err_wrap(err, "--platform") : 0;
}

static int add_name(struct outputs_names *names, struct str text, const char *option,
                    struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    AUTO_FREE char *name = str_dup(text);

    if (reference_parse(name, &ref, err) < 0)
        return err_wrap(err, "%s", option);
    if (ref.digest)
        return err_set(err, ERR_USAGE, 0, "%s %s: a name to give has no digest", option, name);
    names->refs = xreallocarray(names->refs, names->count + 1, sizeof(*names->refs));
    reference_copy(&names->refs[names->count++], &ref);
    return 0;
}

/* STAGE, or STAGE=NAME[,NAME]; names that -t gives are for the one target. */
static int set_targets(struct build_request *r, const struct build_opts *o, struct err *err)
{
    r->names_count = o->targets.count ? o->targets.count : 1;
    r->names = xcalloc(r->names_count, sizeof(*r->names));
    r->options.targets = &r->targets;
    r->options.names = r->names;
    if (o->tags.count && o->targets.count > 1)
        return err_set(err, ERR_USAGE, 0,
                       "--tag: which of %zu targets is %.200s? say --target STAGE=NAME",
                       o->targets.count, o->tags.ptr[0]);
    for (size_t i = 0; i < o->targets.count; i++) {
        struct str stage, names, one;
        bool named = str_cut(str_of(o->targets.ptr[i]), '=', &stage, &names);

        strv_add_str(&r->targets, stage);
        for (size_t k = 0; k < i; k++)
            if (str_is(stage, r->targets.ptr[k]))
                return err_set(err, ERR_USAGE, 0, "--target %s is given twice", r->targets.ptr[k]);
        while (named && names.size) {
            str_cut(names, ',', &one, &names);
            if (add_name(&r->names[i], one, "--target", err) < 0)
                return -1;
        }
    }
    for (size_t i = 0; i < o->tags.count; i++)
        if (add_name(&r->names[0], str_of(o->tags.ptr[i]), "--tag", err) < 0)
            return -1;
    return 0;
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
        set_platforms(r, &o->platforms, err) < 0 || set_labels(r, &o->labels, err) < 0 ||
        legacy_opts_check(&o->legacy, err) < 0 ||
        output_opts_make(&o->output, &r->outputs, err) < 0 ||
        cache_opts_make(&o->cache, &r->cache, &r->insecure, err) < 0 ||
        run_opts_make(&o->run, &r->run, err) < 0)
        return -1;
    if (o->output.iidfile && o->targets.count > 1)
        return err_set(err, ERR_USAGE, 0, "--iidfile: there are %zu images; see --metadata-file",
                       o->targets.count);
    if (set_targets(r, o, err) < 0)
        return -1;
    set_build_args(r, &o->build_args);
    r->options.context = context;
    r->options.dockerfile = o->file;
    r->options.input_fd = STDIN_FILENO;
    r->options.named = &r->named;
    r->options.outputs = r->outputs.specs;
    r->options.outputs_count = r->outputs.count;
    for (size_t i = 0; i < r->names_count; i++)
        output_list_insecure(&r->outputs, &r->names[i], &r->insecure);
    r->options.run = &r->run;
    r->options.jobs = o->jobs < JOBS_MAX ? (unsigned)o->jobs : JOBS_MAX;
    r->options.no_cache = o->no_cache;
    r->options.explain = o->explain;
    r->options.strict_platform = o->strict_platform;
    r->options.no_cache_filter = &r->cache.not_of;
    r->options.cache_from = r->cache.from;
    r->options.cache_from_count = r->cache.from_count;
    r->options.cache_to = r->cache.to;
    r->options.cache_to_count = r->cache.to_count;
    r->options.pull = o->pull;
    return 0;
}
