/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/reference.h"

#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "tests/tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX
#define LONG50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG250 LONG50 LONG50 LONG50 LONG50 LONG50

static void accepted(void)
{
    static const struct {
        const char *text, *name, *familiar;
    } rows[] = {
        {"web", "docker.io/library/web:latest", "web:latest"},
        {"web:1", "docker.io/library/web:1", "web:1"},
        {"user/web", "docker.io/user/web:latest", "user/web:latest"},
        {"docker.io/web", "docker.io/library/web:latest", "web:latest"},
        {"index.docker.io/web:2", "docker.io/library/web:2", "web:2"},
        {"docker.io/library/web", "docker.io/library/web:latest", "web:latest"},
        {"library/web", "docker.io/library/web:latest", "web:latest"},
        {"localhost/web", "localhost/web:latest", "localhost/web:latest"},
        {"localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"},
        {"localhost:5000/a/b:c", "localhost:5000/a/b:c", "localhost:5000/a/b:c"},
        {"127.0.0.1:5000/web", "127.0.0.1:5000/web:latest", "127.0.0.1:5000/web:latest"},
        {"[::1]:5000/web", "[::1]:5000/web:latest", "[::1]:5000/web:latest"},
        {"[2001:db8::1]/web", "[2001:db8::1]/web:latest", "[2001:db8::1]/web:latest"},
        {"Registry/web", "Registry/web:latest", "Registry/web:latest"},
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
         "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
         "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1"},
        {"web@" DIGEST, "docker.io/library/web@" DIGEST, "web@" DIGEST},
        {"h.io/a:t@" DIGEST, "h.io/a:t@" DIGEST, "h.io/a:t@" DIGEST},
        {"a__b/c--d.e", "docker.io/a__b/c--d.e:latest", "a__b/c--d.e:latest"},
        {"a---b", "docker.io/library/a---b:latest", "a---b:latest"},
        {"web:_A.-9", "docker.io/library/web:_A.-9", "web:_A.-9"},
        {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
        {"docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"},
        {"library/" HEX, "docker.io/library/" HEX ":latest", "library/" HEX ":latest"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(reference_release) struct reference ref = {0}, again = {0};
        struct err err = {0};
        AUTO_FREE char *name = NULL, *familiar = NULL;

        if (!OKF(reference_parse(rows[i].text, &ref, &err) == 0, "%s: %s", rows[i].text, err.text))
            continue;
        name = reference_name(&ref);
        familiar = reference_familiar(&ref);
        EQ_STR(name, rows[i].name);
        EQ_STR(familiar, rows[i].familiar);
        OK(reference_parse(name, &again, &err) == 0 && reference_eq(&ref, &again));
        reference_release(&again);
        OKF(reference_parse(familiar, &again, &err) == 0 && reference_eq(&ref, &again),
            "%s reads back", familiar);
    }
}

static void refused(void)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"", "image name \"\": it is empty"},
        {"https://h.io/a", "image name \"https://h.io/a\": it is a URL; leave out what stands "
                           "before \"://\" and that"},
        {"Web", "image name \"Web\": the repository name must be lower case"},
        {"h.io/Web:1", "image name \"h.io/Web:1\": the repository name must be lower case"},
        {"h.io/", "image name \"h.io/\": the repository name is missing"},
        {"/web", "image name \"/web\": the repository name may have a-z, 0-9 and single separators "
                 ". _ __ - between them"},
        {"a//b", "image name \"a//b\": the repository name may have a-z, 0-9 and single separators "
                 ". _ __ - between them"},
        {"a..b", "image name \"a..b\": the repository name may have a-z, 0-9 and single separators "
                 ". _ __ - between them"},
        {"a___b", "image name \"a___b\": the repository name may have a-z, 0-9 and single "
                  "separators . _ __ - between them"},
        {"-a", "image name \"-a\": the repository name may have a-z, 0-9 and single separators . _ "
               "__ - between them"},
        {"a-", "image name \"a-\": the repository name may have a-z, 0-9 and single separators . _ "
               "__ - between them"},
        {"a b", "image name \"a b\": the repository name may have a-z, 0-9 and single separators . "
                "_ __ - between them"},
        {"../a.b", "image name \"../a.b\": what stands before the first \"/\" is not a host name"},
        {"h.io:/a",
         "image name \"h.io:/a\": what stands before the first \"/\" is not a host name"},
        {"h.io:99999/a",
         "image name \"h.io:99999/a\": what stands before the first \"/\" is not a host name"},
        {"-h.io/a",
         "image name \"-h.io/a\": what stands before the first \"/\" is not a host name"},
        {"[::1/a", "image name \"[::1/a\": what stands before the first \"/\" is not a host name"},
        {"web:", "image name \"web:\": the tag may have up to 128 of A-Z a-z 0-9 _ . - and not "
                 "begin with . or -"},
        {"web:.a", "image name \"web:.a\": the tag may have up to 128 of A-Z a-z 0-9 _ . - and not "
                   "begin with . or -"},
        {"web:a:b", "image name \"web:a:b\": the tag may have up to 128 of A-Z a-z 0-9 _ . - and "
                    "not begin with . or -"},
        {"web@", "image name \"web@\": after \"@\" there must be a digest, as in @sha256:…"},
        {"web@sha256:12",
         "image name \"web@sha256:12\": the digest is not \"sha256:\" and 64 digits of 0-9 a-f"},
        {"web@sha512:" HEX HEX,
         "image name \"web@sha512:" HEX HEX "\": only sha256 digests are supported"},
        {HEX, "image name \"" HEX "\": a name of 64 hex digits would be taken for an image id"},
        {"a\033[0m", "image name \"a\\x1b[0m\": the repository name may have a-z, 0-9 and single "
                     "separators . _ __ - between them"},
        {"a/" LONG250 "abcd",
         "image name \"a/" LONG250 "abcd\": the repository name is longer than 255 characters"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(reference_release) struct reference ref = {0};
        struct err err = {0};

        OKF(reference_parse(rows[i].text, &ref, &err) < 0, "%s is refused", rows[i].text);
        EQ_STR(err.text, rows[i].err);
        EQ_INT(err.kind, ERR_USAGE);
        OK(!ref.host && !ref.path && !ref.tag && !ref.digest);
    }
}

