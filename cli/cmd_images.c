/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "registry/layout.h"

struct images_opts {
    bool quiet, digests, no_trunc, json;
};

struct row {
    char *repository, *tag; /* NULL: none */
    char *name;
    struct descriptor descriptor;
    struct image_summary summary;
};

struct list {
    const struct layout *l;
    const struct reference *only; /* NULL: all */
    bool only_tag;
    struct row *rows;
    size_t count, capacity;
};

static void list_release(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        scope_free(&list->rows[i].repository);
        scope_free(&list->rows[i].tag);
        scope_free(&list->rows[i].name);
        descriptor_release(&list->rows[i].descriptor);
        image_summary_release(&list->rows[i].summary);
    }
    scope_free(&list->rows);
}

static bool wanted(const struct list *list, const struct reference *ref)
{
    if (!list->only)
        return true;
    return ref->path && strcmp(ref->path, list->only->path) == 0 &&
           strcmp(ref->host, list->only->host) == 0 &&
           (!list->only_tag || (ref->tag && strcmp(ref->tag, list->only->tag) == 0));
}

static int add_row(void *arg, const char *name, const struct descriptor *d, struct err *err)
{
    struct list *list = arg;
    SCOPED(reference_release) struct reference ref = {0};
    struct err why = {0};
    struct row *row;

    (void)err;
    if (name)
        reference_parse(name, &ref, &why);
    if (!wanted(list, &ref))
        return 0;
    VEC_GROW(list->rows, list->count, list->capacity);
    row = &list->rows[list->count];
    *row = (struct row){0};
    if (layout_summary(list->l, d, &row->summary, &why) < 0) {
        log_warn("%s: %s", name ? name : d->digest, why.text);
        return 0;
    }
    list->count++;
    if (ref.path) {
        struct reference repository = {.host = ref.host, .path = ref.path};

        row->repository = reference_familiar(&repository);
        row->tag = xstrdup(ref.tag);
        row->name = reference_familiar(&ref);
    } else {
        row->repository = xstrdup(name);
        row->name = xstrdup(name);
    }
    descriptor_copy(&row->descriptor, d);
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int by_name = strcmp(x->name ? x->name : "\xff", y->name ? y->name : "\xff");

    return by_name ? by_name : strcmp(x->descriptor.digest, y->descriptor.digest);
}

static void print_ids(const struct list *list, const struct images_opts *opts)
{
    for (size_t i = 0; i < list->count; i++) {
        char id[SHORT_ID_SIZE];
        const char *digest = list->rows[i].summary.id;
        size_t k = 0;

        while (strcmp(list->rows[k].summary.id, digest) != 0)
            k++;
        if (k == i)
            printf("%s\n", opts->no_trunc ? digest : short_id(digest, id));
    }
}

static void print_table(const struct list *list, const struct images_opts *opts)
{
    SCOPED(table_release) struct table t = {.columns = opts->digests ? 6 : 5};
    time_t now = clock_now().tv_sec;

    table_cell(&t, "REPOSITORY");
    table_cell(&t, "TAG");
    if (opts->digests)
        table_cell(&t, "DIGEST");
    table_cell(&t, "IMAGE ID");
    table_cell(&t, "CREATED");
    table_cell(&t, "SIZE");
    for (size_t i = 0; i < list->count; i++) {
        const struct row *row = &list->rows[i];
        char id[SHORT_ID_SIZE], ago[HUMAN_AGO_SIZE], size[HUMAN_SIZE];

        table_cell(&t, row->repository ? row->repository : "<none>");
        table_cell(&t, row->tag ? row->tag : "<none>");
        if (opts->digests)
            table_cell(&t, row->descriptor.digest);
        table_cell(&t, opts->no_trunc ? row->summary.id : short_id(row->summary.id, id));
        table_cell(&t, human_ago(row->summary.created, now, ago));
        table_cell(&t, human_size(row->summary.size, size));
    }
    table_print(&t);
}

static void print_list_json(const struct list *list)
{
    json_auto_t *all = json_array();

    for (size_t i = 0; i < list->count; i++) {
        const struct row *row = &list->rows[i];
        json_t *platforms = json_array();

        for (size_t k = 0; k < row->summary.platforms.count; k++)
            json_array_append_new(platforms, json_string(row->summary.platforms.ptr[k]));
        json_array_append_new(
            all, json_pack("{s:s?, s:s?, s:s?, s:s, s:s, s:s, s:s?, s:I, s:o}", "name", row->name,
                           "repository", row->repository, "tag", row->tag, "id", row->summary.id,
                           "digest", row->descriptor.digest, "mediaType",
                           row->descriptor.media_type, "created", row->summary.created, "size",
                           (json_int_t)row->summary.size, "platforms", platforms));
    }
    print_json(all);
}

static int images_run(struct cmd_context *context, const void *values, int count, char **args,
                      struct err *err)
{
    const struct images_opts *opts = values;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(reference_release) struct reference only = {0};
    SCOPED(list_release) struct list list = {.l = &l};

    if (count > 0) {
        if (reference_parse(args[0], &only, err) < 0)
            return -1;
        list.only = &only;
        list.only_tag = strrchr(args[0], ':') && !strchr(strrchr(args[0], ':'), '/');
    }
    if (layout_open(&l, context->root, err) < 0 || layout_each_tag(&l, add_row, &list, err) < 0)
        return -1;
    if (list.count)
        qsort(list.rows, list.count, sizeof(*list.rows), compare_rows);
    if (opts->json)
        print_list_json(&list);
    else if (opts->quiet)
        print_ids(&list, opts);
    else
        print_table(&list, opts);
    return 0;
}

#define AT(field) offsetof(struct images_opts, field)
static const struct opt images_opts[] = {
    {.type = OPT_FLAG,
     .letter = 'q',
     .name = "quiet",
     .help = "only image ids",
     .offset = AT(quiet)},
    {.type = OPT_FLAG,
     .name = "digests",
     .help = "show the manifests' digests",
     .offset = AT(digests)},
    {.type = OPT_FLAG, .name = "no-trunc", .help = "ids in full", .offset = AT(no_trunc)},
    {.type = OPT_FLAG, .name = "json", .help = "as JSON", .offset = AT(json)},
    {.type = OPT_END},
};
const struct cmd cmd_images = {.name = "images",
                               .args = "[REPOSITORY[:TAG]]",
                               .summary = "list the images in the store",
                               .opts = images_opts,
                               .opts_size = sizeof(struct images_opts),
                               .max_args = 1,
                               .run = images_run};
