/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/platform.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/scope.h"
#include "base/str.h"

/* Other spellings of an architecture, with the variant they imply (containerd/platforms,
 * database.go). */
static const struct {
    const char *name, *arch, *variant;
} spellings[] = {
    {"x86_64", "amd64", ""},   {"x86-64", "amd64", ""},      {"aarch64", "arm64", ""},
    {"i386", "386", ""},       {"i486", "386", ""},          {"i586", "386", ""},
    {"i686", "386", ""},       {"armhf", "arm", "v7"},       {"armel", "arm", "v6"},
    {"armv8l", "arm", "v8"},   {"armv7l", "arm", "v7"},      {"armv6l", "arm", "v6"},
    {"armv5tel", "arm", "v5"}, {"mips64el", "mips64le", ""}, {"loongarch64", "loong64", ""},
};

static const char *const known_arch[] = {"386",     "amd64",   "arm",    "arm64",    "loong64",
                                         "mips",    "mipsle",  "mips64", "mips64le", "ppc64",
                                         "ppc64le", "riscv64", "s390x",  "wasm"};
static const char *const known_os[] = {"linux",   "windows", "darwin",  "macos",
                                       "freebsd", "netbsd",  "openbsd", "wasi"};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

/* Lower-case copy of a word of [A-Za-z0-9_.-]; false when it is empty, too long or has other
 * characters. */
static bool copy_word(struct str word, char *out, size_t capacity)
{
    if (word.size == 0 || word.size >= capacity)
        return false;
    for (size_t i = 0; i < word.size; i++) {
        char c = word.ptr[i];
        bool upper = c >= 'A' && c <= 'Z';

        if (!upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("_.-", c))
            return false;
        out[i] = upper ? (char)(c - 'A' + 'a') : c;
    }
    out[word.size] = 0;
    return memchr(out, 0, word.size) == NULL;
}

static void put(char *out, size_t capacity, const char *text)
{
    size_t size = strnlen(text, capacity - 1);

    memcpy(out, text, size);
    out[size] = 0;
}

static void normalise(struct platform *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
        if (strcmp(p->arch, spellings[i].name) == 0) {
            put(p->arch, sizeof(p->arch), spellings[i].arch);
            if (!p->variant[0])
                put(p->variant, sizeof(p->variant), spellings[i].variant);
            break;
        }
    if (strcmp(p->os, "macos") == 0)
        put(p->os, sizeof(p->os), "darwin");
    /* "8" is written for "v8". */
    if (p->variant[0] >= '0' && p->variant[0] <= '9' &&
        strlen(p->variant) + 1 < sizeof(p->variant)) {
        memmove(p->variant + 1, p->variant, strlen(p->variant) + 1);
        p->variant[0] = 'v';
    }
    if (strcmp(p->arch, "arm") == 0 && !p->variant[0])
        put(p->variant, sizeof(p->variant), "v7");
    if (strcmp(p->arch, "arm64") == 0 &&
        (strcmp(p->variant, "v8") == 0 || strcmp(p->variant, "v8.0") == 0))
        p->variant[0] = 0;
    if (strcmp(p->arch, "arm64") == 0 && strcmp(p->variant, "v9.0") == 0)
        put(p->variant, sizeof(p->variant), "v9");
    if (strcmp(p->arch, "amd64") == 0 && strcmp(p->variant, "v1") == 0)
        p->variant[0] = 0;
}

struct platform platform_host(void)
{
    struct platform p = {.os = "linux"};
    struct utsname uts;

    /* A 32-bit slipway on a 64-bit kernel still builds for what the kernel runs. */
    put(p.arch, sizeof(p.arch), uname(&uts) == 0 ? uts.machine : "amd64");
    normalise(&p);
    return p;
}

static int refuse(const char *text, struct err *err, const char *why)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(str_of(text), 0, 100));
    return err_set(err, ERR_USAGE, 0, "platform \"%s\": %s", buf_cstr(&shown), why);
}

