/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "cli/table.h"
#include "registry/layout.h"

struct inspect_opts {
    const char *platform;
    bool raw, config;
};

/* An index is shown whole when no platform was asked for. */
static int add_index(const struct layout *l, const struct descriptor *d, json_t *out,
                     bool *is_index, struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};

    *is_index = false;
    if (layout_load_manifest(l, d, &m, err) < 0)
        return -1;
    if (!m.is_index)
        return 0;
    *is_index = true;
    json_object_set(out, "index", m.doc);
    return 0;
}

static int add_image(const struct layout *l, const struct descriptor *d,
                     const struct platform *want, json_t *out, struct err *err)
{
    SCOPED(image_release) struct image image = {0};
    char text[PLATFORM_TEXT_SIZE];

    if (layout_load_image(l, d, want, &image, err) < 0)
        return -1;
    json_object_set_new(out, "platform", json_string(platform_format(&image.platform, text)));
    json_object_set_new(out, "descriptor", descriptor_to_json(&image.descriptor));
    json_object_set(out, "manifest", image.manifest.doc);
    json_object_set(out, "config", image.config);
    return 0;
}

static int inspect_one(const struct layout *l, const char *text, const struct platform *want,
                       json_t *all, struct err *err)
{
    SCOPED(descriptor_release) struct descriptor d = {0};
    AUTO_FREE char *name = NULL;
    json_auto_t *out = json_object();
    struct err why = {0};
    bool is_index = false;

    if (find_image(l, text, &d, &name, err) < 0)
        return -1;
    json_object_set_new(out, "name", name ? json_string(name) : json_null());
    json_object_set_new(out, "descriptor", descriptor_to_json(&d));
    if (!want && add_index(l, &d, out, &is_index, err) < 0)
        return err_wrap(err, "%s", text);
    /* The host's platform may be missing from an index: the index alone is the answer then. */
    if (add_image(l, &d, want, out, &why) < 0 && !is_index) {
        *err = why;
        return err_wrap(err, "%s", text);
    }
    if (is_index)
        json_object_set_new(out, "descriptor", descriptor_to_json(&d));
    json_array_append(all, out);
    return 0;
}

/* The bytes as they are in the store: of the manifest or index, or of the config. */
static int print_raw(const struct layout *l, const char *text, const struct platform *want,
                     bool config, struct err *err)
{
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(image_release) struct image image = {0};
    SCOPED(buf_release) struct buf bytes = {0};
    const char *digest = d.digest;

    if (find_image(l, text, &d, NULL, err) < 0)
        return -1;
    if (want || config) {
        if (layout_load_image(l, &d, want, &image, err) < 0)
            return err_wrap(err, "%s", text);
        digest = config ? image.manifest.config.digest : image.descriptor.digest;
    }
    if (layout_read_blob(l, digest, MANIFEST_CONFIG_MAX, &bytes, err) < 0)
        return -1;
    fwrite(bytes.ptr, 1, bytes.size, stdout);
    return 0;
}

static int inspect_run(struct cmd_context *context, const void *values, int count, char **args,
                       struct err *err)
{
    const struct inspect_opts *opts = values;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    json_auto_t *all = json_array();
    struct platform p, *want = opts->platform ? &p : NULL;

    if (want && platform_parse(opts->platform, &p, err) < 0)
        return -1;
    if ((opts->raw || opts->config) && count > 1)
        return err_set(err, ERR_USAGE, 0, "--raw and --config take one image");
    if (layout_open(&l, context->root, err) < 0)
        return -1;
    if (opts->raw || opts->config)
        return print_raw(&l, args[0], want, opts->config, err);
    for (int i = 0; i < count; i++)
        if (inspect_one(&l, args[i], want, all, err) < 0)
            return -1;
    print_json(all);
    return 0;
}

#define AT(field) offsetof(struct inspect_opts, field)
static const struct opt inspect_opts[] = {
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "the image of this platform (default the host's)",
     .offset = AT(platform)},
    {.type = OPT_FLAG,
     .name = "raw",
     .help = "the manifest or index, byte for byte",
     .offset = AT(raw)},
    {.type = OPT_FLAG,
     .name = "config",
     .help = "the image config, byte for byte",
     .offset = AT(config)},
    {.type = OPT_END},
};
const struct cmd cmd_inspect = {.name = "inspect",
                                .args = "IMAGE...",
                                .summary = "print what an image is, as JSON",
                                .opts = inspect_opts,
                                .opts_size = sizeof(struct inspect_opts),
                                .min_args = 1,
                                .max_args = -1,
                                .run = inspect_run};
