/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/archive.h"
#include "builder/graph.h"
#include "builder/layer.h"
#include "builder/parse.h"
#include "builder/state.h"
#include "builder/stream.h"
#include "registry/config.h"
#include "registry/layout.h"
#include "registry/manifest.h"

#define HEAD_SIZE 16 /* enough of a file to tell its compression */

/* The first bytes, looked at already, then the rest of fd: works for pipes too. */
struct peeked {
    int fd;
    char head[HEAD_SIZE];
    size_t size, given;
};

static ssize_t read_peeked(void *ctx, void *bytes, size_t size, struct err *err)
{
    struct peeked *p = ctx;
    ssize_t n;

    if (p->given < p->size) {
        n = (ssize_t)(p->size - p->given < size ? p->size - p->given : size);
        memcpy(bytes, p->head + p->given, (size_t)n);
        p->given += (size_t)n;
        return n;
    }
    do
        n = read(p->fd, bytes, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_errno(err, "read the archive") : n;
}

/* What neither our own inflater nor the tar reader opens, but libarchive does. */
static bool is_foreign(const struct peeked *p)
{
    static const struct {
        const char *magic;
        size_t size;
    } magics[] = {{"\xfd"
                   "7zXZ",
                   6},
                  {"BZh", 3},
                  {"\x5d\0\0", 3},
                  {"\x1f\x9d", 2}};

    for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
        if (p->size >= magics[i].size && memcmp(p->head, magics[i].magic, magics[i].size) == 0)
            return true;
    return false;
}

static int add_foreign_entry(struct layer_writer *w, struct archive_reader *r,
                             const struct entry *e, struct err *err)
{
    AUTO_FREE char *bytes = NULL;
    ssize_t n;

    if (e->type != ENTRY_FILE || e->size == 0)
        return layer_add(w, e, err);
    bytes = xmalloc(256 << 10);
    if (layer_add_begin(w, e, err) < 0)
        return -1;
    while ((n = archive_read(r, bytes, 256 << 10, err)) > 0)
        if (layer_add_piece(w, bytes, (size_t)n, err) < 0)
            return -1;
    return (int)n;
}

static int rewrite(struct layout *layout, struct pool *pool, int fd,
                   const struct layer_options *options, struct layer *layer, struct err *err)
{
    struct archive_reader *r = archive_reader_open(fd, err);
    struct layer_writer *w = r ? layer_writer_open(layout, pool, options, err) : NULL;
    struct entry e;
    int more = -1;

    while (w && (more = archive_next(r, &e, err)) > 0)
        if (add_foreign_entry(w, r, &e, err) < 0) {
            more = -1;
            break;
        }
    if (more == 0)
        more = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    archive_reader_close(r);
    return more;
}

/* libarchive's door reads a file from its beginning; a pipe is written down first. */
static int import_foreign(struct layout *layout, struct pool *pool, struct peeked *p,
                          const struct layer_options *options, struct layer *layer, struct err *err)
{
    if (lseek(p->fd, 0, SEEK_CUR) == (off_t)p->size)
        return rewrite(layout, pool, p->fd, options, layer, err);
    AUTO_FD int copy = layout_tmpfile(layout, err);
    if (copy < 0 || fs_write(copy, p->head, p->size, err) < 0 ||
        fs_copy(p->fd, copy, UINT64_MAX, err) < 0)
        return -1;
    return rewrite(layout, pool, copy, options, layer, err);
}

static int make_layer(struct layout *layout, struct pool *pool, int fd, struct layer *layer,
                      struct err *err)
{
    struct layer_options options = {.codec = CODEC_GZIP, .unsorted = true};
    struct peeked p = {.fd = fd};
    struct source source = {read_peeked, &p};
    int clamped = clock_source_date_epoch(&options.epoch, err);
    ssize_t n;

    if (clamped < 0)
        return -1;
    options.clamp = clamped > 0;
    do {
        n = read(fd, p.head + p.size, HEAD_SIZE - p.size);
        p.size += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && p.size < HEAD_SIZE) || (n < 0 && errno == EINTR));
    if (n < 0)
        return err_errno(err, "read the archive");
    if (p.size == 0)
        return err_set(err, ERR_INPUT, 0, "the archive is empty");
    if (is_foreign(&p))
        return import_foreign(layout, pool, &p, &options, layer, err);
    return layer_from_tar(layout, pool, source, &options, layer, err);
}

