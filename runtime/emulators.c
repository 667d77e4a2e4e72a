/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulators.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/str.h"
#include "runtime/binfmt.h"
#include "runtime/elf.h"
#include "runtime/program.h"
#include "runtime/session.h"
#include "runtime/spawner.h"

#define PLACES "/usr/local/bin:/usr/bin"
#define HEAD_MAX 4096

static void emulator_release(struct emulator *e)
{
    if (e->name)
        scope_close(&e->fd);
    free(e->name);
    *e = (struct emulator){0};
}

void emulators_release(struct emulators *e)
{
    int saved = errno;

    for (size_t i = 0; i < EMULATE_ARCHS; i++)
        emulator_release(&e->archs[i]);
    e->looked = false;
    errno = saved;
}

/* Would it run in a root that has nothing for it? */
static int check_file(int fd, const char *name, struct err *err)
{
    char bytes[HEAD_MAX];
    ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
    struct str text = {bytes, n > 0 ? (size_t)n : 0};
    struct program_head program;
    struct elf_head head;
    size_t offset, size;
    const char *arch;

    if (n < 0)
        return err_errno(err, "emulator %s", name);
    if (!elf_read(text, &head) || !elf_is_loaded(&head))
        return err_set(err, ERR_USAGE, 0, "emulator %s: not a program", name);
    arch = elf_arch(&head);
    if (!arch || strcmp(arch, emulate_native()) != 0)
        return err_set(err, ERR_USAGE, 0, "emulator %s: it is a program for %s, and this is %s",
                       name, arch ? arch : "another machine", emulate_native());
    program_parse(text, &program);
    if (program_interpreter(&program, str_slice(text, program.table_offset, text.size), &offset,
                            &size))
        return err_set(err, ERR_USAGE, 0,
                       "emulator %s: it is dynamically linked, and its libraries are not in the "
                       "images it would run in; a static one is needed",
                       name);
    return 0;
}

int emulators_give(struct emulators *e, const char *arch, int fd, const char *name, struct err *err)
{
    AUTO_FD int taken = fd;
    int i = emulate_find(arch);

    if (i < 0) {
        err_set(err, ERR_USAGE, 0, "no emulator for \"%s\" can be used; there are", arch);
        for (size_t k = 0; k < EMULATE_ARCHS; k++)
            err_add(err, "%s%s", k ? ", " : " ", emulate_archs[k]);
        return -1;
    }
    if (strcmp(arch, emulate_native()) == 0)
        return err_set(err, ERR_USAGE, 0, "programs for %s are this machine's own", arch);
    if (check_file(fd, name, err) < 0)
        return -1;
    emulator_release(&e->archs[i]);
    e->archs[i] = (struct emulator){.name = xstrdup(name), .fd = steal_fd(&taken)};
    return 0;
}

/* dismissed: one that was found and will not do. */
static bool look_for(struct emulators *e, size_t arch, const char *suffix, const char *path,
                     struct err *dismissed)
{
    AUTO_FREE char *name = xasprintf("%s%s", emulate_program_name(arch), suffix);
    AUTO_FREE char *found = NULL;
    struct err ignored = {0};

    if (program_find(name, path, &found, &ignored) < 0)
        return false;
    AUTO_FD int fd = open(found, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (emulators_give(e, emulate_archs[arch], steal_fd(&fd), found, dismissed) == 0)
        return true;
    log_debug("%s", dismissed->text);
    return false;
}

static void look(struct emulators *e)
{
    const char *path = getenv("PATH");

    for (size_t i = 0; i < EMULATE_ARCHS; i++) {
        struct emulator *one = &e->archs[i];
        struct err dismissed = {0};

        if (one->name || strcmp(emulate_archs[i], emulate_native()) == 0)
            continue;
        if ((path && *path &&
             (look_for(e, i, "-static", path, &dismissed) ||
              look_for(e, i, "", path, &dismissed))) ||
            look_for(e, i, "-static", PLACES, &dismissed) || look_for(e, i, "", PLACES, &dismissed))
            continue;
        one->failure = dismissed;
    }
    e->looked = true;
}

/* One question to the spawner, and its answer. */
static int ask(struct session *session, size_t arch, int *verdict, struct err *why, struct err *err)
{
    struct emulators *e = &session->emulators;
    struct spawner_request request = {.ask_emulator = true, .arch = (unsigned char)arch};
    struct spawner_message answer;
    int fds[1 + EMULATE_ARCHS], pair[2], count = 1, none = -1, rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "make a socket pair");
    AUTO_FD int ours = pair[0];
    AUTO_FD int theirs = pair[1];
    fds[0] = theirs;
    for (size_t i = 0; i < EMULATE_ARCHS; i++)
        if (e->archs[i].name) {
            request.emulators |= 1u << i;
            fds[count++] = e->archs[i].fd;
        }
    if (spawner_ask(session->control_fd, &request, fds, (size_t)count, err) < 0)
        return -1;
    scope_close(&theirs);
    rc = spawner_receive(ours, &answer, &none, err);
    scope_close(&none);
    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(err, ERR_SYSTEM, EPIPE, "the spawner has ended without a word");
    *verdict = answer.status;
    *why = answer.failure;
    return 0;
}

