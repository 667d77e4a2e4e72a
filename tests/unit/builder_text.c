/* SPDX-License-Identifier: Apache-2.0 */
/* The small vocabularies: durations, ports, signals, characters. */
#include <string.h>

#include "base/scope.h"
#include "builder/duration.h"
#include "builder/ports.h"
#include "builder/stopsignal.h"
#include "builder/text.h"
#include "tests/tap.h"

static void durations(void)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
        const char *printed;
    } rows[] = {
        {"0", 0, "0s"},
        {"1ns", 1, "1ns"},
        {"1.5us", 1500, "1.5µs"},
        {"2µs", 2000, "2µs"},
        {"1.25ms", 1250000, "1.25ms"},
        {"30s", 30000000000, "30s"},
        {"90s", 90000000000, "1m30s"},
        {"1h", 3600000000000, "1h0m0s"},
        {"1h1ms", 3600001000000, "1h0m0.001s"},
        {"1.5h", 5400000000000, "1h30m0s"},
        {"1m30s", 90000000000, "1m30s"},
        {".5s", 500000000, "500ms"},
        {"+5s", 5000000000, "5s"},
        {"1.s", 1000000000, "1s"},
        {"100000h", 360000000000000000, "100000h0m0s"},
        {"", -1, NULL},
        {"5", -1, NULL},
        {"s", -1, NULL},
        {".s", -1, NULL},
        {"5 s", -1, NULL},
        {"5d", -1, NULL},
        {"5s ", -1, NULL},
        {"+", -1, NULL},
        {"9999999999999999999s", -1, NULL},
        {"9000000h", -1, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};
        int64_t ns = -1;
        bool good = duration_parse(str_of(rows[i].text), &ns);

        OKF(good == (rows[i].ns >= 0), "\"%s\" is %s", rows[i].text, good ? "accepted" : "refused");
        if (!good)
            continue;
        EQ_INT(ns, rows[i].ns);
        duration_format(&out, ns);
        EQ_STR(buf_cstr(&out), rows[i].printed);
    }
    int64_t ns = 0;
    OK(duration_parse(STR("-5s"), &ns) && ns == -5000000000);
}

static void ports(void)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"80", "80/tcp"},
        {"80/UDP", "80/udp"},
        {"80/", "80/tcp"},
        {"0", "0/tcp"},
        {"53/sctp", "53/sctp"},
        {"8000-8002/udp", "8000/udp 8001/udp 8002/udp"},
        {"80-80", "80/tcp"},
        {"8080:80", "80/tcp"},
        {"127.0.0.1:8080:80/tcp", "80/tcp"},
        {"127.0.0.1::80", "80/tcp"},
        {"[::1]:8080:80", "80/tcp"},
        {"8000-8010:80", "80/tcp"},
        {"8000-8001:80-81", "80/tcp 81/tcp"},
        {"8000-8002:80-81", NULL},
        {"", NULL},
        {"/tcp", NULL},
        {"x", NULL},
        {"80/http", NULL},
        {"65536", NULL},
        {"-1", NULL},
        {"81-80", NULL},
        {"80-", NULL},
        {":80", "80/tcp"}, /* no port of the host: as docker */
        {"1.2.3:1:80", NULL},
        {"80,443", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv out = {0};
        struct err err = {0};
        int result = ports_parse(str_of(rows[i].text), &out, &err);
        AUTO_FREE char *got = strv_join(&out, " ");

        OKF((result == 0) == (rows[i].want != NULL), "\"%s\": %s", rows[i].text,
            result ? err.text : "accepted");
        if (rows[i].want)
            EQ_STR(got, rows[i].want);
    }
    SCOPED(strv_release) struct strv out = {0};
    struct err err = {0};
    OK(ports_parse(STR("http"), &out, &err) < 0);
    EQ_STR(err.text, "port \"http\" is not PORT or PORT-PORT, with /tcp, /udp or /sctp or without");
}

static void signals(void)
{
    static const struct {
        const char *text;
        int number;
    } rows[] = {
        {"SIGTERM", 15},    {"term", 15},    {"SigKill", 9},   {"9", 9},         {"64", 64},
        {"SIGRTMIN+3", 37}, {"RTMAX-1", 63}, {"SIGRTMIN", 34}, {"SIGWINCH", 28}, {"SIGQUIT", 3},
        {"0", -1},          {"65", -1},      {"", -1},         {"SIG", -1},      {"SIGNOPE", -1},
        {"RTMIN+31", -1},   {"-15", -1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        OKF(stopsignal_parse(str_of(rows[i].text)) == rows[i].number, "%s is %d", rows[i].text,
            stopsignal_parse(str_of(rows[i].text)));
}

static void quoting(void)
{
    SCOPED(buf_release) struct buf out = {0};

    text_quote(&out, STR("a\"b\\c\n\t\x01\x7f\xffé한\xc2\xa0"));
    EQ_STR(buf_cstr(&out), "\"a\\\"b\\\\c\\n\\t\\x01\\x7f\\xffé한\\u00a0\"");
}

static void characters(void)
{
    EQ_INT(text_char(STR("")), 0);
    EQ_INT(text_char(STR("한")), 3);
    EQ_INT(text_char(STR("\xed\x95")), 1);
    EQ_INT(text_char(STR("\xc0\x80")), 1);
    EQ_INT(text_char(STR("\xed\xa0\x80")), 1);
    EQ_INT(text_char(STR("\xf0\x9f\x9a\xa2")), 4);
    EQ_INT(text_space(STR("\xe3\x80\x80")), 3);
    EQ_INT(text_space(STR("\xa0")), 0);
    EQ_INT(text_letter(STR("é")), 2);
    EQ_INT(text_letter(STR("’")), 0);
    EQ_INT(text_letter(STR("_")), 1);
    EQ_INT(text_letter(STR("1")), 0);
    OK(str_is(text_trim(STR(" \xc2\xa0 a b\t\r\n")), "a b"));
}

TAP_MAIN({"durations", durations}, {"ports", ports}, {"signals", signals}, {"quoting", quoting},
         {"characters", characters})
