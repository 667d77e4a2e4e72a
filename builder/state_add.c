/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that ADD alone has. */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/download.h"
#include "builder/giturl.h"
#include "builder/state.h"
#include "builder/state_words.h"

static enum giturl_choice choice_of(const struct instruction *in, const char *flag)
{
    const char *value = instr_flag(in, flag);

    if (!value)
        return GITURL_UNSAID;
    return strcmp(value, "true") == 0 ? GITURL_YES : GITURL_NO;
}

/* Is what ADD names somewhere else? A wrong git URL is, and is told later. */
static bool is_remote(const char *source)
{
    SCOPED(giturl_release) struct giturl url = {0};
    struct err ignored = {0};

    return download_is_url(source) || giturl_parse(source, &url, &ignored) != 0;
}

int state_add_flags(struct state *s, const struct instruction *in, struct copy_spec *out,
                    struct err *err)
{
    SCOPED(buf_release) struct buf checksum = {0};

    if (in->kind != INSTR_ADD)
        return 0;
    out->keep_git_dir = choice_of(in, "keep-git-dir");
    out->unpack = choice_of(in, "unpack");
    if (state_expand(s, in, instr_flag(in, "checksum"), &checksum, err) < 0)
        return -1;
    if (!checksum.size)
        return 0;
    if (out->sources.count + out->files_count != 1)
        return err_set(err, ERR_INPUT, 0, "ADD --checksum takes one source, not %zu",
                       out->sources.count + out->files_count);
    if (!out->sources.count || !is_remote(out->sources.ptr[0]))
        return err_set(err, ERR_INPUT, 0,
                       "ADD --checksum is for URLs and git repositories, not for local files");
    out->checksum = buf_steal(&checksum);
    return 0;
}
