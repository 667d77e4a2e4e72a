/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/scope.h"
#include "builder/copy.h"
#include "builder/stack.h"
#include "runtime/user.h"

/* An id that stands for itself; "root" needs no file to be 0. */
static bool is_number(struct str text, uint32_t *id)
{
    uint64_t n = 0;

    if (!str_is(text, "root") && (!str_u64(text, &n) || n >= UINT32_MAX))
        return false;
    *id = (uint32_t)n;
    return true;
}

static int look_up(const char *text, struct stack *target, struct layout *layout, struct user *user,
                   struct err *err)
{
    SCOPED(buf_release) struct buf passwd = {0}, group = {0};

    if (stack_read(target, layout, "/etc/passwd", USER_FILE_MAX, &passwd, err) < 0 ||
        stack_read(target, layout, "/etc/group", USER_FILE_MAX, &group, err) < 0)
        return -1;
    return user_parse(str_of(text), buf_str(&passwd), buf_str(&group), user, err);
}

int copy_owner(const char *text, struct stack *target, struct layout *layout, uint32_t *uid,
               uint32_t *gid, struct err *err)
{
    SCOPED(user_release) struct user user = {0};
    struct str who, group;
    bool has_group = str_cut(str_of(text), ':', &who, &group) && group.size;
    uint32_t u = 0, g = 0;
    bool user_known = !who.size || is_number(who, &u);
    bool group_known = has_group ? is_number(group, &g) : user_known;

    if ((!user_known || !group_known) && look_up(text, target, layout, &user, err) < 0)
        return -1;
    *uid = user_known ? u : user.uid;
    *gid = !group_known ? user.gid : has_group ? g : u;
    return 0;
}

int copy_set_owner(struct copy_request *request, struct err *err)
{
    const char *chown = request->spec->chown;

    if (!chown)
        return 0;
    if (copy_owner(chown, request->target, request->layout, &request->uid, &request->gid, err) < 0)
        return err_wrap(err, "--chown=%s", chown);
    request->has_owner = true;
    return 0;
}
