/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/scope.h"
#include "registry/layout.h"
#include "registry/upload_journal.h"
#include "registry/upload_session.h"
#include "tests/tap.h"

#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void ranges(void)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t size;
    } rows[] = {
        {"0-99", true, 100},
        {"bytes=0-99", true, 100},
        {"0-0", true, 0}, /* docker-registry's words for nothing */
        {"0-18446744073709551614", true, UINT64_MAX},
        {"0-18446744073709551615", false, 0},
        {"0-18446744073709551616", false, 0},
        {"1-99", false, 0},
        {"0--1", false, 0},
        {"-99", false, 0},
        {"0-", false, 0},
        {"99", false, 0},
        {"", false, 0},
        {"0-99/100", false, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t size = 0;
        bool good = upload_range_parse(rows[i].text, &size);

        OKF(good == rows[i].good, "%s is %s", rows[i].text, rows[i].good ? "a range" : "none");
        if (good)
            OKF(size == rows[i].size, "%s: %llu bytes", rows[i].text, (unsigned long long)size);
    }
}

static void instead(void)
{
    uint64_t offset = 7;

    OK(upload_instead_parse("First byte of the layer part is 0 instead of 10485760", &offset));
    EQ_INT(offset, 10485760);
    OK(upload_instead_parse("is 5 instead of 0\"}", &offset));
    EQ_INT(offset, 0);
    OK(!upload_instead_parse("is 5 instead of that", &offset));
    OK(!upload_instead_parse("is 5 instead of 99999999999999999999", &offset));
    OK(!upload_instead_parse("no words", &offset));
}

static void journal(void)
{
    char root[] = "/tmp/slipway-journal.XXXXXX";
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    struct journal first = JOURNAL_CLOSED, second = JOURNAL_CLOSED;
    struct err err = {0};
    struct stat st;

    if (!OK(mkdtemp(root) != NULL) || !OKF(layout_open(&l, root, &err) == 0, "%s", err.text))
        return;
    journal_open(&first, &l, "https://r.example", "a", DIGEST);
    OK(first.fd >= 0);
    OK(!first.location);
    journal_note(&first, "https://r.example/v2/a/blobs/uploads/1?a=\"b\"&long=0123456789", 5);
    journal_note(&first, "https://r.example/2", 7); /* shorter than what stands there */
    OK(fstat(first.fd, &st) == 0 && (st.st_mode & 07777) == 0600);
    journal_open(&second, &l, "https://r.example", "a", DIGEST);
    OKF(second.fd < 0 && !second.location, "one that another holds is left to it");
    journal_note(&second, "https://r.example/3", 9);
    journal_close(&second);
    journal_close(&first);

    journal_open(&second, &l, "https://r.example", "b", DIGEST);
    OKF(second.fd >= 0 && !second.location, "each repository has its own");
    journal_end(&second);
    journal_open(&second, &l, "http://r.example", "a", DIGEST);
    OKF(second.fd >= 0 && !second.location, "each server, too");
    journal_end(&second);
    journal_open(&first, &l, "https://r.example", "a", DIGEST);
    EQ_STR(first.location, "https://r.example/2");
    EQ_INT(first.offset, 7);
    journal_end(&first);
    journal_open(&first, &l, "https://r.example", "a", DIGEST);
    OKF(!first.location, "what has ended is forgotten");
    journal_note(&first, "https://r.example/4", 1);
    journal_close(&first);
    journal_forget(&l, "https://r.example", "a", DIGEST);
    journal_open(&first, &l, "https://r.example", "a", DIGEST);
    OKF(!first.location, "so is what arrived another way");
    journal_close(&first);
    fs_remove_tree(AT_FDCWD, root, &err);
}

TAP_MAIN({"Range", ranges}, {"ECR's 416", instead}, {"the journal", journal})
