#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns mmdebstrap's tarball of bare packages into the root file system of a stand-in image.
Usage: standin.py node|nginx IN.tar OUT.tar [PATH=FILE ...]      (PATH=FILE: a file of this machine to put in)

Keeps what runs, adds what maintainer scripts and the image would have made (busybox links, accounts, directories).
Sorted, owned by root, one fixed time: the same packages give the same bytes.
"""
import io, json, os, posixpath, re, subprocess, sys, tarfile

TIME = 1700000000
MODULES = ("usr/share/nodejs/", "usr/lib/nodejs/")
# Headers, manuals, translations, and what only compiling add-ons would need.
DROP = re.compile(r"^(usr/share/(doc|man|info|locale|lintian|bug|perl5|python3?|doc-base|bash-completion|javascript|pixmaps|menu|common-licenses)/"
                  r"|usr/include/|usr/lib/python|usr/share/perl|etc/perl/|etc/python"
                  r"|usr/lib/[^/]*/(gconv|perl|perl-base|pkgconfig|cmake|krb5)/|usr/lib/[^/]*/[^/]*\.a$|usr/share/nodejs/.*\.(map|d\.ts|md)$"
                  r"|usr/share/(gcc|debconf|dpkg|apport|gdb|zsh|vim|polkit-1|initramfs-tools|systemtap|binfmts|applications|readline)|usr/lib/(apt|dpkg|init|valgrind|mime|binfmt\.d|tmpfiles\.d|systemd)/|lib/(init|systemd|udev)/"
                  r"|usr/bin/(?!node$|nodejs$|npm$|npx$)|usr/sbin/(?!nginx$)|sbin/|bin/(?!busybox$)"
                  r"|dev/|etc/(resolv\.conf|hostname|hosts|fstab|debconf\.conf|netconfig|gss/|iproute2/)|usr/lib/[^/]*/tc/|usr/libexec/dpkg|var/log/apt|var/lib/(dpkg|apt|pam|python)/|var/cache/|etc/(apt|cron|default|dpkg|init|logrotate|pam|perl|python|security|selinux|systemd|ufw)[./]?)")


def clean(name):
    return posixpath.normpath(name).lstrip("/")


def npm_closure(names, read):
    """The packages that npm asks for, by name, as its package.json and theirs say; the rest of Debian's set is for other tools."""
    have = set()
    for base in MODULES:
        for name in names:
            if name.startswith(base) and name.endswith("/package.json"):
                have.add(name[:-len("/package.json")])
    # Debian's node reads the last four from disk, where upstream's has them inside
    seeds = ("npm", "cjs-module-lexer", "acorn", "acorn-walk", "undici")
    want, todo = set(), [b + s for b in MODULES for s in seeds if b + s in have]
    while todo:
        pkg = todo.pop()
        if pkg in want:
            continue
        want.add(pkg)
        # packages inside a package come with it, and ask for more
        inner = [p for p in have if p.startswith(pkg + "/node_modules/")]
        for p in [pkg] + inner:
            deps = json.loads(read(p + "/package.json")).get("dependencies", {})
            for dep in deps:
                for base in MODULES:
                    if base + dep in have:
                        todo.append(base + dep)
    return want


def busybox_applets():
    return [a for a in subprocess.check_output(["busybox", "--list"], text=True).split() if a != "busybox"]


class Root:
    def __init__(self):
        self.entries = {}  # name -> (TarInfo, bytes or a member of the source)

    def info(self, name, mode, kind):
        t = tarfile.TarInfo(name)
        t.mode, t.mtime, t.type = mode, TIME, kind
        return t

    def dir(self, name, mode=0o755, uid=0, gid=0):
        t = self.info(name, mode, tarfile.DIRTYPE)
        t.uid, t.gid = uid, gid
        self.entries[name] = (t, None)

    def file(self, name, data, mode=0o644):
        data = data.encode() if isinstance(data, str) else data
        t = self.info(name, mode, tarfile.REGTYPE)
        t.size = len(data)
        self.entries[name] = (t, data)
        self.parents(name)

    def link(self, name, target):
        t = self.info(name, 0o777, tarfile.SYMTYPE)
        t.linkname = target
        self.entries.setdefault(name, (t, None))
        self.parents(name)

    def parents(self, name):
        while "/" in name:
            name = posixpath.dirname(name)
            if name not in self.entries:
                self.dir(name)


