/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/build.h"
#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/registry_opts.h"
#include "registry/layout.h"
#include "registry/push.h"
#include "registry/remote.h"
#include "runtime/session.h"

struct build_opts {
    struct strv tags, build_args, labels;
    const char *file, *target, *platform, *iidfile, *metadata_file, *isolation;
    bool no_cache, pull, push;
    struct registry_opts registry;
};

#define AT(field) offsetof(struct build_opts, field)
static const struct opt build_opts[] = {
    {.type = OPT_LIST,
     .letter = 't',
     .name = "tag",
     .value = "NAME",
     .help = "name of the image; may be given many times",
     .offset = AT(tags)},
    {.type = OPT_STR,
     .letter = 'f',
     .name = "file",
     .value = "FILE",
     .help = "the Dockerfile (default: CONTEXT/Dockerfile)",
     .offset = AT(file)},
    {.type = OPT_STR,
     .name = "target",
     .value = "STAGE",
     .help = "build this stage (default: the last one)",
     .offset = AT(target)},
    {.type = OPT_LIST,
     .name = "build-arg",
     .value = "NAME[=VALUE]",
     .help = "value of an ARG; without VALUE the environment's",
     .offset = AT(build_args)},
    {.type = OPT_LIST,
     .name = "label",
     .value = "NAME=VALUE",
     .help = "label of the image; wins over LABEL",
     .offset = AT(labels)},
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "platform to build for (default: this host's)",
     .offset = AT(platform)},
    {.type = OPT_FLAG,
     .name = "no-cache",
     .help = "carry out every step, even those remembered",
     .offset = AT(no_cache)},
    {.type = OPT_FLAG,
     .name = "pull",
     .help = "ask the registry for base images the store has",
     .offset = AT(pull)},
    {.type = OPT_FLAG,
     .name = "push",
     .help = "send the image to the registry of each name",
     .offset = AT(push)},
    {.type = OPT_STR,
     .name = "iidfile",
     .value = "FILE",
     .help = "write the image's id (digest of its config) to FILE",
     .offset = AT(iidfile)},
    {.type = OPT_STR,
     .name = "metadata-file",
     .value = "FILE",
     .help = "write digests and names to FILE as JSON",
     .offset = AT(metadata_file)},
    {.type = OPT_STR,
     .name = "isolation",
     .value = "RUNG",
     .help = "how RUN is isolated: auto, root, userns, none",
     .offset = AT(isolation)},
    REGISTRY_OPTS(struct build_opts, registry),
    {.type = OPT_END},
};

/* What the command line says, in the builder's terms. */
struct request {
    struct build_options options;
    struct reference *tags;
    struct strv build_args;
    char *dockerfile;
};

static void request_release(struct request *r)
{
    for (size_t i = 0; i < r->options.tags_count; i++)
        reference_release(&r->tags[i]);
    free(r->tags);
    strv_release(&r->build_args);
    free(r->dockerfile);
}

/* CONTEXT/Dockerfile, or CONTEXT/dockerfile when only that is there. */
static char *default_dockerfile(const char *context)
{
    char *name = path_join(context, "Dockerfile"), *lower;

    if (access(name, F_OK) == 0)
        return name;
    lower = path_join(context, "dockerfile");
    if (access(lower, F_OK) == 0) {
        free(name);
        return lower;
    }
    free(lower);
    return name;
}

static int check_context(const char *context, struct err *err)
{
    struct stat st;

    if (strcmp(context, "-") == 0 || strstr(context, "://") || strncmp(context, "git@", 4) == 0)
        return err_set(err, ERR_USAGE, 0,
                       "build context \"%.200s\": only a directory is carried out", context);
    if (stat(context, &st) < 0)
        return err_errno(err, "build context %s", context);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_USAGE, 0, "build context %s is not a directory", context);
    return 0;
}

static int set_platform(struct request *r, const char *text, struct err *err)
{
    r->options.platform = platform_host();
    if (!text)
        text = getenv("DOCKER_DEFAULT_PLATFORM");
    if (!text || !*text)
        return 0;
    if (strchr(text, ','))
        return err_set(err, ERR_USAGE, 0,
                       "--platform %.200s: one platform a build is carried out, not a list", text);
    return platform_parse(text, &r->options.platform, err);
}

/* NAME without value takes the environment's; one that is not set there counts as not given
 * (docker). */
static void set_build_args(struct request *r, const struct strv *given)
{
    for (size_t i = 0; i < given->count; i++) {
        const char *value = strchr(given->ptr[i], '=') ? NULL : getenv(given->ptr[i]);

        if (strchr(given->ptr[i], '='))
            strv_add(&r->build_args, given->ptr[i]);
        else if (value)
            strv_addf(&r->build_args, "%s=%s", given->ptr[i], value);
    }
    r->options.build_args = &r->build_args;
}

static int set_labels(struct request *r, const struct strv *given, struct err *err)
{
    for (size_t i = 0; i < given->count; i++)
        if (!strchr(given->ptr[i], '=') || given->ptr[i][0] == '=')
            return err_set(err, ERR_USAGE, 0, "--label %.200s: want NAME=VALUE", given->ptr[i]);
    r->options.labels = given;
    return 0;
}

