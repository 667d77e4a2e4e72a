/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_opts.h"

#include <string.h>
#include <unistd.h>

static int set_on_error(const char *how, bool *shell, struct err *err)
{
    if (!how || strcmp(how, "fail") == 0)
        return 0;
    if (strcmp(how, "shell") != 0)
        return err_set(err, ERR_USAGE, 0, "--on-error %.80s: there are shell and fail", how);
    if (!isatty(STDIN_FILENO) || !(isatty(STDOUT_FILENO) || isatty(STDERR_FILENO)))
        return err_set(err, ERR_USAGE, 0,
                       "--on-error=shell needs a terminal, as standard input and as standard "
                       "output or error");
    *shell = true;
    return 0;
}

int run_opts_make(const struct run_opts *opts, struct run_options *out, struct err *err)
{
    if (opts->network && run_network_parse(opts->network, &out->network, err) < 0)
        return err_wrap(err, "--network");
    /* Who gives steps the host's network by default has allowed it (as with docker). */
    if (out->network == RUN_NETWORK_HOST)
        out->allowed |= RUN_ALLOW_NETWORK_HOST;
    for (size_t i = 0; i < opts->allow.count; i++)
        if (run_options_allow(out, opts->allow.ptr[i], err) < 0)
            return err_wrap(err, "--allow");
    run_options_add_cdi(out, &opts->cdi_dirs);
    for (size_t i = 0; i < opts->hosts.count; i++)
        if (run_options_add_host(out, opts->hosts.ptr[i], err) < 0)
            return err_wrap(err, "--add-host");
    for (size_t i = 0; i < opts->secrets.count; i++)
        if (secrets_add(&out->secrets, str_of(opts->secrets.ptr[i]), err) < 0)
            return err_wrap(err, "--secret");
    if (box_opts_make(&opts->box, &out->box, err) < 0)
        return -1;
    if (set_on_error(opts->on_error, &out->shell_on_error, err) < 0)
        return -1;
    out->secret_source = secrets_source(&out->secrets);
    out->wire = secrets_tripwire(&out->secrets);
    return opts->ca_bundle ? run_options_set_ca(out, opts->ca_bundle, err) : 0;
}

int run_opts_open_ssh(const struct run_opts *opts, const struct layout *layout,
                      struct run_options *out, struct err *err)
{
    for (size_t i = 0; i < opts->ssh.count; i++)
        if (ssh_agents_add(&out->ssh, layout, str_of(opts->ssh.ptr[i]), err) < 0)
            return err_wrap(err, "--ssh");
    return 0;
}