static int check_changes(const struct dockerfile *doc, struct err *err)
{
    for (size_t i = 1; i < doc->count; i++)
        switch (doc->instructions[i].kind) {
        case INSTR_CMD:
        case INSTR_ENTRYPOINT:
        case INSTR_ENV:
        case INSTR_EXPOSE:
        case INSTR_HEALTHCHECK:
        case INSTR_LABEL:
        case INSTR_ONBUILD:
        case INSTR_SHELL:
        case INSTR_STOPSIGNAL:
        case INSTR_USER:
        case INSTR_VOLUME:
        case INSTR_WORKDIR:
            break;
        default:
            return err_set(err, ERR_USAGE, 0,
                           "--change %s: it does more than change the image's configuration",
                           doc->instructions[i].keyword);
        }
    return 0;
}

static int apply_changes(json_t *config, struct dockerfile *doc, struct err *err)
{
    SCOPED(graph_release) struct graph graph = {0};
    SCOPED(state_release) struct state state = {0};
    struct graph_options options = {.build = platform_host()};

    if (config_platform(config, &options.wanted, err) < 0 ||
        graph_make(doc, &options, &graph, err) < 0)
        return -1;
    state_begin(&state, &graph, &graph.stages[0], config);
    for (size_t i = 1; i < doc->count; i++)
        if (state_apply(&state, &doc->instructions[i], NULL, err) < 0)
            return -1;
    /* Of all that grew only the run configuration is wanted: the history stays one entry. */
    json_object_set(config, "config", json_object_get(state.config, "config"));
    return 0;
}

/* The changes are parsed as a Dockerfile of one line each below its FROM; an error names the change
 * instead of the line. */
static int name_change(const struct strv *changes, struct err *err)
{
    SCOPED(buf_release) struct buf change = {0};
    SCOPED(buf_release) struct buf rest = {0};
    unsigned line = 0;
    int at = 0;

    for (size_t i = 0; i < changes->count; i++)
        if (strchr(changes->ptr[i], '\n'))
            return -1;
    if (sscanf(err->text, "--change:%4u: %n", &line, &at) != 1 || at == 0 || line < 2 ||
        line - 2 >= changes->count)
        return -1;
    buf_add_escaped(&change, str_slice(str_of(changes->ptr[line - 2]), 0, 200));
    buf_adds(&rest, err->text + at);
    return err_set(err, err->kind, err->code, "--change '%s': %s", buf_cstr(&change),
                   buf_cstr(&rest));
}

static int import_change(json_t *config, const struct strv *changes, struct err *err)
{
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    SCOPED(buf_release) struct buf text = {0};

    if (!changes || changes->count == 0)
        return 0;
    buf_adds(&text, "FROM scratch\n");
    for (size_t i = 0; i < changes->count; i++)
        buf_addf(&text, "%s\n", changes->ptr[i]);
    if (dockerfile_parse(buf_str(&text), "--change", &doc, err) < 0)
        return name_change(changes, err);
    if (check_changes(&doc, err) < 0)
        return -1;
    return apply_changes(config, &doc, err) < 0 ? name_change(changes, err) : 0;
}

static int make_config(const struct import_options *options, json_t **out, struct err *err)
{
    json_auto_t *config = config_new(&options->platform);
    struct timespec now = clock_now();
    char created[CLOCK_TEXT_SIZE];
    int64_t epoch;
    int fixed = clock_source_date_epoch(&epoch, err);

    if (fixed < 0 || import_change(config, options->changes, err) < 0)
        return -1;
    if (fixed)
        now = (struct timespec){.tv_sec = (time_t)epoch};
    config_set_created(config, clock_rfc3339(now, created));
    config_add_history(config, created, "slipway import", options->message, false);
    *out = steal_ptr(&config);
    return 0;
}

int import_image(struct layout *layout, struct pool *pool, int fd,
                 const struct import_options *options, struct descriptor *out, struct err *err)
{
    SCOPED(layer_release) struct layer layer = {0};
    SCOPED(descriptor_release) struct descriptor config = {0};
    SCOPED(buf_release) struct buf text = {0};
    char digest[DIGEST_SIZE];
    json_auto_t *doc = NULL;

    /* The changes first: a slip in them must not cost the reading of the archive. */
    if (make_config(options, &doc, err) < 0 || make_layer(layout, pool, fd, &layer, err) < 0)
        return -1;
    config_add_layer(doc, layer.diff_id);
    config_print(doc, &text);
    if (layout_put(layout, text.ptr, text.size, digest, err) < 0)
        return -1;
    descriptor_set(&config, MEDIA_OCI_CONFIG, digest, text.size);
    buf_clear(&text);
    manifest_print_image(&config, &layer.descriptor, 1, NULL, &text);
    if (layout_put(layout, text.ptr, text.size, digest, err) < 0)
        return -1;
    descriptor_set(out, MEDIA_OCI_MANIFEST, digest, text.size);
    descriptor_set_platform(out, &options->platform);
    return 0;
}
