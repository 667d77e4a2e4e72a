/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/config.h"

#include <string.h>

#include "base/scope.h"
#include "tests/tap.h"

#define ID "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" ID "\"]}"

static void parsing(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"{" ROOTFS "}", NULL},
        {"{" ROOTFS ",\"config\":null,\"history\":null}", NULL},
        {"{" ROOTFS
         ",\"config\":{\"Env\":null,\"Cmd\":[\"a\"],\"Labels\":{\"a\":\"b\"},\"X\":[7]}}",
         NULL},
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null}}", NULL},
        {"[]", "image config: not a JSON object"},
        {"{", "image config: line 1, column 1: string or '}' expected near end of file"},
        {"{}", "image config: \"rootfs\" is not an object"},
        {"{\"rootfs\":{\"diff_ids\":[\"../x\"]}}",
         "image config: \"diff_ids\" is not a list of sha256 digests"},
        {"{\"rootfs\":{\"diff_ids\":[7]}}",
         "image config: \"diff_ids\" is not a list of up to 2000 strings"},
        {"{" ROOTFS ",\"config\":[]}", "image config: \"config\" is not an object"},
        {"{" ROOTFS ",\"config\":{\"Env\":{}}}", "image config: \"Env\" is not a list of strings"},
        {"{" ROOTFS ",\"config\":{\"Cmd\":[7]}}", "image config: \"Cmd\" is not a list of strings"},
        {"{" ROOTFS ",\"config\":{\"User\":7}}", "image config: \"User\" is not a string"},
        {"{" ROOTFS ",\"config\":{\"Volumes\":[]}}", "image config: \"Volumes\" is not an object"},
        {"{" ROOTFS ",\"config\":{\"Labels\":{\"a\":7}}}",
         "image config: \"Labels\" is not a map of strings"},
        {"{" ROOTFS ",\"history\":{}}", "image config: \"history\" is not a list"},
        {"{" ROOTFS ",\"history\":[7]}", "image config: \"history\" is not a list of objects"},
        {"{" ROOTFS ",\"created\":7}", "image config: \"created\" is not a string"},
        {"{" ROOTFS ",\"os\":\"a b\"}", "image config: platform: \"os\" is not a plain word"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        json_auto_t *doc = config_parse(str_of(rows[i].text), &err);

        OKF(!doc == !!rows[i].err, "%s", rows[i].text);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
    }
}

static void growing(void)
{
    struct platform p = {.os = "linux", .arch = "arm", .variant = "v7"}, got;
    json_auto_t *doc = config_new(&p);
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(strv_release) struct strv cmd = {0}, none = {0}, ids = {0}, keys = {0};
    struct err err = {0};

    strv_add(&cmd, "nginx");
    strv_add(&cmd, "-g");
    config_set_list(doc, "Cmd", &cmd);
    config_set_list(doc, "Entrypoint", &none);
    config_set(doc, "User", "app");
    config_add_key(doc, "ExposedPorts", "80/tcp");
    config_add_key(doc, "ExposedPorts", "443/tcp");
    config_set_label(doc, "a", "b");
    config_set_created(doc, "2026-01-02T03:04:05Z");
    config_add_layer(doc, ID);
    config_add_history(doc, "2026-01-02T03:04:05Z", "RUN x", NULL, false);
    config_add_history(doc, NULL, "CMD y", "why", true);
    config_print(doc, &text);
    EQ_STR(
        buf_cstr(&text),
        "{\"architecture\":\"arm\",\"config\":{\"Cmd\":[\"nginx\",\"-g\"],\"Entrypoint\":[],"
        "\"ExposedPorts\":{\"443/"
        "tcp\":{},\"80/"
        "tcp\":{}},\"Labels\":{\"a\":\"b\"},\"User\":\"app\"},\"created\":\"2026-01-02T03:04:05Z\","
        "\"history\":[{\"created\":\"2026-01-02T03:04:05Z\",\"created_by\":\"RUN "
        "x\"},{\"comment\":\"why\",\"created_"
        "by\":\"CMD y\",\"empty_layer\":true}],\"os\":\"linux\","
        "\"rootfs\":{\"diff_ids\":[\"" ID "\"],\"type\":\"layers\"}"
        ",\"variant\":\"v7\"}");
    OK(config_platform(doc, &got, &err) == 0 && platform_eq(&got, &p));
    config_diff_ids(doc, &ids);
    OK(ids.count == 1 && strcmp(ids.ptr[0], ID) == 0);
    config_get_keys(doc, "ExposedPorts", &keys);
    OK(keys.count == 2 && strcmp(keys.ptr[0], "443/tcp") == 0);
    strv_clear(&keys);
    OK(config_get_list(doc, "Cmd", &keys) && keys.count == 2);
    OK(config_get_list(doc, "Entrypoint", &keys) && keys.count == 2);
    OK(!config_get_list(doc, "Env", &keys));
    EQ_STR(config_get(doc, "User"), "app");
    EQ_STR(config_get(doc, "WorkingDir"), NULL);
    EQ_STR(config_label(doc, "a"), "b");
    config_set(doc, "User", NULL);
    config_set_list(doc, "Cmd", NULL);
    OK(!config_get(doc, "User") && !config_get_list(doc, "Cmd", &keys));
}

/* What we do not know stays; null members become what is needed. */
static void kept(void)
{
    static const char text[] =
        "{\"architecture\":\"amd64\",\"config\":null,\"history\":null,\"os\":\"linux\",\"os."
        "features\":[\"f\"],"
        "\"rootfs\":{\"diff_ids\":null,\"type\":\"layers\"},\"x\":{\"y\":[1,2]}}";
    struct err err = {0};
    json_auto_t *doc = config_parse(STR(text), &err);
    SCOPED(buf_release) struct buf out = {0};

    config_print(doc, &out);
    EQ_STR(buf_cstr(&out), text);
    config_add_layer(doc, ID);
    config_add_history(doc, NULL, "a", NULL, false);
    config_set_label(doc, "k", "v");
    buf_clear(&out);
    config_print(doc, &out);
    EQ_STR(buf_cstr(&out), "{\"architecture\":\"amd64\",\"config\":{\"Labels\":{\"k\":\"v\"}},"
                           "\"history\":[{\"created_by\":\"a\"}],\"os\":\"linux\","
                           "\"os.features\":[\"f\"],\"rootfs\":{\"diff_ids\":[\"" ID
                           "\"],\"type\":\"layers\"},\"x\":{\"y\":[1,2]}}");
}

static void no_platform(void)
{
    struct err err = {0};
    struct platform p;
    json_auto_t *doc = config_parse(STR("{\"os\":\"linux\"," ROOTFS "}"), &err);

    OK(config_platform(doc, &p, &err) < 0);
    EQ_STR(err.text, "image config: \"architecture\" is missing");
}

/* A command line may hold bytes that are no UTF-8. */
static void foreign_bytes(void)
{
    struct platform p = {.os = "linux", .arch = "amd64"};
    json_auto_t *doc = config_new(&p);

    config_add_history(doc, NULL, "echo \xff", NULL, true);
    EQ_STR(json_str(json_array_get(config_history(doc), 0), "created_by"), "echo \\xff");
    config_set_label(doc, "a\xff", "b\xfe");
    EQ_STR(config_label(doc, "a\\xff"), "b\\xfe");
}

TAP_MAIN({"parsing", parsing}, {"growing", growing}, {"unknown members are kept", kept},
         {"a platform that is not told", no_platform}, {"bytes that are no text", foreign_bytes})
