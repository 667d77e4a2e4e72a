/* SPDX-License-Identifier: Apache-2.0 */
/* The config against the secrets of the build (declared in exec_run.h). */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/scope.h"
#include "builder/exec_run.h"
#include "builder/run_options.h"
#include "builder/tripwire.h"

/* Path of a value in the document, "config.Env[2]"; names are escaped, and those that hold a secret
 * themselves are not shown. */
static void add_name(struct buf *path, const char *name, const struct tripwire *wire)
{
    buf_adds(path, path->size ? "." : "");
    if (tripwire_find(wire, str_of(name)))
        buf_adds(path, "(a name)");
    else
        buf_add_escaped(path, str_slice(str_of(name), 0, 80));
}

static const char *find(const struct tripwire *wire, json_t *value, struct buf *path)
{
    size_t size = path->size, i;
    const char *name, *found;
    json_t *child;

    if (json_is_string(value))
        return tripwire_find(wire,
                             (struct str){json_string_value(value), json_string_length(value)});
    json_object_foreach(value, name, child)
    {
        add_name(path, name, wire);
        found = tripwire_find(wire, str_of(name));
        if (!found)
            found = find(wire, child, path);
        if (found)
            return found;
        path->size = size;
    }
    json_array_foreach(value, i, child)
    {
        buf_addf(path, "[%zu]", i);
        found = find(wire, child, path);
        if (found)
            return found;
        path->size = size;
    }
    return NULL;
}

void exec_clean_result(const struct build_options *options, struct build_result *result,
                       struct err *err)
{
    const struct tripwire *wire = options->run->wire;

    if (tripwire_is_empty(wire))
        return;
    tripwire_clean(wire, &result->excerpt);
    tripwire_clean(wire, &result->output);
    tripwire_clean(wire, &result->explanation);
    for (size_t i = 0; i < result->warnings.count; i++) {
        struct buf text = {0};

        buf_adds(&text, result->warnings.ptr[i]);
        tripwire_clean(wire, &text);
        free(result->warnings.ptr[i]);
        result->warnings.ptr[i] = buf_steal(&text);
    }
    if (tripwire_find(wire, str_of(err->text))) {
        SCOPED(buf_release) struct buf text = {0};

        buf_adds(&text, err->text);
        tripwire_clean(wire, &text);
        err_set(err, err->kind, err->code, "%s", buf_cstr(&text));
    }
}

int exec_check_secrets(const struct build *build, const struct making *making, struct err *err)
{
    SCOPED(buf_release) struct buf path = {0};
    const struct tripwire *wire = build->options->run->wire;
    const char *found;

    if (tripwire_is_empty(wire))
        return 0;
    found = find(wire, making->state.config, &path);
    if (!found)
        return 0;
    return err_set(err, ERR_INPUT, 0, "the value of secret %s is in the image's config, at %s",
                   found, buf_cstr(&path));
}

int exec_check_text(const struct build *build, const char *text, struct err *err)
{
    const char *found = tripwire_find(build->options->run->wire, str_of(text));

    if (!found)
        return 0;
    return err_set(
        err, ERR_INPUT, 0,
        "the value of secret %s is in the step's text, which would be in the image's history",
        found);
}
