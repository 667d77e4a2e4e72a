/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CDI_H
#define BUILDER_CDI_H

/*
 * The Container Device Interface (cncf-tags/container-device-interface, SPEC.md, versions 0.3.0 to
 * 1.1.0): what a device's vendor says a container needs to use it. Here: names, and one
 * specification file as data. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strv.h"

struct cdi_node {
    char *path;      /* in the container */
    char *host_path; /* the same unless the specification says otherwise */
    char type;       /* 'b', 'c', 'u' (as c), 'p'; 0: whatever the host has */
    bool has_number;
    int64_t major, minor;
    bool is_changed; /* wants an owner, a mode or permissions other than the host's */
};

struct cdi_bind {
    char *host_path, *container_path;
    bool read_only, no_suid, no_exec;
};

/* containerEdits. */
struct cdi_edits {
    struct strv env; /* NAME=value */
    struct cdi_node *nodes;
    size_t nodes_count, nodes_capacity;
    struct cdi_bind *binds;
    size_t binds_count, binds_capacity;
    uint32_t *gids;
    size_t gids_count, gids_capacity;
    char *missing; /* the first edit that is not carried out: "hooks"; NULL: all are */
};

struct cdi_device {
    char *name;
    char *class;     /* org.mobyproject.buildkit.device.class, or NULL */
    bool auto_allow; /* org.mobyproject.buildkit.device.autoallow */
    struct cdi_edits edits;
};

struct cdi_spec {
    char *file;
    char *kind; /* vendor/class */
    struct cdi_edits edits;
    struct cdi_device *devices;
    size_t count, capacity;
};

void cdi_spec_release(struct cdi_spec *spec);
/* file: only kept. ERR_INPUT without the file's name: what is wrong, and where. */
int cdi_spec_parse(const char *file, json_t *doc, struct cdi_spec *spec, struct err *err);

/* "vendor.com/class", "vendor.com/class=name", "…=*": cut at "="; name is empty without one.
 * ERR_INPUT. */
int cdi_name_parse(struct str text, struct str *kind, struct str *name, struct err *err);
/* All of it, as bytes that equal edits have equal: for keys. */
void cdi_edits_print(const struct cdi_edits *edits, struct buf *out);
void cdi_edits_add(struct cdi_edits *to, const struct cdi_edits *from); /* appends copies */
void cdi_edits_release(struct cdi_edits *edits);

#endif
