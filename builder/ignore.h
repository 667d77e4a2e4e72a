/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_IGNORE_H
#define BUILDER_IGNORE_H

/*
 * .dockerignore (moby/patternmatcher): one pattern a line, * and ? within a component, ** across,
 * [classes], leading ! puts back, the last match wins, a pattern that matches a directory covers
 * all below it. Pure; a matcher may be shared by threads.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct ignore_rule;

struct ignore {
    struct ignore_rule *rules;
    size_t count;
    bool has_negation;
};

/* name is for errors: `.dockerignore:3: …`. Adds to what *ig holds. */
int ignore_parse(struct ignore *ig, struct str bytes, const char *name, struct err *err);
/* One pattern from elsewhere (an option), same rules as a line. */
int ignore_add(struct ignore *ig, struct str pattern, struct err *err);
/* A pattern taken as it stands, for a matcher that says what is meant: white space and "!" are
 * part of the name. "" adds nothing. */
int ignore_add_path(struct ignore *ig, struct str pattern, struct err *err);
void ignore_release(struct ignore *ig);

/* Is this path left out? `path` is clean and relative to the context ("a/b"), "." never is. Looks
 * at its parents too. */
bool ignore_match(const struct ignore *ig, struct str path);
/*
 * For a walk: may something below the left-out directory `dir` be put back by a later "!"? false:
 * prune it. Never false where a child could be put back.
 */
bool ignore_may_descend(const struct ignore *ig, struct str dir);
/* Is there a pattern that leaves out all there is: "*", "**"? */
bool ignore_all(const struct ignore *ig);
/* Could some pattern match something below dir? */
bool ignore_reaches_below(const struct ignore *ig, struct str dir);

#endif
