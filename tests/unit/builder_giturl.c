/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/giturl.h"

#include <stdio.h>

#include "base/scope.h"
#include "tests/tap.h"

#define HASH "0123456789012345678901234567890123456789"

/* What one URL comes to, in one line: remote|ref|subdir|checksum|flags. */
static void describe(const struct giturl *u, char *out, size_t size)
{
    static const char *const choice[] = {"", "no", "yes"};

    snprintf(out, size, "%s|%s|%s|%s|%s,%s%s%s%s", u->remote, u->ref ? u->ref : "",
             u->subdir ? u->subdir : "", u->checksum ? u->checksum : "", choice[u->keep_git_dir],
             choice[u->submodules], u->mtime_commit ? ",mtime" : "",
             u->fetch_by_commit ? ",direct" : "", u->ssh ? ",ssh" : "");
}

static void names(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"https://h/a.git", "https://h/a.git||||,"},
        {"HTTPS://h/a.git", "https://h/a.git||||,"},
        {"http://h:80/a.git#main", "http://h:80/a.git|main|||,"},
        {"https://h/a.git#release/1.2:x/y", "https://h/a.git|release/1.2|x/y||,"},
        {"https://h/a.git#:x", "https://h/a.git||x||,"},
        {"https://h/a.git#", "https://h/a.git||||,"},
        {"https://h/a.git#v1:/x/../../y/", "https://h/a.git|v1|y||,"},
        {"https://h/a.git#v%31", "https://h/a.git|v1|||,"},
        {"https://u:p@h/a.git", "https://u:p@h/a.git||||,"},
        {"git://h/a", "git://h/a||||,"},
        {"ssh://git@h:22/a", "ssh://git@h:22/a||||,,ssh"},
        {"git@h:a/b.git#main:x", "git@h:a/b.git|main|x||,,ssh"},
        {"git@h:a?ref=main", "git@h:a|main|||,,ssh"},
        {"me@h.org:~/a", "me@h.org:~/a||||,,ssh"},
        {"https://h/a.git?ref=v1&subdir=/s", "https://h/a.git|v1|s||,"},
        {"https://h/a.git?tag=v1", "https://h/a.git|refs/tags/v1|||,"},
        {"https://h/a.git?tag=refs/tags/v1", "https://h/a.git|refs/tags/v1|||,"},
        {"https://h/a.git?branch=x%2Fy", "https://h/a.git|refs/heads/x/y|||,"},
        {"https://h/a.git?checksum=ABC1", "https://h/a.git|||abc1|,"},
        {"https://h/a.git?commit=abc1&ref=main", "https://h/a.git|main||abc1|,"},
        {"https://h/a.git?keep-git-dir", "https://h/a.git||||yes,"},
        {"https://h/a.git?keep-git-dir=0&submodules=false", "https://h/a.git||||no,no"},
        {"https://h/a.git?submodules=1", "https://h/a.git||||,yes"},
        {"https://h/a.git?mtime=commit", "https://h/a.git||||,,mtime"},
        {"https://h/a.git?mtime=checkout", "https://h/a.git||||,"},
        {"https://h/a.git?fetch-by-commit&commit=" HASH, "https://h/a.git|||" HASH "|,,direct"},
        {"https://h/a.git?ref=main#main", "https://h/a.git|main|||,"},
        {"https://[::1]:8080/a.git", "https://[::1]:8080/a.git||||,"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct giturl url;
        struct err err = {0};
        char got[500] = "";

        if (!OKF(giturl_parse(rows[i].text, &url, &err) == 1, "%s: %s", rows[i].text, err.text))
            continue;
        describe(&url, got, sizeof(got));
        EQ_STR(got, rows[i].want);
        giturl_release(&url);
    }
}

static void others(void)
{
    static const char *const rows[] = {
        "",
        ".",
        "./a.git",
        "../git@h:a",
        ".git",
        "a.git",
        "h/a/b.git",
        "github.com/a/b",
        "https://h/",
        "https://h/a",
        "https://h/a.git/",
        "https://h/a.git.tar",
        "http://h/a.git:#branch",
        "https://h/a?x=.git",
        "file:///a.git",
        "ext::sh -c x",
        "fd::17/a.git",
        "oci-layout://a",
        "a@b",
        "user name@h:x",
        "/path/with@at:x",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct giturl url;
        struct err err = {0};

        OKF(giturl_parse(rows[i], &url, &err) == 0, "%s", rows[i]);
    }
}

