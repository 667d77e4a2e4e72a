/* SPDX-License-Identifier: Apache-2.0 */
/* The words of COPY and ADD. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/copy_words.h"
#include "builder/state.h"
#include "builder/state_words.h"

/* Absolute and clean; "/" or "/." at its end says that it is a directory, and "" and "." are one.
 */
static char *destination(const struct state *s, const char *text)
{
    bool is_dir = !*text || strcmp(text, ".") == 0 || str_ends(str_of(text), "/") ||
                  str_ends(str_of(text), "/.");
    AUTO_FREE char *path = path_join(s->workdir, text);

    return xasprintf("%s%s", path, is_dir && strcmp(path, "/") != 0 ? "/" : "");
}

static int add_file(struct state *s, const struct instruction *in, const struct heredoc *doc,
                    struct copy_spec *out, struct err *err)
{
    SCOPED(buf_release) struct buf body = {0}, text = {0};

    if (heredoc_check_name(doc->name, err) < 0)
        return -1;
    heredoc_text(doc, &body);
    if (!doc->expand)
        buf_add_str(&text, buf_str(&body));
    else if (state_expand_body(s, in, buf_str(&body), &text, err) < 0)
        return err_wrap(err, "heredoc <<%s", doc->name);
    out->files = xreallocarray(out->files, out->files_count + 1, sizeof(*out->files));
    /* Initialisers have no order: the size is taken before the bytes are. */
    struct copy_file *file = &out->files[out->files_count++];
    *file = (struct copy_file){.name = xstrdup(doc->name), .size = text.size};
    file->text = buf_steal(&text);
    return 0;
}

static int add_sources(struct state *s, const struct instruction *in, struct copy_spec *out,
                       struct err *err)
{
    for (size_t i = 0; i + 1 < in->words_count; i++) {
        SCOPED(buf_release) struct buf source = {0};
        const struct word *word = &in->words[i];

        if (word->heredoc >= 0) {
            if (add_file(s, in, &in->heredocs[word->heredoc], out, err) < 0)
                return -1;
            continue;
        }
        if (state_expand(s, in, word->text, &source, err) < 0)
            return -1;
        if (source.size == 0)
            buf_addc(&source, '.'); /* as docker: a variable that nothing sets is the root */
        if (instr_check_source(in, buf_str(&source), err) < 0)
            return -1;
        strv_add(&out->sources, buf_cstr(&source));
    }
    return 0;
}

static bool is_set(const struct instruction *in, const char *flag)
{
    const char *value = instr_flag(in, flag);

    return value && strcmp(value, "true") == 0;
}

/* Flags that decide what is copied and how, and what the history says of them. */
static int set_flags(struct state *s, const struct instruction *in, struct copy_spec *out,
                     struct buf *said, struct err *err)
{
    SCOPED(buf_release) struct buf chown = {0}, mode = {0};

    out->parents = is_set(in, "parents");
    if (out->parents)
        buf_adds(said, " --parents");
    if (copy_words_excludes(in, &out->exclude, err) < 0)
        return -1;
    if (state_expand(s, in, instr_flag(in, "chown"), &chown, err) < 0 ||
        state_expand(s, in, instr_flag(in, "chmod"), &mode, err) < 0)
        return -1;
    if (chown.size > 0) {
        out->chown = buf_steal(&chown);
        buf_addf(said, " --chown=%s", out->chown);
    }
    if (mode.size > 0) {
        if (chmod_parse(buf_str(&mode), &out->chmod, err) < 0)
            return -1;
        out->has_chmod = true;
        buf_addf(said, " --chmod=%s", buf_cstr(&mode));
    }
    /* BuildKit has no --link together with --chmod either. */
    out->link = is_set(in, "link") && !out->has_chmod;
    return 0;
}

static int fill_copy(struct state *s, const struct instruction *in, struct copy_spec *out,
                     struct err *err)
{
    SCOPED(buf_release) struct buf said = {0}, dest = {0};

    buf_adds(&said, in->keyword);
    if (set_flags(s, in, out, &said, err) < 0 || add_sources(s, in, out, err) < 0 ||
        state_expand(s, in, in->words[in->words_count - 1].text, &dest, err) < 0)
        return -1;
    for (size_t i = 0; i < out->sources.count; i++)
        buf_addf(&said, " %s", out->sources.ptr[i]);
    for (size_t i = 0; i < out->files_count; i++)
        buf_addf(&said, " <<%s", out->files[i].name);
    buf_addf(&said, " %s # buildkit", buf_cstr(&dest));
    out->dest = destination(s, buf_cstr(&dest));
    out->created_by = buf_steal(&said);
    return 0;
}

int state_copy(struct state *s, const struct instruction *in, struct copy_spec *out,
               struct err *err)
{
    *out = (struct copy_spec){.is_add = in->kind == INSTR_ADD, .from = graph_source(s->stage, in)};
    if (fill_copy(s, in, out, err) == 0 && state_add_flags(s, in, out, err) == 0)
        return 0;
    copy_spec_release(out);
    return dockerfile_wrap(in->doc, in->first_line, err);
}

void copy_spec_release(struct copy_spec *copy)
{
    strv_release(&copy->sources);
    for (size_t i = 0; i < copy->files_count; i++) {
        free(copy->files[i].name);
        free(copy->files[i].text);
    }
    free(copy->files);
    ignore_release(&copy->exclude);
    free(copy->dest);
    free(copy->chown);
    free(copy->checksum);
    free(copy->created_by);
    *copy = (struct copy_spec){0};
}
