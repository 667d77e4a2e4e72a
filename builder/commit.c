/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/commit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "registry/layout.h"
#include "registry/manifest.h"

void commit_release(struct commit *commit)
{
    descriptor_release(&commit->descriptor);
    *commit = (struct commit){0};
}

static void add_labels(json_t *config, const struct strv *labels)
{
    for (size_t i = 0; labels && i < labels->count; i++) {
        struct str name, value;
        AUTO_FREE char *key = NULL, *text = NULL;

        str_cut(str_of(labels->ptr[i]), '=', &name, &value);
        key = str_dup(name);
        text = str_dup(value);
        config_set_label(config, key, text);
    }
}

static int put_config(const struct layout *layout, const struct commit_input *in,
                      struct descriptor *out, struct err *err)
{
    json_auto_t *config = json_deep_copy(in->config);
    SCOPED(buf_release) struct buf text = {0};
    char digest[DIGEST_SIZE];

    add_labels(config, in->labels);
    config_set_created(config, in->created && *in->created ? in->created : NULL);
    config_print(config, &text);
    if (layout_put(layout, text.ptr, text.size, digest, err) < 0)
        return err_wrap(err, "store the image's config");
    descriptor_set(out, MEDIA_OCI_CONFIG, digest, text.size);
    return 0;
}

int commit_image(const struct layout *layout, const struct commit_input *in, struct commit *out,
                 struct err *err)
{
    SCOPED(buf_release) struct buf manifest = {0};
    SCOPED(descriptor_release) struct descriptor config = {0};
    AUTO_FREE struct descriptor *layers = xcalloc(in->stack->count, sizeof(*layers));
    char digest[DIGEST_SIZE];

    if (put_config(layout, in, &config, err) < 0)
        return -1;
    for (size_t i = 0; i < in->stack->count; i++)
        layers[i] = in->stack->layers[i].blob; /* borrowed for printing */
    manifest_print_image(&config, layers, in->stack->count, NULL, &manifest);
    if (layout_put(layout, manifest.ptr, manifest.size, digest, err) < 0)
        return err_wrap(err, "store the image's manifest");
    *out = (struct commit){0};
    descriptor_set(&out->descriptor, MEDIA_OCI_MANIFEST, digest, manifest.size);
    descriptor_set_platform(&out->descriptor, in->platform);
    memcpy(out->config_digest, config.digest, DIGEST_SIZE);
    return 0;
}
