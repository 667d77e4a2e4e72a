/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/platform.h"

#include <string.h>

#include "base/scope.h"
#include "base/str.h"
#include "tests/tap.h"

static void parsing(void)
{
    static const struct {
        const char *text, *want, *err;
    } rows[] = {
        {"linux/amd64", "linux/amd64", NULL},
        {"LINUX/X86_64", "linux/amd64", NULL},
        {"linux/x86-64", "linux/amd64", NULL},
        {"linux/amd64/v1", "linux/amd64", NULL},
        {"linux/amd64/v3", "linux/amd64/v3", NULL},
        {"linux/aarch64", "linux/arm64", NULL},
        {"linux/arm64/v8", "linux/arm64", NULL},
        {"linux/arm64/8", "linux/arm64", NULL},
        {"linux/arm64/v8.0", "linux/arm64", NULL},
        {"linux/arm64/v9.0", "linux/arm64/v9", NULL},
        {"linux/arm", "linux/arm/v7", NULL},
        {"linux/arm/6", "linux/arm/v6", NULL},
        {"linux/armhf", "linux/arm/v7", NULL},
        {"linux/armel", "linux/arm/v6", NULL},
        {"linux/i386", "linux/386", NULL},
        {"macos/arm64", "darwin/arm64", NULL},
        {"arm64", "linux/arm64", NULL},
        {"aarch64", "linux/arm64", NULL},
        {"armhf", "linux/arm/v7", NULL},
        {"riscv64", "linux/riscv64", NULL},
        {"windows(10.0.17763)/amd64", "windows/amd64", NULL},
        {"", NULL, "platform \"\": not of the form OS/ARCH, as in linux/arm64"},
        {"frob", NULL,
         "platform \"frob\": neither an operating system nor an architecture; write OS/ARCH, as in "
         "linux/arm64"},
        {"linux/", NULL,
         "platform \"linux/\": not of the form OS/ARCH[/VARIANT], as in linux/arm64"},
        {"/amd64", NULL,
         "platform \"/amd64\": not of the form OS/ARCH[/VARIANT], as in linux/arm64"},
        {"linux/arm/v7/x", NULL,
         "platform \"linux/arm/v7/x\": not of the form OS/ARCH[/VARIANT], as in linux/arm64"},
        {"linux/a b", NULL,
         "platform \"linux/a b\": not of the form OS/ARCH[/VARIANT], as in linux/arm64"},
        {"linux/arm/", NULL,
         "platform \"linux/arm/\": not of the form OS/ARCH[/VARIANT], as in linux/arm64"},
        {"windows(10.0/amd64", NULL,
         "platform \"windows(10.0/amd64\": not of the form OS/ARCH[/VARIANT], as in linux/arm64"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct platform p = {0};
        struct err err = {0};
        char text[PLATFORM_TEXT_SIZE];
        int result = platform_parse(rows[i].text, &p, &err);

        OKF((result == 0) == !rows[i].err, "%s", rows[i].text);
        if (result == 0)
            EQ_STR(platform_format(&p, text), rows[i].want);
        else
            EQ_STR(err.text, rows[i].err);
    }
}

/* want, then what it takes, best first; what stands after "|" it does not take. */
static void matching(void)
{
    static const char *const rows[] = {
        "linux/amd64 linux/amd64 linux/386 | linux/amd64/v2 linux/arm64 windows/amd64",
        "linux/amd64/v3 linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386 | linux/amd64/v4",
        "linux/386 linux/386 | linux/amd64",
        "linux/arm/v7 linux/arm/v7 linux/arm/v6 linux/arm/v5 | linux/arm/v8 linux/arm64",
        "linux/arm/v6 linux/arm/v6 linux/arm/v5 | linux/arm/v7",
        "linux/arm64 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5 | "
        "linux/arm64/v9 linux/amd64",
        "linux/arm64/v8.2 linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64 linux/arm/v7 | "
        "linux/arm64/v8.3 linux/arm64/v9",
        "linux/arm64/v9.1 linux/arm64/v9.1 linux/arm64/v9 linux/arm64/v8.6 linux/arm64/v8.1 "
        "linux/arm64 linux/arm/v8 | "
        "linux/arm64/v9.2 linux/arm64/v8.7",
        "linux/riscv64 linux/riscv64 | linux/amd64",
        "windows(10.0.17763.1)/amd64 windows(10.0.17763.99)/amd64 | windows(10.0.17764)/amd64 "
        "linux/amd64",
        "windows(10.0.17763)/amd64 windows(10.0.17763.99)/amd64 | windows(10.0.1776)/amd64 "
        "windows(10.0.177631)/amd64",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct str rest = str_of(rows[i]), word;
        struct platform want = {0}, have = {0};
        struct err err = {0};
        bool more, refused = false;
        int last = -1;

        more = str_cut(rest, ' ', &word, &rest);
        while (more) {
            AUTO_FREE char *text = NULL;
            int rank;

            if (!want.os[0]) {
                text = str_dup(word);
                OK(platform_parse(text, &want, &err) == 0);
            }
            more = str_cut(rest, ' ', &word, &rest);
            if (str_is(word, "|")) {
                refused = true;
                continue;
            }
            scope_free(&text);
            text = str_dup(word);
            OKF(platform_parse(text, &have, &err) == 0, "%s", text);
            rank = platform_match(&want, &have);
            OKF(refused ? rank == -1 : rank > last || (rank == 0 && last < 0),
                "row %zu: %s has rank %d after %d", i, text, rank, last);
            last = rank;
        }
    }
}

static void json(void)
{
    static const struct {
        const char *text, *want, *err;
    } rows[] = {
        {"{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}", "linux/arm64", NULL},
        {"{\"os\":\"linux\",\"architecture\":\"arm\"}", "linux/arm/v7", NULL},
        {"{\"os\":\"linux\",\"architecture\":\"amd64\",\"variant\":null}", "linux/amd64", NULL},
        {"{}", "/", NULL},
        {"[]", NULL, "platform: not an object"},
        {"{\"os\":7}", NULL, "platform: \"os\" is not a plain word"},
        {"{\"os\":\"a b\"}", NULL, "platform: \"os\" is not a plain word"},
        {"{\"architecture\":\"0123456789012345678901234567890123456789\"}", NULL,
         "platform: \"architecture\" is not a plain word"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        struct platform p = {0}, again = {0};
        char text[PLATFORM_TEXT_SIZE];
        json_auto_t *doc = json_parse(str_of(rows[i].text), &err), *printed = NULL;

        if (rows[i].err) {
            OK(platform_from_json(doc, &p, &err) < 0);
            EQ_STR(err.text, rows[i].err);
            continue;
        }
        OK(platform_from_json(doc, &p, &err) == 0);
        EQ_STR(platform_format(&p, text), rows[i].want);
        printed = platform_to_json(&p);
        OK(platform_from_json(printed, &again, &err) == 0 && platform_eq(&p, &again));
    }
}

static void host(void)
{
    struct platform p = platform_host();

    EQ_STR(p.os, "linux");
    OK(p.arch[0] && strcmp(p.arch, "x86_64") != 0);
}

TAP_MAIN({"parsing", parsing}, {"matching", matching}, {"from and to JSON", json},
         {"the host", host})
