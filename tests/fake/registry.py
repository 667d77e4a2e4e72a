#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small registry (distribution spec v2) on loopback that fails on command. Python 3 standard library only.

    registry.py --ready FILE --log FILE [options]      runs until killed

--ready FILE     once both servers listen, FILE holds JSON: {"port", "storage_port", "url", "images": {"repo:tag": {...}}}
--log FILE       one JSON line for each request: n, server ("main" or "storage"), client (its port), method, path, query,
                 headers (names lower case, all of them), body_size, body_sha256, status, sent (bytes of reply body), rule (index or null), begun and done (seconds)
--port N         port of the main server (default: any free one);  --tls CERT KEY: both servers speak TLS
--auth KIND      none (default) | basic | bearer: what /v2/ wants;  --user USER:PASSWORD: the login (default AWS:secret)
--anonymous-pull bearer: a token without login may pull;  --identity TOKEN: an identity token that POST /token takes
--token-ttl S    life of a token (default 300);  --realm URL: the realm in challenges (default: /token of this server)
--ecr            ECR's ways: PATCH answers 201, upload Range stands still, a GET of an upload is refused, parts before the
                 last have 5 MiB or more (seen at the end), an unknown repository cuts the connection on
                 POST, auth failures are text;  --repo NAME: exists from the start (else, but with --ecr, all do)
--keep           bytes of a broken upload request count, as spec-true registries have it (else they are gone, as at ECR)
--immutable      a tag that exists cannot be put again (400 TAG_INVALID)
--redirect       blob GETs are redirected (307) to the storage server, whose URLs are signed and which answers 400 to
                 any request with Authorization or Cookie, as S3 does
--location HOW   of uploads: absolute (default) | relative | query (carries ?_state=a%2Fb, which must come back as it was)
                 | other (the storage server takes the bytes)
--mount HOW      yes (default: 201 when it can) | no (202, a normal session) | refuse (400)
--image NAME:TAG[:LAYERS[:BYTES]]   an image is there from the start: LAYERS (1) random-looking layers of BYTES (1000)
--rules JSON     rules from the start (a list, see below); @FILE reads a file

While it runs:  POST /_rules LIST   replaces the rules;  GET /_rules   shows them with their "hits"
                GET /_log           the log so far as a JSON list;  POST /_log   empties it
                POST /_expire       all tokens given out so far become invalid

A rule is an object. It fits by "method" (name), "path" (regular expression, searched in path?query), "server" (main),
"after" (skip the first N fits) and "times" (at most N hits; default: no end). The first rule that fits acts:
  "status": N, "headers": {...}, "body": "text"    this reply, instead of the real one
  "real_status": N          the real thing is done, but the reply's status is N
  "set": {...}              the real thing; these reply headers are set (null: left out)
  "drop": true              the connection closes without a reply
  "drop_after": N           … after N bytes of the request's body were read
  "keep": true              with drop_after, to an upload: those bytes count, as with --keep
  "cut": N                  the real reply, its body cut after N bytes (connection closes)
  "corrupt": true           the real reply, one byte of its body changed
  "delay": S                S seconds pass first (may stand with any of the others)
  "trickle": [BYTES, S]     the real reply's body in pieces of BYTES, S seconds apart
  "no_range": true          a Range header is not looked at
  "ignore_expect": true     no 100 Continue; the real reply at once without reading the body (give "status" with it)
