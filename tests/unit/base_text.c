/* SPDX-License-Identifier: Apache-2.0 */
/* str, strv, buf, path and enc: what they do with bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/csv.h"
#include "base/enc.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/strv.h"
#include "tests/tap.h"

static void numbers(void)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"1 ", false, 0},
        {"+1", false, 0},
    };
    uint64_t u;
    int64_t i;
    uint32_t o;

    for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
        u = 0;
        OKF(str_u64(str_of(rows[n].text), &u) == rows[n].ok && u == rows[n].value, "row %zu: %s", n,
            rows[n].text);
    }
    OK(str_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    OK(!str_i64(STR("9223372036854775808"), &i));
    OK(str_octal(STR("4755"), &o) && o == 04755);
    OK(!str_octal(STR("8"), &o));
}

static void sizes(void)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"10", true, 10},          {"10b", true, 10},
        {"1k", true, 1024},        {"2MiB", true, 2 << 20},
        {"3GB", true, 3ULL << 30}, {"1x", false, 0},
        {"k", false, 0},           {"1kk", false, 0},
        {"1bb", false, 0},         {"99999999999999t", false, 0},
    };

    for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
        uint64_t value = 0;

        OKF(str_size(str_of(rows[n].text), &value) == rows[n].ok && value == rows[n].value, "%s",
            rows[n].text);
    }
}

static void slices(void)
{
    struct str head, rest = STR("a\r\nb\n\nc"), line;

    OK(str_cut(STR("k=v=w"), '=', &head, &line) && str_is(head, "k") && str_is(line, "v=w"));
    OK(str_cut_last(STR("k=v=w"), '=', &head, &line) && str_is(head, "k=v") && str_is(line, "w"));
    OK(!str_cut(STR("k"), '=', &head, &line) && str_is(head, "k") && line.size == 0);
    OK(str_line(&rest, &line) && str_is(line, "a"));
    OK(str_line(&rest, &line) && str_is(line, "b"));
    OK(str_line(&rest, &line) && str_is(line, ""));
    OK(str_line(&rest, &line) && str_is(line, "c"));
    OK(!str_line(&rest, &line));
    OK(str_is(str_trim(STR(" \t x y\n")), "x y"));
    EQ_INT(str_distance(STR("RUNN"), STR("RUN")), 1);
    EQ_INT(str_distance(STR("kitten"), STR("sitting")), 3);
    EQ_INT(str_search(STR("haystack"), "stack"), 3);
    OK(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0);
    OK(str_is_nocase(STR("FROM"), "from"));
}

static void paths(void)
{
    static const struct {
        const char *path, *clean, *beneath, *base, *dir;
    } rows[] = {
        {"", ".", ".", "", "."},
        {"/", "/", ".", "/", "/"},
        {".", ".", ".", ".", "."},
        {"a//b/./c/", "a/b/c", "a/b/c", "c", "a//b/."},
        {"/a/../../b", "/b", "b", "b", "/a/../.."},
        {"../../x", "../../x", "x", "x", "../.."},
        {"a/../..", "..", ".", "..", "a/.."},
        {"/a/b/..", "/a", "a", "..", "/a/b"},
        {"a/..", ".", ".", "..", "a"},
        {"..a/b..", "..a/b..", "..a/b..", "b..", "..a"},
        {"/file", "/file", "file", "file", "/"},
    };

    for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
        struct str p = str_of(rows[n].path);
        AUTO_FREE char *clean = path_clean(p), *beneath = path_beneath(p);
        AUTO_FREE char *base = str_dup(path_base(p)), *dir = str_dup(path_dir(p));

        EQ_STR(clean, rows[n].clean);
        EQ_STR(beneath, rows[n].beneath);
        EQ_STR(base, rows[n].base);
        EQ_STR(dir, rows[n].dir);
    }
    AUTO_FREE char *joined = path_join("/a/b", "../c"), *absolute = path_join("/a", "/b/");
    EQ_STR(joined, "/a/c");
    EQ_STR(absolute, "/b");
    OK(path_is_under(STR("a/b"), STR("a")) && path_is_under(STR("a"), STR("a")));
    OK(!path_is_under(STR("ab"), STR("a")) && path_is_under(STR("ab"), STR(".")));
}

static void encodings(void)
{
    static const struct {
        const char *plain, *base64;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foobar", "Zm9vYmFy"}}; /* RFC 4648 §10 */
    SCOPED(buf_release) struct buf out = {0};

    for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
        buf_clear(&out);
        base64_encode(&out, rows[n].plain, strlen(rows[n].plain));
        EQ_STR(buf_cstr(&out), rows[n].base64);
        buf_clear(&out);
        OK(base64_decode(&out, str_of(rows[n].base64)));
        EQ_STR(buf_cstr(&out), rows[n].plain);
    }
    buf_clear(&out);
    OK(base64_decode(&out, STR("_-8")));
    OK(out.size == 2 && (unsigned char)out.ptr[0] == 0xff && (unsigned char)out.ptr[1] == 0xef);
    OK(!base64_decode(&out, STR("Zg=a")));
    OK(!base64_decode(&out, STR("Z")));
    OK(!base64_decode(&out, STR("Z!==")));
    buf_clear(&out);
    percent_encode(&out, STR("a b/ü~"), "/");
    EQ_STR(buf_cstr(&out), "a%20b/%C3%BC~");
    buf_clear(&out);
    OK(percent_decode(&out, STR("a%20b%2f")) && strcmp(out.ptr, "a b/") == 0);
    OK(!percent_decode(&out, STR("%2")));
    OK(!percent_decode(&out, STR("%zz")));
    buf_clear(&out);
    hex_encode(&out, "\x00\xff", 2);
    EQ_STR(buf_cstr(&out), "00ff");
    buf_clear(&out);
    OK(hex_decode(&out, STR("00fF")) && out.size == 2 && !hex_decode(&out, STR("0")) &&
       !hex_decode(&out, STR("0g")));
}

