/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CDI_REGISTRY_H
#define BUILDER_CDI_REGISTRY_H

/*
 * The devices that this host's specification directories tell of, and what a RUN's --device comes
 * to (BuildKit, docs/cdi.md). Read on first use; a device that a later directory tells of replaces
 * that of an earlier one.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/cdi.h"

/* SPEC.md's two, and BuildKit's own. */
#define CDI_DIRS "/etc/cdi", "/var/run/cdi", "/etc/buildkit/cdi"
#define CDI_DIRS_WORDS "/etc/cdi, /var/run/cdi or /etc/buildkit/cdi"

struct cdi_entry {
    struct cdi_spec spec;
    size_t rank; /* the directory's place */
};

struct cdi_registry {
    struct strv dirs; /* none: CDI_DIRS */
    pthread_mutex_t lock;
    bool is_loaded;
    struct cdi_entry *entries; /* as they were found */
    size_t count, capacity;
    struct strv broken; /* "FILE: why": files that could not be read */
};

/* What --allow says about devices. */
struct cdi_allowed {
    bool all;
    struct strv names; /* VENDOR/CLASS, VENDOR/CLASS=NAME */
};

/* One request: what it comes to. */
struct cdi_found {
    struct strv names; /* VENDOR/CLASS=NAME, each once; none: there is no such device */
    struct cdi_edits edits;
};

void cdi_registry_init(struct cdi_registry *registry);
void cdi_registry_release(struct cdi_registry *registry);
/*
 * request: as cdi_name_parse() takes it. A kind alone is its first device by name; a name that no
 * device has is a class (the annotation) of devices. found is emptied first. ERR_INPUT: a device
 * that is described twice, needs what is not carried out, or that allowed does not have.
 */
int cdi_find(struct cdi_registry *registry, const char *request, const struct cdi_allowed *allowed,
             struct cdi_found *found, struct err *err);
void cdi_found_release(struct cdi_found *found);

#endif
