/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/scope.h"
#include "registry/config.h"
#include "registry/layout.h"

void image_summary_release(struct image_summary *s)
{
    scope_free(&s->created);
    strv_release(&s->platforms);
    *s = (struct image_summary){0};
}

struct gather {
    const struct layout *l;
    struct image_summary *out;
    struct strv counted; /* digests */
};

static void count_blob(struct gather *g, const char *digest, uint64_t size)
{
    if (strv_has(&g->counted, digest) || !layout_has(g->l, digest))
        return;
    strv_add(&g->counted, digest);
    g->out->size += size;
}

static void take_created(struct gather *g, const json_t *config)
{
    const char *created = config_created(config);
    struct timespec mine, other;

    if (!created || !clock_parse_rfc3339(str_of(created), &mine))
        return;
    if (g->out->created && clock_parse_rfc3339(str_of(g->out->created), &other) &&
        (other.tv_sec > mine.tv_sec ||
         (other.tv_sec == mine.tv_sec && other.tv_nsec >= mine.tv_nsec)))
        return;
    scope_free(&g->out->created);
    g->out->created = xstrdup(created);
}

static void gather_image(struct gather *g, const struct descriptor *d, const struct manifest *m)
{
    SCOPED(buf_release) struct buf bytes = {0};
    json_auto_t *config = NULL;
    struct platform p = d->platform;
    struct err ignored = {0};
    char text[PLATFORM_TEXT_SIZE];

    count_blob(g, m->config.digest, m->config.size);
    for (size_t i = 0; i < m->layers_count; i++)
        count_blob(g, m->layers[i].digest, m->layers[i].size);
    if (descriptor_is_attestation(d) ||
        layout_read_blob(g->l, m->config.digest, MANIFEST_CONFIG_MAX, &bytes, &ignored) < 0)
        return;
    config = config_parse(buf_str(&bytes), &ignored);
    if (!config)
        return;
    take_created(g, config);
    if (config_platform(config, &p, &ignored) == 0 || d->has_platform)
        strv_add(&g->out->platforms, platform_format(&p, text));
}

static int gather(struct gather *g, const struct descriptor *d, int depth, struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};
    struct err ignored = {0};

    if (layout_load_manifest(g->l, d, &m, err) < 0)
        return -1;
    count_blob(g, d->digest, d->size);
    if (depth == 0)
        memcpy(g->out->id, m.is_index ? m.digest : m.config.digest, DIGEST_SIZE);
    if (!m.is_index)
        gather_image(g, d, &m);
    for (size_t i = 0; i < m.manifests_count && depth < MANIFEST_DEPTH_MAX; i++)
        gather(g, &m.manifests[i], depth + 1, &ignored);
    return 0;
}

int layout_summary(const struct layout *l, const struct descriptor *d, struct image_summary *out,
                   struct err *err)
{
    SCOPED(image_summary_release) struct image_summary summary = {0};
    struct gather g = {.l = l, .out = &summary};
    int result = gather(&g, d, 0, err);

    strv_release(&g.counted);
    if (result < 0)
        return -1;
    *out = summary;
    summary = (struct image_summary){0};
    return 0;
}