static void refusals(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"ssh://-oProxyCommand=x/a",
         "git URL ssh://-oProxyCommand=x/a: user and host cannot begin with \"-\""},
        {"ssh://-o@h/a", "git URL ssh://-o@h/a: user and host cannot begin with \"-\""},
        {"-oX@h:a", "git URL -oX@h:a: user and host cannot begin with \"-\""},
        {"git@-h:a", "git URL git@-h:a: user and host cannot begin with \"-\""},
        {"git@h:-a", "git URL git@h:-a: its path cannot begin with \"-\""},
        {"git@h:", "git URL git@h:: it names no repository"},
        {"git://h", "git URL git://h: it names no repository"},
        {"git:///a", "git URL git:///a: it names no host"},
        {"https://h/a b.git",
         "git URL https://h/a b.git: white space, control bytes and \"\\\" cannot stand in it"},
        {"https://h;x/a.git",
         "git URL https://h;x/a.git: its host has characters that no host has"},
        {"https://u:secret@h/a.git#--x",
         "git URL https://u:***@h/a.git: its ref is not one that git allows"},
        {"https://h/a.git#a..b", "git URL https://h/a.git: its ref is not one that git allows"},
        {"https://h/a.git#a~1", "git URL https://h/a.git: its ref is not one that git allows"},
        {"https://h/a.git#a%00b", "git URL https://h/a.git: a NUL byte in its ref"},
        {"https://h/a.git#%",
         "git URL https://h/a.git: a \"%\" without two hex digits in its fragment"},
        {"https://h/a.git?ref=a#b",
         "git URL https://h/a.git: its ref is given twice, and not the same"},
        {"https://h/a.git?subdir=a#:b",
         "git URL https://h/a.git: its subdir is given twice, and not the same"},
        {"https://h/a.git?tag=a&branch=b",
         "git URL https://h/a.git: it has both a tag and a branch"},
        {"https://h/a.git?ref=a&tag=a",
         "git URL https://h/a.git: its ref is given twice, and not the same"},
        {"https://h/a.git?ref=a&ref=a",
         "git URL https://h/a.git: a part of its query is there twice"},
        {"https://h/a.git?ref", "git URL https://h/a.git: a part of its query has no value"},
        {"https://h/a.git?depth=1",
         "git URL https://h/a.git: its query has a part that is none of ref, tag, branch, subdir, "
         "checksum, commit, keep-git-dir, submodules, mtime, fetch-by-commit"},
        {"https://h/a.git?keep-git-dir=maybe",
         "git URL https://h/a.git: its keep-git-dir is neither true nor false"},
        {"https://h/a.git?mtime=now",
         "git URL https://h/a.git: its mtime is neither checkout nor commit"},
        {"https://h/a.git?checksum=xyz",
         "git URL https://h/a.git: its checksum is not the beginning of a commit's hash"},
        {"https://h/a.git?fetch-by-commit",
         "git URL https://h/a.git: fetch-by-commit needs the whole hash of a commit, as commit="},
        {"https://h/a.git?commit=1#" HASH,
         "git URL https://h/a.git: its ref is a commit other than its checksum"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct giturl url;
        struct err err = {0};

        OKF(giturl_parse(rows[i].text, &url, &err) == -1, "%s", rows[i].text);
        EQ_STR(err.text, rows[i].err);
        OK(url.remote == NULL);
    }
}

static void submodules(void)
{
    static const struct {
        const char *remote, *url, *want; /* NULL: refused */
    } rows[] = {
        {"https://h/a/b.git", "../c.git", "https://h/a/c.git"},
        {"https://h/a/b.git/", "../../c", "https://h/c"},
        {"https://h/a/b.git", "./c", "https://h/a/b.git/c"},
        {"https://h/b.git", "../../c", NULL},
        {"git@h:a/b.git", "../c.git", "git@h:a/c.git"},
        {"git@h:b", "../c", "git@h:c"},
        {"git://h/a", "https://other/x", "https://other/x"},
        {"https://h/a.git", "/etc", NULL},
        {"https://h/a.git", "file:///etc", NULL},
        {"https://h/a.git", "ext::sh", NULL},
        {"https://h/a.git", "-u", NULL},
        {"https://h/a.git", "ssh://-o/x", NULL},
        {"https://h/a.git", "../-c", "https://h/-c"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct giturl url;
        struct err err = {0};
        int rc = giturl_submodule(rows[i].remote, rows[i].url, &url, &err);

        OKF(rc == (rows[i].want ? 0 : -1), "%s: %s", rows[i].url, err.text);
        if (rc == 0)
            EQ_STR(url.remote, rows[i].want);
        giturl_release(&url);
    }
}

TAP_MAIN({"names", names}, {"others", others}, {"refusals", refusals}, {"submodules", submodules})
