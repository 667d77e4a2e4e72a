/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPY_ARCHIVE_H
#define BUILDER_COPY_ARCHIVE_H

/* ADD of an archive: its entries, put where unpacking in place would have put them. */
#include "base/err.h"

struct copy_item;
struct copy_request;
struct layer_writer;

int copy_write_archive(const struct copy_request *request, struct layer_writer *w,
                       const struct copy_item *item, struct err *err);

#endif
