/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/scope.h"
#include "builder/cdi.h"
#include "builder/cdi_registry.h"
#include "tests/tap.h"

static void names(void)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"vendor.com/gpu", true},
        {"v/c=1", true},
        {"v/c=*", true},
        {"v-1.x_y/c.d-e_f=a:b.c-d_e", true},
        {"v/c=", false},
        {"/c=1", false},
        {"v/=1", false},
        {"v", false},
        {"", false},
        {"1v/c=1", false},
        {"v/1c=1", false},
        {"v-/c=1", false},
        {"v/c.=1", false},
        {"v/c=-a", false},
        {"v/c=a-", false},
        {"v/c=a b", false},
        {"v/c/d=1", false},
        {"v/c=a=b", false},
        {"v/c=**", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        struct str kind, name;
        int rc = cdi_name_parse(str_of(rows[i].text), &kind, &name, &err);

        OKF((rc == 0) == rows[i].good, "%s: %s", rows[i].text, err.text);
    }
}

static int parse(const char *text, struct cdi_spec *spec, struct err *err)
{
    json_auto_t *doc = json_parse(str_of(text), err);

    return doc ? cdi_spec_parse("f", doc, spec, err) : -1;
}

#define HEAD "{\"cdiVersion\":\"0.6.0\",\"kind\":\"v.c/d\",\"devices\":[{\"name\":\"a\""
#define EDITS HEAD ",\"containerEdits\":"
#define TAIL "}]}"

static void refusals(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"{}", "key \"cdiVersion\" is missing"},
        {"{\"cdiVersion\":\"0.2.0\",\"kind\":\"v/c\",\"devices\":[]}",
         "cdiVersion \"0.2.0\" is not known (0.3.0 to 1.1.0 are)"},
        {"{\"cdiVersion\":\"2.0.0\",\"kind\":\"v/c\",\"devices\":[]}",
         "cdiVersion \"2.0.0\" is not known (0.3.0 to 1.1.0 are)"},
        {"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v\",\"devices\":[]}",
         "kind \"v\" is not VENDOR/CLASS"},
        {"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v/c\",\"devices\":[]}",
         "devices is no list, or an empty one"},
        {HEAD "},{\"name\":\"a\"}]}", "devices[1]: device a is there twice"},
        {"{\"cdiVersion\":\"0.6.0\",\"kind\":\"v/c\",\"devices\":[{\"name\":\"-\"}]}",
         "devices[0]: device name \"-\" is none"},
        {EDITS "[]" TAIL, "devices[0]: device a: containerEdits is no object"},
        {EDITS "{\"env\":{}}" TAIL, "devices[0]: device a: env is no list"},
        {EDITS "{\"env\":[\"=x\"]}" TAIL, "devices[0]: device a: env[0] is not NAME=value"},
        {EDITS "{\"deviceNodes\":[{\"path\":\"x\"}]}" TAIL,
         "devices[0]: device a: deviceNodes[0]: path \"x\" is not an absolute path"},
        {EDITS "{\"deviceNodes\":[{\"path\":\"/x\",\"type\":\"cc\"}]}" TAIL,
         "devices[0]: device a: deviceNodes[0]: type of /x is none of b, c, u and p"},
        {EDITS "{\"deviceNodes\":[{\"path\":\"/x\",\"permissions\":\"x\"}]}" TAIL,
         "devices[0]: device a: deviceNodes[0]: permissions of /x are more than r, w and m"},
        {EDITS "{\"deviceNodes\":[1]}" TAIL, "devices[0]: device a: deviceNodes[0] is no object"},
        {EDITS "{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/\"}]}" TAIL,
         "devices[0]: device a: mounts[0]: containerPath \"/\" is not an absolute path"},
        {EDITS "{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/"
               "y\",\"options\":[\"sync\"]}]}" TAIL,
         "devices[0]: device a: mounts[0]: option \"sync\" of the mount on /y is not supported"},
        {EDITS
         "{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/y\",\"options\":\"ro\"}]}" TAIL,
         "devices[0]: device a: mounts[0]: options of the mount on /y are no list"},
        {EDITS "{\"mounts\":[{\"hostPath\":\"/x\",\"containerPath\":\"/y\",\"readonly\":1}]}" TAIL,
         "devices[0]: device a: mounts[0]: unknown key \"readonly\""},
        {EDITS "{\"deviceNodes\":[{\"path\":\"/x\",\"hostpath\":\"/y\"}]}" TAIL,
         "devices[0]: device a: deviceNodes[0]: unknown key \"hostpath\""},
        {HEAD ",\"containeredits\":{}" TAIL, "devices[0]: unknown key \"containeredits\""},
        {HEAD "}],\"edits\":{}}", "unknown key \"edits\""},
        {EDITS "{\"additionalGids\":[-1]}" TAIL,
         "devices[0]: device a: additionalGids[0] is no group id"},
        {HEAD ",\"annotations\":{\"x\":true}" TAIL,
         "devices[0]: device a: annotation x is no string"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        struct cdi_spec spec = {0};

        OK(parse(rows[i].text, &spec, &err) < 0);
        EQ_STR(err.text, rows[i].err);
        EQ_INT(err.kind, ERR_INPUT);
    }
}

