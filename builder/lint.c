/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"

static const struct lint_about rules[LINT_RULES] = {
    [LINT_STAGE_NAME_CASING] = {"StageNameCasing", "Stage names should be lowercase",
                                "stage-name-casing", false},
    [LINT_FROM_AS_CASING] = {"FromAsCasing",
                             "The 'as' keyword should match the case of the 'from' keyword",
                             "from-as-casing", false},
    [LINT_NO_EMPTY_CONTINUATION] =
        {"NoEmptyContinuation", "Empty continuation lines will become errors in a future release",
         "no-empty-continuation", false},
    [LINT_CONSISTENT_INSTRUCTION_CASING] =
        {"ConsistentInstructionCasing",
         "All commands within the Dockerfile should use the same casing (either upper or lower)",
         "consistent-instruction-casing", false},
    [LINT_DUPLICATE_STAGE_NAME] = {"DuplicateStageName", "Stage names should be unique",
                                   "duplicate-stage-name", false},
    [LINT_RESERVED_STAGE_NAME] = {"ReservedStageName",
                                  "Reserved words should not be used as stage names",
                                  "reserved-stage-name", false},
    [LINT_JSON_ARGS_RECOMMENDED] =
        {"JSONArgsRecommended",
         "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to "
         "OS signals",
         "json-args-recommended", false},
    [LINT_MAINTAINER_DEPRECATED] =
        {"MaintainerDeprecated",
         "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
         "maintainer-deprecated", false},
    [LINT_UNDEFINED_ARG_IN_FROM] = {"UndefinedArgInFrom", "FROM command must use declared ARGs",
                                    "undefined-arg-in-from", false},
    [LINT_WORKDIR_RELATIVE_PATH] =
        {"WorkdirRelativePath",
         "Relative workdir without an absolute workdir declared within the build can have "
         "unexpected results if the base image changes",
         "workdir-relative-path", false},
    [LINT_UNDEFINED_VAR] = {"UndefinedVar", "Variables should be defined before their use",
                            "undefined-var", false},
    [LINT_MULTIPLE_INSTRUCTIONS_DISALLOWED] =
        {"MultipleInstructionsDisallowed",
         "Multiple instructions of the same type should not be used in the same stage",
         "multiple-instructions-disallowed", false},
    [LINT_LEGACY_KEY_VALUE_FORMAT] =
        {"LegacyKeyValueFormat",
         "Legacy key/value format with whitespace separator should not be used",
         "legacy-key-value-format", false},
    [LINT_INVALID_BASE_IMAGE_PLATFORM] =
        {"InvalidBaseImagePlatform", "Base image platform does not match expected target platform",
         NULL, false},
    [LINT_REDUNDANT_TARGET_PLATFORM] =
        {"RedundantTargetPlatform",
         "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the "
         "default behavior",
         "redundant-target-platform", false},
    [LINT_SECRETS_USED_IN_ARG_OR_ENV] =
        {"SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands",
         "secrets-used-in-arg-or-env", false},
    [LINT_INVALID_DEFAULT_ARG_IN_FROM] =
        {"InvalidDefaultArgInFrom",
         "Default value for global ARG results in an empty or invalid base image name",
         "invalid-default-arg-in-from", false},
    [LINT_FROM_PLATFORM_FLAG_CONST_DISALLOWED] =
        {"FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value",
         "from-platform-flag-const-disallowed", false},
    [LINT_COPY_IGNORED_FILE] = {"CopyIgnoredFile",
                                "Attempting to Copy file that is excluded by .dockerignore",
                                "copy-ignored-file", false},
    [LINT_INVALID_DEFINITION_DESCRIPTION] =
        {"InvalidDefinitionDescription",
         "Comment for build stage or argument should follow the format: `# <arg/stage name> "
         "<description>`. If this is not intended to be a description comment, add an empty line "
         "or comment between the instruction and the comment.",
         "invalid-definition-description", true},
    [LINT_EXPOSE_PROTO_CASING] = {"ExposeProtoCasing",
                                  "Protocol in EXPOSE instruction should be lowercase",
                                  "expose-proto-casing", false},
    [LINT_EXPOSE_INVALID_FORMAT] =
        {"ExposeInvalidFormat",
         "IP address and host-port mapping should not be used in EXPOSE instruction. This will "
         "become an error in a future release",
         "expose-invalid-format", false},
};

