# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# shellcheck disable=SC2034 # variables set here are read by the tests
#
# Library for tests/it/*.sh: POSIX sh, TAP on stdout. A test begins
#     #!/bin/sh
#     # SPDX-License-Identifier: Apache-2.0
#     . "$(dirname "$0")/../lib.sh"
# and goes on with checks; the plan is counted at the end (or said first with `plan N`).
#
#   t NAME COMMAND…          one check: COMMAND's status 0 is "ok". Its output goes to $T/out and $T/err (but for the predicates has … same) and is shown on failure.
#   ok NAME / not_ok NAME / skip NAME REASON / diag TEXT
#   is GOT WANT [NAME]       strings are equal (a check of its own when NAME is given, else a predicate for t)
#   need WORD…               the whole test is skipped, with the reason, unless this machine has every WORD:
#                            root user subids userns overlay registry moto botocore network, or a program's name.
#                            Words in SLIPWAY_TEST_NEED (comma list, or "all") make it a failure instead.
#   can WORD                 the same question as a predicate; the reason is then in $why
# Predicates, to put after `t NAME` (each prints why it does not hold):
#   expect_fail TEXT COMMAND…      COMMAND exits 1 and its standard error contains TEXT
#   expect_status N TEXT COMMAND…  the same for status N
#   not COMMAND…                   COMMAND fails, and not by a signal
#   has FILE TEXT / lacks FILE TEXT / matches FILE ERE / json FILE JQ-EXPRESSION (true, by jq -e) / same FILE FILE
#   sh -c '…' works as anywhere; functions of the test work too (run in this very shell).
# Set-up, gone at exit:
#   $T                       a directory of this test; $SLIPWAY_ROOT=$T/store, $HOME=$T/home, cwd=$T/work. `slipway` is in PATH.
#   on_exit COMMAND          one command line, run at exit, last one first
#   start LOG COMMAND…       runs COMMAND in the background; its pid in $started; killed at exit
#   wait_for SECONDS COMMAND…  tries COMMAND until it holds
#   stop PID                 ends one of them now
#   start_registry [--tls] [--htpasswd[=USER:PASSWORD]] [--readonly]   Debian's docker-registry on a free loopback port.
#                            Sets REGISTRY (127.0.0.1:PORT), REGISTRY_URL, REGISTRY_PORT, REGISTRY_PID, REGISTRY_DIR, REGISTRY_LOG;
#                            with --tls also CA_FILE (names: $ECR_HOST, localhost, 127.0.0.1); REGISTRY_USER, REGISTRY_PASSWORD.
#   requests [ERE]           how many requests the last registry answered whose log line ("METHOD /path HTTP/1.1" STATUS …) matches
#   make_ca                  sets CA_FILE, TLS_CERT, TLS_KEY: our own authority and one certificate for the names above
#   as_user COMMAND…         as an ordinary account with subordinate ids and a clean environment, HOME and SLIPWAY_ROOT its own
#                            ($USER_HOME); VAR=VALUE may stand first. Begin such a test with `need user`.
#   on_host SPEC COMMAND…    as a host that allows less would run it: SPEC is what tests/helpers/hostile.c says (docker-default,
#                            kubernetes, single, user-nnp, ubuntu-apparmor …; traits are added with +). The environment of a root's
#                            SPEC is the test's. A user's is clean, HOME and SLIPWAY_ROOT its own: in $HOST_HOME for those whom
#                            nothing knows (…-user, single, restricted), in $USER_HOME for the others, who are as_user's account.
#                            on_host_home SPEC prints which of the two and makes it. Begin such a test with `need root user`.
#   busybox_rootfs DIR       a tiny root file system;  busybox_image NAME [CHANGE…]: the same, imported as an image
#   user_image NAME          an image of the test's store, for as_user too
#   start_moto               moto_server with signature checking on, an access key that may use ECR, and the repository "web":
#                            sets and exports AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL_ECR
#   start_aws [SCRIPT]       tests/fake/aws.py with this script (JSON); sets AWS_URL, AWS_LOG (one JSON line a request)
#   free_port                prints a port of 127.0.0.1 that was free a moment ago

