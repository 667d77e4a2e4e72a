/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/artifacts.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"

void artifact_imagedefinitions(const struct artifact_image *images, size_t count, struct buf *out)
{
    json_auto_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "name", images[i].name, "imageUri", images[i].uri));
    json_print(list, out);
    buf_addc(out, '\n');
}

/* "Mon Jan 21 20:04:00 UTC 2019", as CodePipeline writes it. */
static void pushed_text(int64_t pushed, char out[static 40])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)pushed;
    struct tm tm = {0};

    gmtime_r(&t, &tm);
    snprintf(out, 40, "%s %s %02d %02d:%02d:%02d UTC %d", days[tm.tm_wday], months[tm.tm_mon],
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
}

static void set(json_t *doc, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(doc, key, json_string(value));
}

void artifact_image_detail(const struct artifact_detail *detail, struct buf *out)
{
    json_auto_t *doc = json_pack("{s:s, s:s}", "ImageURI", detail->uri, "Version", "1.0");
    char text[40];

    set(doc, "ImageDigest", detail->digest);
    set(doc, "RegistryId", detail->registry);
    set(doc, "RepositoryName", detail->repository);
    if (detail->size) {
        snprintf(text, sizeof(text), "%" PRIu64, detail->size);
        set(doc, "ImageSizeInBytes", text);
    }
    if (detail->pushed) {
        pushed_text(detail->pushed, text);
        set(doc, "ImagePushedAt", text);
    }
    if (detail->tag)
        json_object_set_new(doc, "ImageTags", json_pack("[s]", detail->tag));
    json_print(doc, out);
    buf_addc(out, '\n');
}
