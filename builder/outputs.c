/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/outputs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/bundle.h"
#include "builder/early_push.h"
#include "builder/export.h"
#include "builder/layer.h"
#include "builder/oci_dir.h"
#include "builder/output_file.h"
#include "builder/outputs_work.h"
#include "builder/view.h"
#include "registry/layout.h"
#include "registry/push.h"

void outputs_result_release(struct outputs_result *result)
{
    commit_release(&result->image);
    strv_release(&result->names);
    strv_release(&result->pushed);
    *result = (struct outputs_result){0};
}

enum codec outputs_codec(const struct output_spec *specs, size_t count)
{
    bool found = false;
    enum codec codec = CODEC_GZIP;

    for (size_t i = 0; i < count; i++) {
        enum codec wants = specs[i].has_codec ? specs[i].codec : CODEC_GZIP;

        if (!output_is_image(&specs[i]))
            continue;
        if (found && wants != codec)
            return CODEC_GZIP;
        codec = wants;
        found = true;
    }
    return codec;
}

static int check_annotations(const struct output_spec *spec, bool is_index, struct err *err)
{
    for (size_t i = 0; !is_index && i < spec->annotations.count; i++)
        if (spec->annotations.items[i].place == ANNOTATION_INDEX ||
            spec->annotations.items[i].place == ANNOTATION_INDEX_DESCRIPTOR)
            return err_set(err, ERR_USAGE, 0,
                           "annotation %s is for an index, and an image for one platform has none",
                           spec->annotations.items[i].key);
    return 0;
}

static int commit_work(const struct outputs *o, struct work *w, struct err *err)
{
    const struct commit_input *images = w->target->images;
    size_t count = w->target->count;
    const struct output_spec *spec = w->spec;
    struct commit_options options = commit_options_of(spec);
    AUTO_FREE struct commit *each = xcalloc(count, sizeof(*each));
    bool is_index = count > 1 || o->multi_platform;
    int rc = check_annotations(spec, is_index, err);

    if (rc == 0 && spec->type == OUTPUT_DOCKER && count > 1)
        rc = err_set(err, ERR_USAGE, 0,
                     "type=docker: its archives hold one platform, and there are %zu; type=oci "
                     "holds all",
                     count);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = commit_image(o->layout, o->pool, &images[i], &options, &each[i], err);
    if (rc == 0 && !is_index) {
        w->made = each[0];
        each[0] = (struct commit){0};
    } else if (rc == 0) {
        rc = commit_index(o->layout, each, count, &options, &w->made, err);
    }
    for (size_t i = 0; i < count; i++)
        commit_release(&each[i]);
    return rc;
}

/* "linux_amd64", or NULL when the output is not split. */
static char *platform_dir(const struct output_spec *spec, const struct platform *platform,
                          size_t count)
{
    char text[PLATFORM_TEXT_SIZE];
    char *name;

    if (spec->split == OUTPUT_SPLIT_NEVER || (spec->split == OUTPUT_SPLIT_AUTO && count == 1))
        return NULL;
    name = xstrdup(platform_format(platform, text));
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = '_';
    return name;
}

struct overlap {
    const struct commit_input *images;
    size_t before;
};

static int check_path(void *ctx, const struct view_entry *at, bool *skip, struct err *err)
{
    const struct overlap *o = ctx;
    struct view_entry other;
    char text[PLATFORM_TEXT_SIZE];

    (void)skip;
    for (size_t i = 0; i < o->before; i++)
        if (view_lookup(&o->images[i].stack->view, at->entry.path, &other) &&
            (at->entry.type != ENTRY_DIR || other.entry.type != ENTRY_DIR))
            return err_set(err, ERR_INPUT, 0,
                           "platform-split=false: %s is in the files of %s and of another platform",
                           at->entry.path, platform_format(o->images[i].platform, text));
    return 0;
}

/* Platforms that share a place must not share a name. */
static int check_overlap(const struct outputs *o, const struct output_spec *spec,
                         const struct commit_input *images, size_t count, struct err *err)
{
    if (count < 2 || spec->split != OUTPUT_SPLIT_NEVER)
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct overlap overlap = {images, i};
        const struct view *view = stack_view(images[i].stack, o->layout, err);

        if (!view || view_walk(view, ".", check_path, &overlap, err) < 0)
            return -1;
    }
    return 0;
}

static struct export_options export_options(const struct outputs *o, const struct output_spec *spec)
{
    return (struct export_options){
        .owners = o->owners, .remove = spec->remove, .clamp = o->has_epoch, .epoch = o->epoch};
}

