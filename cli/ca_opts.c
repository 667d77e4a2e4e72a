/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ca_opts.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/ca_bundle.h"
#include "registry/remote.h"

#define NAME "ca.pem"

void ca_trust_close(struct ca_trust *trust)
{
    if (trust->layout)
        layout_tmp_close(trust->layout, &trust->tmp);
    free(trust->path);
    *trust = (struct ca_trust)CA_TRUST_CLOSED;
}

int ca_trust_open(const struct ca_bundle *ca, const struct layout *layout,
                  struct registry_opts *registry, struct ca_trust *trust, struct err *err)
{
    SCOPED(remote_settings_release) struct remote_settings settings = {0};
    SCOPED(buf_release) struct buf pem = {0};

    if (ca_bundle_is_empty(ca) || ca->is_host)
        return 0;
    if (registry_opts_settings(registry, &settings, err) < 0)
        return -1;
    if (settings.ca_file && fs_read_file(AT_FDCWD, settings.ca_file, &pem, CA_BUNDLE_MAX, err) < 0)
        return err_wrap(err, "CA file");
    if (pem.size)
        buf_addc(&pem, '\n');
    buf_add_str(&pem, buf_str(&ca->own));
    if (layout_tmp_open(layout, &trust->tmp, err) < 0)
        return -1;
    trust->layout = layout;
    if (fs_replace(trust->tmp.fd, NAME, pem.ptr, pem.size, 0644, false, err) < 0)
        return err_wrap(err, "--ca-bundle");
    trust->path = xasprintf("%s/tmp/%s/" NAME, layout->root, trust->tmp.name);
    registry->ca_file = trust->path;
    return 0;
}
