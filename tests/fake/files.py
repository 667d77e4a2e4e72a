#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files and git repositories over http on loopback, with the ways of servers that a fetcher must know.

    files.py --dir DIR --port-file FILE --log FILE [--tls CERT KEY]

GET /plain/NAME     the file, with Last-Modified
GET /etag/NAME      the file with an ETag (its SHA-256) and no Last-Modified; If-None-Match gives 304
GET /bare/NAME      the file with neither
GET /auth/NAME      the file, for "Authorization: Bearer let-me-in" alone, else 401
GET /raw/NAME       the file, for "Authorization: Custom x" alone, else 401
GET /moved/PATH     302 to /PATH;  /loop: 302 to itself;  /away/PORT/PATH: 302 to another port
GET /cut/NAME       the whole length announced, half of it sent
GET /cut-once/NAME  the same at the first try, whole after that
GET /slow/NAME      one byte each 50 ms
GET /huge           a length of 100 TB announced
GET /status/N       that status;  /: "root"
    /git/NAME       git's smart http (git http-backend) of DIR/NAME; /gitauth/NAME: for the user x-access-token with
                    the password "git-token" alone; /gitslow/NAME: what is fetched waits for 3 s
One line a request in the log: METHOD PATH STATUS [If-None-Match|If-Modified-Since].
"""
import argparse, base64, email.utils, hashlib, http.server, os, ssl, subprocess, time, urllib.parse

args = None
cut_once = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, status):
        cond = self.headers.get("If-None-Match") or self.headers.get("If-Modified-Since") or ""
        with open(args.log, "a") as log:
            log.write(f"{self.command} {self.path} {status} {cond}\n")

    def reply(self, status, body=b"", **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read(self, name):
        path = os.path.join(args.dir, urllib.parse.unquote(name))
        try:
            with open(path, "rb") as f:
                return f.read(), os.stat(path).st_mtime
        except OSError:
            return None, 0

    def broken(self, body, sent):
        self.note(200)
        self.send_response(200)
        self.send_header("Content-Length", str(body))
        self.end_headers()
        self.wfile.write(sent)
        self.wfile.flush()
        self.close_connection = True

    def do_GET(self):
        path = self.path.partition("?")[0]
        kind, _, name = path[1:].partition("/")
        if kind in ("git", "gitauth", "gitslow"):
            return self.git(kind, name)
        if path == "/":
            return self.reply(200, b"root\n")
        if kind == "moved":
            return self.reply(302, Location="/" + name)
        if kind == "away":
            port, _, rest = name.partition("/")
            return self.reply(302, Location=f"http://127.0.0.1:{port}/{rest}")
        if kind == "loop":
            return self.reply(302, Location=self.path)
        if kind == "status":
            return self.reply(int(name), b"sorry\n")
        if kind == "huge":
            return self.broken(10**14, b"x")
        body, mtime = self.read(name)
        if body is None:
            return self.reply(404, b"no such file\n")
        if kind == "auth" and self.headers.get("Authorization") != "Bearer let-me-in":
            return self.reply(401, b"who are you\n")
        if kind == "raw" and self.headers.get("Authorization") != "Custom x":
            return self.reply(401, b"who are you\n")
        if kind == "cut" or (kind == "cut-once" and name not in cut_once):
            cut_once.add(name)
            return self.broken(len(body), body[: len(body) // 2])
        if kind == "slow":
            self.note(200)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for i in range(len(body)):
                self.wfile.write(body[i : i + 1])
                self.wfile.flush()
                time.sleep(0.05)
            return None
        if kind == "etag":
            tag = '"%s"' % hashlib.sha256(body).hexdigest()
            if self.headers.get("If-None-Match") == tag:
                return self.reply(304, ETag=tag)
            return self.reply(200, body, ETag=tag)
        if kind == "plain":
            date = email.utils.formatdate(int(mtime), usegmt=True)
            if self.headers.get("If-Modified-Since") == date:
                return self.reply(304, Last_Modified=date)
            return self.reply(200, body, Last_Modified=date)
        return self.reply(200, body)

    do_HEAD = do_GET

    def do_POST(self):
        kind, _, name = self.path[1:].partition("/")
        return self.git(kind, name.partition("?")[0])

    def git(self, kind, name):
        want = "basic " + base64.b64encode(b"x-access-token:git-token").decode()
        given = (self.headers.get("Authorization") or "").replace("Basic ", "basic ", 1)
        if kind == "gitauth" and given != want:
            return self.reply(401, b"", WWW_Authenticate='Basic realm="git"')
        body = self.body()
        if kind == "gitslow" and b"want " in body:
            self.note(0)
            time.sleep(3)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": args.dir,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": "/" + name,
            "QUERY_STRING": self.path.partition("?")[2],
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE).stdout
        head, _, content = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        self.note(status)
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


parser = argparse.ArgumentParser()
parser.add_argument("--dir", required=True)
parser.add_argument("--port-file", required=True)
parser.add_argument("--log", required=True)
parser.add_argument("--tls", nargs=2)
args = parser.parse_args()
open(args.log, "a").close()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if args.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*args.tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(args.port_file + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(args.port_file + ".new", args.port_file)
server.serve_forever()
