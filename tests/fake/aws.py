#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A double of the AWS APIs that slipway calls: ECS with services that move, ECR's API, STS, and the two places where
credentials grow (container endpoint, instance metadata). Loopback only. It checks every signature with its own SigV4, checks
every request against botocore's service model (required members, types, enums), and logs every request as one JSON line.

Usage: tests/fake/aws.py [--port N] [--port-file FILE] [--script FILE] [--log FILE] [--tls CERT KEY]

The port (0: any free one) is written to the port file once it listens. The script is JSON; all members have defaults:
  account, region        "123456789012"; region null: any
  keys                   {"AKID": {"secret": "…", "token": null, "deny": ["ecs:UpdateService"], "expired": false}}
                         default: the pair AKIDEXAMPLE / wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
  clock_skew             seconds the server's clock is ahead of the real one
  faults                 [{"action": "UpdateService" or "*", "times": 2, "after": 0, "status": 400, "code": "ThrottlingException",
                         "message": "…", "body": "<html>…", "drop": true}]; drop closes the connection, body is sent as it is
  services               [{"cluster": "prod", "name": "web", …}], see aws_ecs.py
  repositories           {"web": {…}}; registry_token, token_expires: see aws_ecr.py
Admin, unsigned, in plain HTTP: GET /_admin/state, GET /_admin/log, POST /_admin/script (merged into the state),
POST /_admin/reset (a fresh state with that script, and an empty log).
"""
import argparse, calendar, email.utils, hashlib, hmac, http.server, json, os, ssl, sys, threading, time, urllib.parse

try:
    import botocore.loaders, botocore.model
except ImportError:  # another Python of this machine may have it
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    sys.exit("tests/fake/aws.py: botocore is missing (Debian: python3-botocore)")

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import aws_ecr, aws_ecs, aws_places

DEFAULT_KEYS = {"AKIDEXAMPLE": {"secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}}
TARGETS = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "SpencerFrontendService": "ecr-public",
}


class Refusal(Exception):
    """An AWS error: code, message, HTTP status."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


# --- signatures ------------------------------------------------------------------------------------------------------

def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical_query(query):
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append(tuple(urllib.parse.quote(urllib.parse.unquote(x), safe="-_.~") for x in (name, value)))
    return "&".join(f"{n}={v}" for n, v in sorted(pairs))