const struct lint_about *lint_about(enum lint_rule rule)
{
    return &rules[rule];
}

/* --- configuration --- */

/* The text up to its first space, but for those after "," and ";". */
static struct str cut_prose(struct str s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.ptr[i] == ' ' && i > 0 && !strchr(",; ", s.ptr[i - 1]))
            return str_slice(s, 0, i);
    return s;
}

static void take_names(struct str list, bool *all, struct strv *names)
{
    struct str name;

    if (str_is(list, "all")) {
        *all = true;
        return;
    }
    while (list.size > 0) {
        str_cut(list, ',', &name, &list);
        name = str_trim(name);
        if (name.size > 0)
            strv_add_str(names, name);
    }
}

/* What Go's strconv.ParseBool takes. */
static bool take_bool(struct str s, bool *out)
{
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (!str_is(s, words[i]))
            continue;
        *out = i < ARRAY_SIZE(words) / 2;
        return true;
    }
    return false;
}

static int wrong_option(struct str option, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(option, 0, 100));
    return err_set(err, ERR_INPUT, 0,
                   "check option \"%s\" is none of skip=RULE,…|all, experimental=RULE,…|all, "
                   "error=true|false",
                   buf_cstr(&shown));
}

static int config_parse(struct lint_config *config, struct str text, struct err *err)
{
    text = cut_prose(str_trim(text));
    while (text.size > 0) {
        struct str option, key, value;

        str_cut(text, ';', &option, &text);
        bool has_value = str_cut(option, '=', &key, &value);
        key = str_trim(key);
        value = str_trim(value);
        if (has_value && str_is(key, "skip"))
            take_names(value, &config->skip_all, &config->skip);
        else if (has_value && str_is(key, "experimental"))
            take_names(value, &config->experimental_all, &config->experimental);
        else if (!has_value || !str_is(key, "error") || !take_bool(value, &config->is_error))
            return wrong_option(str_trim(option), err);
    }
    return 0;
}

static void config_release(struct lint_config *config)
{
    strv_release(&config->skip);
    strv_release(&config->experimental);
    *config = (struct lint_config){0};
}

/* A name that is no rule's would leave nothing out, and nobody would know. */
static void note_unknown(struct lint *lint, const struct dockerfile *doc, unsigned line,
                         const struct strv *names)
{
    for (size_t i = 0; i < names->count; i++) {
        SCOPED(buf_release) struct buf text = {0};
        unsigned best = 4;
        const char *near = NULL;
        bool known = false;

        for (size_t k = 0; k < LINT_RULES; k++) {
            unsigned distance = str_distance(str_of(names->ptr[i]), str_of(rules[k].name));

            known = known || strcmp(names->ptr[i], rules[k].name) == 0;
            if (distance < best) {
                best = distance;
                near = rules[k].name;
            }
        }
        if (known)
            continue;
        if (line)
            buf_addf(&text, "%s:%u: ", doc->name, line);
        buf_adds(&text, "there is no build check \"");
        buf_add_escaped(&text, str_slice(str_of(names->ptr[i]), 0, 100));
        buf_addc(&text, '"');
        if (near)
            buf_addf(&text, "; did you mean %s?", near);
        if (!strv_has(&lint->notes, buf_cstr(&text)))
            strv_add(&lint->notes, buf_cstr(&text));
    }
}

int lint_begin(struct lint *lint, const struct dockerfile *doc, const struct strv *build_args,
               struct span *failed, struct err *err)
{
    static const char argument[] = "BUILDKIT_DOCKERFILE_CHECK";
    const char *given = build_args ? env_get(build_args, argument) : NULL;
    unsigned line = 0;

    for (size_t i = 0; i < doc->directives_count && !given; i++)
        if (strcmp(doc->directives[i].name, "check") == 0)
            line = doc->directives[i].line;
    struct str text = given ? str_of(given) : dockerfile_directive(doc, "check");
    if (config_parse(&lint->config, text, err) < 0) {
        *failed = (struct span){line, line};
        return given ? err_wrap(err, "build argument %s", argument)
                     : dockerfile_wrap(doc, line, err);
    }
    note_unknown(lint, doc, line, &lint->config.skip);
    note_unknown(lint, doc, line, &lint->config.experimental);
    return 0;
}

