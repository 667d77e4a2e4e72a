/* SPDX-License-Identifier: Apache-2.0 */
/* Build checks that need the file alone. */
#include <ctype.h>
#include <string.h>

#include "base/scope.h"
#include "builder/lint.h"
#include "builder/text.h"

static bool is_lower(const char *s)
{
    for (; *s; s++)
        if (isupper((unsigned char)*s))
            return false;
    return true;
}

static bool is_upper(const char *s)
{
    for (; *s; s++)
        if (islower((unsigned char)*s))
            return false;
    return true;
}

static void check_from_case(struct lint *lint, const struct dockerfile *doc,
                            const struct instruction *in)
{
    if (in->words_count < 3)
        return;
    const char *as = in->words[1].text, *name = in->words[2].text;

    if (!is_lower(name))
        lint_add(lint, doc, in, LINT_STAGE_NAME_CASING, in->first_line, in->last_line,
                 "Stage name '%s' should be lowercase", name);
    /* A keyword of mixed case is another rule's. */
    if (is_lower(in->written) ? !is_lower(as) : is_upper(in->written) && !is_upper(as))
        lint_add(lint, doc, in, LINT_FROM_AS_CASING, in->first_line, in->last_line,
                 "'%s' and '%s' keywords' casing do not match", as, in->written);
}

/* A comment directly above that begins with none of the names it could describe. */
static void check_description(struct lint *lint, const struct dockerfile *doc,
                              const struct instruction *in)
{
    size_t first = dockerfile_comments_above(doc, in);
    const char *example = in->kind == INSTR_FROM ? in->stage_name
                          : in->pairs_count == 1 ? in->pairs[0].name
                                                 : "<arg_key>";
    struct str word, ignored;

    if (first == in->comments_end || !example)
        return;
    str_cut(doc->comments[in->comments_end - 1].text, ' ', &word, &ignored);
    if (in->kind == INSTR_FROM && str_is(word, in->stage_name))
        return;
    for (size_t i = 0; i < in->pairs_count; i++)
        if (str_is(word, in->pairs[i].name))
            return;
    lint_add(lint, doc, in, LINT_INVALID_DEFINITION_DESCRIPTION, in->first_line, in->last_line,
             "Comment for %s should follow the format: `# %s <description>`", in->keyword, example);
}

static void check_one(struct lint *lint, const struct dockerfile *doc, const struct instruction *in)
{
    switch (in->kind) {
    case INSTR_MAINTAINER:
        lint_add(lint, doc, in, LINT_MAINTAINER_DEPRECATED, in->first_line, in->last_line,
                 "Maintainer instruction is deprecated in favor of using label");
        break;
    case INSTR_FROM:
        check_from_case(lint, doc, in);
        check_description(lint, doc, in);
        break;
    case INSTR_ARG:
        check_description(lint, doc, in);
        break;
    default:
        break;
    }
}

static bool has_name_before(const struct dockerfile *doc, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (doc->instructions[i].stage_name &&
            strcmp(doc->instructions[i].stage_name, doc->instructions[index].stage_name) == 0)
            return true;
    return false;
}

static void check_stage_names(struct lint *lint, const struct dockerfile *doc)
{
    for (size_t i = 0; i < doc->count; i++) {
        const struct instruction *in = &doc->instructions[i];
        SCOPED(buf_release) struct buf quoted = {0};

        if (!in->stage_name)
            continue;
        text_quote(&quoted, str_of(in->stage_name));
        if (strcmp(in->stage_name, "scratch") == 0 || strcmp(in->stage_name, "context") == 0)
            lint_add(lint, doc, in, LINT_RESERVED_STAGE_NAME, in->first_line, in->last_line,
                     "Stage name should not use the same name as reserved stage %s",
                     buf_cstr(&quoted));
        if (has_name_before(doc, i))
            lint_add(lint, doc, in, LINT_DUPLICATE_STAGE_NAME, in->first_line, in->last_line,
                     "Duplicate stage name %s, stage names should be unique", buf_cstr(&quoted));
    }
}

/* Keywords of the stages; the ARGs before them neither count nor are judged. */
static void check_casing(struct lint *lint, const struct dockerfile *doc)
{
    size_t lower = 0, upper = 0, first = 0;

    while (first < doc->count && doc->instructions[first].kind != INSTR_FROM)
        first++;
    for (size_t i = first; i < doc->count; i++) {
        lower += is_lower(doc->instructions[i].written);
        upper += is_upper(doc->instructions[i].written);
    }
    bool want_lower = lower > upper;
    for (size_t i = first; i < doc->count; i++) {
        const struct instruction *in = &doc->instructions[i];

        if (want_lower ? is_lower(in->written) : is_upper(in->written))
            continue;
        lint_add(lint, doc, in, LINT_CONSISTENT_INSTRUCTION_CASING, in->first_line, in->last_line,
                 "Command '%s' should match the case of the command majority (%s)", in->written,
                 want_lower ? "lowercase" : "uppercase");
    }
}

void lint_file(struct lint *lint, const struct dockerfile *doc)
{
    for (size_t i = 0; i < doc->count && doc->whole; i++) {
        const struct instruction *in = &doc->instructions[i];

        if (in->empty_line)
            lint_add(lint, doc, in, LINT_NO_EMPTY_CONTINUATION, in->empty_line, in->empty_line,
                     "Empty continuation line");
    }
    for (size_t i = 0; i < doc->count; i++)
        check_one(lint, doc, &doc->instructions[i]);
    if (!doc->whole)
        return;
    check_stage_names(lint, doc);
    check_casing(lint, doc);
}