static int write_tar(const struct outputs *o, struct work *w, struct err *err)
{
    const struct commit_input *images = w->target->images;
    size_t count = w->target->count;
    SCOPED(tar_writer_release) struct tar_writer tar = {.to = sink_of_fd(&w->file.fd)};
    struct export_options options = export_options(o, w->spec);

    if (check_overlap(o, w->spec, images, count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *prefix = platform_dir(w->spec, images[i].platform, count);

        options.prefix = prefix;
        if (export_tar(images[i].stack, o->layout, &tar, &options, err) < 0)
            return -1;
    }
    return tar_write_end(&tar, err);
}

static int write_bundle(const struct outputs *o, struct work *w, struct err *err)
{
    SCOPED(bundle_release) struct bundle bundle = {0};

    for (size_t i = 0; i < w->names.count; i++)
        bundle_add(&bundle, w->names.ptr[i], &w->made.descriptor);
    if (!bundle.count)
        bundle_add(&bundle, NULL, &w->made.descriptor);
    return bundle_save(o->layout, &bundle, w->spec->type == OUTPUT_OCI ? BUNDLE_OCI : BUNDLE_DOCKER,
                       NULL, w->file.fd, err);
}

/* Archives, beside their places. */
static int write_archive(const struct outputs *o, struct work *w, struct err *err)
{
    int step, rc;

    if (!work_is_archive(w->spec))
        return 0;
    step = progress_begin("write %s", w->spec->dest);
    rc = output_file_open(&w->file, w->spec->dest, err);
    if (rc == 0)
        rc = w->spec->type == OUTPUT_TAR ? write_tar(o, w, err) : write_bundle(o, w, err);
    progress_finish(step, rc < 0 ? PROGRESS_FAILED : PROGRESS_DONE, NULL);
    return rc < 0 ? err_wrap(err, "%s", w->spec->dest) : 0;
}

static int push_one(const struct outputs *o, const struct work *w, const struct reference *ref,
                    bool by_digest, struct err *err)
{
    SCOPED(push_result_release) struct push_result pushed = {0};
    struct reference target = *ref; /* borrowed */
    char digest[DIGEST_SIZE];

    memcpy(digest, w->made.descriptor.digest, DIGEST_SIZE);
    if (by_digest) {
        target.tag = NULL;
        target.digest = digest;
    }
    return push_through(early_push_uploads(o->early, ref), &w->made.descriptor, NULL, &target, 0,
                        &pushed, err);
}

static size_t count_pushes(const struct works *works)
{
    size_t count = 0;

    for (size_t i = 0; i < works->count; i++)
        count += works->items[i].spec->push ? works->items[i].refs_count : 0;
    return count;
}

/* When there are several names, all of the content is at its registries before the first tag moves:
 * what can fail by then has failed. */
static int push_all(const struct outputs *o, const struct works *works, bool tags, struct err *err)
{
    for (size_t i = 0; i < works->count; i++) {
        const struct work *w = &works->items[i];

        for (size_t k = 0; w->spec->push && k < w->refs_count; k++) {
            AUTO_FREE char *repository = reference_repository(&w->refs[k]);

            if (tags)
                strv_addf(&w->result->pushed, "%s@%s", repository, w->made.descriptor.digest);
            if ((!tags || !w->spec->push_by_digest || count_pushes(works) == 1) &&
                push_one(o, w, &w->refs[k], !tags || w->spec->push_by_digest, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* Names in the store: those given, name@digest, prefix@digest. */
static int tag(const struct outputs *o, struct work *w, struct err *err)
{
    const struct output_spec *spec = w->spec;
    struct reference *refs = NULL;
    size_t count = 0;
    SCOPED(reference_release) struct reference dangling = {0};
    AUTO_FREE char *digest = xstrdup(w->made.descriptor.digest);
    int rc;

    if (spec->type != OUTPUT_IMAGE || !spec->store)
        return 0;
    if (!commit_is_whole(o->layout, &w->made.descriptor)) {
        log_info("the image is at its registry; the store has no name for it, since layers that "
                 "nothing needed here were not fetched (output key store=true fetches them)");
        return 0;
    }
    if (spec->dangling && !(spec->dangling_only && w->refs_count) &&
        reference_parse(spec->dangling, &dangling, err) < 0)
        return err_wrap(err, "dangling-name-prefix");
    refs = xcalloc(2 * w->refs_count + 1, sizeof(*refs)); /* all borrowed */
    for (size_t i = 0; i < w->refs_count; i++) {
        refs[count++] = w->refs[i];
        if (spec->canonical)
            refs[count++] = (struct reference){
                .host = w->refs[i].host, .path = w->refs[i].path, .digest = digest};
    }
    if (dangling.path)
        refs[count++] =
            (struct reference){.host = dangling.host, .path = dangling.path, .digest = digest};
    rc = count ? layout_tag_all(o->layout, refs, count, &w->made.descriptor, err)
               : layout_tag(o->layout, NULL, &w->made.descriptor, err);
    free(refs);
    return rc;
}

static int unpack(const struct outputs *o, const struct outputs_target *target, struct err *err)
{
    for (size_t i = 0; i < target->count; i++) {
        const struct stack *stack = target->images[i].stack;

        for (size_t k = 0; k < stack->count; k++)
            if (layer_tree(o->layout, &stack->layers[k].blob, stack->layers[k].diff_id, err) < 0)
                return err_wrap(err, "unpack layer %s", stack->layers[k].blob.digest);
    }
    return 0;
}

/* DEST, DEST/TARGET, DEST/PLATFORM, DEST/TARGET/PLATFORM. */
static char *dir_name(const struct work *w, const struct platform *platform)
{
    AUTO_FREE char *split = platform_dir(w->spec, platform, w->target->count);
    AUTO_FREE char *dest =
        w->target->name ? path_join(w->spec->dest, w->target->name) : xstrdup(w->spec->dest);

    return split ? path_join(dest, split) : steal_ptr(&dest);
}

static int write_dir(const struct outputs *o, const struct work *w, struct err *err)
{
    const struct commit_input *images = w->target->images;
    size_t count = w->target->count;
    struct export_options options = export_options(o, w->spec);

    if (check_overlap(o, w->spec, images, count, err) < 0)
        return -1;
    if (count > 1 && w->spec->split == OUTPUT_SPLIT_NEVER && options.remove)
        return err_set(err, ERR_USAGE, 0,
                       "mode=delete with platform-split=false: platforms would remove each "
                       "other's files");
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *dest = dir_name(w, images[i].platform);
        AUTO_FD int fd = -1;

        if (fs_mkdirs(AT_FDCWD, dest, 0755, err) < 0)
            return -1;
        fd = fs_open_dir(AT_FDCWD, dest, err);
        if (fd < 0 || export_dir(images[i].stack, o->layout, fd, &options, err) < 0)
            return -1;
    }
    return 0;
}

/* What outlives the build appears. */
static int publish(const struct outputs *o, struct work *w, struct err *err)
{
    int step, rc;

    if (tag(o, w, err) < 0)
        return -1;
    if (w->spec->unpack && unpack(o, w->target, err) < 0)
        return -1;
    if (w->spec->type != OUTPUT_LOCAL && !w->spec->is_dir)
        return output_file_commit(&w->file, err);
    step = progress_begin("write %s", w->spec->dest);
    rc = w->spec->is_dir
             ? oci_dir_write(o->layout, &w->made.descriptor, &w->names, w->spec->dest, err)
             : write_dir(o, w, err);
    progress_finish(step, rc < 0 ? PROGRESS_FAILED : PROGRESS_DONE, NULL);
    return rc < 0 && !w->spec->is_dir ? err_wrap(err, "%s", w->spec->dest) : rc;
}

/* One name in the store can stand for one image only. */
static int check_names(const struct works *works, struct err *err)
{
    for (size_t i = 0; i < works->count; i++)
        for (size_t k = 0; k < i; k++) {
            const struct work *a = &works->items[i], *b = &works->items[k];

            if (!a->spec->store || !b->spec->store ||
                strcmp(a->made.descriptor.digest, b->made.descriptor.digest) == 0)
                continue;
            for (size_t n = 0; n < a->names.count; n++)
                if (strv_has(&b->names, a->names.ptr[n]))
                    return err_set(err, ERR_USAGE, 0,
                                   "--output: two outputs give the name %s to different images",
                                   a->names.ptr[n]);
        }
    return 0;
}

static void tell(const struct works *works)
{
    for (size_t i = 0; i < works->count; i++) {
        const struct work *w = &works->items[i];
        struct outputs_result *result = w->result;

        if (!output_is_image(w->spec))
            continue;
        if (!result->has_image) {
            descriptor_copy(&result->image.descriptor, &w->made.descriptor);
            memcpy(result->image.config_digest, w->made.config_digest, DIGEST_SIZE);
            memcpy(result->image.created, w->made.created, CLOCK_TEXT_SIZE);
        }
        result->has_image = true;
        for (size_t k = 0; k < w->names.count; k++)
            if (!strv_has(&result->names, w->names.ptr[k]))
                strv_add(&result->names, w->names.ptr[k]);
    }
}

/* What stays here must be here; what only goes to a registry may be there already. */
static int complete(const struct outputs *o, const struct works *works, struct err *err)
{
    for (size_t i = 0; i < works->count; i++) {
        const struct output_spec *spec = works->items[i].spec;

        if (output_is_image(spec) &&
            (spec->type != OUTPUT_IMAGE || spec->whole || (spec->store && !spec->push)) &&
            commit_complete(o->layout, &works->items[i].made.descriptor, err) < 0)
            return -1;
    }
    return 0;
}

int outputs_write(const struct outputs *o, const struct outputs_target *targets, size_t count,
                  struct outputs_result *results, struct err *err)
{
    SCOPED(works_release) struct works works = {0};

    if (works_begin(&works, o, targets, count, results, err) < 0)
        return -1;
    for (size_t i = 0; i < works.count; i++)
        if (output_is_image(works.items[i].spec) && commit_work(o, &works.items[i], err) < 0)
            return -1;
    if (check_names(&works, err) < 0 || complete(o, &works, err) < 0)
        return -1;
    tell(&works);
    for (size_t i = 0; i < works.count; i++)
        if (write_archive(o, &works.items[i], err) < 0)
            return -1;
    if (count_pushes(&works) > 1 && push_all(o, &works, false, err) < 0)
        return -1;
    if (push_all(o, &works, true, err) < 0)
        return -1;
    for (size_t i = 0; i < works.count; i++)
        if (publish(o, &works.items[i], err) < 0)
            return -1;
    return 0;
}
