/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_UPLOAD_SESSION_H
#define REGISTRY_UPLOAD_SESSION_H

/*
 * One upload session at a registry (distribution spec, "Pushing blobs"): begun by POST, filled by
 * PATCHes or one PUT, ended by a PUT with the digest. How far it is: on most registries what GET of
 * its Location says; on ECR the bytes that were acknowledged, because its Range stands still
 * (aws/containers-roadmap#2831), or what a 416 says in words.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct descriptor;
struct http_reply;
struct push_blob;
struct remote_place;
struct upload_way;

struct upload_session {
    const struct upload_way *way; /* these are borrowed */
    const struct remote_place *place;
    const struct descriptor *blob;
    struct push_blob *record; /* counts what is sent */
    int step;                 /* of progress */
    char *location;           /* NULL: none is open */
    uint64_t offset;          /* acknowledged */
    bool resumed;      /* after a break, or by another process: what is there may not be ours */
    bool told;         /* offset is what a 416 wanted: no need to ask */
    uint64_t most;     /* the most that ever was, in any session */
    unsigned failures; /* since then */
    uint64_t chunk;    /* what the registry wants a PATCH to have at least; 0: anything */
    uint64_t pause_ms; /* before whatever comes next, after UPLOAD_BROKEN */
    bool ecr;
    uint64_t sent; /* by the request under way */
};

enum upload_end {
    UPLOAD_FAILED = -1, /* no use in going on */
    UPLOAD_OK,
    UPLOAD_BROKEN,  /* worth another try: a broken line, a pause asked for, a fault of the server */
    UPLOAD_LOST,    /* another session may do: this one is gone, or holds other bytes than ours */
    UPLOAD_NO_PART, /* this registry takes a blob whole only */
};

/* A journal's Location, taken up again at what was acknowledged there. 0, or -1: not to be
 * followed. */
int upload_session_take_up(struct upload_session *s, const char *location, uint64_t offset);
/* from: a repository to mount from, or NULL. 1 mounted, 0 a session is open, 2 the mount was
 * refused: ask without, -1. */
int upload_session_begin(struct upload_session *s, const char *from, struct err *err);
/* The next size bytes; with them the end when they are the last. err is set unless it is OK. */
enum upload_end upload_session_send(struct upload_session *s, uint64_t size, struct err *err);
/* Where to go on: true, and offset is right; false: no way to know, or the session is gone. */
bool upload_session_ask(struct upload_session *s);
void upload_session_close(struct upload_session *s); /* forgets it; the registry purges it */

/* The URL of the PUT that ends an upload: location byte for byte, "digest=" after its "?", "&" or
 * neither. For free(). Pure. */
char *upload_put_url(const char *location, const char *digest);
/* "0-99", "bytes=0-99": how many bytes a registry has, 100; "0-0" may mean none, and is 0. False:
 * makes no sense. Pure. */
bool upload_range_parse(const char *range, uint64_t *size);
/* ECR's words for where it stands: "… is 0 instead of 10485760". Pure. */
bool upload_instead_parse(const char *text, uint64_t *offset);

#endif