"""
import argparse, base64, hashlib, http.server, json, os, re, secrets, socket, ssl, sys, threading, time
from urllib.parse import parse_qs, quote, unquote, urlsplit

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class State:
    """What both servers share; every use is under the lock."""

    def __init__(self, opts):
        self.opts, self.lock = opts, threading.Lock()
        self.blobs, self.manifests, self.tags, self.uploads = {}, {}, {}, {}
        self.repos, self.tokens, self.signed, self.small = set(opts.repo), {}, set(), set()
        self.rules, self.entries, self.log_file = [], [], open(opts.log, "a", buffering=1)
        self.arrived = 0

    def arrival(self):
        """The number of a request: they count as they come, and are logged as they are done."""
        with self.lock:
            self.arrived += 1
            return self.arrived

    def log(self, entry):
        with self.lock:
            self.entries.append(entry)
            self.log_file.write(json.dumps(entry) + "\n")

    def rule_for(self, server, method, target):
        with self.lock:
            for i, rule in enumerate(self.rules):
                if rule.get("method") not in (None, method) or rule.get("server", "main") != server:
                    continue
                if not re.search(rule.get("path", ""), target):
                    continue
                rule["fits"] = rule.get("fits", 0) + 1
                if rule["fits"] <= rule.get("after", 0) or rule.get("hits", 0) >= rule.get("times", 1 << 30):
                    continue
                rule["hits"] = rule.get("hits", 0) + 1
                return i, rule
        return None, {}

    def add_image(self, spec):
        name, tag, *rest = spec.split(":")
        count, size = int(rest[0]) if rest else 1, int(rest[1]) if len(rest) > 1 else 1000
        layers = []
        for i in range(count):
            block = hashlib.sha256(f"{name}{i}".encode()).digest()
            data = (block * (size // 32 + 1))[:size]
            self.blobs[(name, digest_of(data))] = data
            layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(data), "size": size})
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [l["digest"] for l in layers]}}).encode()
        self.blobs[(name, digest_of(config))] = config
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": layers, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": len(config)}}).encode()
        self.manifests[(name, digest_of(manifest))] = (kind, manifest)
        self.tags[(name, tag)] = digest_of(manifest)
        self.repos.add(name)
        return {"manifest": digest_of(manifest), "config": digest_of(config), "layers": [l["digest"] for l in layers]}


class Gone(Exception):
    """The connection is to be closed without more words."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every reply with a body costs 40 ms
    server_name = "main"
    state = None

    def log_message(self, *args):
        pass

    def handle_expect_100(self):
        return True  # decided later, when the rule is known

    # --- one request -------------------------------------------------------------------------------------------------

    def handle_any(self):
        st, parts = self.state, urlsplit(self.path)
        self.route, self.query = parts.path, parse_qs(parts.query, keep_blank_values=True)
        self.body, self.reply_status, self.sent = b"", 0, 0
        self.rule_index, self.rule = (None, {}) if self.route.startswith("/_") else st.rule_for(self.server_name, self.command, self.path)
        number, begun = 0 if self.route.startswith("/_") else st.arrival(), time.monotonic()
        try:
            if "delay" in self.rule:
                time.sleep(self.rule["delay"])
            if self.rule.get("drop"):
                raise Gone
            if self.rule.get("ignore_expect"):
                self.close_connection = True
            else:
                self.read_body()
            if "status" in self.rule:
                self.reply(self.rule["status"], self.rule.get("body", "").encode(), self.rule.get("headers", {}), raw=True)
            else:
                self.dispatch()
        except (Gone, BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True
        if not self.route.startswith("/_"):
            st.log({"n": number, "server": self.server_name, "client": self.client_address[1], "method": self.command, "path": self.route, "query": parts.query,
                    "headers": {k.lower(): v for k, v in self.headers.items()}, "body_size": len(self.body),
                    "body_sha256": hashlib.sha256(self.body).hexdigest(), "status": self.reply_status, "sent": self.sent,
                    "rule": self.rule_index, "begun": begun, "done": time.monotonic()})
        if self.close_connection:
            try:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def read_body(self):
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        limit = self.rule.get("drop_after")
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        length = int(self.headers.get("Content-Length") or 0)
        wanted = length if limit is None else min(limit, length)
        pieces, got = [], 0
        while got < wanted:  # in pieces, so that a broken line loses none of them
            try:
                piece = self.rfile.read1(min(1 << 20, wanted - got))
            except OSError:
                piece = b""
            if not piece:
                break
            pieces.append(piece)
            got += len(piece)
        self.body = b"".join(pieces)
        if got == length and limit is None:
            return
        uid = self.route.rpartition("/")[2]
        if (self.rule.get("keep") or self.state.opts.keep) and uid in self.state.uploads:
            self.state.uploads[uid] += self.body
        raise Gone

    def reply(self, status, body=b"", headers=None, raw=False):
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        rule = {} if raw else self.rule
        status = self.reply_status = rule.get("real_status", status)
        for name, value in rule.get("set", {}).items():
            headers = {k: v for k, v in headers.items() if k.lower() != name.lower()}
            if value is not None:
                headers[name] = value
        self.send_response(status)
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, str(one))
        if not any(k.lower() == "content-length" for k in headers) and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD" or status in (204, 304):
            return
        if rule.get("corrupt") and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_body(body, rule)

    def send_body(self, body, rule):
        if "cut" in rule:
            self.wfile.write(body[:rule["cut"]])
            self.sent = min(rule["cut"], len(body))
            raise Gone
        piece, pause = rule.get("trickle", (len(body) or 1, 0))
        for at in range(0, len(body), piece):
            self.wfile.write(body[at:at + piece])
            self.wfile.flush()
            self.sent = min(at + piece, len(body))
            time.sleep(pause)

    def refuse(self, status, code, message, headers=None):
        self.reply(status, {"errors": [{"code": code, "message": message, "detail": None}]}, headers)

    # --- control and tokens --------------------------------------------------------------------------------------------

    def control(self):
        st = self.state
        if self.route == "/_rules" and self.command == "POST":
            st.rules = json.loads(self.body)
        elif self.route == "/_rules":
            return self.reply(200, st.rules)
        elif self.route == "/_log" and self.command == "POST":
            st.entries = []
        elif self.route == "/_log":
            return self.reply(200, st.entries)
        elif self.route == "/_expire":
            st.tokens = {}
        self.reply(200, b"ok\n")

    def basic_ok(self):
        want = "Basic " + base64.b64encode(self.state.opts.user.encode()).decode()
        return self.headers.get("Authorization", "") == want

    def give_token(self):
        opts, form = self.state.opts, parse_qs(self.body.decode(errors="replace"))
        if self.command == "POST":
            if not opts.identity:
                return self.refuse(404, "UNSUPPORTED", "no OAuth here")
            if form.get("refresh_token") != [opts.identity] or form.get("grant_type") != ["refresh_token"]:
                return self.reply(401, {"details": "invalid refresh token"})
            scopes, known = " ".join(form.get("scope", [])).split(), True
        else:
            known = self.basic_ok()
            if not known and (self.headers.get("Authorization") or not opts.anonymous_pull):
                return self.reply(401, {"details": "incorrect username or password"})
            scopes = " ".join(self.query.get("scope", [])).split()
        granted = set()
        for scope in scopes:
            name, _, actions = scope.rpartition(":")
            granted |= {(name, a) for a in actions.split(",") if known or a == "pull"}
        token = secrets.token_urlsafe(24)
        with self.state.lock:
            self.state.tokens[token] = (granted, time.monotonic() + opts.token_ttl)
        self.reply(200, {"token": token, "expires_in": int(opts.token_ttl)})

    def authorized(self, repo, action):
        """True, or the refusal has been sent."""
        st, opts = self.state, self.state.opts
        if opts.auth == "none" or (opts.auth == "basic" and self.basic_ok()):
            return True
        if opts.auth == "basic":
            if opts.ecr:
                self.reply(401, b"Not Authorized\n", {"Content-Type": "text/plain; charset=utf-8",
                           "Www-Authenticate": f'Basic realm="{self.base()}/",service="ecr.amazonaws.com"'})
            else:
                self.refuse(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": 'Basic realm="fake"'})
            return False
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        with st.lock:
            granted, until = st.tokens.get(token, (None, 0))
        error, scope = "", f"repository:{repo}:{action}" if repo else ""
        if kind == "Bearer" and granted is not None and until > time.monotonic():
            need = {(f"repository:{repo}", a) for a in action.split(",")} if repo else set()
            if need <= granted:
                return True
            error = ',error="insufficient_scope"'
        elif kind == "Bearer":
            error = ',error="invalid_token"'
        challenge = f'Bearer realm="{opts.realm or self.base() + "/token"}",service="fake"'
        challenge += (f',scope="{scope}"' if scope else "") + error
        self.refuse(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
        return False

    def base(self):
        return f"{'https' if self.state.opts.tls else 'http'}://127.0.0.1:{self.state.port}"

    # --- the registry ------------------------------------------------------------------------------------------------

    def dispatch(self):
        if self.route.startswith("/_"):
            return self.control()
        if self.route == "/token":
            return self.give_token()
        if self.route in ("/v2", "/v2/"):
            return self.authorized("", "") and self.reply(200, {})
        m = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags|referrers)/(.*)", self.route)
        if not m:
            return self.refuse(404, "NOT_FOUND", "no such route")
        repo, kind, rest = m.group(1), m.group(2), unquote(m.group(3))
        if "/blobs/uploads" in self.route:  # ids may hold anything
            repo, kind, rest = self.route[4:].split("/blobs/uploads", 1)[0], "uploads", self.route.split("/blobs/uploads/", 1)[-1]
        if not self.authorized(repo, "pull" if self.command in ("GET", "HEAD") and kind != "uploads" else "pull,push"):
            return None
        return getattr(self, "on_" + kind)(repo, rest)

    def missing_repo(self, repo):
        if not self.state.repos or repo in self.state.repos or not self.state.opts.ecr:
            return False
        if self.command == "POST":
            raise Gone
        self.refuse(404, "NAME_UNKNOWN", f"The repository with name '{repo}' does not exist in the registry with id '123456789012'")
        return True

    def on_tags(self, repo, _):
        self.reply(200, {"name": repo, "tags": sorted(t for r, t in self.state.tags if r == repo)})

    def on_referrers(self, repo, _):
        self.refuse(404, "NOT_FOUND", "no referrers here")

    def on_manifests(self, repo, ref):
        st = self.state
        if self.missing_repo(repo):
            return None
        if self.command == "PUT":
            return self.put_manifest(repo, ref)
        digest = ref if ref.startswith("sha256:") else st.tags.get((repo, ref))
        if (repo, digest) not in st.manifests:
            return self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        if self.command == "DELETE":
            del st.manifests[(repo, digest)]
            return self.reply(202)
        kind, data = st.manifests[(repo, digest)]
        return self.reply(200, data, {"Content-Type": kind, "Docker-Content-Digest": digest})

    def put_manifest(self, repo, ref):
        st, digest, kind = self.state, digest_of(self.body), self.headers.get("Content-Type", "")
        doc = json.loads(self.body)
        if ref.startswith("sha256:") and ref != digest:
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        if doc.get("mediaType", kind) != kind:
            return self.refuse(400, "MANIFEST_INVALID", "mediaType and Content-Type differ")
        for part in [doc.get("config", {})] * ("config" in doc) + doc.get("layers", []):
            if (repo, part["digest"]) not in st.blobs and not part.get("urls"):
                return self.refuse(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {part['digest']}")
        for part in doc.get("manifests", []):
            if (repo, part["digest"]) not in st.manifests:
                return self.refuse(400, "MANIFEST_BLOB_UNKNOWN", f"manifest unknown to registry: {part['digest']}")
        with st.lock:
            if not ref.startswith("sha256:"):
                if st.opts.immutable and (repo, ref) in st.tags:
                    return self.refuse(400, "TAG_INVALID", f"The image tag '{ref}' already exists in the '{repo}' repository "
                                       "and cannot be overwritten because the tag is immutable.")
                st.tags[(repo, ref)] = digest
            st.manifests[(repo, digest)] = (kind, self.body)
        return self.reply(201, b"", {"Location": f"/v2/{repo}/manifests/{digest}", "Docker-Content-Digest": digest})

    def on_blobs(self, repo, digest):
        st = self.state
        if self.missing_repo(repo):
            return None
        data = st.blobs.get((repo, digest))
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if st.opts.redirect and self.command == "GET":
            key = secrets.token_urlsafe(12)
            st.signed.add(key)
            url = f"{'https' if st.opts.tls else 'http'}://127.0.0.1:{st.storage_port}/store/{quote(repo, safe='')}/{digest}?X-Amz-Signature={key}&X-Amz-Expires=900"
            return self.reply(307, b"", {"Location": url})
        return self.send_data(data, digest)

    def send_data(self, data, digest):
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest, "Accept-Ranges": "bytes"}
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not m or self.rule.get("no_range"):
            return self.reply(200, data, headers)
        first, last = int(m.group(1)), min(int(m.group(2) or len(data) - 1), len(data) - 1)
        if first >= len(data):
            return self.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self.reply(206, data[first:last + 1], headers)

    # --- uploads -----------------------------------------------------------------------------------------------------

    def location(self, repo, uid):
        st = self.state
        path = f"/v2/{repo}/blobs/uploads/{uid}"
        if st.opts.location == "relative":
            return path
        if st.opts.location == "query":
            return self.base() + path + "?_state=a%2Fb%3D" + str(len(st.uploads[uid]))
        if st.opts.location == "other":
            return f"{'https' if st.opts.tls else 'http'}://127.0.0.1:{st.storage_port}{path}"
        return self.base() + path

    def upload_reply(self, repo, uid, status):
        size = len(self.state.uploads[uid])
        shown = 0 if self.state.opts.ecr else max(size - 1, 0)
        self.reply(status, b"", {"Location": self.location(repo, uid), "Range": f"0-{shown}", "Docker-Upload-UUID": uid})

    def finish_upload(self, repo, digest, data):
        if digest_of(data) != digest:
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.state.blobs[(repo, digest)] = data
        return self.reply(201, b"", {"Location": f"/v2/{repo}/blobs/{digest}", "Docker-Content-Digest": digest})

    def on_uploads(self, repo, uid):
        st = self.state
        if self.missing_repo(repo):
            return None
        if self.command == "POST":
            mount, source = self.query.get("mount", [""])[0], self.query.get("from", [""])[0]
            if mount and st.opts.mount == "refuse":
                return self.refuse(400, "UNSUPPORTED", "no mounts here")
            if mount and st.opts.mount == "yes" and (source, mount) in st.blobs:
                return self.finish_upload(repo, mount, st.blobs[(source, mount)])
            if "digest" in self.query and self.body:
                return self.finish_upload(repo, self.query["digest"][0], self.body)
            uid = secrets.token_hex(8)
            st.uploads[uid] = b""
            return self.upload_reply(repo, uid, 202)
        uid = uid.strip("/")
        if uid not in st.uploads:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")
        if st.opts.location == "query" and self.query.get("_state") != [f"a/b={len(st.uploads[uid])}"]:
            return self.refuse(404, "BLOB_UPLOAD_INVALID", "stale or altered upload location")
        if self.command == "GET":
            return self.refuse(405, "UNSUPPORTED", "not here") if st.opts.ecr else self.upload_reply(repo, uid, 204)
        if self.command == "DELETE":
            del st.uploads[uid]
            return self.reply(204)
        span = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
        if span and int(span.group(1)) != len(st.uploads[uid]):
            return self.refuse(416, "BLOB_UPLOAD_INVALID", f"First byte of the layer part is {span.group(1)} instead of "
                               f"{len(st.uploads[uid])}", {"Location": self.location(repo, uid), "Range": f"0-{max(len(st.uploads[uid]) - 1, 0)}"})
        if st.opts.ecr and not span and st.uploads[uid]:
            return self.refuse(416, "BLOB_UPLOAD_INVALID", f"First byte of the layer part is 0 instead of {len(st.uploads[uid])}")
        st.uploads[uid] += self.body
        if self.command == "PATCH":
            st.small.update([uid] if len(self.body) < 5 << 20 else [])
            return self.upload_reply(repo, uid, 201 if st.opts.ecr else 202)
        if st.opts.ecr and uid in st.small:
            return self.refuse(400, "BLOB_UPLOAD_INVALID", "LayerPartTooSmall")
        return self.finish_upload(repo, self.query.get("digest", [""])[0], st.uploads.pop(uid))


class Storage(Handler):
    """The other host: signed URLs, no login. Like S3 it refuses requests that carry one all the same."""
    server_name = "storage"

    def dispatch(self):
        if self.route.startswith("/_"):
            return self.control()
        if self.headers.get("Authorization") or self.headers.get("Cookie"):
            return self.reply(400, b"<?xml version=\"1.0\"?><Error><Code>InvalidArgument</Code><Message>Only one auth "
                              b"mechanism allowed</Message></Error>", {"Content-Type": "application/xml"})
        if "/blobs/uploads/" in self.route:
            repo, uid = self.route[4:].split("/blobs/uploads/", 1)
            return self.on_uploads(repo, uid)
        parts = self.route.split("/")
        if len(parts) != 4 or self.query.get("X-Amz-Signature", [""])[0] not in self.state.signed:
            return self.reply(403, b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired"
                              b"</Message></Error>", {"Content-Type": "application/xml"})
        return self.send_data(self.state.blobs[(unquote(parts[2]), parts[3])], parts[3])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], (OSError, ssl.SSLError)):
            super().handle_error(request, address)


