/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/config.h"
#include "registry/manifest.h"
#include "registry/remote.h"

void deploy_image_release(struct deploy_image *image)
{
    reference_release(&image->ref);
    free(steal_ptr(&image->uri));
    image->size = 0;
}

static int fetch_config(struct remote *remote, const struct remote_place *place,
                        const struct descriptor *config, struct platform *platform, struct err *err)
{
    AUTO_FREE char *path = xasprintf("blobs/%s", config->digest);
    SCOPED(http_reply_release) struct http_reply reply = {0};
    json_auto_t *doc = NULL;
    struct remote_call call = {
        .place = place,
        .path = path,
        .http = {.method = "GET",
                 .repeatable = true,
                 .reply_max = MANIFEST_CONFIG_MAX,
                 .hash_reply = true},
    };

    if (remote_send(remote, &call, &reply, err) < 0)
        return -1;
    if (reply.status != 200)
        return remote_refused(remote, &call, &reply, err);
    if (strcmp(reply.digest, config->digest) != 0)
        return err_set(err, ERR_REMOTE, 0,
                       "the image config is not what its digest says: want %s, got %s",
                       config->digest, reply.digest);
    doc = config_parse(buf_str(&reply.body), err);
    if (!doc)
        return -1;
    return config_platform(doc, platform, err);
}

static int read_manifest(struct remote *remote, const struct remote_place *place,
                         const struct remote_manifest *fetched, const struct platform *want,
                         struct deploy_image *image, struct err *err)
{
    SCOPED(manifest_release) struct manifest manifest = {0};

    if (manifest_parse(buf_str(&fetched->bytes), fetched->media_type, &manifest, err) < 0)
        return -1;
    if (manifest.is_index) {
        const struct descriptor *entry = manifest_select(&manifest, want, err);

        if (!entry)
            return -1;
        image->platform = entry->has_platform ? entry->platform : *want;
        return 0;
    }
    image->size = manifest.config.size;
    for (size_t i = 0; i < manifest.layers_count; i++)
        image->size += manifest.layers[i].size;
    return fetch_config(remote, place, &manifest.config, &image->platform, err);
}

static int resolve(struct remote *remote, const struct platform *want, struct deploy_image *image,
                   struct err *err)
{
    SCOPED(remote_places_release) struct remote_places places = {0};
    SCOPED(remote_manifest_release) struct remote_manifest fetched = {0};
    AUTO_FREE char *repository = reference_repository(&image->ref);

    if (remote_find(remote, &image->ref, false, &places, err) < 0 ||
        remote_fetch_manifest(remote, &places, image->ref.tag, image->ref.digest, &fetched, err) <=
            0)
        return -1;
    if (read_manifest(remote, &places.items[fetched.place], &fetched, want, image, err) < 0)
        return -1;
    if (!image->ref.digest)
        image->ref.digest = xstrdup(fetched.digest);
    image->uri = xasprintf("%s@%s", repository, image->ref.digest);
    log_debug("%s:%s is %s", repository, image->ref.tag ? image->ref.tag : "", image->ref.digest);
    return 0;
}

int deploy_image_resolve(struct remote *remote, const char *text, const struct platform *want,
                         struct deploy_image *image, struct err *err)
{
    SCOPED(deploy_image_release) struct deploy_image fresh = {0};

    if (reference_parse(text, &fresh.ref, err) < 0)
        return -1;
    if (resolve(remote, want, &fresh, err) < 0)
        return err_wrap(err, "image %s", text);
    *image = fresh;
    fresh = (struct deploy_image){0};
    return 0;
}