set -u
umask 022
LIB_DIR=$(cd "$(dirname "$0")" && while [ ! -f lib.sh ] && [ "$PWD" != / ]; do cd ..; done && pwd)
SOURCE_DIR=$(cd "$LIB_DIR/.." && pwd)
TEST_NAME=$(basename "$0" .sh)
: "${BUILD:=$SOURCE_DIR/build/gcc}"
: "${SLIPWAY:=$BUILD/slipway}"
ECR_ACCOUNT=123456789012
ECR_REGION=us-east-1
ECR_HOST=$ECR_ACCOUNT.dkr.ecr.$ECR_REGION.amazonaws.com
ECR_PASSWORD=$ECR_ACCOUNT-auth-token

# --- TAP -------------------------------------------------------------------------------------------------------------

tap_count=0 tap_failed=0 tap_plan='' why='' exit_commands=''

plan() { tap_plan=$1; echo "1..$1"; }
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
ok() { tap_count=$((tap_count + 1)); echo "ok $tap_count - $*"; }
not_ok() { tap_count=$((tap_count + 1)); tap_failed=$((tap_failed + 1)); echo "not ok $tap_count - $*"; }
skip() { tap_count=$((tap_count + 1)); echo "ok $tap_count - $1 # SKIP ${2:-no reason given}"; }

t() {
    t_name=$1
    shift
    "$@" >"$T/out.now" 2>"$T/err.now"
    t_status=$?
    # A predicate looks at what the last command said: that stays in $T/out and $T/err.
    case $1 in
    has | lacks | matches | json | same) t_out=$T/out.now t_err=$T/err.now ;;
    *)
        mv -f "$T/out.now" "$T/out"
        mv -f "$T/err.now" "$T/err"
        t_out=$T/out t_err=$T/err
        ;;
    esac
    if [ "$t_status" -eq 0 ] && ! sanitizer_spoke "$t_err"; then
        ok "$t_name"
        return 0
    fi
    not_ok "$t_name"
    diag "status $t_status of: $*"
    tail -n 30 "$t_out" | sed 's/^/# out: /'
    tail -n 30 "$t_err" | sed 's/^/# err: /'
    return 1
}

is() {
    if [ $# -gt 2 ]; then
        if [ "$1" = "$2" ]; then
            ok "$3"
            return 0
        fi
        not_ok "$3"
        diag "got:  $1"
        diag "want: $2"
        return 1
    fi
    [ "$1" = "$2" ] && return 0
    printf 'got:  %s\nwant: %s\n' "$1" "$2" >&2
    return 1
}

# A sanitizer's report is a failure whatever the exit status says.
sanitizer_spoke() { grep -Eq '(ERROR|WARNING): (Address|Leak|Undefined|Thread)Sanitizer|runtime error: ' "$1"; }

expect_status() {
    es_want=$1 es_text=$2
    shift 2
    "$@" 2>"$T/expected"
    es_status=$?
    cat "$T/expected" >&2
    sanitizer_spoke "$T/expected" && return 1
    if [ "$es_status" -ne "$es_want" ]; then
        echo "exit status $es_status, want $es_want" >&2
        return 1
    fi
    case $(cat "$T/expected") in
    *"$es_text"*) return 0 ;;
    esac
    echo "standard error lacks: $es_text" >&2
    return 1
}
expect_fail() { expect_status 1 "$@"; }

not() {
    "$@"
    not_status=$?
    [ "$not_status" -gt 0 ] && [ "$not_status" -lt 126 ] && return 0
    echo "status $not_status, want an ordinary failure" >&2
    return 1
}