def expected_signature(secret, method, path, query, headers, names, body, when, scope):
    """headers: list of (lower-case name, value) as received."""
    lines = []
    for name in names:
        values = [" ".join(v.split()) for n, v in headers if n == name]
        if not values:
            raise Refusal("InvalidSignatureException", f"signed header {name} was not sent")
        lines.append(f"{name}:{','.join(values)}\n")
    canonical = "\n".join([method, urllib.parse.quote(path, safe="/-_.~"), canonical_query(query), "".join(lines),
                           ";".join(names), hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    date, region, service, end = scope.split("/")
    key = ("AWS4" + secret).encode()
    for step in (date, region, service, end):
        key = hmac256(key, step)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), canonical


def check_signature(state, request, service):
    """Who signed it, or a Refusal as AWS words it. Fills request["region"]."""
    headers = request["headers"]
    auth = next((v for n, v in headers if n == "authorization"), "")
    if not auth.startswith("AWS4-HMAC-SHA256 "):
        raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    fields = dict(p.strip().split("=", 1) for p in auth[len("AWS4-HMAC-SHA256 "):].split(","))
    key_id, scope = fields["Credential"].split("/", 1)
    request["key"] = key_id
    date, region, name, end = scope.split("/")
    request["region"] = region
    if name != service or end != "aws4_request":
        raise Refusal("InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'.")
    if state.region and region != state.region:
        raise Refusal("InvalidSignatureException", f"Credential should be scoped to a valid region, not '{region}'.")
    key = state.keys.get(key_id)
    if not key:
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    token = next((v for n, v in headers if n == "x-amz-security-token"), None)
    if token != key.get("token"):
        raise Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    names = fields["SignedHeaders"].split(";")
    if names != sorted(names):
        raise Refusal("InvalidSignatureException", "SignedHeaders is not sorted")
    must = {n for n, _ in headers if n == "host" or n.startswith("x-amz-")} | {"host", "x-amz-date"}
    if must - set(names):
        raise Refusal("InvalidSignatureException", f"headers not signed: {sorted(must - set(names))}")
    when = next((v for n, v in headers if n == "x-amz-date"), "")
    signed_at = calendar.timegm(time.strptime(when, "%Y%m%dT%H%M%SZ"))
    if abs(signed_at - state.now()) > 300:
        raise Refusal("InvalidSignatureException", f"Signature expired: {when} is not within 5 min of the server's time")
    want, canonical = expected_signature(key["secret"], request["method"], request["path"], request["query"], headers, names,
                                         request["body"], when, scope)
    if not when.startswith(date) or not hmac.compare_digest(want, fields["Signature"]):
        raise Refusal("InvalidSignatureException",
                      "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                      "Access Key and signing method.\n\nThe Canonical String for this request should have been\n'"
                      + canonical + "'", 403)
    if key.get("expired"):
        raise Refusal("ExpiredTokenException", "The security token included in the request is expired")
    return key_id, key


# --- the model ---------------------------------------------------------------------------------------------------------

class Models:
    """botocore's service models; `problems` lists what a request has wrong, `unknown` what the model does not know."""

    def __init__(self):
        self.loader, self.models = botocore.loaders.Loader(), {}

    def operation(self, service, action):
        if service not in self.models:
            self.models[service] = botocore.model.ServiceModel(self.loader.load_service_model(service, "service-2"), service)
        try:
            return self.models[service].operation_model(action)
        except botocore.model.OperationNotFoundError:
            return None

    def check(self, shape, value, path, problems, unknown):
        kind = shape.type_name
        if kind == "structure":
            if not isinstance(value, dict):
                problems.append(f"{path}: not an object")
                return
            for name in shape.required_members:
                if name not in value:
                    problems.append(f"{path}.{name}: missing")
            for name, inner in value.items():
                if name in shape.members:
                    self.check(shape.members[name], inner, f"{path}.{name}", problems, unknown)
                else:
                    unknown.append(f"{path}.{name}")
        elif kind == "list":
            if not isinstance(value, list):
                problems.append(f"{path}: not a list")
                return
            for i, inner in enumerate(value):
                self.check(shape.member, inner, f"{path}[{i}]", problems, unknown)
        elif kind == "map":
            if not isinstance(value, dict):
                problems.append(f"{path}: not a map")
                return
            for name, inner in value.items():
                self.check(shape.value, inner, f"{path}.{name}", problems, unknown)
        elif kind == "string":
            if not isinstance(value, str):
                problems.append(f"{path}: not a string")
            elif getattr(shape, "enum", None) and value not in shape.enum:
                problems.append(f"{path}: {value!r} is none of {shape.enum}")
        elif kind == "boolean":
            if not isinstance(value, bool):
                problems.append(f"{path}: not a boolean")
        elif kind in ("integer", "long"):
            if not isinstance(value, int) or isinstance(value, bool):
                problems.append(f"{path}: not an integer")
        elif kind in ("double", "float", "timestamp"):
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                problems.append(f"{path}: not a number")


# --- state -------------------------------------------------------------------------------------------------------------

class State:
    def __init__(self, log, models=None):
        self.lock, self.log_file, self.log = threading.RLock(), log, []
        self.account, self.region, self.skew = "123456789012", None, 0
        self.keys, self.faults, self.models = dict(DEFAULT_KEYS), [], models or Models()
        self.ecs, self.ecr, self.places = aws_ecs.Ecs(self), aws_ecr.Ecr(self), aws_places.Places(self)

    def now(self):
        return time.time() + self.skew

    def merge(self, script):
        self.account = script.get("account", self.account)
        self.region = script.get("region", self.region)
        self.skew = script.get("clock_skew", self.skew)
        if "keys" in script:
            self.keys = script["keys"]
        if "faults" in script:
            self.faults = [dict(f) for f in script["faults"]]
        self.ecs.merge(script)
        self.ecr.merge(script)
        self.places.merge(script)

    def fault(self, action):
        for f in self.faults:
            if f.get("action", "*") not in ("*", action):
                continue
            if f.get("after", 0) > 0:
                f["after"] -= 1
            elif f.get("times", 1) > 0:
                f["times"] = f.get("times", 1) - 1
                return f
        return None

    def record(self, entry):
        self.log.append(entry)
        if self.log_file:
            self.log_file.write(json.dumps(entry) + "\n")
            self.log_file.flush()

    def answer(self, service, action, body):
        return {"ecs": self.ecs, "ecr": self.ecr, "ecr-public": self.ecr}[service].answer(service, action, body)


# --- the server ----------------------------------------------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fake-aws"
    state = None

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.state.now() if timestamp is None else timestamp, usegmt=True)

    def reply(self, status, body, kind="application/x-amz-json-1.1", headers=()):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def admin(self, path, body):
        if self.command == "POST" and path == "/_admin/script":
            self.state.merge(json.loads(body))
            return self.reply(200, "{}")
        if self.command == "POST" and path == "/_admin/reset":
            if self.state.log_file:
                self.state.log_file.truncate(0)
            fresh = State(self.state.log_file, self.state.models)
            fresh.merge(json.loads(body))
            Handler.state = fresh
            return self.reply(200, "{}")
        if path == "/_admin/log":
            return self.reply(200, json.dumps(self.state.log))
        if path == "/_admin/state":
            return self.reply(200, json.dumps({"ecs": self.state.ecs.dump(), "ecr": self.state.ecr.dump()}))
        return self.reply(404, "{}")

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        with self.state.lock:
            if path.startswith("/_admin/"):
                return self.admin(path, body)
            place = self.state.places.answer(self.command, path, self.headers)
            if place:
                self.state.record({"action": path, "method": self.command, "status": place[0]})
                return self.reply(place[0], place[1], place[2])
            return self.api(path, query, body)

    do_GET = do_POST = do_PUT = handle_any

    def api(self, path, query, body):
        request = {"method": self.command, "path": urllib.parse.unquote(path), "query": query, "body": body,
                   "headers": [(n.lower(), v) for n, v in self.headers.items()]}
        entry = {"service": None, "action": None, "region": None, "key": None, "signature": None, "status": None,
                 "problems": [], "unknown": []}
        target = self.headers.get("X-Amz-Target")
        try:
            if target:
                prefix, _, action = target.rpartition(".")
                entry.update(service=TARGETS.get(prefix), action=action)
                if not entry["service"]:
                    raise Refusal("UnknownOperationException", f"unknown target {target}")
                out = self.json_call(entry, request)
                entry.update(status=200, output=out)
                self.state.record(entry)
                return self.reply(200, json.dumps(out), headers=[("x-amzn-RequestId", f"req-{len(self.state.log)}")])
            return self.query_call(entry, request)
        except ConnectionAbortedError:
            entry.update(status=0)
            self.state.record(entry)
            self.close_connection = True
            return None
        except Refusal as r:
            entry.update(status=r.status, code=r.code, message=r.message)
            self.state.record(entry)
            rid = f"req-{len(self.state.log)}"
            if r.code == "body":
                return self.reply(r.status, r.message, "text/html; charset=utf-8")
            if not target:
                text = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{r.code}</Code><Message>{r.message}</Message></Error>"
                        f"<RequestId>{rid}</RequestId></ErrorResponse>")
                return self.reply(r.status, text, "text/xml")
            return self.reply(r.status, json.dumps({"__type": r.code, "message": r.message}),
                              headers=[("x-amzn-ErrorType", r.code), ("x-amzn-RequestId", rid)])

    def raise_fault(self, action):
        f = self.state.fault(action)
        if not f:
            return
        if f.get("drop"):
            raise ConnectionAbortedError
        if "body" in f:
            raise Refusal("body", f["body"], f.get("status", 500))
        raise Refusal(f.get("code", "ServerException"), f.get("message", "scripted"), f.get("status", 400))

    def authorize(self, entry, request, service):
        try:
            key_id, key = check_signature(self.state, request, service)
            entry["signature"] = "ok"
        except Refusal:
            entry["signature"] = "refused"
            raise
        finally:
            entry.update(region=request.get("region"), key=request.get("key"))
        needed = f"{service}:{entry['action']}"
        if needed in key.get("deny", []):
            raise Refusal("AccessDeniedException",
                          f"User: arn:aws:iam::{self.state.account}:user/{key_id} is not authorized to perform: {needed} on "
                          f"resource: * because no identity-based policy allows the {needed} action")

    def json_call(self, entry, request):
        service, action = entry["service"], entry["action"]
        self.raise_fault(action)
        self.authorize(entry, request, service)
        if self.headers.get("Content-Type") != "application/x-amz-json-1.1":
            raise Refusal("SerializationException", f"Content-Type is {self.headers.get('Content-Type')}")
        try:
            data = json.loads(request["body"])
        except ValueError as e:
            raise Refusal("SerializationException", f"body is no JSON: {e}") from e
        entry["input"] = data
        operation = self.state.models.operation(service, action)
        if operation and operation.input_shape:
            self.state.models.check(operation.input_shape, data, action, entry["problems"], entry["unknown"])
        if entry["problems"]:
            raise Refusal("InvalidParameterException", "; ".join(entry["problems"]))
        self.state.ecs.region = self.state.ecr.region = entry["region"]
        return self.state.answer(service, action, data)

    def query_call(self, entry, request):
        form = dict(urllib.parse.parse_qsl(request["body"].decode()))
        entry.update(service="sts", action=form.get("Action"), input=form)
        self.raise_fault(entry["action"])
        if entry["action"] != "AssumeRoleWithWebIdentity":
            self.authorize(entry, request, "sts")
        text = self.state.places.sts(form, request.get("key"))
        entry.update(status=200)
        self.state.record(entry)
        return self.reply(200, text, "text/xml")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--port-file")
    p.add_argument("--script")
    p.add_argument("--log")
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    a = p.parse_args()
    Handler.state = State(open(a.log, "a", encoding="utf-8") if a.log else None)
    if a.script:
        with open(a.script, encoding="utf-8") as f:
            Handler.state.merge(json.load(f))
    server = Server(("127.0.0.1", a.port), Handler)
    if a.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*a.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    if a.port_file:
        with open(a.port_file + ".new", "w", encoding="utf-8") as f:
            f.write(f"{server.server_address[1]}\n")
        os.rename(a.port_file + ".new", a.port_file)
    else:
        print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


Handler.Refusal = Refusal
aws_ecs.Refusal = aws_ecr.Refusal = aws_places.Refusal = Refusal
if __name__ == "__main__":
    main()