/* "windows(10.0.17763)" */
static bool parse_os(struct str word, struct platform *p)
{
    struct str os, version;

    if (!str_cut(word, '(', &os, &version))
        return copy_word(word, p->os, sizeof(p->os));
    return copy_word(os, p->os, sizeof(p->os)) && str_ends(version, ")") &&
           copy_word(str_slice(version, 0, version.size - 1), p->os_version, sizeof(p->os_version));
}

int platform_parse(const char *text, struct platform *out, struct err *err)
{
    struct platform p = {0}, host = platform_host();
    struct str os, arch, variant;
    bool two = str_cut(str_of(text), '/', &os, &arch), three = str_cut(arch, '/', &arch, &variant);

    if (!two) {
        struct platform only = {0};

        if (!parse_os(os, &p))
            return refuse(text, err, "not of the form OS/ARCH, as in linux/arm64");
        put(only.arch, sizeof(only.arch), p.os);
        normalise(&only);
        if (is_one_of(p.os, known_os, ARRAY_SIZE(known_os))) {
            put(p.arch, sizeof(p.arch), host.arch);
            put(p.variant, sizeof(p.variant), host.variant);
        } else if (is_one_of(only.arch, known_arch, ARRAY_SIZE(known_arch))) {
            p = only;
            put(p.os, sizeof(p.os), host.os);
        } else {
            return refuse(text, err,
                          "neither an operating system nor an architecture; write OS/ARCH, "
                          "as in linux/arm64");
        }
    } else if (!parse_os(os, &p) || !copy_word(arch, p.arch, sizeof(p.arch)) ||
               (three && !copy_word(variant, p.variant, sizeof(p.variant)))) {
        return refuse(text, err, "not of the form OS/ARCH[/VARIANT], as in linux/arm64");
    }
    normalise(&p);
    *out = p;
    return 0;
}

const char *platform_format(const struct platform *p, char out[static PLATFORM_TEXT_SIZE])
{
    snprintf(out, PLATFORM_TEXT_SIZE, "%s/%s%s%s", p->os, p->arch, p->variant[0] ? "/" : "",
             p->variant);
    return out;
}

bool platform_eq(const struct platform *a, const struct platform *b)
{
    return strcmp(a->os, b->os) == 0 && strcmp(a->arch, b->arch) == 0 &&
           strcmp(a->variant, b->variant) == 0 && strcmp(a->os_version, b->os_version) == 0;
}

/* What runs where `want` runs, best first (containerd/platforms, compare.go). */
struct choices {
    struct choice {
        const char *arch;
        char variant[16];
    } item[64];
    int count;
};

static void choose(struct choices *c, const char *arch, const char *prefix, unsigned number)
{
    struct choice *item = &c->item[c->count];

    BUG_ON(c->count == (int)ARRAY_SIZE(c->item));
    item->arch = arch;
    snprintf(item->variant, sizeof(item->variant), "%s%u", prefix, number);
    c->count++;
}

static void choose_plain(struct choices *c, const char *arch, const char *variant)
{
    BUG_ON(c->count == (int)ARRAY_SIZE(c->item));
    c->item[c->count].arch = arch;
    put(c->item[c->count++].variant, sizeof(c->item->variant), variant);
}

/* The number in "v7"; false for any other shape. */
static bool version_of(const char *variant, const char *prefix, unsigned max, unsigned *out)
{
    struct str s = str_of(variant);
    uint64_t n;

    if (!str_starts(s, prefix) || !str_u64(str_slice(s, strlen(prefix), s.size), &n) || n > max)
        return false;
    *out = (unsigned)n;
    return true;
}

static void choose_arm(struct choices *c, unsigned from)
{
    for (unsigned v = from; v >= 5; v--)
        choose(c, "arm", "v", v);
}

