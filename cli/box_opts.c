/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/box_opts.h"

#include "base/scope.h"

int box_opts_make(const struct box_opts *opts, struct box *box, struct err *err)
{
    const struct {
        const char *name;
        const struct strv *given;
        int (*add)(struct box *, const char *, struct err *);
    } rows[] = {
        {"--security-opt", &opts->security, box_add_security},
        {"--dns", &opts->dns, box_add_dns},
        {"--dns-search", &opts->dns_search, box_add_dns_search},
        {"--dns-option", &opts->dns_options, box_add_dns_option},
    };

    if (box_set_caps(box, &opts->cap_add, &opts->cap_drop, err) < 0)
        return err_wrap(err, "--cap-add, --cap-drop");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t k = 0; k < rows[i].given->count; k++)
            if (rows[i].add(box, rows[i].given->ptr[k], err) < 0)
                return err_wrap(err, "%s", rows[i].name);
    return 0;
}
