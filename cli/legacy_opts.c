/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/legacy_opts.h"

#include <string.h>

#include "base/csv.h"
#include "base/scope.h"

static int refuse_attestation(const char *option, struct err *err)
{
    return err_set(err, ERR_USAGE, 0, "%s: attestations are not made; leave it out, or say false",
                   option);
}

static bool is_off(const char *value)
{
    return !value || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
}

static int check_attestations(const struct legacy_opts *o, struct err *err)
{
    if (!is_off(o->provenance))
        return refuse_attestation("--provenance", err);
    if (!is_off(o->sbom))
        return refuse_attestation("--sbom", err);
    for (size_t i = 0; i < o->attest.count; i++) {
        SCOPED(strv_release) struct strv fields = {0};

        if (csv_fields(str_of(o->attest.ptr[i]), &fields, err) < 0)
            return err_wrap(err, "--attest");
        if (!strv_has(&fields, "disabled=true"))
            return refuse_attestation("--attest", err);
    }
    return 0;
}

int legacy_opts_check(const struct legacy_opts *o, struct err *err)
{
    if (o->squash)
        return err_set(err, ERR_USAGE, 0,
                       "--squash: layers are not merged; end the Dockerfile with a stage FROM "
                       "scratch that has COPY --from=STAGE / /");
    return check_attestations(o, err);
}