has() {
    grep -qF -e "$2" -- "$1" && return 0
    echo "$1 lacks: $2" >&2
    cat -- "$1" >&2
    return 1
}
lacks() {
    [ -r "$1" ] && ! grep -qF -e "$2" -- "$1" && return 0
    echo "$1 is missing or has: $2" >&2
    return 1
}
matches() {
    grep -qE -e "$2" -- "$1" && return 0
    echo "$1 does not match: $2" >&2
    cat -- "$1" >&2
    return 1
}
json() {
    jq -e "$2" "$1" >/dev/null && return 0
    echo "$1 is not so: $2" >&2
    cat -- "$1" >&2
    return 1
}
same() { cmp -- "$1" "$2" >&2; }

# --- the test's own place, and its end -----------------------------------------------------------------------------

# tmpfs is quicker, where it can hold overlay's user.* attributes (kernel 6.6), runs programs and has room.
test_base() {
    [ -n "${SLIPWAY_TEST_TMP:-}" ] && echo "$SLIPWAY_TEST_TMP" && return
    tb_shm=/dev/shm
    if [ -w $tb_shm ] && ! grep -q "^[^ ]* $tb_shm [^ ]* [^ ]*noexec" /proc/mounts &&
        [ "$(df -Pk $tb_shm | awk 'NR == 2 {print $4}')" -gt 3000000 ]; then
        tb_probe=$(mktemp $tb_shm/slipway-probe.XXXXXX)
        if setfattr -n user.probe -v y "$tb_probe" 2>/dev/null; then
            rm -f "$tb_probe"
            echo $tb_shm
            return
        fi
        rm -f "$tb_probe"
    fi
    echo "${TMPDIR:-/tmp}"
}

on_exit() { exit_commands="$*
$exit_commands"; }

remove_tree() {
    rm -rf "$1" 2>/dev/null && return
    # files of subordinate ids: only the owner of the ranges, as root of a namespace, can remove them
    unshare --user --map-root-user --map-auto rm -rf "$1" 2>/dev/null
    rm -rf "$1"
}

finish() {
    f_status=$?
    trap '' EXIT HUP INT TERM
    cd / || exit 1
    printf '%s' "$exit_commands" >"$T/exit"
    while IFS= read -r f_line; do
        eval "$f_line" </dev/null
    done <"$T/exit"
    remove_user
    if [ -n "${SLIPWAY_TEST_KEEP:-}" ]; then
        diag "kept: $T"
    else
        remove_tree "$T"
    fi
    [ "$LIB_MODE" = test ] || exit "$f_status"
    if [ "$f_status" -ne 0 ] && [ "$tap_failed" -eq 0 ]; then
        diag "ended with status $f_status after $tap_count checks"
        exit "$f_status"
    fi
    [ -n "$tap_plan" ] || echo "1..$tap_count"
    [ "$tap_failed" -eq 0 ] || exit 1
    exit 0
}

start() {
    start_log=$1
    shift
    "$@" >"$start_log" 2>&1 </dev/null &
    started=$!
    on_exit "stop $started"
}

# A process and its children's children: a function started in the background is a shell with the real thing below it.
family() {
    for family_child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        family "$family_child"
    done
    echo "$1"
}

stop() {
    kill -0 "$1" 2>/dev/null || return 0
    stop_all=$(family "$1")
    # shellcheck disable=SC2046 # the children, one word each; they first, the shell that waits for them ends by itself
    kill $(cat "/proc/$1/task/$1/children" 2>/dev/null) "$1" 2>/dev/null
    for stop_try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        stop_left=''
        for stop_pid in $stop_all; do
            ! kill -0 "$stop_pid" 2>/dev/null || stop_left=yes
        done
        [ -n "$stop_left" ] || break
        sleep 0.1
    done
    # shellcheck disable=SC2086 # a list
    [ -z "$stop_left" ] || kill -9 $stop_all 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}

wait_for() {
    wf_tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        wf_tries=$((wf_tries - 1))
        [ $wf_tries -gt 0 ] || return 1
        sleep 0.05
    done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# --- what this machine has ---------------------------------------------------------------------------------------------

can() {
    why=''
    case $1 in
    root) [ "$(id -u)" -eq 0 ] || why='not root' ;;
    user) if [ "$(id -u)" -eq 0 ]; then make_user || why="no ordinary account: $why"; fi ;;
    subids)
        if [ "$(id -u)" -ne 0 ]; then
            grep -qE "^($(id -un)|$(id -u)):" /etc/subuid 2>/dev/null && command -v newuidmap >/dev/null ||
                why="no subordinate ids for $(id -un)"
        fi
        ;;
    userns) unshare --user true 2>/dev/null || why='no user namespaces' ;;
    overlay) can_overlay || why='no overlay mounts' ;;
    registry) command -v docker-registry >/dev/null || why='no docker-registry' ;;
    moto) moto_server --help >/dev/null 2>&1 || why='no moto_server' ;;
    botocore) find_botocore || why='no python3 botocore' ;;
    network) [ -z "${SLIPWAY_TEST_OFFLINE:-}" ] || why='SLIPWAY_TEST_OFFLINE is set' ;;
    *) command -v "$1" >/dev/null || why="no $1" ;;
    esac
    [ -z "$why" ]
}