def serve(handler, port, tls):
    server = Server(("127.0.0.1", port), handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ready", required=True)
    p.add_argument("--log", required=True)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--auth", choices=("none", "basic", "bearer"), default="none")
    p.add_argument("--user", default="AWS:secret")
    p.add_argument("--identity")
    p.add_argument("--realm")
    p.add_argument("--token-ttl", type=float, default=300)
    p.add_argument("--location", choices=("absolute", "relative", "query", "other"), default="absolute")
    p.add_argument("--mount", choices=("yes", "no", "refuse"), default="yes")
    p.add_argument("--repo", action="append", default=[])
    p.add_argument("--image", action="append", default=[])
    p.add_argument("--rules", default="[]")
    for flag in ("anonymous-pull", "ecr", "immutable", "keep", "redirect"):
        p.add_argument("--" + flag, action="store_true")
    opts = p.parse_args()
    state = State(opts)
    state.rules = json.load(open(opts.rules[1:])) if opts.rules.startswith("@") else json.loads(opts.rules)
    images = {":".join(i.split(":")[:2]): state.add_image(i) for i in opts.image}
    Handler.state = state
    state.storage_port = serve(Storage, 0, opts.tls)
    state.port = serve(Handler, opts.port, opts.tls)
    url = f"{'https' if opts.tls else 'http'}://127.0.0.1:{state.port}"
    with open(opts.ready + ".new", "w") as f:
        json.dump({"port": state.port, "storage_port": state.storage_port, "url": url, "images": images}, f)
    os.rename(opts.ready + ".new", opts.ready)
    threading.Event().wait()


main()
