/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FS_H
#define BASE_FS_H

/*
 * Files by directory descriptor and relative path. Every descriptor is O_CLOEXEC. Errors name the
 * path. dir_fd may be AT_FDCWD only in cli/ and for paths the user typed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"

/* Appends all of fd from its offset; more than max bytes is an error (ERR_INPUT). */
int fs_read(int fd, struct buf *out, size_t max, struct err *err);
int fs_read_file(int dir_fd, const char *path, struct buf *out, size_t max, struct err *err);
int fs_write(int fd, const void *bytes, size_t size, struct err *err); /* all of it */
int fs_pwrite(int fd, const void *bytes, size_t size, off_t offset, struct err *err);
/* The file appears whole, or stays as it was: temporary name beside it, fsync if durable, renameat.
 */
int fs_replace(int dir_fd, const char *path, const void *bytes, size_t size, mode_t mode,
               bool durable, struct err *err);
/* A nameless file in dir_fd (O_TMPFILE), then its name by linkat; an existing name is success. */
int fs_tmpfile(int dir_fd, mode_t mode, struct err *err);
int fs_link_tmpfile(int fd, int dir_fd, const char *name, bool durable, struct err *err);
/* Makes path and its missing parents; an existing directory is success. */
int fs_mkdirs(int dir_fd, const char *path, mode_t mode, struct err *err);
int fs_open_dir(int dir_fd, const char *path, struct err *err); /* O_DIRECTORY | O_RDONLY */
/* Removes path and all beneath, without following links; unreadable directories are made readable
 * first. Missing is success. */
int fs_remove_tree(int dir_fd, const char *path, struct err *err);
/* Names in a directory (no "." and ".."), sorted by bytes. */
int fs_list(int dir_fd, struct strv *names, struct err *err);
/* Copies size bytes (or to end-of-file when size is UINT64_MAX): copy_file_range, else read and
 * write. */
int fs_copy(int from_fd, int to_fd, uint64_t size, struct err *err);

/*
 * Opens path inside a root that a stranger wrote (openat2, with a tested fallback that walks by
 * descriptor). FS_IN_ROOT: as if after chroot: absolute links and ".." stay inside. FS_BENEATH: any
 * escape is an error. FS_NO_LINKS: any symbolic link on the way, the last component too, is an
 * error. flags and mode as for openat; path is cleaned of a leading "/".
 */
enum fs_resolve { FS_IN_ROOT, FS_BENEATH, FS_NO_LINKS };
int fs_open_beneath(int root_fd, const char *path, int flags, mode_t mode, enum fs_resolve how,
                    struct err *err);

/* "/proc/self/fd/N" for calls that take only paths. */
#define FS_FD_PATH_MAX 32
const char *fs_fd_path(int fd, char out[static FS_FD_PATH_MAX]);

#endif
