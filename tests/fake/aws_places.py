# SPDX-License-Identifier: Apache-2.0
"""STS, the container credentials endpoint and the instance metadata service, for tests/fake/aws.py.
Script: "places": {"container": {"path": "/creds", "token": null, "key": "AKID…", "expires": 3600},
"instance": {"role": "ci", "key": "AKID…", "v2": true}, "roles": {"arn:…": {"key": "AKID…", "web_token": "…"}}}; each key is
one of `keys`, whose secret and token are handed out."""
import time
from xml.sax.saxutils import escape

Refusal = None  # set by aws.py


def rfc3339(t):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".123Z"


class Places:
    def __init__(self, state):
        self.state, self.spec = state, {}

    def merge(self, script):
        self.spec.update(script.get("places", {}))

    def document(self, key_id, expires):
        key = self.state.keys[key_id]
        return {"AccessKeyId": key_id, "SecretAccessKey": key["secret"], "Token": key.get("token") or "",
                "Expiration": rfc3339(self.state.now() + expires)}

    def answer(self, method, path, headers):
        """(status, body, content type), or None when the path is none of ours."""
        import json
        container, instance = self.spec.get("container"), self.spec.get("instance")
        if container and path == container.get("path", "/creds"):
            if container.get("token") and headers.get("Authorization") != container["token"]:
                return 401, '{"code":"Unauthorized"}', "application/json"
            return 200, json.dumps(self.document(container["key"], container.get("expires", 3600))), "application/json"
        if not instance or not path.startswith("/latest/"):
            return None
        if path == "/latest/api/token":
            if not instance.get("v2", True):
                return 404, "", "text/plain"
            ok = method == "PUT" and headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            return (200, "session-1", "text/plain") if ok else (400, "", "text/plain")
        if instance.get("v2", True) and headers.get("X-aws-ec2-metadata-token") != "session-1":
            return 401, "", "text/plain"
        role = instance.get("role", "ci")
        if path == "/latest/meta-data/placement/region":
            return 200, instance.get("region", "eu-central-1"), "text/plain"
        if path == "/latest/meta-data/iam/security-credentials/":
            return (200, role, "text/plain") if role else (404, "", "text/plain")
        if path == "/latest/meta-data/iam/security-credentials/" + role:
            return 200, json.dumps({"Code": instance.get("code", "Success"), "Type": "AWS-HMAC",
                                    **self.document(instance["key"], 3600)}), "text/plain"
        return 404, "", "text/plain"

    def sts(self, form, key_id):
        action = form.get("Action")
        if form.get("Version") != "2011-06-15":
            raise Refusal("NoSuchVersion", f"version {form.get('Version')}")
        if action == "GetCallerIdentity":
            inner = (f"<Arn>arn:aws:iam::{self.state.account}:user/{key_id}</Arn><UserId>{key_id}</UserId>"
                     f"<Account>{self.state.account}</Account>")
        elif action in ("AssumeRole", "AssumeRoleWithWebIdentity"):
            role = self.spec.get("roles", {}).get(form.get("RoleArn"))
            if not role or not form.get("RoleSessionName"):
                raise Refusal("AccessDenied", f"Not authorized to perform sts:{action}", 403)
            if action == "AssumeRoleWithWebIdentity" and form.get("WebIdentityToken") != role.get("web_token"):
                raise Refusal("InvalidIdentityToken", "The web identity token is not valid")
            if role.get("external_id") and form.get("ExternalId") != role["external_id"]:
                raise Refusal("AccessDenied", f"Not authorized to perform sts:{action}", 403)
            key = self.state.keys[role["key"]]
            inner = (f"<Credentials><AccessKeyId>{role['key']}</AccessKeyId><SecretAccessKey>{escape(key['secret'])}"
                     f"</SecretAccessKey><SessionToken>{escape(key['token'])}</SessionToken>"
                     f"<Expiration>{rfc3339(self.state.now() + 3600)}</Expiration></Credentials>")
        else:
            raise Refusal("InvalidAction", f"Could not find operation {action}")
        return (f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>{inner}</{action}Result>'
                f"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>")
