/* SPDX-License-Identifier: Apache-2.0 */
/* Images that FROM and COPY --from name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/exec.h"
#include "builder/foreign.h"
#include "builder/named.h"
#include "registry/layout.h"
#include "registry/pull.h"
#include "registry/reference.h"

void base_image_free(struct base_image *image)
{
    free(image->name);
    stack_release(&image->stack);
    json_decref(image->config);
    free(image);
}

/* 1: the store has the image for this platform, layers and all. */
static int from_store(const struct layout *layout, const struct reference *ref,
                      const struct platform *platform, struct image *image, struct err *err)
{
    SCOPED(descriptor_release) struct descriptor found = {0};
    struct err why = {0};
    int rc = layout_resolve(layout, ref, &found, err);

    if (rc <= 0)
        return rc;
    if (layout_load_image(layout, &found, platform, image, &why) < 0) {
        log_debug("image in the store passed over: %s", why.text);
        return 0;
    }
    for (size_t i = 0; i < image->manifest.layers_count; i++)
        if (!layout_has(layout, image->manifest.layers[i].digest)) {
            log_debug("image in the store passed over: layer %s is not there",
                      image->manifest.layers[i].digest);
            image_release(image);
            *image = (struct image){0};
            return 0;
        }
    return 1;
}

static int pull(struct build *build, const char *name, const struct reference *ref,
                const struct platform *platform, struct image *image, struct err *err)
{
    const struct build_tools *tools = build->tools;
    SCOPED(descriptor_release) struct descriptor pulled = {0};
    char text[PLATFORM_TEXT_SIZE];
    int step = progress_begin("pull %s for %s", name, platform_format(platform, text));

    if (pull_image(tools->remote, tools->layout, tools->pool, ref, platform, &pulled, err) < 0 ||
        layout_load_base(tools->layout, &pulled, platform, image, err) < 0) {
        progress_finish(step, PROGRESS_FAILED, NULL);
        return err_wrap(err, "image %s", name);
    }
    progress_finish(step, PROGRESS_DONE, image->descriptor.digest);
    return 0;
}

/* An image of --build-context NAME=oci-layout://…. */
static int load_foreign(struct build *build, const struct base_image *base, struct image *image,
                        struct err *err)
{
    SCOPED(descriptor_release) struct descriptor found = {0};
    struct layout *layout = build->tools->layout;

    return foreign_load(layout, base->name, &base->platform, &found, err) < 0
               ? -1
               : layout_load_base(layout, &found, &base->platform, image, err);
}

/* The place of an image among those of the build; made when it is asked for first. */
static struct base_image *place_of(struct build *build, const char *name,
                                   const struct platform *platform)
{
    struct base_image *base = NULL;

    pthread_mutex_lock(&build->lock);
    for (size_t i = 0; !base && i < build->images_count; i++)
        if (strcmp(build->images[i]->name, name) == 0 &&
            platform_eq(&build->images[i]->platform, platform))
            base = build->images[i];
    if (!base) {
        VEC_GROW(build->images, build->images_count, build->images_capacity);
        base = xcalloc(1, sizeof(*base));
        *base = (struct base_image){.name = xstrdup(name), .platform = *platform};
        build->images[build->images_count++] = base;
    }
    pthread_mutex_unlock(&build->lock);
    return base;
}

/* With one platform a base for another one is a warning (InvalidBaseImagePlatform), as for docker,
 * and the image that is made says what it is. In an index of several it would stand twice. */
static int refuse_platform(const struct base_image *base, const struct platform *actual,
                           struct err *err)
{
    char want[PLATFORM_TEXT_SIZE], have[PLATFORM_TEXT_SIZE];

    return err_set(err, ERR_INPUT, 0, "image %s: the image is for %s, not for %s", base->name,
                   platform_format(actual, have), platform_format(&base->platform, want));
}

static int load(struct build *build, struct base_image *base, struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(image_release) struct image image = {0};
    int found = 0;

    if (str_starts(str_of(base->name), NAMED_LAYOUT_PREFIX)) {
        found = load_foreign(build, base, &image, err) < 0 ? -1 : 1;
    } else {
        if (reference_parse(base->name, &ref, err) < 0)
            return -1;
        if (!build->options->pull)
            found = from_store(build->tools->layout, &ref, &base->platform, &image, err);
    }
    if (found < 0 || (!found && pull(build, base->name, &ref, &base->platform, &image, err) < 0))
        return -1;
    if (build->options->platforms_count > 1 && platform_match(&base->platform, &image.platform) < 0)
        return refuse_platform(base, &image.platform, err);
    if (stack_push_image(&base->stack, &image, err) < 0)
        return -1;
    base->actual = image.platform;
    base->config = json_incref(image.config);
    base->loaded = true;
    return 0;
}

struct base_image *base_image_get(struct build *build, const char *name,
                                  const struct platform *platform, struct err *err)
{
    struct base_image *base = place_of(build, name, platform);
    int rc = 0;

    pthread_mutex_lock(&base->lock);
    if (!base->loaded)
        rc = load(build, base, err);
    pthread_mutex_unlock(&base->lock);
    return rc < 0 ? NULL : base;
}
