/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output_opts.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "registry/reference.h"

void output_list_release(struct output_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        output_spec_release(&list->specs[i]);
    free(list->specs);
    *list = (struct output_list){0};
}

static struct output_spec *grow(struct output_list *list)
{
    list->specs = xreallocarray(list->specs, list->count + 1, sizeof(*list->specs));
    list->specs[list->count] = (struct output_spec){0};
    return &list->specs[list->count++];
}

/* --push turns the image that is asked for anyway into one that is pushed (docker buildx build). */
static void add_push(struct output_list *list)
{
    struct output_spec *image = NULL;

    for (size_t i = 0; i < list->count && !image; i++)
        if (list->specs[i].type == OUTPUT_IMAGE)
            image = &list->specs[i];
    if (!image) {
        image = grow(list);
        output_spec_image(image);
    }
    image->push = true;
}

static void add_load(struct output_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->specs[i].type == OUTPUT_IMAGE && list->specs[i].store)
            return;
    output_spec_image(grow(list));
}

static int add_annotations(const struct output_opts *o, struct output_list *list, struct err *err)
{
    SCOPED(annotations_release) struct annotations given = {0};
    bool used = false;

    for (size_t i = 0; i < o->annotations.count; i++)
        if (annotations_parse(&given, str_of(o->annotations.ptr[i]), err) < 0)
            return err_wrap(err, "--annotation %.200s", o->annotations.ptr[i]);
    for (size_t i = 0; i < list->count; i++) {
        if (!output_is_image(&list->specs[i]))
            continue;
        if (given.count && list->specs[i].docker_types)
            return err_set(err, ERR_USAGE, 0,
                           "--annotation: Docker's media types know none; leave "
                           "oci-mediatypes=false out");
        annotations_copy(&list->specs[i].annotations, &given);
        used = true;
    }
    if (given.count && !used)
        return err_set(err, ERR_USAGE, 0, "--annotation: no output is an image");
    return 0;
}

int output_opts_make(const struct output_opts *o, struct output_list *out, struct err *err)
{
    bool image = false;

    for (size_t i = 0; i < o->outputs.count; i++)
        if (output_spec_parse(str_of(o->outputs.ptr[i]), grow(out), err) < 0)
            return err_wrap(err, "--output %.200s", o->outputs.ptr[i]);
    if (o->load)
        add_load(out);
    if (o->push)
        add_push(out);
    if (!out->count)
        output_spec_image(grow(out));
    for (size_t i = 0; i < out->count; i++)
        image = image || output_is_image(&out->specs[i]);
    if (o->iidfile && !image)
        return err_set(err, ERR_USAGE, 0, "--iidfile: no output is an image");
    return add_annotations(o, out, err);
}

static void add_host(const struct reference *ref, struct strv *hosts)
{
    if (!strv_has(hosts, ref->host))
        strv_add(hosts, ref->host);
}

void output_list_insecure(const struct output_list *list, const struct outputs_names *names,
                          struct strv *hosts)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct strv *own = &list->specs[i].names;

        for (size_t k = 0; list->specs[i].insecure && k < own->count; k++) {
            SCOPED(reference_release) struct reference ref = {0};
            struct err ignored = {0}; /* names are checked where they are used */

            if (reference_parse(own->ptr[k], &ref, &ignored) == 0)
                add_host(&ref, hosts);
        }
        for (size_t k = 0; list->specs[i].insecure && !own->count && k < names->count; k++)
            add_host(&names->refs[k], hosts);
    }
}
