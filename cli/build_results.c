/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_results.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/scope.h"

#define REF_SIZE 25 /* characters of a build's own name, as BuildKit has it */

/* The image's id is its config's digest; that of an index its own. */
static const char *image_id(const struct outputs_result *result)
{
    return result->image.config_digest[0] ? result->image.config_digest
                                          : result->image.descriptor.digest;
}

static void add_ref(json_t *doc)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char bytes[REF_SIZE];
    char name[REF_SIZE + 1] = {0};

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return;
    for (size_t i = 0; i < REF_SIZE; i++)
        name[i] = letters[bytes[i] % (sizeof(letters) - 1)];
    json_object_set_new(doc, "buildx.build.ref", json_sprintf("slipway/slipway/%s", name));
}

/* As BuildKit's exporter annotates what it tells, which is not what it stores. */
static json_t *told_descriptor(const struct commit *image)
{
    SCOPED(descriptor_release) struct descriptor d = {0};

    descriptor_copy(&d, &image->descriptor);
    if (image->config_digest[0])
        descriptor_annotate(&d, "config.digest", image->config_digest);
    if (image->created[0])
        descriptor_annotate(&d, "org.opencontainers.image.created", image->created);
    return descriptor_to_json(&d);
}

static json_t *metadata(const struct build_result *built, const struct outputs_result *result)
{
    AUTO_FREE char *names = strv_join(&result->names, ",");
    json_t *doc = json_object();

    add_ref(doc);
    if (built->warnings_metadata)
        json_object_set(doc, "buildx.build.warnings", built->warnings_metadata);
    if (!result->has_image)
        return doc;
    json_object_set_new(doc, "containerimage.digest", json_string(result->image.descriptor.digest));
    if (result->image.config_digest[0])
        json_object_set_new(doc, "containerimage.config.digest",
                            json_string(result->image.config_digest));
    json_object_set_new(doc, "containerimage.descriptor", told_descriptor(&result->image));
    if (result->names.count)
        json_object_set_new(doc, "image.name", json_string(names));
    return doc;
}

/* Of one target itself; of several an object with one member for each, as docker buildx bake has
 * it. */
static json_t *all_metadata(const struct build_request *r, const struct build_result *built)
{
    json_t *doc;

    if (built->outputs_count == 1)
        return metadata(built, &built->outputs[0]);
    doc = json_object();
    for (size_t i = 0; i < built->outputs_count; i++)
        json_object_set_new(doc, r->targets.ptr[i], metadata(built, &built->outputs[i]));
    return doc;
}

static void print(const struct outputs_result *result, bool quiet)
{
    if (!result->has_image)
        return;
    if (quiet)
        printf("%s\n", image_id(result));
    for (size_t i = 0; !quiet && i < result->pushed.count; i++)
        printf("%s\n", result->pushed.ptr[i]);
    if (!quiet && !result->pushed.count)
        printf("%s\n", result->image.descriptor.digest);
}

static bool stdout_is_taken(const struct build_request *r)
{
    for (size_t i = 0; i < r->outputs.count; i++)
        if (output_to_stdout(&r->outputs.specs[i]))
            return true;
    return false;
}

int build_results_write(const struct build_opts *o, const struct build_request *r,
                        const struct build_result *built, bool quiet, struct err *err)
{
    const char *iidfile = o->output.iidfile, *path = o->output.metadata_file;
    const char *id = image_id(&built->outputs[0]);

    if (iidfile && fs_replace(AT_FDCWD, iidfile, id, strlen(id), 0644, false, err) < 0)
        return err_wrap(err, "--iidfile");
    if (path) {
        SCOPED(buf_release) struct buf text = {0};
        json_auto_t *doc = all_metadata(r, built);

        json_print_pretty(doc, &text);
        if (fs_replace(AT_FDCWD, path, text.ptr, text.size, 0644, false, err) < 0)
            return err_wrap(err, "--metadata-file");
    }
    for (size_t i = 0; i < built->outputs_count && !stdout_is_taken(r); i++)
        print(&built->outputs[i], quiet);
    return 0;
}
