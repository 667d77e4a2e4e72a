/* SPDX-License-Identifier: Apache-2.0 */
#include "base/certs.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"

#define NAME_MAX_SHOWN 200

void certs_release(struct certs *certs)
{
    for (size_t i = 0; i < certs->count; i++)
        free(certs->items[i].name);
    free(certs->items);
    buf_release(&certs->pem);
    *certs = (struct certs){0};
}

static void close_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void free_x509(X509 **x)
{
    X509_free(*x);
}

/* As PEM_read_bio() gives it. */
struct block {
    char *name, *header;
    unsigned char *bytes;
    long size;
};

static void block_release(struct block *b)
{
    OPENSSL_free(b->name);
    OPENSSL_free(b->header);
    OPENSSL_free(b->bytes);
}

static time_t seconds(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : -1;
}

static char *subject(const X509 *x)
{
    SCOPED(close_bio) BIO *bio = BIO_new(BIO_s_mem());
    struct buf name = {0};
    char *bytes = NULL;
    long size;

    BUG_ON(!bio);
    X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    size = BIO_get_mem_data(bio, &bytes);
    buf_add_escaped(&name, str_slice((struct str){bytes, (size_t)size}, 0, NAME_MAX_SHOWN));
    buf_adds(&name, name.size ? "" : "(no name)");
    return buf_steal(&name);
}

/* "-----BEGIN …": what came is written, not the text that it came in. */
static void add_pem(struct buf *pem, X509 *x)
{
    SCOPED(close_bio) BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    long size;

    BUG_ON(!bio || PEM_write_bio_X509(bio, x) != 1);
    size = BIO_get_mem_data(bio, &bytes);
    if (pem->size && memmem(pem->ptr, pem->size, bytes, (size_t)size))
        return;
    buf_add(pem, bytes, (size_t)size);
}

static int add_block(struct certs *certs, const struct block *b, size_t number, struct err *err)
{
    const unsigned char *at = b->bytes;
    SCOPED(buf_release) struct buf kind = {0};

    if (strcmp(b->name, PEM_STRING_X509) != 0 && strcmp(b->name, PEM_STRING_X509_OLD) != 0) {
        buf_add_escaped(&kind, str_slice(str_of(b->name), 0, 40));
        return err_set(err, ERR_INPUT, 0, "block %zu is a %s, and only certificates are wanted",
                       number, buf_cstr(&kind));
    }
    SCOPED(free_x509) X509 *x = d2i_X509(NULL, &at, b->size);
    if (!x || at != b->bytes + b->size)
        return err_set(err, ERR_INPUT, 0, "block %zu is no certificate that can be read", number);
    VEC_GROW(certs->items, certs->count, certs->capacity);
    certs->items[certs->count++] = (struct cert){.name = subject(x),
                                                 .from = seconds(X509_get0_notBefore(x)),
                                                 .until = seconds(X509_get0_notAfter(x))};
    add_pem(&certs->pem, x);
    return 0;
}

/* 1: one more; 0: there is none. */
static int read_block(BIO *bio, struct block *b, size_t number, struct err *err)
{
    unsigned long why;

    ERR_clear_error();
    if (PEM_read_bio(bio, &b->name, &b->header, &b->bytes, &b->size) == 1)
        return 1;
    why = ERR_peek_last_error();
    ERR_clear_error();
    if (ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE)
        return 0;
    return err_set(err, ERR_INPUT, 0, "block %zu is broken PEM", number);
}

int certs_read(struct str text, struct certs *certs, struct err *err)
{
    if (text.size > INT_MAX)
        return err_set(err, ERR_INPUT, 0, "too long");
    SCOPED(close_bio) BIO *bio = BIO_new_mem_buf(text.size ? text.ptr : "", (int)text.size);
    BUG_ON(!bio);
    for (size_t number = 1;; number++) {
        SCOPED(block_release) struct block b = {0};
        int rc = read_block(bio, &b, number, err);

        if (rc < 0 || (rc > 0 && add_block(certs, &b, number, err) < 0)) {
            ERR_clear_error();
            return -1;
        }
        if (rc == 0)
            break;
    }
    return certs->count ? 0 : err_set(err, ERR_INPUT, 0, "there is no PEM certificate in it");
}
