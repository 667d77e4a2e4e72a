/* SPDX-License-Identifier: Apache-2.0 */
/* Stored logins: docker's config.json, containers' auth.json, credential helpers; and what is pure
 * in the token dance. */
#include "registry/auth_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/scope.h"
#include "registry/auth_token.h"
#include "tests/tap.h"

struct place {
    char dir[64];
};

static void place_leave(struct place *p)
{
    struct err ignored;
    static const char *const names[] = {"DOCKER_CONFIG", "DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE",
                                        "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unsetenv(names[i]);
    fs_remove_tree(AT_FDCWD, p->dir, &ignored);
}

static void place_enter(struct place *p)
{
    snprintf(p->dir, sizeof(p->dir), "/tmp/slipway-auth.XXXXXX");
    OK(mkdtemp(p->dir) != NULL);
    setenv("HOME", p->dir, 1);
}

static void put(const struct place *p, const char *name, const char *text, mode_t mode)
{
    char path[160];
    struct err err = {0};
    AUTO_FREE char *dir = NULL;

    snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    dir = str_dup(str_slice(str_of(path), 0, (size_t)str_rfind(str_of(path), '/')));
    OKF(fs_mkdirs(AT_FDCWD, dir, 0700, &err) == 0, "%s", err.text);
    OKF(fs_replace(AT_FDCWD, path, text, strlen(text), mode, false, &err) == 0, "%s", err.text);
}

static void keys(void)
{
    static const struct {
        const char *key, *host;
    } rows[] = {
        {"example.com", "example.com"},
        {"Example.COM:5000", "example.com:5000"},
        {"https://example.com/v1/", "example.com"},
        {"http://example.com", "example.com"},
        {"example.com/v2/", "example.com"},
        {"https://index.docker.io/v1/", "docker.io"},
        {"index.docker.io", "docker.io"},
        {"registry-1.docker.io", "docker.io"},
        {"docker.io", "docker.io"},
        {"https://[::1]:5000/", "[::1]:5000"},
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};

        auth_key_host(str_of(rows[i].key), &out);
        EQ_STR(buf_cstr(&out), rows[i].host);
    }
    EQ_STR(auth_registry_key("docker.io"), "https://index.docker.io/v1/");
    EQ_STR(auth_registry_key("h:1"), "h:1");
}

static void show(const struct auth_login *l, struct buf *out)
{
    const struct {
        const char *name, *value;
    } parts[] = {{"user", l->user},
                 {"password", l->password},
                 {"identity", l->identity_token},
                 {"registry", l->registry_token}};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i].value)
            buf_addf(out, "%s%s=%s", out->size ? " " : "", parts[i].name, parts[i].value);
    }
}

