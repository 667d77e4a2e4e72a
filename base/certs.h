/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CERTS_H
#define BASE_CERTS_H

/*
 * Certificates in PEM text (RFC 7468), by libcrypto. Pure.
 *
 * Text around the blocks is passed over, and so is what a bundle says twice. A block that is no
 * certificate is refused: a private key that somebody put into the file with its certificate would
 * else go wherever the file goes. (TRUSTED CERTIFICATE is one of these: it says what it is trusted
 * for, which most programs that read bundles would not heed.)
 */
#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"

struct cert {
    char *name;         /* the subject, in one line, escaped */
    time_t from, until; /* both ends are inside */
};

struct certs {
    struct buf pem; /* the certificates and nothing else, in their order */
    struct cert *items;
    size_t count, capacity;
};

void certs_release(struct certs *certs);
/* ERR_INPUT when there is none, or one cannot be read: says which ("block 2"). */
int certs_read(struct str text, struct certs *certs, struct err *err);

#endif