can_overlay() {
    mkdir -p "$T/probe/l" "$T/probe/u" "$T/probe/w" "$T/probe/m"
    co_mount='mount -t overlay overlay -o userxattr,lowerdir=l,upperdir=u,workdir=w m'
    (cd "$T/probe" && unshare --user --map-root-user --mount sh -c "$co_mount") 2>/dev/null ||
        (cd "$T/probe" && unshare --mount sh -c "$co_mount") 2>/dev/null
}

# The first python of the machine that has botocore; Debian's package lives in /usr/bin/python3's path only.
find_botocore() {
    for PYTHON in python3 /usr/bin/python3; do
        "$PYTHON" -c 'import botocore' 2>/dev/null && return 0
    done
    return 1
}

need() {
    for need_word in "$@"; do
        can "$need_word" && continue
        case ",${SLIPWAY_TEST_NEED:-}," in
        *",$need_word,"* | *,all,*)
            not_ok "needs $need_word: $why"
            exit 1
            ;;
        esac
        tap_plan=0
        echo "1..0 # SKIP $why"
        exit 0
    done
}

# --- an ordinary account -------------------------------------------------------------------------------------------------

test_user=slipt$$

have_user() { grep -q "^$test_user:" /etc/passwd; }

# Root makes one account for each test and removes it at the end; accounts that a killed test left go first.
make_user() {
    have_user && return 0
    for mu_tool in useradd setpriv flock newuidmap; do
        command -v $mu_tool >/dev/null || { why="no $mu_tool"; return 1; }
    done
    mkdir -p "$USER_HOME"
    (
        flock -w 60 9 || exit 1
        sed -n 's/^slipt\([0-9]*\):.*/\1/p' /etc/passwd | while read -r mu_pid; do
            kill -0 "$mu_pid" 2>/dev/null || userdel "slipt$mu_pid" 2>/dev/null
        done
        useradd -M -d "$USER_HOME" -s /bin/sh "$test_user"
    ) 9>/run/lock/slipway-test-users >"$T/useradd" 2>&1 || { why=$(tail -n 1 "$T/useradd"); return 1; }
    if ! grep -q "^$test_user:" /etc/subuid || ! grep -q "^$test_user:" /etc/subgid; then
        why='useradd gave no subordinate ids'
        return 1
    fi
    mkdir -p "$USER_HOME/bin"
    cp "$SLIPWAY" "$USER_HOME/bin/slipway" 2>/dev/null # the build directory may be closed to others
    chown -R "$test_user:" "$USER_HOME"
}

remove_user() {
    { [ "$(id -u)" -eq 0 ] && have_user; } || return 0
    (flock -w 60 9 && userdel "$test_user") 9>/run/lock/slipway-test-users 2>/dev/null
}

as_user() {
    if [ "$(id -u)" -ne 0 ]; then
        mkdir -p "$USER_HOME"
        env -i PATH="$T/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" HOME="$USER_HOME" USER="$(id -un)" \
            LOGNAME="$(id -un)" SLIPWAY_ROOT="$USER_HOME/store" LC_ALL=C "$@"
        return
    fi
    make_user || { echo "no ordinary account: $why" >&2; return 1; }
    setpriv --reuid "$test_user" --regid "$test_user" --init-groups --inh-caps=-all -- \
        env -i PATH="$USER_HOME/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" HOME="$USER_HOME" USER="$test_user" \
        LOGNAME="$test_user" SLIPWAY_ROOT="$USER_HOME/store" LC_ALL=C "$@"
}

