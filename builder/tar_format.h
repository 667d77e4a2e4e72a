/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_TAR_FORMAT_H
#define BUILDER_TAR_FORMAT_H

/* The header block of POSIX ustar (POSIX.1-2017 pax, "ustar Interchange Format"), shared by
 * tar_read and tar_write. */
struct tar_header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char uname[32];
    char gname[32];
    char dev_major[8];
    char dev_minor[8];
    char prefix[155];
    char unused[12];
};
_Static_assert(sizeof(struct tar_header) == 512, "a tar block");

#define TAR_TYPE_OLD_FILE '\0'
#define TAR_TYPE_FILE '0'
#define TAR_TYPE_HARDLINK '1'
#define TAR_TYPE_SYMLINK '2'
#define TAR_TYPE_CHAR '3'
#define TAR_TYPE_BLOCK '4'
#define TAR_TYPE_DIR '5'
#define TAR_TYPE_FIFO '6'
#define TAR_TYPE_CONTIGUOUS '7'
#define TAR_TYPE_PAX 'x'
#define TAR_TYPE_PAX_GLOBAL 'g'
#define TAR_TYPE_PAX_SOLARIS 'X'
#define TAR_TYPE_GNU_DUMPDIR 'D'
#define TAR_TYPE_GNU_LONGLINK 'K'
#define TAR_TYPE_GNU_LONGNAME 'L'
#define TAR_TYPE_GNU_SPARSE 'S'
#define TAR_TYPE_GNU_VOLUME 'V'

#endif
