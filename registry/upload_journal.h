/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_UPLOAD_JOURNAL_H
#define REGISTRY_UPLOAD_JOURNAL_H

/*
 * Where the upload of a blob to a repository stands, in the store (cache/uploads/), so that the
 * next process goes on with what a killed one began. One file for each blob and repository, mode
 * 0600: a session's URL is a capability. It is held locked; a second process that sends the same
 * blob gets no journal, and a session of its own. What cannot be read or written costs only the
 * resumption: a debug line says so.
 */
#include <stdint.h>

struct layout;

#define JOURNAL_LOCATION_MAX 8192 /* ours: a longer Location is not noted */

struct journal {
    int fd; /* -1: none */
    const struct layout *layout;
    char name[80];
    char *location;  /* of the session that was open; NULL: none */
    uint64_t offset; /* bytes that the registry has acknowledged there */
};

#define JOURNAL_CLOSED                                                                             \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* base: the server's URL. What stands there is read. */
void journal_open(struct journal *j, const struct layout *layout, const char *base,
                  const char *repository, const char *digest);
void journal_note(struct journal *j, const char *location, uint64_t offset);
/* The blob is there without us: a killed process had sent it all. */
void journal_forget(const struct layout *layout, const char *base, const char *repository,
                    const char *digest);
void journal_end(struct journal *j);   /* the blob has arrived: forgotten */
void journal_close(struct journal *j); /* what it says stays for the next */

#endif