/* Then the sandboxes have registrations of their own. */
static bool any_registered(const struct emulators *e)
{
    for (size_t i = 0; i < EMULATE_ARCHS; i++)
        if (e->archs[i].emulated && e->archs[i].name)
            return true;
    return false;
}

static void explain(const struct emulators *e, size_t arch, struct emulator *one,
                    const struct err *why)
{
    struct err dismissed = one->failure;
    struct err *err = &one->failure;

    err_set(err, ERR_SYSTEM, ENOEXEC,
            "programs for %s do not run on this machine (%s): ", emulate_archs[arch],
            emulate_native());
    if (one->name)
        err_add(err, "%s: %s", one->name,
                why->kind == ERR_NONE ? "it was not registered" : why->text);
    else if (dismissed.kind != ERR_NONE)
        err_add(err, "%s", dismissed.text);
    else
        err_add(err, "there is no emulator %s-static or %s", emulate_program_name(arch),
                emulate_program_name(arch));
    if (!one->name && any_registered(e))
        err_add(err, "; what the host may have registered does not count beside the emulators of "
                     "this build");
    if (why->code == EBUSY)
        return;
    err_add(err,
            "; install one (Debian, Ubuntu: apt-get install qemu-user-static%s) or name one: "
            "--emulator %s=PATH",
            one->name ? " binfmt-support" : "", emulate_archs[arch]);
}

static int settle(struct session *session, size_t arch, struct err *err)
{
    struct emulator *one = &session->emulators.archs[arch];
    struct err why = {0};
    int verdict = BINFMT_NONE;

    if (!session->emulators.looked)
        look(&session->emulators);
    if (ask(session, arch, &verdict, &why, err) < 0)
        return -1;
    one->asked = true;
    switch (verdict) {
    case BINFMT_NATIVE:
        emulator_release(one);
        one->asked = true;
        break;
    case BINFMT_HOST:
        if (one->name && why.kind != ERR_NONE)
            log_debug("emulator %s is not used: %s", one->name, why.text);
        emulator_release(one);
        one->asked = one->emulated = true;
        break;
    case BINFMT_OURS:
        one->emulated = true;
        log_debug("programs for %s run under %s", emulate_archs[arch], one->name);
        break;
    default:
        explain(&session->emulators, arch, one, &why);
        return 0;
    }
    one->failure = (struct err){0};
    return 0;
}

int emulators_need(struct session *session, const char *arch, bool *emulated, struct err *err)
{
    struct emulators *e = &session->emulators;
    int i = emulate_find(arch), rc = 0;

    *emulated = false;
    if (strcmp(arch, emulate_native()) == 0)
        return 0;
    if (i < 0)
        return err_set(
            err, ERR_SYSTEM, ENOEXEC,
            "programs for %s do not run on this machine (%s), and no emulator for it is known",
            arch, emulate_native());
    if (session->rung == SESSION_NONE)
        return err_set(err, ERR_SYSTEM, ENOEXEC, "no command can be run here");
    pthread_mutex_lock(&e->lock);
    if (!e->archs[i].asked)
        rc = settle(session, (size_t)i, err);
    if (rc == 0 && e->archs[i].failure.kind != ERR_NONE) {
        *err = e->archs[i].failure;
        rc = -1;
    }
    *emulated = e->archs[i].emulated;
    pthread_mutex_unlock(&e->lock);
    return rc;
}

const char *emulators_name(struct session *session, const char *arch)
{
    int i = emulate_find(arch);
    const struct emulator *one = i < 0 ? NULL : &session->emulators.archs[i];

    if (!one || !one->emulated)
        return "the processor itself";
    return one->name ? one->name : "what the host registered in binfmt_misc";
}
