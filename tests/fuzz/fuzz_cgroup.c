/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "runtime/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* mountinfo, an empty line, /proc/self/cgroup; then as options "name=value", a line each. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"memory",     "memory-swap",  "cpus",        "cpu-shares",
                                        "cpu-period", "cpu-quota",    "cpuset-cpus", "cpuset-mems",
                                        "pids-limit", "cgroup-parent"};
    static const char *const controllers[] = {"memory", "cpu", NULL};
    SCOPED(buf_release) struct buf dir = {0};
    SCOPED(resources_release) struct resources r = {0};
    struct resources_setting settings[RESOURCES_SETTINGS_MAX];
    struct str text = {(const char *)bytes, size}, line, self = {0};
    ptrdiff_t gap = str_search(text, "\n\n");

    if (memchr(bytes, 0, size))
        return 0;
    if (gap >= 0)
        self = str_slice(text, (size_t)gap + 2, text.size);
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
        if (cgroup_find(text, self, controllers[i], NULL, &dir) && !dir.ptr)
            abort();
    while (str_line(&self, &line))
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            size_t length = strlen(names[i]);
            struct err err = {0};

            if (!str_starts(line, names[i]) || line.size <= length || line.ptr[length] != '=')
                continue;
            AUTO_FREE char *value = str_dup(str_slice(line, length + 1, line.size));
            if (resources_set(&r, names[i], value, &err) < 0 && !err.text[0])
                abort();
        }
    for (int unified = 0; unified < 2; unified++)
        resources_settings_release(settings, resources_settings(&r, unified, settings));
    return 0;
}