# --- hosts that allow less -----------------------------------------------------------------------------------------------

STRANGER=4321 # hostile.c's user without an account

on_host_home() {
    case $1 in
    user-* | ubuntu-apparmor*)
        make_user || { echo "no ordinary account: $why" >&2; return 1; }
        echo "$USER_HOME"
        ;;
    single-root*) ;;
    *-user | *-user+* | single* | restricted*)
        if [ ! -d "$HOST_HOME" ]; then
            mkdir -p "$HOST_HOME/bin"
            cp "$SLIPWAY" "$HOST_HOME/bin/slipway"
            chown -R $STRANGER:$STRANGER "$HOST_HOME"
        fi
        echo "$HOST_HOME"
        ;;
    esac
}

on_host() {
    oh_spec=$1
    shift
    oh_home=$(on_host_home "$oh_spec") || return 1
    oh_name=stranger
    # Looking for leaks takes a process that traces us, which hosts like these do not allow.
    case $oh_home in
    '') env ASAN_OPTIONS=detect_leaks=0 "$BUILD/helpers/hostile" "$oh_spec" "$@"; return ;;
    "$USER_HOME") oh_spec=$oh_spec+user=$test_user oh_name=$test_user ;;
    esac
    "$BUILD/helpers/hostile" "$oh_spec" env -i PATH="$oh_home/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" \
        HOME="$oh_home" USER="$oh_name" LOGNAME="$oh_name" SLIPWAY_ROOT="$oh_home/store" LC_ALL=C \
        ASAN_OPTIONS=detect_leaks=0 "$@"
}

# --- images ------------------------------------------------------------------------------------------------------------

busybox_rootfs() {
    br_box=$(command -v busybox) || { echo 'no busybox' >&2; return 1; }
    python3 - "$br_box" "$1" <<'PY'
import os, shutil, subprocess, sys
box, root = sys.argv[1:]
for name, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("home/app", 0o755), ("usr/bin", 0o755), ("var", 0o755)):
    path = os.path.join(root, name)
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)
shutil.copyfile(box, os.path.join(root, "bin/busybox"))
os.chmod(os.path.join(root, "bin/busybox"), 0o755)
for applet in subprocess.check_output([box, "--list"], text=True).split():
    if applet != "busybox":
        os.symlink("busybox", os.path.join(root, "bin", applet))
files = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\napp:x:1000:\nextra:x:2000:app\nnogroup:x:65534:\n",
}
for name, text in files.items():
    with open(os.path.join(root, name), "w") as f:
        f.write(text)
PY
}

# Fixed times and owners: the image is the same in every test.
user_image() { # NAME: as busybox_image gave it to the test, so the ordinary account has it
    slipway save -o "$T/user-image.tar" "$1" >/dev/null 2>&1 && cp "$T/user-image.tar" "$USER_HOME/user-image.tar" &&
        chmod 644 "$USER_HOME/user-image.tar" && as_user slipway load -i "$USER_HOME/user-image.tar"
}
busybox_image() {
    bi_name=$1
    shift
    if [ ! -f "$T/busybox.tar" ]; then
        busybox_rootfs "$T/busybox" || return 1
        tar -C "$T/busybox" --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -cf "$T/busybox.tar" . || return 1
        rm -rf "$T/busybox"
    fi
    bi_options=''
    for bi_change in 'CMD ["/bin/sh"]' "$@"; do
        bi_options="$bi_options --change '$bi_change'"
    done
    eval "\"\$SLIPWAY\" import $bi_options \"\$T/busybox.tar\" \"\$bi_name\"" >"$T/import.log" 2>&1 ||
        { cat "$T/import.log" >&2; return 1; }
}