static void entries(void)
{
    static const struct {
        const char *json, *want, *err;
    } rows[] = {
        {"{\"auth\":\"dXNlcjpwYXNz\"}", "user=user password=pass", NULL},
        {"{\"auth\":\"dXNlcjpwYTpzcw==\"}", "user=user password=pa:ss", NULL},
        {"{\"auth\":\"dXNlcjpwYXNzAAAA\"}", "user=user password=pass", NULL}, /* NULs at the end */
        {"{\"username\":\"u\",\"password\":\"p\"}", "user=u password=p", NULL},
        {"{\"username\":\"u\",\"password\":\"p\",\"auth\":\"dXNlcjpwYXNz\"}",
         "user=user password=pass", NULL},
        {"{\"auth\":\"dXNlcjo=\",\"identitytoken\":\"t\"}", "user=user password= identity=t", NULL},
        {"{\"identitytoken\":\"t\"}", "identity=t", NULL},
        {"{\"registrytoken\":\"r\"}", "registry=r", NULL},
        {"{}", "", NULL},
        {"{\"auth\":\"\"}", "", NULL},
        {"{\"username\":\"u\"}", "", NULL},
        {"{\"auth\":5}", "", NULL},
        {"{\"auth\":\"dXNlcg==\"}", "", "\"auth\" is not base64 of user:password"},
        {"{\"auth\":\"!!\"}", "", "\"auth\" is not base64 of user:password"},
        {"{\"auth\":\"dQByOnA=\"}", "", "\"auth\" holds a zero byte"},
        {"\"x\"", "", "the login is not an object"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(auth_login_release) struct auth_login login = {0};
        SCOPED(buf_release) struct buf shown = {0};
        struct err err = {0};
        json_auto_t *doc = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        int found = auth_entry_read(doc, &login, &err);

        show(&login, &shown);
        OKF(found == (rows[i].err ? -1 : rows[i].want[0] ? 1 : 0), "row %zu gives %d", i, found);
        EQ_STR(buf_cstr(&shown), rows[i].want);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
    }
}

#define LOGIN(name) "{\"username\":\"" name "\",\"password\":\"p\"}"

static const char *user_for(const char *registry, const char *path, char out[static 64],
                            struct err *err)
{
    SCOPED(auth_login_release) struct auth_login login = {0};
    int found;

    *err = (struct err){0};
    found = auth_lookup(registry, path, &login, err);
    snprintf(out, 64, "%s",
             found < 0    ? "error"
             : !found     ? "none"
             : login.user ? login.user
                          : login.identity_token);
    return out;
}

static void lookups(void)
{
    SCOPED(place_leave) struct place p;
    struct err err;
    char user[64], dir[128];

    place_enter(&p);
    EQ_STR(user_for("h", NULL, user, &err), "none");
    put(&p, ".docker/config.json",
        "{\"auths\":{\"https://index.docker.io/v1/\":" LOGIN("hub") ",\"h:5000\":" LOGIN(
            "five") ",\"H\":" LOGIN("plain") ",\"h/team\":" LOGIN("team") ",\"h/team/app\":" LOGIN("app") ",\"empty\":{},\"https://v1.h/v1/\":" LOGIN("v1") "}}",
        0600);
    put(&p, ".config/containers/auth.json",
        "{\"auths\":{\"h\":" LOGIN("containers") ",\"c\":" LOGIN("c") "}}", 0600);
    EQ_STR(user_for("docker.io", "library/node", user, &err), "hub");
    EQ_STR(user_for("h:5000", NULL, user, &err), "five");
    EQ_STR(user_for("h", NULL, user, &err), "plain");
    EQ_STR(user_for("h", "other/app", user, &err), "plain");
    EQ_STR(user_for("h", "team/app", user, &err), "app");
    EQ_STR(user_for("h", "team/app/sub", user, &err), "app");
    EQ_STR(user_for("h", "team/other", user, &err), "team");
    EQ_STR(user_for("h", "teamster", user, &err), "plain");
    EQ_STR(user_for("c", NULL, user, &err), "c");
    EQ_STR(user_for("empty", NULL, user, &err), "none");
    EQ_STR(user_for("v1.h", NULL, user, &err), "v1");
    EQ_STR(user_for("h.evil", NULL, user, &err), "none");
    setenv("DOCKER_AUTH_CONFIG", "{\"auths\":{\"h\":{\"auth\":\"ZW52OnA=\"}}}", 1);
    EQ_STR(user_for("h", NULL, user, &err), "env");
    EQ_STR(user_for("c", NULL, user, &err), "c");
    setenv("DOCKER_AUTH_CONFIG", "{", 1);
    EQ_STR(user_for("h", NULL, user, &err), "error");
    OKF(str_starts(str_of(err.text), "DOCKER_AUTH_CONFIG: "), "%s", err.text);
    unsetenv("DOCKER_AUTH_CONFIG");

    put(&p, "only.json", "{\"auths\":{\"x\":" LOGIN("only") "}}", 0600);
    snprintf(dir, sizeof(dir), "%s/only.json", p.dir);
    setenv("REGISTRY_AUTH_FILE", dir, 1);
    EQ_STR(user_for("x", NULL, user, &err), "only");
    EQ_STR(user_for("h", NULL, user, &err), "none");
    unsetenv("REGISTRY_AUTH_FILE");

    snprintf(dir, sizeof(dir), "%s/other", p.dir);
    setenv("DOCKER_CONFIG", dir, 1);
    EQ_STR(user_for("h", NULL, user, &err), "containers");
    put(&p, "other/config.json", "{\"auths\":{\"h\":{\"auth\":\"!\"}}}", 0600);
    EQ_STR(user_for("h", NULL, user, &err), "error");
    OKF(str_ends(str_of(err.text),
                 "/other/config.json: auths: h: \"auth\" is not base64 of user:password"),
        "%s", err.text);
    put(&p, "other/config.json", "{\"auths\":", 0600);
    EQ_STR(user_for("h", NULL, user, &err), "error");
    OKF(strstr(err.text, "/other/config.json: line 1") != NULL, "%s", err.text);
    put(&p, "other/config.json", "[]", 0600);
    EQ_STR(user_for("h", NULL, user, &err), "error");
    OKF(str_ends(str_of(err.text), "/other/config.json: not a JSON object"), "%s", err.text);
    put(&p, "other/config.json", "", 0600);
    EQ_STR(user_for("h", NULL, user, &err), "containers");
}

/* A helper that keeps one login in a file beside it and notes what it was asked. */
static const char helper_script[] =
    "#!/bin/sh\n"
    "d=$(dirname \"$0\"); read -r line; echo \"$1 $line\" >>\"$d/asked\"\n"
    "case $1 in\n"
    "get) case $line in\n"
    "  known) echo '{\"ServerURL\":\"known\",\"Username\":\"helped\",\"Secret\":\"s\"}';;\n"
    "  idtok) echo '{\"ServerURL\":\"x\",\"Username\":\"<token>\",\"Secret\":\"identity\"}';;\n"
    "  broken) echo 'no json';;\n"
    "  locked) echo 'the key ring is locked'; exit 1;;\n"
    "  *) echo 'credentials not found in native keychain'; exit 1;; esac;;\n"
    "store) exit 0;; erase) exit 0;; esac\n";

static void helpers(void)
{
    SCOPED(place_leave) struct place p;
    SCOPED(buf_release) struct buf asked = {0};
    AUTO_FREE char *where = NULL;
    struct err err;
    char user[64], path[512];
    const char *old_path = getenv("PATH");

    place_enter(&p);
    if (!tap_spawn_tells()) {
        tap_skip("posix_spawn() does not tell of missing helpers here (QEMU)");
        return;
    }
    put(&p, "bin/docker-credential-test", helper_script, 0755);
    snprintf(path, sizeof(path), "%s/bin:%s", p.dir, old_path ? old_path : "/bin:/usr/bin");
    setenv("PATH", path, 1);
    put(&p, ".docker/config.json",
        "{\"credsStore\":\"absent\",\"credHelpers\":{\"known\":\"test\",\"idtok\":\"test\","
        "\"broken\":\"test\","
        "\"locked\":\"test\",\"missing\":\"nothere\",\"bad\":\"../"
        "x\",\"unknown\":\"test\",\"index.docker.io\":\"test\","
        "\"123456789012.dkr.ecr.us-east-1.amazonaws.com\":\"ecr-login-not-installed\"},"
        "\"auths\":{\"known\":" LOGIN("file") ",\"unknown\":" LOGIN("file") ",\"stored\":" LOGIN(
            "stored") "},\"other\":[1]}",
        0600);
    EQ_STR(user_for("known", NULL, user, &err), "helped");
    EQ_STR(user_for("idtok", NULL, user, &err), "identity");
    EQ_STR(user_for("unknown", NULL, user, &err), "file");
    EQ_STR(user_for("stored", NULL, user, &err),
           "stored"); /* the store is not there; the file is */
    EQ_STR(user_for("docker.io", NULL, user, &err), "none");
    EQ_STR(user_for("123456789012.dkr.ecr.us-east-1.amazonaws.com", NULL, user, &err), "none");
    EQ_STR(user_for("locked", NULL, user, &err), "error");
    OKF(str_ends(str_of(err.text),
                 "/.docker/config.json: docker-credential-test get: the key ring is locked"),
        "%s", err.text);
    EQ_STR(user_for("broken", NULL, user, &err), "error");
    OKF(strstr(err.text, "docker-credential-test get: line 1") != NULL, "%s", err.text);
    EQ_STR(user_for("missing", NULL, user, &err), "error");
    OKF(str_ends(str_of(err.text), "docker-credential-nothere is not in PATH"), "%s", err.text);
    EQ_STR(user_for("bad", NULL, user, &err), "error");
    OKF(str_ends(str_of(err.text), "credential helper \"../x\": not a program's name"), "%s",
        err.text);

    OKF(auth_store("known", "me", "secret", &where, &err) == 0, "%s", err.text);
    EQ_STR(where, "docker-credential-test");
    free(steal_ptr(&where));
    EQ_INT(auth_erase("known", &where, &err), 1);
    snprintf(path, sizeof(path), "%s/bin/asked", p.dir);
    OK(fs_read_file(AT_FDCWD, path, &asked, 1 << 16, &err) == 0);
    OKF(strstr(buf_cstr(&asked), "get https://index.docker.io/v1/\n") != NULL, "%s",
        buf_cstr(&asked));
    OKF(strstr(buf_cstr(&asked),
               "store {\"Secret\":\"secret\",\"ServerURL\":\"known\",\"Username\":\"me\"}\n") !=
            NULL,
        "%s", buf_cstr(&asked));
    OKF(strstr(buf_cstr(&asked), "erase known\n") != NULL, "%s", buf_cstr(&asked));
    setenv("PATH", strchr(getenv("PATH"), ':') + 1, 1);
}

static void storing(void)
{
    SCOPED(place_leave) struct place p;
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *where = NULL;
    struct err err = {0};
    struct stat st;
    char user[64], path[160];

    place_enter(&p);
    umask(0);
    snprintf(path, sizeof(path), "%s/.docker/config.json", p.dir);
    EQ_INT(auth_erase("h", &where, &err), 0);
    OKF(auth_store("h:5000", "me", "pä:ss", &where, &err) == 0, "%s", err.text);
    EQ_STR(where, path);
    free(steal_ptr(&where));
    OK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    EQ_STR(user_for("h:5000", NULL, user, &err), "me");

    /* what we do not know stays; other spellings of the same registry go; a link stays a link */
    put(&p, "real/config.json",
        "{\"auths\":{\"https://index.docker.io/v1/\":" LOGIN("old") ",\"docker.io\":" LOGIN(
            "older") ",\"docker.io/team\":" LOGIN("team") "},\"HttpHeaders\":{\"A\":\"b\"},"
                                                          "\"psFormat\":\"x\"}",
        0644);
    OK(unlink(path) == 0 && symlink("../real/config.json", path) == 0);
    OKF(auth_store("docker.io", "new", "p", &where, &err) == 0, "%s", err.text);
    free(steal_ptr(&where));
    OK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
    OK(fs_read_file(AT_FDCWD, path, &text, 1 << 16, &err) == 0);
    json_auto_t *doc = json_parse(buf_str(&text), &err);
    json_auto_t *want = json_loads(
        "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"bmV3OnA=\"},\"docker.io/"
        "team\":" LOGIN("team") "},\"HttpHeaders\":{\"A\":\"b\"},\"psFormat\":\"x\"}",
        0, NULL);
    OKF(json_equal(doc, want), "%s", buf_cstr(&text));
    OK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);

    EQ_INT(auth_erase("docker.io", &where, &err), 1);
    EQ_STR(user_for("docker.io", NULL, user, &err), "none");
    EQ_STR(user_for("docker.io", "team/x", user, &err), "team");
    EQ_INT(auth_erase("docker.io", &where, &err), 0);
    OK(auth_store("h", "a:b", "p", &where, &err) == -1);
    EQ_STR(err.text, "a user name cannot hold a colon");
    put(&p, "real/config.json", "{", 0600);
    OK(auth_store("h", "a", "p", &where, &err) == -1); /* what we cannot read we do not replace */
    OKF(strstr(err.text, "config.json: line 1") != NULL, "%s", err.text);
    unsetenv("HOME");
    OK(auth_store("h", "a", "p", &where, &err) == -1);
    EQ_STR(err.text, "no place to keep logins: neither HOME nor DOCKER_CONFIG is set");
}