void lint_release(struct lint *lint)
{
    config_release(&lint->config);
    for (size_t i = 0; i < lint->count; i++)
        free(lint->warnings[i].text);
    free(lint->warnings);
    strv_release(&lint->notes);
    *lint = (struct lint){0};
}

/* --- warnings --- */

static bool is_wanted(const struct lint_config *config, const struct lint_config *local,
                      enum lint_rule rule)
{
    const char *name = rules[rule].name;

    if (rules[rule].experimental)
        return config->experimental_all || local->experimental_all ||
               strv_has(&config->experimental, name) || strv_has(&local->experimental, name);
    return !config->skip_all && !local->skip_all && !strv_has(&config->skip, name) &&
           !strv_has(&local->skip, name);
}

/* The first check comment before the instruction. */
static void take_comments(struct lint *lint, const struct dockerfile *doc,
                          const struct instruction *in, struct lint_config *local)
{
    for (size_t i = in->comments_first; i < in->comments_end; i++) {
        const struct comment *comment = &doc->comments[i];
        struct str key, value;
        struct err err = {0};

        if (!lex_cut_directive(comment->text, &key, &value) || !str_is_nocase(key, "check"))
            continue;
        if (config_parse(local, value, &err) < 0) {
            dockerfile_wrap(doc, comment->line, &err);
            if (!strv_has(&lint->notes, err.text))
                strv_add(&lint->notes, err.text);
            config_release(local);
        }
        note_unknown(lint, doc, comment->line, &local->skip);
        note_unknown(lint, doc, comment->line, &local->experimental);
        return;
    }
}

void lint_add(struct lint *lint, const struct dockerfile *doc, const struct instruction *in,
              enum lint_rule rule, unsigned first, unsigned last, const char *fmt, ...)
{
    SCOPED(config_release) struct lint_config local = {0};
    va_list ap;

    if (in)
        take_comments(lint, doc, in, &local);
    if (!is_wanted(&lint->config, &local, rule))
        return;
    VEC_GROW(lint->warnings, lint->count, lint->capacity);
    struct lint_warning *warning = &lint->warnings[lint->count++];
    *warning = (struct lint_warning){.rule = rule, .first = first, .last = last};
    va_start(ap, fmt);
    warning->text = xvasprintf(fmt, ap);
    va_end(ap);
}

static bool has_warning(const struct lint *lint, size_t count, const struct lint_warning *warning)
{
    for (size_t i = 0; i < count; i++)
        if (lint->warnings[i].rule == warning->rule && lint->warnings[i].first == warning->first &&
            strcmp(lint->warnings[i].text, warning->text) == 0)
            return true;
    return false;
}

void lint_merge(struct lint *lint, struct lint *from)
{
    size_t count = lint->count;

    for (size_t i = 0; i < from->count; i++) {
        if (has_warning(lint, count, &from->warnings[i]))
            continue;
        VEC_GROW(lint->warnings, lint->count, lint->capacity);
        lint->warnings[lint->count++] = from->warnings[i];
        from->warnings[i].text = NULL;
    }
    for (size_t i = 0; i < from->notes.count; i++)
        if (!strv_has(&lint->notes, from->notes.ptr[i]))
            strv_add(&lint->notes, from->notes.ptr[i]);
}

void lint_sort(struct lint *lint)
{
    for (size_t i = 1; i < lint->count; i++) {
        struct lint_warning moved = lint->warnings[i];
        size_t to = i;

        for (; to > 0 && lint->warnings[to - 1].first > moved.first; to--)
            lint->warnings[to] = lint->warnings[to - 1];
        lint->warnings[to] = moved;
    }
}

int lint_error(const struct lint *lint, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};

    if (!lint->config.is_error || lint->count == 0)
        return 0;
    for (size_t i = 0; i < lint->count; i++)
        if (!strv_has(&names, rules[lint->warnings[i].rule].name))
            strv_add(&names, rules[lint->warnings[i].rule].name);
    AUTO_FREE char *joined = strv_join(&names, ", ");
    return err_set(err, ERR_INPUT, 0, "lint violation found for rules: %s", joined);
}