# --- registries ----------------------------------------------------------------------------------------------------------

make_ca() {
    CA_FILE=$T/tls/ca.pem TLS_CERT=$T/tls/cert.pem TLS_KEY=$T/tls/key.pem
    [ ! -f "$TLS_CERT" ] || return 0
    mkdir -p "$T/tls"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 -subj '/CN=slipway test authority' \
            -addext 'keyUsage=critical,keyCertSign' -keyout "$T/tls/ca.key" -out "$CA_FILE" &&
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 -subj '/CN=slipway test server' \
                -CA "$CA_FILE" -CAkey "$T/tls/ca.key" -addext 'basicConstraints=critical,CA:FALSE' \
                -addext "subjectAltName=DNS:$ECR_HOST,DNS:localhost,IP:127.0.0.1" -keyout "$TLS_KEY" -out "$TLS_CERT"
    } 2>"$T/tls/log" || { cat "$T/tls/log" >&2; return 1; }
}

registry_count=0

start_registry() {
    registry_count=$((registry_count + 1))
    REGISTRY_DIR=$T/registry$registry_count
    REGISTRY_LOG=$REGISTRY_DIR/log
    mkdir -p "$REGISTRY_DIR/data"
    sr_tls='' sr_auth='' sr_readonly=false sr_scheme=http
    REGISTRY_USER='' REGISTRY_PASSWORD=''
    for sr_arg in "$@"; do
        case $sr_arg in
        --tls)
            make_ca || return 1
            sr_scheme=https
            sr_tls="  tls: {certificate: $TLS_CERT, key: $TLS_KEY}"
            ;;
        --htpasswd | --htpasswd=*)
            REGISTRY_USER=AWS REGISTRY_PASSWORD=$ECR_PASSWORD
            case $sr_arg in
            *=*) sr_arg=${sr_arg#*=} REGISTRY_USER=${sr_arg%%:*} REGISTRY_PASSWORD=${sr_arg#*:} ;;
            esac
            htpasswd -Bbn -C 4 "$REGISTRY_USER" "$REGISTRY_PASSWORD" >"$REGISTRY_DIR/htpasswd" || return 1
            sr_auth="auth: {htpasswd: {realm: slipway-test, path: $REGISTRY_DIR/htpasswd}}"
            ;;
        --readonly) sr_readonly=true ;;
        *) echo "start_registry: unknown argument $sr_arg" >&2; return 1 ;;
        esac
    done
    cat >"$REGISTRY_DIR/config.yml" <<EOT
version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: $REGISTRY_DIR/data}
  delete: {enabled: true}
  maintenance: {readonly: {enabled: $sr_readonly}, uploadpurging: {enabled: false}}
http:
  addr: 127.0.0.1:0
  headers: {X-Content-Type-Options: [nosniff]}
$sr_tls
$sr_auth
EOT
    start "$REGISTRY_LOG" env OTEL_TRACES_EXPORTER=none docker-registry serve "$REGISTRY_DIR/config.yml"
    REGISTRY_PID=$started
    if ! wait_for 15 grep -q 'listening on 127.0.0.1:' "$REGISTRY_LOG"; then
        cat "$REGISTRY_LOG" >&2
        return 1
    fi
    REGISTRY_PORT=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$REGISTRY_LOG" | head -n 1)
    REGISTRY=127.0.0.1:$REGISTRY_PORT
    REGISTRY_URL=$sr_scheme://$REGISTRY
}

# The log holds messages and, one line each, the requests: only the latter begin with the client's address.
requests() { grep -E '^[0-9.]+ - .*" [0-9]{3} ' "$REGISTRY_LOG" | grep -cE -e "${1:-.}"; }

# --- doubles of AWS ------------------------------------------------------------------------------------------------------

xml_member() { sed -n "s/.*<$1>\([^<]*\)<.*/\1/p" | head -n 1; }