static void scopes(void)
{
    static const struct {
        const char *a, *b, *merged;
        bool covers;
    } rows[] = {
        {"", "", "", true},
        {"repository:a:pull", "", "repository:a:pull", true},
        {"", "repository:a:pull", "repository:a:pull", false},
        {"repository:a:pull,push", "repository:a:pull", "repository:a:pull,push", true},
        {"repository:a:pull", "repository:a:pull,push", "repository:a:pull,push", false},
        {"repository:a:pull,push repository:b:pull", "repository:b:pull",
         "repository:a:pull,push repository:b:pull", true},
        {"repository:a:pull", "repository:b:pull", "repository:a:pull repository:b:pull", false},
        {"repository:a:pull", "aws", "repository:a:pull aws", false},
        {"repository:h:5000/a:pull", "repository:h:5000/a:push", "repository:h:5000/a:pull,push",
         false},
        {"r:a:pull r:b:pull r:a:push", "r:a:pull,push r:b:pull", "r:a:pull,push r:b:pull", true},
        {"aws", "aws:x", "aws aws:x", false},
        {" repository:a:pull ", " repository:a:pull  ", "repository:a:pull", true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};

        auth_scope_merge(str_of(rows[i].a), str_of(rows[i].b), &out);
        EQ_STR(buf_cstr(&out), rows[i].merged);
        OKF(auth_scope_covers(str_of(rows[i].a), str_of(rows[i].b)) == rows[i].covers, "row %zu",
            i);
    }
}