static void choose_arm64(struct choices *c, const char *variant)
{
    unsigned minor = 0, eight = 0;

    if (strcmp(variant, "v9") == 0 || version_of(variant, "v9.", 10, &minor)) {
        for (unsigned m = minor; m > 0; m--)
            choose(c, "arm64", "v9.", m);
        choose_plain(c, "arm64", "v9");
        eight = minor + 5; /* v9.x has all of v8.(x+5) */
    } else if (!version_of(variant, "v8.", 20, &eight)) {
        eight = 0;
    }
    for (unsigned m = eight; m > 0; m--)
        choose(c, "arm64", "v8.", m);
    choose_plain(c, "arm64", "");
    choose_arm(c, 8);
}

static void choose_for(struct choices *c, const struct platform *want)
{
    unsigned v = 0;

    if (strcmp(want->arch, "amd64") == 0) {
        if (version_of(want->variant, "v", 10, &v))
            for (; v > 1; v--)
                choose(c, "amd64", "v", v);
        choose_plain(c, "amd64", "");
        choose_plain(c, "386", "");
    } else if (strcmp(want->arch, "arm") == 0 && version_of(want->variant, "v", 8, &v)) {
        choose_arm(c, v);
    } else if (strcmp(want->arch, "arm64") == 0) {
        choose_arm64(c, want->variant);
    }
}

/* Windows: major.minor.build must be the same, the rest is a patch level. */
static bool os_version_fits(const struct platform *want, const struct platform *have)
{
    size_t i = 0;

    if (strcmp(want->os, "windows") != 0 || !want->os_version[0] || !have->os_version[0])
        return true;
    for (int dots = 0; want->os_version[i] == have->os_version[i] && want->os_version[i]; i++)
        if (want->os_version[i] == '.' && ++dots == 3)
            return true;
    return (!want->os_version[i] || want->os_version[i] == '.') &&
           (!have->os_version[i] || have->os_version[i] == '.');
}

int platform_match(const struct platform *want, const struct platform *have)
{
    struct choices c = {0};

    if (strcmp(want->os, have->os) != 0 || !os_version_fits(want, have))
        return -1;
    if (strcmp(want->arch, have->arch) == 0 && strcmp(want->variant, have->variant) == 0)
        return 0;
    choose_for(&c, want);
    for (int i = 0; i < c.count; i++)
        if (strcmp(c.item[i].arch, have->arch) == 0 &&
            strcmp(c.item[i].variant, have->variant) == 0)
            return i + 1;
    return -1;
}

static int take_word(const json_t *obj, const char *key, char *out, size_t capacity,
                     struct err *err)
{
    const json_t *value = json_object_get(obj, key);

    out[0] = 0;
    if (!value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
        return 0;
    if (!json_is_string(value) ||
        !copy_word((struct str){json_string_value(value), json_string_length(value)}, out,
                   capacity))
        return err_set(err, ERR_INPUT, 0, "platform: \"%s\" is not a plain word", key);
    return 0;
}

int platform_from_json(const json_t *obj, struct platform *out, struct err *err)
{
    struct platform p = {0};

    if (!json_is_object(obj))
        return err_set(err, ERR_INPUT, 0, "platform: not an object");
    if (take_word(obj, "os", p.os, sizeof(p.os), err) < 0 ||
        take_word(obj, "architecture", p.arch, sizeof(p.arch), err) < 0 ||
        take_word(obj, "variant", p.variant, sizeof(p.variant), err) < 0 ||
        take_word(obj, "os.version", p.os_version, sizeof(p.os_version), err) < 0)
        return -1;
    normalise(&p);
    *out = p;
    return 0;
}

static void set_word(json_t *obj, const char *key, const char *value)
{
    if (value[0])
        json_object_set_new(obj, key, json_string(value));
    else
        json_object_del(obj, key);
}

void platform_set_json(json_t *obj, const struct platform *p)
{
    set_word(obj, "os", p->os);
    set_word(obj, "architecture", p->arch);
    set_word(obj, "variant", p->variant);
    set_word(obj, "os.version", p->os_version);
}

json_t *platform_to_json(const struct platform *p)
{
    json_t *obj = json_object();

    platform_set_json(obj, p);
    return obj;
}
