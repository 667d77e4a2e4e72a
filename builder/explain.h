/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXPLAIN_H
#define BUILDER_EXPLAIN_H

/*
 * Why each step was remembered or not: --explain.
 *
 * Every build that makes a step leaves what its steps were defined by in cache/explain/<hex>, where
 * hex stands for the context and the Dockerfile, and the list of files behind each "files" hash in
 * cache/explain/<hex of it>. The next build of the same is held against that, field by field and
 * file by file.
 *   {"steps":[{"stage":"web for linux/amd64","text":"RUN make","key":"<hex>","fields":["argv
 * 0=…"]}]}
 */
#include "base/buf.h"
#include "base/err.h"
#include "builder/exec.h"

struct copy_request;

/* Keeps the list of files that copy_define() hashed to hex, unless it is there. Failing is no more
 * than a debug line. */
void explain_keep_files(const struct layout *layout, const struct copy_request *request,
                        const char *hex);
/* After a build, whatever came of it: with --explain one line a step into out, and below a step
 * that was made what differed. Then this build is what the next is held against. */
void explain_build(const struct build *build, struct buf *out);

#endif