static int make_request(const struct build_opts *o, const char *context, struct request *r,
                        struct err *err)
{
    if (check_context(context, err) < 0 || set_platform(r, o->platform, err) < 0 ||
        set_labels(r, &o->labels, err) < 0)
        return -1;
    if (o->file && strcmp(o->file, "-") == 0)
        return err_set(err, ERR_USAGE, 0,
                       "--file -: a Dockerfile from standard input is not carried out");
    if (o->push && !o->tags.count)
        return err_set(err, ERR_USAGE, 0, "--push needs a name: -t REGISTRY/REPOSITORY:TAG");
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
    r->dockerfile = o->file ? xstrdup(o->file) : default_dockerfile(context);
    r->options.context = context;
    r->options.dockerfile = r->dockerfile;
    r->options.target = o->target;
    r->options.tags = r->tags;
    r->options.no_cache = o->no_cache;
    r->options.pull = o->pull;
    return 0;
}

static int push_all(const struct request *r, const struct build_tools *tools,
                    const struct build_result *built, struct err *err)
{
    for (size_t i = 0; i < r->options.tags_count; i++) {
        SCOPED(push_result_release) struct push_result pushed = {0};
        AUTO_FREE char *name = reference_repository(&r->tags[i]);

        if (push_image(tools->remote, tools->layout, tools->pool, &built->descriptor, NULL,
                       &r->tags[i], 0, &pushed, err) < 0)
            return -1;
        printf("%s@%s\n", name, pushed.digest);
    }
    return 0;
}

static int write_results(const struct build_opts *o, const struct request *r,
                         const struct build_result *built, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *joined = NULL;
    json_auto_t *doc = NULL;

    if (o->iidfile && fs_replace(AT_FDCWD, o->iidfile, built->config_digest,
                                 strlen(built->config_digest), 0644, false, err) < 0)
        return err_wrap(err, "--iidfile");
    if (!o->metadata_file)
        return 0;
    for (size_t i = 0; i < r->options.tags_count; i++)
        strv_take(&names, reference_name(&r->tags[i]));
    joined = strv_join(&names, ",");
    doc = json_pack("{s:s, s:s, s:o}", "containerimage.digest", built->descriptor.digest,
                    "containerimage.config.digest", built->config_digest,
                    "containerimage.descriptor", descriptor_to_json(&built->descriptor));
    if (names.count)
        json_object_set_new(doc, "image.name", json_string(joined));
    json_print_pretty(doc, &text);
    if (fs_replace(AT_FDCWD, o->metadata_file, text.ptr, text.size, 0644, false, err) < 0)
        return err_wrap(err, "--metadata-file");
    return 0;
}

/* What the one line of the error cannot hold. */
static void explain(const struct build_result *built)
{
    SCOPED(buf_release) struct buf safe = {0};
    struct str rest = buf_str(&built->output), line;

    progress_clear();
    while (str_line(&rest, &line)) {
        buf_add_columns(&safe, line);
        buf_addc(&safe, '\n');
    }
    if (safe.size)
        fprintf(stderr, "------\n%s------\n", buf_cstr(&safe));
    if (built->excerpt.size)
        fputs(buf_cstr(&built->excerpt), stderr);
}

struct opened {
    struct layout layout;
    struct session session;
    struct build_tools tools;
};

static void opened_release(struct opened *o)
{
    pool_close(o->tools.pool);
    remote_free(o->tools.remote);
    session_release(&o->session);
    layout_close(&o->layout);
}

/* The order matters: the default root depends on who the user is, the session wants one thread. */
static int open_tools(const struct cmd_context *context, const struct build_opts *o,
                      struct opened *out, struct err *err)
{
    AUTO_FREE char *root = context->root ? xstrdup(context->root) : layout_default_root(err);

    if (!root || session_enter(o->isolation, &out->session, err) < 0 ||
        layout_open(&out->layout, root, err) < 0)
        return -1;
    out->tools.remote = registry_opts_open(&o->registry, err);
    if (!out->tools.remote)
        return -1;
    out->tools.pool = pool_open(0);
    out->tools.layout = &out->layout;
    out->tools.session = &out->session;
    return 0;
}

static int build_command(struct cmd_context *context, const void *opts, int count, char **args,
                         struct err *err)
{
    const struct build_opts *o = opts;
    SCOPED(request_release) struct request request = {0};
    SCOPED(opened_release)
    struct opened opened = {.layout = LAYOUT_CLOSED, .session = SESSION_CLOSED};
    SCOPED(build_result_release) struct build_result built = {0};

    (void)count;
    if (make_request(o, args[0], &request, err) < 0 || open_tools(context, o, &opened, err) < 0)
        return -1;
    if (build_run(&request.options, &opened.tools, &built, err) < 0) {
        explain(&built);
        return -1;
    }
    if (write_results(o, &request, &built, err) < 0)
        return -1;
    if (o->push)
        return push_all(&request, &opened.tools, &built, err);
    printf("%s\n", built.descriptor.digest);
    return 0;
}

const struct cmd cmd_build = {.name = "build",
                              .args = "CONTEXT",
                              .summary = "build an image from a Dockerfile",
                              .opts = build_opts,
                              .opts_size = sizeof(struct build_opts),
                              .min_args = 1,
                              .max_args = 1,
                              .run = build_command};