def read_source(path, kind):
    src = tarfile.open(path)
    members = {clean(m.name): m for m in src.getmembers()}
    read = lambda name: src.extractfile(members[name]).read()
    keep = npm_closure(members, read) if kind == "node" else set()
    root = Root()
    for name, m in members.items():
        if name in ("", ".") or DROP.match(name + ("/" if m.isdir() else "")) or m.isdev():
            continue
        base = next((b for b in MODULES if name.startswith(b)), None)
        if base and kind == "node":
            rest = name[len(base):].split("/")
            pkg = base + "/".join(rest[:2] if rest[0].startswith("@") else rest[:1])
            # "@npmcli/node_modules" is a link to npm's own
            if pkg not in keep and not pkg.endswith("/node_modules") and not (m.isdir() and any(k.startswith(name + "/") for k in keep)):
                continue
        m.name, m.mtime, m.pax_headers = name, TIME, {}
        m.uname = m.gname = ""
        if m.islnk():
            m.linkname = clean(m.linkname)
        root.entries[name] = (m, m if m.isreg() else None)
    return src, root


def common(root):
    for name, mode in (("dev", 0o755), ("proc", 0o755), ("sys", 0o755), ("root", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777),
                       ("run", 0o755), ("home", 0o755), ("etc", 0o755), ("bin", 0o755), ("usr/bin", 0o755), ("usr/sbin", 0o755)):
        root.dir(name, mode)
        root.parents(name)
    for applet in busybox_applets():
        root.link("bin/" + applet, "busybox")
    root.link("usr/bin/env", "../../bin/busybox")  # what scripts name in their first line
    root.link("var/run", "../run")
    accounts = ["root:x:0:0:root:/root:/bin/sh", "daemon:x:1:1:daemon:/usr/sbin:/bin/false",
                "www-data:x:33:33:www-data:/var/www:/bin/false", "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
                "nginx:x:101:101:nginx:/nonexistent:/bin/false", "node:x:1000:1000:node:/home/node:/bin/sh"]
    root.file("etc/passwd", "\n".join(accounts) + "\n")
    root.file("etc/group", "root:x:0:\ndaemon:x:1:\nadm:x:4:\ntty:x:5:\nshadow:x:42:\nwww-data:x:33:\nnginx:x:101:\nnode:x:1000:\nnogroup:x:65534:\n")
    root.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")


def node(root):
    root.dir("home/node", 0o755, 1000, 1000)


def nginx(root):
    # as the image has it: one server in conf.d, the page in /usr/share/nginx/html, logs on the container's own output
    for name in [n for n in root.entries if n.startswith(("etc/nginx/sites-", "etc/nginx/modules-", "etc/nginx/snippets", "var/www"))]:
        del root.entries[name]
    root.file("etc/nginx/nginx.conf", """user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
""")
    root.file("etc/nginx/conf.d/default.conf", "server {\n    listen 80;\n    root /usr/share/nginx/html;\n    index index.html;\n}\n")
    root.entries.pop("usr/share/nginx/html/index.html", None)
    root.file("usr/share/nginx/html/index.html", "<!DOCTYPE html><title>nginx</title><h1>nginx, a stand-in</h1>\n")
    for name in ("body", "fastcgi", "proxy", "scgi", "uwsgi"):
        root.dir("var/lib/nginx/" + name, 0o700, 101, 0)
    root.parents("var/lib/nginx/body")
    root.dir("var/log/nginx")
    root.link("var/log/nginx/access.log", "/dev/stdout")
    root.link("var/log/nginx/error.log", "/dev/stderr")
    root.parents("var/log/nginx/access.log")


def main():
    kind, source, out = sys.argv[1:4]
    src, root = read_source(source, kind)
    common(root)
    {"node": node, "nginx": nginx}[kind](root)
    for pair in sys.argv[4:]:
        name, path = pair.split("=", 1)
        root.entries.pop(name, None)
        root.file(name, open(path, "rb").read())
    with tarfile.open(out + ".new", "w", format=tarfile.PAX_FORMAT) as dst:
        for name in sorted(root.entries):
            info, data = root.entries[name]
            if isinstance(data, tarfile.TarInfo):
                dst.addfile(info, src.extractfile(data))
            else:
                dst.addfile(info, io.BytesIO(data) if data is not None else None)
    os.rename(out + ".new", out)


main()
