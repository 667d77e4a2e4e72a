/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUN_FLAGS_H
#define BUILDER_RUN_FLAGS_H

/* The flags of one RUN instruction, apart from what its mounts are. Pure. */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/cdi.h"
#include "builder/instruction.h"
#include "builder/run_options.h"

struct run_flags {
    bool has_network;
    enum run_network network;
    bool insecure;
    struct run_device *devices;
    size_t devices_count, devices_capacity;
};

/* One --device: a name that cdi_name_parse() takes. */
struct run_device {
    char *name;
    bool required;
};

void run_flags_release(struct run_flags *flags);
/*
 * Judges --network, --security and --device of a RUN instruction, and its mounts as far as they
 * have no variables. ERR_INPUT, without the place; *line (or NULL): of the flag at fault.
 */
int run_flags_parse(const struct instruction *in, struct run_flags *flags, unsigned *line,
                    struct err *err);
/* What the instruction may do only when --allow has it. ERR_INPUT, with the option that is missing.
 */
int run_flags_check_allowed(const struct run_flags *flags, unsigned allowed, struct err *err);

/* The same for every RUN of a stage, and its devices; *at: the one at fault. */
struct stage;
int run_flags_check_stage(const struct stage *stage, const struct run_options *options,
                          const struct instruction **at, struct err *err);
/* What the devices of an instruction come to, all together. One that is not there is an error when
 * it is required; its name goes to absent (or NULL) when it is not. ERR_INPUT. */
int run_flags_find_devices(const struct run_flags *flags, const struct run_options *options,
                           struct cdi_edits *edits, struct strv *absent, struct err *err);

#endif