static void escapes(void)
{
    static const struct {
        const char *text, *safe;
    } rows[] = {
        {"plain ü €", "plain ü €"},
        {"a\nb\tc\r", "a\\nb\\tc\\x0d"},
        {"\x1b[31m", "\\x1b[31m"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b"
         "31m"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
    };

    for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
        SCOPED(buf_release) struct buf out = {0};

        buf_add_escaped(&out, str_of(rows[n].text));
        EQ_STR(buf_cstr(&out), rows[n].safe);
    }
}

/* Memory that nothing was put into yet ends in a NUL, whatever was there before. */
static void reserved(void)
{
    for (int i = 0; i < 8; i++) {
        char *used = malloc(64);
        SCOPED(buf_release) struct buf b = {0};

        memset(used, 'x', 64);
        free(used);
        buf_reserve(&b, 10);
        EQ_STR(buf_cstr(&b), "");
    }
}

static void vectors(void)
{
    SCOPED(strv_release) struct strv v = {0};
    AUTO_FREE char *joined = NULL;

    OK(strv_argv(&v)[0] == NULL);
    strv_addf(&v, "A=%d", 1);
    env_set(&v, "B", "2");
    env_set(&v, "A", "3");
    EQ_STR(env_get(&v, "A"), "3");
    OK(env_get(&v, "AB") == NULL);
    joined = strv_join(&v, " ");
    EQ_STR(joined, "A=3 B=2");
    env_unset(&v, "A");
    EQ_INT(v.count, 1);
    OK(strv_argv(&v)[1] == NULL && strv_has(&v, "B=2"));
}

/* RFC 4180, and what a command line may hold. */
static void fields(void)
{
    static const struct {
        const char *text, *joined, *err;
    } rows[] = {
        {"", "", NULL},
        {"a", "a", NULL},
        {"type=tar,dest=x", "type=tar|dest=x", NULL},
        {"a,,b,", "a||b|", NULL},
        {"\"a,b\",c", "a,b|c", NULL},
        {"\"a\"\"b\"", "a\"b", NULL},
        {"\"\"", "", NULL},
        {"\"a\nb\"", "a\nb", NULL},
        {"a\"b", NULL, "a quote stands inside a field; put the whole field in quotes"},
        {"\"a", NULL, "a quote is not closed"},
        {"\"a\"b", NULL, "text follows a closing quote"},
        {"a\nb", NULL, "a line break stands outside quotes"},
    };

    for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
        SCOPED(strv_release) struct strv list = {0};
        struct err err = {0};
        int rc = csv_fields(str_of(rows[n].text), &list, &err);
        AUTO_FREE char *joined = strv_join(&list, "|");

        OKF((rc < 0) == !!rows[n].err, "row %zu: %s", n, rows[n].text);
        if (rows[n].err)
            EQ_STR(err.text, rows[n].err);
        else
            EQ_STR(joined, rows[n].joined);
    }
}

TAP_MAIN({"fields", fields}, {"numbers", numbers}, {"sizes", sizes}, {"slices", slices},
         {"paths", paths}, {"encodings", encodings}, {"escapes", escapes}, {"reserved", reserved},
         {"vectors", vectors})
