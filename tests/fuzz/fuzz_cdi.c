/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/scope.h"
#include "base/yaml.h"
#include "builder/cdi.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct cdi_edits *e)
{
    SCOPED(cdi_edits_release) struct cdi_edits copy = {0};
    SCOPED(buf_release) struct buf one = {0}, two = {0};

    for (size_t i = 0; i < e->nodes_count; i++)
        if (e->nodes[i].path[0] != '/' || e->nodes[i].host_path[0] != '/')
            abort();
    for (size_t i = 0; i < e->binds_count; i++)
        if (e->binds[i].host_path[0] != '/' || e->binds[i].container_path[0] != '/')
            abort();
    for (size_t i = 0; i < e->env.count; i++)
        if (!strchr(e->env.ptr[i], '='))
            abort();
    cdi_edits_add(&copy, e);
    cdi_edits_print(e, &one);
    cdi_edits_print(&copy, &two);
    if (!str_eq(buf_str(&one), buf_str(&two)))
        abort();
}

static void read_doc(json_t *doc)
{
    SCOPED(cdi_spec_release) struct cdi_spec spec = {0};
    struct err err = {0};
    struct str kind, name;

    if (cdi_spec_parse("file", doc, &spec, &err) < 0) {
        if (!err.text[0] || spec.kind || spec.devices)
            abort();
        return;
    }
    if (!spec.count || cdi_name_parse(str_of(spec.kind), &kind, &name, &err) < 0)
        abort();
    check(&spec.edits);
    for (size_t i = 0; i < spec.count; i++)
        check(&spec.devices[i].edits);
}

/* The same bytes as a specification in JSON, one in YAML, and a name. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size}, kind, name;
    struct err err[3] = {0};
    json_auto_t *json = json_parse(text, &err[0]);
    json_auto_t *yaml = yaml_parse(text, &err[1]);

    if (!json != (err[0].text[0] != 0) || !yaml != (err[1].text[0] != 0))
        abort();
    if (json)
        read_doc(json);
    if (yaml)
        read_doc(yaml);
    if (cdi_name_parse(text, &kind, &name, &err[2]) < 0)
        return err[2].text[0] ? 0 : (abort(), 0);
    if (kind.size + (name.size ? name.size + 1 : 0) != size)
        abort();
    return 0;
}
