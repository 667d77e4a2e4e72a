/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/copy.h"
#include "builder/exec_run.h"
#include "builder/exec_step.h"

/* WORKDIR makes what is missing of its directory, owned by USER. */
struct workdir_step {
    char *path; /* entry form, links of the image followed */
    uint32_t uid, gid;
};

static int write_workdir(struct build *build, struct making *making, void *arg, struct layer *layer,
                         struct err *err)
{
    struct workdir_step *work = arg;
    struct layer_options options = exec_layer_options(build);
    struct layout *layout = build->tools->layout;
    const struct view *view = stack_view(&making->stack, layout, err);
    struct layer_writer *w;
    int rc = 0;

    if (!view)
        return -1;
    options.below = view;
    w = layer_writer_open(layout, build->tools->pool, &options, err);
    if (!w)
        return -1;
    for (char *p = work->path; rc == 0; p++) {
        struct entry e = {.path = work->path,
                          .type = ENTRY_DIR,
                          .mode = 0755,
                          .uid = work->uid,
                          .gid = work->gid};
        struct view_entry at;
        char c = *p;

        if (c != '/' && c != 0)
            continue;
        *p = 0;
        e.mtime = build->has_epoch ? build->epoch : clock_now().tv_sec;
        if (!view_lookup(view, work->path, &at))
            rc = layer_add(w, &e, err);
        *p = c;
        if (c == 0)
            break;
    }
    if (rc == 0)
        rc = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    return rc;
}

int exec_workdir(struct build *build, struct making *making, const struct instruction *in,
                 struct err *err)
{
    SCOPED(buf_release) struct buf resolved = {0};
    AUTO_FREE char *text = NULL, *path = NULL;
    struct workdir_step work = {0};
    const struct view *view;
    struct view_entry at;
    struct cache_key key;
    struct step step = {
        .build = build, .making = making, .in = in, .fn = write_workdir, .arg = &work};
    int found, recalled;

    if (state_apply(&making->state, in, making->created[0] ? making->created : NULL, err) < 0)
        return -1;
    if (!state_needs_directory(&making->state, in))
        return 0;
    text = state_workdir_text(&making->state);
    step.created_by = text;
    recalled = step_recall(&step, err);
    if (recalled)
        return recalled < 0 ? -1 : 0;
    view = stack_view(&making->stack, build->tools->layout, err);
    if (!view)
        return -1;
    found = view_resolve(view, making->state.workdir, VIEW_FOLLOW, &resolved, &at, err);
    if (found < 0)
        return -1;
    if (found && at.entry.type != ENTRY_DIR)
        return err_set(err, ERR_INPUT, ENOTDIR, "WORKDIR %s is a %s in the image, not a directory",
                       making->state.workdir, entry_type_name(at.entry.type));
    if (found)
        return step_nothing(&step, err);
    if (making->state.user[0] && copy_owner(making->state.user, &making->stack,
                                            build->tools->layout, &work.uid, &work.gid, err) < 0)
        return err_wrap(err, "USER %s", making->state.user);
    path = path_beneath(buf_str(&resolved));
    work.path = path;
    cache_key_begin(&key, &making->stack, "WORKDIR");
    step_hash_common(build, making, &key);
    cache_key_text(&key, "path", path);
    cache_key_u64(&key, "owner", (uint64_t)work.uid << 32 | work.gid);
    return step_make(&step, &key, err);
}
