/* SPDX-License-Identifier: Apache-2.0 */
/* What is to come out and can come to a good end, before the build. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/outputs_work.h"

void works_release(struct works *works)
{
    for (size_t i = 0; i < works->count; i++) {
        struct work *w = &works->items[i];

        for (size_t k = 0; k < w->refs_count; k++)
            reference_release(&w->refs[k]);
        free(w->refs);
        strv_release(&w->names);
        commit_release(&w->made);
        output_file_release(&w->file);
    }
    free(works->items);
}

static int add_ref(struct work *w, const struct reference *ref)
{
    w->refs = xreallocarray(w->refs, w->refs_count + 1, sizeof(*w->refs));
    reference_copy(&w->refs[w->refs_count++], ref);
    strv_take(&w->names, reference_name(ref));
    return 0;
}

/* Its own names, else the build's. */
static int set_names(struct work *w, struct err *err)
{
    const struct strv *own = &w->spec->names;

    for (size_t i = 0; i < own->count; i++) {
        SCOPED(reference_release) struct reference ref = {0};

        if (reference_parse(own->ptr[i], &ref, err) < 0)
            return -1;
        if (ref.digest)
            return err_set(err, ERR_USAGE, 0, "name %s: a name to give has no digest", own->ptr[i]);
        add_ref(w, &ref);
    }
    for (size_t i = 0; !own->count && i < w->target->names->count; i++)
        add_ref(w, &w->target->names->refs[i]);
    return 0;
}

/* Every output of every target. */
int works_begin(struct works *works, const struct outputs *o, const struct outputs_target *targets,
                size_t count, struct outputs_result *results, struct err *err)
{
    works->items = xcalloc(o->count * count, sizeof(*works->items));
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < o->count; i++) {
            struct work *w = &works->items[works->count++];

            *w = (struct work){.spec = &o->specs[i],
                               .target = &targets[t],
                               .result = results ? &results[t] : NULL,
                               .file = OUTPUT_FILE_CLOSED};
            if (output_is_image(w->spec) && set_names(w, err) < 0)
                return err_wrap(err, "--output");
        }
    return 0;
}

bool work_is_archive(const struct output_spec *spec)
{
    return spec->type != OUTPUT_LOCAL && spec->type != OUTPUT_IMAGE && !spec->is_dir;
}

/* Where a directory really is; "" when it is none. */
static int real_place(const char *path, char out[static PATH_MAX], struct err *err)
{
    AUTO_FD int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char link[FS_FD_PATH_MAX];
    ssize_t size = fd < 0 ? 0 : readlink(fs_fd_path(fd, link), out, PATH_MAX - 1);

    if (size < 0)
        return err_errno(err, "look at %s", path);
    out[size] = 0;
    return 0;
}

/* mode=delete in a directory that holds the sources would take them along. */
static int check_remove(const struct outputs *o, const struct output_spec *spec, struct err *err)
{
    char dest[PATH_MAX], kept[PATH_MAX];

    if (real_place(spec->dest, dest, err) < 0)
        return -1;
    for (size_t i = 0; *dest && o->keep && i < o->keep->count; i++) {
        if (real_place(o->keep->ptr[i], kept, err) < 0)
            return -1;
        if (*kept && path_is_under(str_of(kept), str_of(dest)))
            return err_set(err, ERR_USAGE, 0,
                           "mode=delete: %s holds %s; give it a directory of its own", spec->dest,
                           o->keep->ptr[i]);
    }
    return 0;
}

static int check_one(const struct outputs *o, const struct work *w, struct err *err)
{
    const struct output_spec *spec = w->spec;
    struct stat st;

    if (spec->push && !w->refs_count)
        return err_set(err, ERR_USAGE, 0,
                       "push needs a name: -t REGISTRY/REPOSITORY:TAG, or name=…");
    if (spec->keep_timestamp && o->has_epoch)
        return err_set(err, ERR_USAGE, 0,
                       "rewrite-timestamp=false: with SOURCE_DATE_EPOCH the times in new layers "
                       "are never later than it");
    if (spec->rewrite_timestamp && !o->has_epoch)
        log_warn("rewrite-timestamp=true has no effect without SOURCE_DATE_EPOCH");
    if (spec->type == OUTPUT_LOCAL || spec->is_dir) {
        if (stat(spec->dest, &st) == 0 && !S_ISDIR(st.st_mode))
            return err_set(err, ERR_INPUT, ENOTDIR, "%s is not a directory", spec->dest);
        return spec->remove ? check_remove(o, spec, err) : 0;
    }
    if (spec->dest && !output_to_stdout(spec) && stat(spec->dest, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_INPUT, EISDIR, "%s is a directory, not a file to write",
                       spec->dest);
    if (output_to_stdout(spec) && isatty(STDOUT_FILENO))
        return err_set(err, ERR_USAGE, 0,
                       "an archive is not written to a terminal; give dest=FILE");
    return 0;
}

int outputs_check(const struct outputs *o, const struct outputs_target *targets, size_t count,
                  struct err *err)
{
    SCOPED(works_release) struct works works = {0};
    size_t to_stdout = 0, images = 0, names = 0;

    if (works_begin(&works, o, targets, count, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < works.count; i++) {
        if (check_one(o, &works.items[i], err) < 0)
            return err_wrap(err, "--output");
        images += output_is_image(works.items[i].spec);
    }
    for (size_t i = 0; i < o->count; i++) {
        if (count > 1 && work_is_archive(&o->specs[i]))
            return err_set(err, ERR_USAGE, 0,
                           "--output: an archive is of one target, and there are %zu", count);
        if (count > 1 && output_is_image(&o->specs[i]) && o->specs[i].names.count)
            return err_set(err, ERR_USAGE, 0,
                           "--output: name= is of one target; say --target STAGE=NAME");
        to_stdout += output_to_stdout(&o->specs[i]);
    }
    for (size_t t = 0; t < count; t++)
        names += targets[t].names->count;
    if (to_stdout > 1)
        return err_set(err, ERR_USAGE, 0, "--output: only one can go to standard output");
    if (names && o->count && !images)
        log_warn("no output is an image: nothing gets the name that -t gives");
    return 0;
}
