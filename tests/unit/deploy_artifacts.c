/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/artifacts.h"

#include "base/scope.h"
#include "tests/tap.h"

static void imagedefinitions(void)
{
    static const struct artifact_image images[] = {{"web", "h/web@sha256:1"},
                                                   {"a\"b", "h/x@sha256:2"}};
    SCOPED(buf_release) struct buf got = {0};

    artifact_imagedefinitions(images, 2, &got);
    EQ_STR(buf_cstr(&got), "[{\"imageUri\":\"h/web@sha256:1\",\"name\":\"web\"},{\"imageUri\":\"h/"
                           "x@sha256:2\",\"name\":\"a\\\"b\"}]\n");
    buf_clear(&got);
    artifact_imagedefinitions(NULL, 0, &got);
    EQ_STR(buf_cstr(&got), "[]\n");
}

static void image_detail(void)
{
    static const struct {
        struct artifact_detail detail;
        const char *want;
    } rows[] = {
        {{.uri = "u", .digest = "d"},
         "{\"ImageDigest\":\"d\",\"ImageURI\":\"u\",\"Version\":\"1.0\"}\n"},
        {{.uri = "u",
          .digest = "d",
          .registry = "1",
          .repository = "r",
          .tag = "t",
          .size = 38,
          .pushed = 1548101040},
         "{\"ImageDigest\":\"d\",\"ImagePushedAt\":\"Mon Jan 21 20:04:00 UTC "
         "2019\",\"ImageSizeInBytes\":\"38\",\"ImageTags\":[\"t\"],"
         "\"ImageURI\":\"u\",\"RegistryId\":\"1\",\"RepositoryName\":\"r\",\"Version\":\"1.0\"}\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf got = {0};

        artifact_image_detail(&rows[i].detail, &got);
        EQ_STR(buf_cstr(&got), rows[i].want);
    }
}

TAP_MAIN({"imagedefinitions.json", imagedefinitions}, {"imageDetail.json", image_detail})
