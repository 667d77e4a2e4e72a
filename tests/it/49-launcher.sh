#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The launcher of hosts that allow less (tests/helpers/hostile.c): each host proves, by programs that are not ours, to be what it
# claims. What rests on it is in 52-doctor, 48-attacks and 53-matrix.
# shellcheck disable=SC2016 # the commands expand their own variables
. "$(dirname "$0")/../lib.sh"
need root user python3 unshare

before=$(cat /proc/sys/user/max_user_namespaces)
mounts=$(wc -l </proc/self/mounts)
chmod 777 .

# One python program asks everything, one line an answer: errno names, or "yes".
cat >ask.py <<'PY'
import ctypes, errno, os, platform, sys
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"
NR = {"clone": 56 if x86 else 220, "mount": 165 if x86 else 40, "setns": 308 if x86 else 268, "bpf": 321 if x86 else 280,
      "keyctl": 250 if x86 else 219, "pivot_root": 155 if x86 else 41, "unshare": 272 if x86 else 97,
      "clone3": 435, "fsopen": 430, "open_tree": 428, "mount_setattr": 442, "io_uring_setup": 425, "mknodat": 259 if x86 else 33}
def name(): return errno.errorcode.get(ctypes.get_errno(), "yes")
def call(which, *args):
    ctypes.set_errno(0)
    got = libc.syscall(NR[which], *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return name() if got < 0 else "yes"
def child(do):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(w, do().encode())
        os._exit(0)
    os.close(w)
    os.waitpid(pid, 0)
    return os.read(r, 100).decode()
def opened(path, flags):
    try:
        os.close(os.open(path, flags))
        return "yes"
    except OSError as e:
        return errno.errorcode[e.errno]
def user(): return call("unshare", 0x10000000)
def maps():
    if user() != "yes": return "no"
    return opened("/proc/self/uid_map", os.O_WRONLY)
def mapped(then):
    uid, gid = os.geteuid(), os.getegid()
    if call("unshare", 0x10020000) != "yes": return "no"
    try:
        open("/proc/self/setgroups", "w").write("deny")
        open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
    except OSError as e: return "map:" + errno.errorcode[e.errno]
    return then()
def status(key): return [l.split()[1] for l in open("/proc/self/status") if l.startswith(key + ":")][0]
answers = {
    "uid": lambda: str(os.getuid()),
    "pid": lambda: str(os.getppid()),
    "caps": lambda: status("CapEff"), "bound": lambda: status("CapBnd"), "nnp": lambda: status("NoNewPrivs"),
    "user": lambda: child(user),
    "maps": lambda: child(maps),
    "tmpfs": lambda: child(lambda: mapped(lambda: call("mount", b"t", b"/tmp", b"tmpfs", 0, None))),
    "proc": lambda: child(lambda: mapped(lambda: (call("unshare", 0x20000000), child(lambda: call("mount", b"p", b"/proc", b"proc", 0, None)))[1])),
    "newns": lambda: child(lambda: call("unshare", 0x00020000)),
    "clonens": lambda: child(lambda: call("clone", 0x00020000 | 17, None, None, None, None)),
    "clone3": lambda: call("clone3", None, 0),
    "fsopen": lambda: call("fsopen", b"tmpfs", 0),
    "bpf": lambda: call("bpf", 0, None, 0),
    "keyctl": lambda: call("keyctl", 0, -3, 0),
    "setns": lambda: call("setns", -1, 0),
    "write_sys": lambda: opened("/proc/sys/kernel/hostname", os.O_WRONLY),
    "sysfs": lambda: "ro" if os.statvfs("/sys").f_flag & 1 else "rw",
    "masked": lambda: str(len(open("/proc/timer_list").read(1))) if os.path.exists("/proc/timer_list") else "0",
    "tun": lambda: opened("/dev/net/tun", os.O_RDWR) if os.path.exists("/dev/net") else "EACCES",
    "newuidmap": lambda: "yes" if os.path.exists("/usr/bin/newuidmap") else "no",
    "zero": lambda: open("/proc/sys/user/max_user_namespaces").read().strip(),
    "subids": lambda: str(sum(l.split(":")[0] in (os.environ.get("USER"), str(os.getuid())) for l in open("/etc/subuid"))),
}
for key in sys.argv[1:]:
    print(f"{key}={answers[key]()}")
PY

# host SPEC "KEY=VALUE…": what ask.py finds there
host() {
    h_spec=$1 h_want=$2
    h_keys=$(for h_pair in $h_want; do echo "${h_pair%%=*}"; done)
    # shellcheck disable=SC2086 # words
    h_got=$(on_host "$h_spec" python3 "$PWD/ask.py" $h_keys 2>&1)
    # shellcheck disable=SC2086
    is "$h_got" "$(printf '%s\n' $h_want)" "$h_spec"
}

docker="clone3=ENOSYS newns=EPERM clonens=EPERM user=EPERM fsopen=EPERM bpf=EPERM keyctl=EPERM setns=EPERM sysfs=ro masked=0 tun=EACCES"
host docker-default "uid=0 caps=00000000a80425fb bound=00000000a80425fb nnp=0 pid=0 write_sys=EROFS $docker"
host docker-default-user "uid=4321 caps=0000000000000000 bound=00000000a80425fb nnp=0 $docker subids=0"
host restricted "uid=4321 caps=0000000000000000 bound=0000000000000000 nnp=1 $docker"
open_host="user=yes maps=yes tmpfs=yes proc=EPERM masked=0 tun=EACCES setns=EBADF"
host kubernetes "uid=0 caps=00000000a80425fb pid=0 newns=EPERM fsopen=EPERM $open_host"
host kubernetes-user "uid=4321 caps=0000000000000000 newns=EPERM fsopen=EPERM $open_host"
host single "uid=4321 subids=0 user=yes maps=yes tmpfs=yes proc=yes newns=EPERM nnp=0"
is "$(on_host single+nnp python3 "$PWD/ask.py" nnp)" nnp=1 "traits are added"
host user-nnp "nnp=1 subids=1 user=yes newuidmap=yes"
host user-no-newuidmap "subids=1 user=yes tmpfs=yes newuidmap=no"
host user-no-userns "subids=1 user=ENOSPC zero=0 newns=EPERM"
host no-userns "uid=0 user=ENOSPC zero=0 newns=yes"
host ubuntu-apparmor "subids=1 user=yes maps=EACCES tmpfs=map:EACCES newuidmap=yes"
host single-root "uid=0 pid=0 newns=yes user=yes"
is "$(on_host single-root awk '{print $1, $2, $3}' /proc/self/uid_map)" "0 0 1" "single-root has one id"
t "... so that chown fails" sh -c "! '$BUILD/helpers/hostile' single-root sh -c 'touch own && chown 1:1 own'"
t "newuidmap is what fails under no_new_privs" not on_host user-nnp unshare --user --map-root-user --map-auto true
t "... and where it is missing" expect_status 127 "failed to execute newuidmap" on_host user-no-newuidmap unshare --user --map-root-user --map-auto true
t "... not for the same account elsewhere" as_user unshare --user --map-root-user --map-auto true

mkdir store
echo below >store/below
t "a directory on an overlay" on_host "kubernetes+overlay=$PWD/store" sh -c 'stat -fc %T store >kind; cat store/below && echo above >store/above'
is "$(cat kind)" overlayfs "... is one"
t "... an overlay cannot have its upper directory there" on_host "overlay=$PWD/store" sh -c '
    mkdir -p store/u store/w l && ! mount -t overlay o -o lowerdir=l,upperdir=store/u,workdir=store/w l'
t "... what was written is there the next time" on_host "docker-default+overlay=$PWD/store" grep -q above store/above
t "... and not below" test ! -e store/above

t "the command's status is passed on" expect_status 7 '' on_host docker-default sh -c 'exit 7'
start log on_host docker-default sh -c 'sleep 60 & trap "exit 3" TERM; echo $(cut -d" " -f1 /proc/self/stat) up; wait'
wait_for 5 grep -q up log
launcher=$(pgrep -P "$started" -x hostile || echo "$started")
kill -TERM "$launcher"
wait "$started"
is $? 3 "so is TERM"
t "an unknown trait is an error" expect_status 125 'unknown trait "dcoker"' on_host dcoker true
is "$(cat /proc/sys/user/max_user_namespaces)" "$before" "the machine's own number of user namespaces stays"
is "$(wc -l </proc/self/mounts)" "$mounts" "no mount stays"