static void realms(void)
{
    static const struct {
        const char *registry, *realm, *err;
    } rows[] = {
        {"https://h/v2/", "https://auth.h/token", NULL},
        {"https://h/v2/", "http://auth.h/token",
         "token service http://auth.h/token: plain http, though the registry is https"},
        {"http://127.0.0.1:1/v2/", "http://127.0.0.1:2/token", NULL},
        {"http://h:5000/v2/", "http://h/token", NULL},
        {"https://h/v2/", "https://169.254.169.254/t",
         "token service https://169.254.169.254/t: a private address that is not the registry's "
         "own"},
        {"https://h/v2/", "https://127.0.0.1/t?x=y",
         "token service https://127.0.0.1/t?x=*: a private address that is not the registry's own"},
        {"https://h/v2/", "https://[::1]/t",
         "token service https://[::1]/t: a private address that is not the registry's own"},
        {"https://[::1]:5000/v2/", "https://[::1]/t", NULL},
        {"https://10.0.0.1/v2/", "https://10.0.0.1:8080/t", NULL},
        {"https://10.0.0.1/v2/", "https://10.0.0.2/t",
         "token service https://10.0.0.2/t: a private address that is not the registry's own"},
        {"https://h/v2/", "registry", "token service \"registry\": not an http or https URL"},
        {"https://h/v2/", "file:///etc/passwd",
         "token service \"file:///etc/passwd\": not an http or https URL"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};

        OKF(auth_realm_check(rows[i].registry, rows[i].realm, &err) == (rows[i].err ? -1 : 0),
            "row %zu", i);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
    }
}

