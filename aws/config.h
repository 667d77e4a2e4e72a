/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_CONFIG_H
#define AWS_CONFIG_H

/*
 * What the user set: environment, ~/.aws/config and ~/.aws/credentials (AWS_CONFIG_FILE,
 * AWS_SHARED_CREDENTIALS_FILE), the chosen profile. Read once; nothing here goes to the network. A
 * missing file is an empty file.
 */
#include <stdbool.h>

#include "aws/ini.h"
#include "base/err.h"
#include "base/strv.h"

struct aws_config {
    struct strv env;
    char *profile;         /* never NULL: "default" */
    bool profile_explicit; /* by option, not by AWS_PROFILE */
    char *region_option;   /* --region; NULL: none */
    char *config_path, *credentials_path;
    struct ini config, credentials;
};

/* env NULL: the process's own. profile, region: options, NULL when not given. A profile that was
 * named but exists nowhere is an error. */
int aws_config_load(struct aws_config *c, const struct strv *env, const char *profile,
                    const char *region, struct err *err);
void aws_config_release(struct aws_config *c);

const char *aws_config_env(const struct aws_config *c,
                           const char *name); /* NULL when unset or empty; borrowed */
/* The section of a profile in the config file ("[profile x]", "[default]") or NULL. Borrowed. */
const struct ini_section *aws_config_profile(const struct aws_config *c, const char *profile);
const struct ini_section *aws_config_credentials(const struct aws_config *c, const char *profile);
/* Option, AWS_REGION, AWS_DEFAULT_REGION, the profile's region; NULL when none says. Borrowed. */
const char *aws_config_region(const struct aws_config *c);
/* AWS_ENDPOINT_URL_<ID>, AWS_ENDPOINT_URL, the profile's services section, its endpoint_url; NULL:
 * none. Borrowed. */
const char *aws_config_endpoint(const struct aws_config *c, const char *service_id);
/* Boolean from an environment variable, else from the profile. */
bool aws_config_flag(const struct aws_config *c, const char *env_name, const char *key);

#endif
