/* SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

int library_load(const struct library *library, void *pointers, struct err *err)
{
    void *handle = NULL;

    for (size_t i = 0; library->names[i] && !handle; i++)
        handle = dlopen(library->names[i], RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return err_set(err, ERR_SYSTEM, ENOENT, "%s is not installed (Debian: %s)",
                       library->names[0], library->package);
    for (size_t i = 0; i < library->count; i++) {
        void *address = dlsym(handle, library->symbols[i].name);

        if (!address)
            return err_set(err, ERR_SYSTEM, ENOENT, "%s is too old: it has no %s",
                           library->names[0], library->symbols[i].name);
        memcpy((char *)pointers + library->symbols[i].place, &address, sizeof(address));
    }
    return 0;
}
