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
#include "builder/lazy.h"
#include "builder/named.h"
#include "registry/layout.h"
#include "registry/pull.h"
#include "registry/reference.h"
#include "registry/resolved.h"

void base_image_free(struct base_image *image)
{
    free(image->name);
    stack_release(&image->stack);
    descriptor_release(&image->root);
    json_decref(image->config);
    free(image);
}

/* One manifest and no index: nothing was chosen. */
static void warn_platform(const struct base_image *base, const struct image *image)
{
    char want[PLATFORM_TEXT_SIZE], have[PLATFORM_TEXT_SIZE];

    log_warn("%s is an image for %s only, not for %s", base->name,
             platform_format(&image->platform, have), platform_format(&base->platform, want));
}

/* All layers are in the store. */
static bool is_whole(const struct layout *layout, const struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        if (!layout_has(layout, stack->layers[i].blob.digest))
            return false;
    return true;
}

/* Its manifest and config are in the store; the layers come when something needs them. */
static int take(struct build *build, const struct reference *ref, size_t place,
                const struct image *image, struct err *err)
{
    const struct manifest *m = &image->manifest;
    bool whole = true;

    for (size_t i = 0; whole && i < m->layers_count; i++)
        whole = layout_has(build->tools->layout, m->layers[i].digest);
    return whole ? 0 : lazy_add_remote(build->lazy, ref, place, m->layers, m->layers_count, err);
}

/* 1: the store knows what the reference names for this platform, by its name or from a build
 * before. */
static int from_store(struct build *build, const struct reference *ref, struct base_image *base,
                      struct image *image, struct err *err)
{
    const struct layout *layout = build->tools->layout;
    SCOPED(descriptor_release) struct descriptor found = {0};
    struct err why = {0};
    int rc = layout_resolve(layout, ref, &found, err);

    base->named = rc > 0;
    if (rc == 0)
        rc = resolved_find(layout, ref, &found);
    if (rc <= 0)
        return rc;
    if (layout_load_image(layout, &found, &base->platform, image, &why) < 0) {
        log_debug("image in the store passed over: %s", why.text);
        return 0;
    }
    descriptor_copy(&base->root, &found);
    return take(build, ref, 0, image, err) < 0 ? -1 : 1;
}

static int pull(struct build *build, struct base_image *base, const struct reference *ref,
                struct image *image, struct err *err)
{
    const struct build_tools *tools = build->tools;
    struct pull_result result = {0};
    char text[PLATFORM_TEXT_SIZE];
    int step =
        progress_begin("resolve %s for %s", base->name, platform_format(&base->platform, text));

    base->named = false;
    if (pull_image_with(tools->remote, tools->layout, tools->pool, ref, &base->platform,
                        PULL_CONFIG, &base->root, &result, err) < 0 ||
        layout_load_base(tools->layout, &base->root, &base->platform, image, err) < 0 ||
        take(build, ref, result.place, image, err) < 0) {
        progress_finish(step, PROGRESS_FAILED, NULL);
        return err_wrap(err, "image %s", base->name);
    }
    progress_finish(step, PROGRESS_DONE, image->descriptor.digest);
    if (platform_match(&base->platform, &image->platform) < 0)
        warn_platform(base, image);
    return resolved_save(tools->layout, ref, &base->root, err);
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
            found = from_store(build, &ref, base, &image, err);
    }
    if (found < 0 || (!found && pull(build, base, &ref, &image, err) < 0))
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

void base_images_name(struct build *build)
{
    struct layout *layout = build->tools->layout;

    for (size_t i = 0; i < build->images_count; i++) {
        const struct base_image *base = build->images[i];
        SCOPED(reference_release) struct reference ref = {0};
        struct err err = {0};

        if (!base->loaded || base->named || !base->root.digest[0] ||
            !is_whole(layout, &base->stack))
            continue;
        if (reference_parse(base->name, &ref, &err) < 0 ||
            layout_tag(layout, &ref, &base->root, &err) < 0)
            log_debug("image %s gets no name in the store: %s", base->name, err.text);
    }
}