start_moto() {
    # the first four calls are not checked: they make the user whose key is checked from then on
    start "$T/moto.log" env -u AWS_ACCESS_KEY_ID INITIAL_NO_AUTH_ACTION_COUNT=4 moto_server -H 127.0.0.1 -p 0
    wait_for 60 grep -q 'Running on http' "$T/moto.log" || { cat "$T/moto.log" >&2; return 1; }
    sm_url=$(sed -n 's/.*Running on \(http:[^ ]*\).*/\1/p' "$T/moto.log" | head -n 1)
    sm_call() { # SERVICE CURL-ARGUMENT…
        sm_service=$1
        shift
        curl -sSf --aws-sigv4 "aws:amz:$ECR_REGION:$sm_service" -u setup:setup "$@" "$sm_url/"
    }
    sm_call iam -d 'Version=2010-05-08&Action=CreateUser&UserName=ci' >/dev/null &&
        sm_call iam -d 'Version=2010-05-08&Action=CreateAccessKey&UserName=ci' >"$T/moto.key" &&
        sm_call iam -d 'Version=2010-05-08&Action=PutUserPolicy&UserName=ci&PolicyName=ecr' --data-urlencode \
            'PolicyDocument={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}' >/dev/null &&
        sm_call ecr -H 'Content-Type: application/x-amz-json-1.1' -d '{"repositoryName":"web"}' \
            -H 'X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.CreateRepository' >/dev/null || return 1
    AWS_ACCESS_KEY_ID=$(xml_member AccessKeyId <"$T/moto.key")
    AWS_SECRET_ACCESS_KEY=$(xml_member SecretAccessKey <"$T/moto.key")
    AWS_REGION=$ECR_REGION AWS_ENDPOINT_URL_ECR=$sm_url
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_ENDPOINT_URL_ECR
}

aws_count=0

start_aws() {
    aws_count=$((aws_count + 1))
    AWS_LOG=$T/aws$aws_count.log
    printf '%s\n' "${1:-{\}}" >"$T/aws$aws_count.json"
    start "$T/aws$aws_count.out" "$LIB_DIR/fake/aws.py" --port-file "$T/aws$aws_count.port" --script "$T/aws$aws_count.json" --log "$AWS_LOG"
    wait_for 20 test -s "$T/aws$aws_count.port" || { cat "$T/aws$aws_count.out" >&2; return 1; }
    AWS_URL=http://127.0.0.1:$(cat "$T/aws$aws_count.port")
}

# --- begin ---------------------------------------------------------------------------------------------------------------

# A script that is no test (tests/demo/run) says LIB_MODE=tool: it keeps the environment, prints no plan and exits as it likes.
: "${LIB_MODE:=test}"

# The outside must not reach in: no credentials, logins or settings but the test's own.
clean_environment() {
    for lib_name in $(env | sed -n 's/^\([A-Z_][A-Z0-9_]*\)=.*/\1/p'); do
        case $lib_name in
        SLIPWAY_TEST_*) ;;
        AWS_* | SLIPWAY_* | DOCKER_* | BUILDAH_* | XDG_* | CONTAINERS_* | REGISTRY_AUTH_FILE | SOURCE_DATE_EPOCH) unset "$lib_name" ;;
        esac
    done
}
[ "$LIB_MODE" = tool ] || { lib_binary=$SLIPWAY; clean_environment; SLIPWAY=$lib_binary; }
T=$(mktemp -d "$(test_base)/slipway-$TEST_NAME.XXXXXX") || exit 1
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$T"
mkdir -p "$T/bin" "$T/home" "$T/work"
USER_HOME=$T/user
HOST_HOME=$T/stranger
[ "$(id -u)" -eq 0 ] || mkdir "$USER_HOME"
ln -s "$SLIPWAY" "$T/bin/slipway"
PATH=$T/bin:$PATH:/usr/sbin:/sbin
SLIPWAY_ROOT=$T/store
TMPDIR=$T
export PATH SLIPWAY_ROOT SLIPWAY BUILD TMPDIR
if [ "$LIB_MODE" = test ]; then
    HOME=$T/home
    LC_ALL=C
    export HOME LC_ALL
    cd "$T/work" || exit 1
fi