/* What is not carried out is noted, and does not spoil the file. */
static void missing(void)
{
    static const struct {
        const char *edits, *missing;
    } rows[] = {
        {"{}", NULL},
        {"{\"hooks\":[]}", NULL},
        {"{\"hooks\":[{\"hookName\":\"x\",\"path\":\"/y\"}]}", "hooks"},
        {"{\"intelRdt\":{\"closID\":\"x\"}}", "intelRdt"},
        {"{\"netDevices\":[{\"hostInterfaceName\":\"x\"}]}", "netDevices"},
        {"{\"somethingNew\":1}", "somethingNew"},
        {"{\"mounts\":[{\"hostPath\":\"/t\",\"containerPath\":\"/y\",\"type\":\"tmpfs\"}]}",
         "a mount of type tmpfs on /y"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(cdi_spec_release) struct cdi_spec spec = {0};
        SCOPED(buf_release) struct buf text = {0};
        struct err err = {0};

        buf_addf(&text, "%s%s%s", EDITS, rows[i].edits, TAIL);
        OKF(parse(buf_cstr(&text), &spec, &err) == 0, "%s", err.text);
        EQ_STR(spec.devices[0].edits.missing, rows[i].missing);
    }
}

static void file(int dir, const char *name, const char *text)
{
    struct err err = {0};

    OK(fs_replace(dir, name, text, strlen(text), 0644, false, &err) == 0);
}

static char *find(struct cdi_registry *r, const char *request, struct cdi_allowed *allowed)
{
    SCOPED(cdi_found_release) struct cdi_found found = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct err err = {0};

    if (cdi_find(r, request, allowed, &found, &err) < 0)
        return strdup(err.text);
    for (size_t i = 0; i < found.names.count; i++)
        buf_addf(&out, "%s%s", i ? " " : "", found.names.ptr[i]);
    buf_addc(&out, '|');
    for (size_t i = 0; i < found.edits.env.count; i++)
        buf_addf(&out, "%s%s", i ? " " : "", found.edits.env.ptr[i]);
    return buf_steal(&out);
}

static void registry(void)
{
    char one[] = "/tmp/slipway-cdi.XXXXXX", two[] = "/tmp/slipway-cdi.XXXXXX";
    struct cdi_registry r;
    struct cdi_allowed all = {.all = true}, some = {0}, none = {0};
    struct err err = {0};
    static const struct {
        const char *request, *want;
    } rows[] = {
        {"v.c/d=b", "v.c/d=b|SPEC=1 B=2"},
        {"v.c/d", "v.c/d=a|A=new"},
        {"v.c/d=*", "v.c/d=a v.c/d=b v.c/d=y|A=new SPEC=1 B=2 Y=1"},
        {"v.c/d=fast", "v.c/d=b v.c/d=y|SPEC=1 B=2 Y=1"},
        {"v.c/d=none", "|"},
        {"w.c/d", "|"},
        {"t.c/d=a", "device t.c/d=a is described twice, in "},
        {"h.c/d", "device h.c/d=a ("},
    };

    if (!OK(mkdtemp(one) && mkdtemp(two)))
        return;
    cdi_registry_init(&r);
    strv_add(&r.dirs, one);
    strv_add(&r.dirs, "/tmp/slipway-cdi-that-is-not-there");
    strv_add(&r.dirs, two);
    AUTO_FD int first = open(one, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int second = open(two, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    file(first, "a.yml",
         "cdiVersion: 0.6.0\nkind: v.c/d\ncontainerEdits: {env: [SPEC=1]}\n"
         "annotations: {org.mobyproject.buildkit.device.class: fast}\n"
         "devices:\n- {name: b, containerEdits: {env: [B=2]}}\n- {name: a, containerEdits: {env: "
         "[A=old]}}\n- {name: y, annotations: {org.mobyproject.buildkit.device.autoallow: \"1\"}, "
         "containerEdits: {env: [Y=1]}}\n");
    file(first, "broken.json", "{");
    file(first, "notes.txt", "{");
    file(second, "a.json", EDITS "{\"env\":[\"A=new\"]}" TAIL);
    file(second, "t1.json",
         "{\"cdiVersion\":\"0.6.0\",\"kind\":\"t.c/d\",\"devices\":[{\"name\":\"a\"}]}");
    file(second, "t2.json",
         "{\"cdiVersion\":\"0.6.0\",\"kind\":\"t.c/d\",\"devices\":[{\"name\":\"a\"}]}");
    file(second, "h.yaml",
         "cdiVersion: 0.6.0\nkind: h.c/d\ndevices: [{name: a}]\ncontainerEdits: {hooks: [{path: "
         "/x}]}\n");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = find(&r, rows[i].request, &all);

        OKF(strncmp(got, rows[i].want, strlen(rows[i].want)) == 0, "%s: %s, want %s",
            rows[i].request, got, rows[i].want);
    }
    EQ_INT(r.broken.count, 1);
    OK(r.broken.count && strstr(r.broken.ptr[0], "/broken.json: line 1"));

    AUTO_FREE char *refused = find(&r, "v.c/d=b", &none);
    EQ_STR(refused, "device v.c/d=b is not allowed without --allow device=v.c/d=b (or --allow "
                    "device, for all of them)");
    AUTO_FREE char *own = find(&r, "v.c/d=y", &none);
    EQ_STR(own, "v.c/d=y|SPEC=1 Y=1");
    strv_add(&some.names, "v.c/d=b");
    AUTO_FREE char *named = find(&r, "v.c/d=b", &some);
    EQ_STR(named, "v.c/d=b|SPEC=1 B=2");
    AUTO_FREE char *other = find(&r, "v.c/d=a", &some);
    OK(strstr(other, "not allowed"));
    strv_add(&some.names, "v.c/d");
    AUTO_FREE char *kind = find(&r, "v.c/d=*", &some);
    OK(strstr(kind, "v.c/d=a v.c/d=b"));
    strv_release(&some.names);
    cdi_registry_release(&r);
    fs_remove_tree(AT_FDCWD, one, &err);
    fs_remove_tree(AT_FDCWD, two, &err);
}

TAP_MAIN({"names", names}, {"refusals", refusals}, {"what is missing", missing},
         {"directories", registry})
