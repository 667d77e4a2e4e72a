# SPDX-License-Identifier: Apache-2.0
"""ECR's API for tests/fake/aws.py: repositories and images as the API shows them; no blobs (that is a registry's work).
Script: "repositories": {"web": {"mutability": "IMMUTABLE"}}, "registry_token": "user:password",
"token_expires": seconds from now (43200), may be negative; "token_absolute": an epoch instead."""
import base64, hashlib, time

Refusal = None  # set by aws.py


class Ecr:
    def __init__(self, state):
        self.state, self.region, self.repositories = state, "us-east-1", {}
        self.token, self.expires, self.absolute = None, 43200, None

    def merge(self, script):
        self.token = script.get("registry_token", self.token)
        self.expires = script.get("token_expires", self.expires)
        self.absolute = script.get("token_absolute", self.absolute)
        for name, spec in script.get("repositories", {}).items():
            self.add(name, spec)

    def dump(self):
        return self.repositories

    def host(self):
        return f"{self.state.account}.dkr.ecr.{self.region}.amazonaws.com"

    def add(self, name, spec):
        self.repositories[name] = {"repository": {
            "repositoryArn": f"arn:aws:ecr:{self.region}:{self.state.account}:repository/{name}",
            "registryId": self.state.account, "repositoryName": name, "repositoryUri": f"{self.host()}/{name}",
            "createdAt": time.time(), "imageTagMutability": spec.get("mutability", "MUTABLE"),
            "imageScanningConfiguration": {"scanOnPush": False}, "encryptionConfiguration": {"encryptionType": "AES256"},
        }, "images": []}
        return self.repositories[name]["repository"]

    def find(self, name):
        if name not in self.repositories:
            raise Refusal("RepositoryNotFoundException", f"The repository with name '{name}' does not exist in the registry with "
                          f"id '{self.state.account}'")
        return self.repositories[name]

    def answer(self, service, action, data):
        method = getattr(self, "do_" + action, None)
        if not method:
            raise Refusal("UnknownOperationException", f"{service} {action} is not played by this double")
        out = method(data)
        if service == "ecr-public" and action == "GetAuthorizationToken":
            one = out["authorizationData"][0]
            out = {"authorizationData": {k: one[k] for k in ("authorizationToken", "expiresAt")}}
        return out

    def do_GetAuthorizationToken(self, _):
        token = self.token or f"AWS:{self.state.account}-auth-token"
        expires = self.absolute if self.absolute is not None else time.time() + self.expires
        return {"authorizationData": [{"authorizationToken": base64.b64encode(token.encode()).decode(),
                                       "expiresAt": expires, "proxyEndpoint": f"https://{self.host()}"}]}

    def do_CreateRepository(self, data):
        name = data["repositoryName"]
        if name in self.repositories:
            raise Refusal("RepositoryAlreadyExistsException", f"The repository with name '{name}' already exists in the registry "
                          f"with id '{self.state.account}'")
        return {"repository": self.add(name, {"mutability": data.get("imageTagMutability", "MUTABLE")})}

    def do_DescribeRepositories(self, data):
        names = data.get("repositoryNames") or sorted(self.repositories)
        return {"repositories": [self.find(n)["repository"] for n in names]}

    def do_DeleteRepository(self, data):
        found = self.find(data["repositoryName"])
        if found["images"] and not data.get("force"):
            raise Refusal("RepositoryNotEmptyException", "The repository cannot be deleted because it still contains images")
        return {"repository": self.repositories.pop(data["repositoryName"])["repository"]}

    def do_PutImage(self, data):
        found, text = self.find(data["repositoryName"]), data["imageManifest"]
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        if data.get("imageDigest", digest) != digest:
            raise Refusal("ImageDigestDoesNotMatchException", f"digest is {digest}")
        tag = data.get("imageTag")
        image = next((i for i in found["images"] if i["digest"] == digest), None)
        holder = next((i for i in found["images"] if tag and tag in i["tags"]), None)
        if holder and found["repository"]["imageTagMutability"] == "IMMUTABLE":
            raise Refusal("ImageTagAlreadyExistsException", f"The image tag '{tag}' already exists in the '{data['repositoryName']}' "
                          "repository and cannot be overwritten because the tag is immutable.")
        if not image:
            image = {"digest": digest, "tags": [], "manifest": text, "pushed": time.time(),
                     "type": data.get("imageManifestMediaType", "application/vnd.oci.image.manifest.v1+json")}
            found["images"].append(image)
        if holder:
            holder["tags"].remove(tag)
        if tag:
            image["tags"].append(tag)
        return {"image": {"registryId": self.state.account, "repositoryName": data["repositoryName"],
                          "imageId": {"imageDigest": digest, **({"imageTag": tag} if tag else {})}, "imageManifest": text}}

    def select(self, found, ids):
        for one in ids:
            digest, tag = one.get("imageDigest"), one.get("imageTag")
            yield one, next((i for i in found["images"] if (not digest or i["digest"] == digest) and (not tag or tag in i["tags"])),
                            None)

    def do_BatchGetImage(self, data):
        found, images, failures = self.find(data["repositoryName"]), [], []
        for one, image in self.select(found, data["imageIds"]):
            if image:
                images.append({"registryId": self.state.account, "repositoryName": data["repositoryName"], "imageId":
                               {**one, "imageDigest": image["digest"]}, "imageManifest": image["manifest"],
                               "imageManifestMediaType": image["type"]})
            else:
                failures.append({"imageId": one, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
        return {"images": images, "failures": failures}

    def do_DescribeImages(self, data):
        found, details = self.find(data["repositoryName"]), []
        ids = data.get("imageIds") or [{"imageDigest": i["digest"]} for i in found["images"]]
        for one, image in self.select(found, ids):
            if not image:
                raise Refusal("ImageNotFoundException", f"The image with imageId {one} does not exist within the repository with name "
                              f"'{data['repositoryName']}' in the registry with id '{self.state.account}'")
            details.append({"registryId": self.state.account, "repositoryName": data["repositoryName"], "imageDigest":
                            image["digest"], "imageTags": image["tags"], "imageSizeInBytes": len(image["manifest"]),
                            "imagePushedAt": image["pushed"], "imageManifestMediaType": image["type"]})
        return {"imageDetails": details}

    def do_ListImages(self, data):
        found = self.find(data["repositoryName"])
        return {"imageIds": [{"imageDigest": i["digest"], "imageTag": t} for i in found["images"] for t in i["tags"]]}

    def do_BatchCheckLayerAvailability(self, data):
        self.find(data["repositoryName"])
        return {"layers": [{"layerDigest": d, "layerAvailability": "UNAVAILABLE"} for d in data["layerDigests"]], "failures": []}