static void token_urls(void)
{
    SCOPED(buf_release) struct buf out = {0};
    char user[] = "me & you";
    struct auth_login login = {.user = user};
    struct auth_token_ask ask = {.realm = "https://a/token",
                                 .service = "reg istry",
                                 .login = &login,
                                 .scope = "repository:a/b:pull,push repository:c:pull"};

    auth_token_url(&ask, &out);
    EQ_STR(
        buf_cstr(&out),
        "https://a/token?service=reg%20istry&scope=repository:a/b:pull,push&scope=repository:c:pull"
        "&account=me%20%26%20you");
    ask = (struct auth_token_ask){.realm = "https://a/token?x=y"};
    buf_clear(&out);
    auth_token_url(&ask, &out);
    EQ_STR(buf_cstr(&out), "https://a/token?x=y");
    ask.service = "s";
    buf_clear(&out);
    auth_token_url(&ask, &out);
    EQ_STR(buf_cstr(&out), "https://a/token?x=y&service=s");
}

static void token_replies(void)
{
    static const struct {
        const char *body, *token;
        int lifetime;
        const char *err;
    } rows[] = {
        {"{\"token\":\"t\"}", "t", 60, NULL},
        {"{\"access_token\":\"a\",\"expires_in\":300}", "a", 300, NULL},
        {"{\"token\":\"t\",\"access_token\":\"a\",\"expires_in\":5}", "t", 60, NULL},
        {"{\"token\":\"\",\"access_token\":\"a\",\"expires_in\":1e12}", "a", 86400, NULL},
        {"{\"token\":\"t\",\"expires_in\":\"x\"}", "t", 60, NULL},
        {"{}", NULL, 0, "token service's reply holds no token"},
        {"{\"token\":5}", NULL, 0, "token service's reply holds no token"},
        {"{\"token\":\"a b\"}", NULL, 0,
         "token service's reply: the token holds a space or control character"},
        {"{\"token\":\"a\\r\\nX: y\"}", NULL, 0,
         "token service's reply: the token holds a space or control character"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *token = NULL;
        uint64_t lifetime = 0;
        struct err err = {0};

        OKF(auth_token_read(str_of(rows[i].body), &token, &lifetime, &err) ==
                (rows[i].err ? -1 : 0),
            "row %zu", i);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
        EQ_STR(token ? token : "", rows[i].token ? rows[i].token : "");
        EQ_INT(lifetime, rows[i].lifetime);
    }
}

TAP_MAIN({"keys", keys}, {"entries", entries}, {"lookups", lookups}, {"helpers", helpers},
         {"storing", storing}, {"scopes", scopes}, {"realms", realms}, {"token urls", token_urls},
         {"token replies", token_replies})
