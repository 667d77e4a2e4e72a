/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/import.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/bundle.h"
#include "builder/tar.h"
#include "registry/config.h"
#include "registry/layout.h"
#include "tests/tap.h"

struct place {
    char dir[64];
    struct layout l;
    struct pool *pool;
};

static void place_make(struct place *p)
{
    const char *tmp = getenv("TMPDIR");
    struct err err = {0};

    *p = (struct place){.l = LAYOUT_CLOSED};
    snprintf(p->dir, sizeof(p->dir), "%.40s/import-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(p->dir) || layout_open(&p->l, p->dir, &err) < 0)
        abort();
    p->pool = pool_open(2);
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
}

static void place_remove(struct place *p)
{
    struct err ignored = {0};

    pool_close(p->pool);
    layout_close(&p->l);
    fs_remove_tree(AT_FDCWD, p->dir, &ignored);
}

/* A nameless file with a tar of one file in it, read from its start. */
static int tar_of(const struct place *p, const char *name, const char *text)
{
    struct entry e = {.path = name, .type = ENTRY_FILE, .mode = 0644, .mtime = 1600000000};
    struct err err = {0};
    int fd = layout_tmpfile(&p->l, &err);
    struct tar_writer w = {.to = sink_of_fd(&fd)};

    OKF(fd >= 0 && tar_write_whole(&w, &e, str_of(text), &err) == 0 && tar_write_end(&w, &err) == 0,
        "%s", err.text);
    tar_writer_release(&w);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static int import(struct place *p, int fd, const char *change, struct descriptor *d,
                  struct err *err)
{
    SCOPED(strv_release) struct strv changes = {0};
    struct import_options options = {
        .platform = {.os = "linux", .arch = "arm64"}, .changes = &changes, .message = "m"};

    if (change)
        strv_add(&changes, change);
    return import_image(&p->l, p->pool, fd, &options, d, err);
}

static void image(void)
{
    SCOPED(place_remove) struct place p;
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(image_release) struct image image = {0};
    SCOPED(strv_release) struct strv cmd = {0};
    struct err err = {0};

    place_make(&p);
    AUTO_FD int fd = tar_of(&p, "a", "hello");
    OKF(import(&p, fd, "CMD [\"a\", \"b\"]", &d, &err) == 0, "%s", err.text);
    OKF(layout_load_image(&p.l, &d, NULL, &image, &err) == 0, "%s", err.text);
    EQ_STR(image.platform.arch, "arm64");
    EQ_STR(config_created(image.config), "2023-11-14T22:13:20Z");
    OK(config_get_list(image.config, "Cmd", &cmd) && cmd.count == 2 &&
       strcmp(cmd.ptr[1], "b") == 0);
    EQ_INT(json_array_size(config_history(image.config)), 1);
    EQ_STR(json_str(json_array_get(config_history(image.config), 0), "comment"), "m");
}

static void refused(void)
{
    static const struct {
        const char *change, *err;
    } rows[] = {
        {"RUN x", "--change RUN: it does more than change the image's configuration"},
        {"COPY a b", "--change COPY: it does more than change the image's configuration"},
        {"FROM x", "--change FROM: it does more than change the image's configuration"},
        {"ARG x", "--change ARG: it does more than change the image's configuration"},
    };
    SCOPED(place_remove) struct place p;
    SCOPED(descriptor_release) struct descriptor d = {0};
    struct err err = {0};

    place_make(&p);
    AUTO_FD int fd = tar_of(&p, "a", "hello");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        OK(import(&p, fd, rows[i].change, &d, &err) < 0);
        EQ_STR(err.text, rows[i].err);
        EQ_INT(lseek(fd, 0, SEEK_CUR), 0); /* before a byte was read */
    }
    lseek(fd, 0, SEEK_END);
    OK(import(&p, fd, NULL, &d, &err) < 0);
    EQ_STR(err.text, "the archive is empty");
}

/* Out as either kind of archive and back into another store: the same digest. */
static void round_trip(void)
{
    static const enum bundle_format formats[] = {BUNDLE_OCI, BUNDLE_DOCKER};
    SCOPED(place_remove) struct place p;
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(bundle_release) struct bundle out = {0};
    struct err err = {0};

    place_make(&p);
    AUTO_FD int fd = tar_of(&p, "a", "hello");
    OK(import(&p, fd, NULL, &d, &err) == 0);
    bundle_add(&out, "docker.io/library/web:1", &d);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        SCOPED(place_remove) struct place other;
        SCOPED(bundle_release) struct bundle in = {0};
        AUTO_FD int archive = layout_tmpfile(&p.l, &err);

        place_make(&other);
        OKF(bundle_save(&p.l, &out, formats[i], NULL, archive, &err) == 0, "%s", err.text);
        lseek(archive, 0, SEEK_SET);
        OKF(bundle_load(&other.l, other.pool, archive, NULL, &in, &err) == 0, "%s", err.text);
        if (OK(in.count == 1)) {
            EQ_STR(in.images[0].name, "docker.io/library/web:1");
            EQ_STR(in.images[0].descriptor.digest, d.digest);
        }
    }
}

TAP_MAIN({"an image of a tar", image}, {"changes and archives that are refused", refused},
         {"archives out and in again", round_trip})