static void limits(void)
{
    SCOPED(reference_release) struct reference ref = {0};
    AUTO_FREE char *tag = xasprintf("web:%.128s", LONG250),
                   *longer = xasprintf("web:%.129s", LONG250);
    struct err err = {0};

    OK(reference_parse(LONG250 "/abcd", &ref, &err) == 0); /* 255 */
    reference_release(&ref);
    OK(reference_parse(LONG250 "/abcde", &ref, &err) < 0);
    OK(reference_parse(LONG250, &ref, &err) < 0); /* with library/ it is 258 */
    OK(reference_parse(tag, &ref, &err) == 0);
    reference_release(&ref);
    OK(reference_parse(longer, &ref, &err) < 0);
}

static void hosts(void)
{
    SCOPED(reference_release) struct reference hub = {0}, other = {0}, copy = {0};
    struct err err = {0};
    AUTO_FREE char *repository = NULL;

    OK(reference_parse("web@" DIGEST, &hub, &err) == 0 &&
       reference_parse("h.io/web", &other, &err) == 0);
    EQ_STR(reference_api_host(&hub), "registry-1.docker.io");
    EQ_STR(reference_api_host(&other), "h.io");
    repository = reference_repository(&hub);
    EQ_STR(repository, "docker.io/library/web");
    EQ_STR(hub.tag, NULL);
    reference_copy(&copy, &hub);
    OK(reference_eq(&copy, &hub) && !reference_eq(&copy, &other));
}

TAP_MAIN({"names that are accepted", accepted}, {"names that are refused", refused},
         {"lengths", limits}, {"hosts and copies", hosts})
