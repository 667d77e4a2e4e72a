# SPDX-License-Identifier: Apache-2.0
"""ECS for tests/fake/aws.py: task definitions, and services whose deployments move, one step for each poll.
Script: "service_deployments": true (default) or false: whether List/DescribeServiceDeployments exist; when they do, a step is
taken by DescribeServiceDeployments, else by DescribeServices. "describe_revisions": the same for DescribeServiceRevisions,
without which no client can tell whose a service deployment is.
"services": [{
  "cluster": "prod", "name": "web", "desired": 2, "task_definition": "web:1" (made when missing),
  "controller": "ECS" | "CODE_DEPLOY" | "EXTERNAL", "launch_type": "FARGATE",
  "plan": what the next update comes to:
      "succeed"     after `polls` steps it is completed
      "fail"        the circuit breaker trips at step `polls`; no rollback
      "rollback"    it trips; the old task definition comes back and is completed `polls` steps later
      "stuck"       tasks fail for ever, nothing trips
      "superseded"  at step `polls` somebody else's update takes the service
      "drained"     at step `polls` the service is deleted
      "stopped"     at step `polls` the service deployment is stopped by somebody, without rollback
  "polls": 3, "listed_after": 0 (calls of ListServiceDeployments before ours is listed),
  "stopped": {"exit": 1, "reason": null, "stopped_reason": "Essential container in task exited", "stop_code": "…"}
}]"""
import itertools, json, time

Refusal = None  # set by aws.py
DESCRIBE_ONLY = ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt",
                 "registeredBy", "deregisteredAt", "deleteRequestedAt")
TRIPPED = "ECS deployment circuit breaker: tasks failed to start."


class Service:
    def __init__(self, ecs, spec):
        self.ecs, self.spec, self.counter = ecs, spec, itertools.count(1)
        self.events, self.deployments, self.service_deployments, self.stopped = [], [], [], []
        self.status, self.step, self.ours, self.old, self.lists = "ACTIVE", 0, None, None, 0
        td = ecs.resolve(spec.get("task_definition", spec["name"] + ":1"), make=True)
        self.begin(td, spec.get("desired", 1), done=True)
        self.event("has reached a steady state.")
        self.service_deployments.clear()

    def arn(self, kind, tail=""):
        return f"arn:aws:ecs:{self.ecs.region}:{self.ecs.state.account}:{kind}/{self.spec['cluster']}/{self.spec['name']}{tail}"

    def event(self, text):
        n = next(self.counter)
        self.events.insert(0, {"id": f"event-{self.spec['name']}-{n:04d}", "createdAt": self.ecs.tick(),
                               "message": f"(service {self.spec['name']}) {text}"})
        del self.events[100:]

    def begin(self, td, desired, done=False, reason=None):
        for d in self.deployments:
            if d["status"] == "PRIMARY":
                d["status"] = "ACTIVE"
        n, now = self.ecs.number(), self.ecs.tick()
        d = {"id": f"ecs-svc/{n}", "status": "PRIMARY", "taskDefinition": td, "desiredCount": desired, "pendingCount": 0,
             "runningCount": desired if done else 0, "failedTasks": 0, "createdAt": now, "updatedAt": now,
             "launchType": self.spec.get("launch_type", "FARGATE"), "rolloutState": "COMPLETED" if done else "IN_PROGRESS",
             "rolloutStateReason": reason or f"ECS deployment ecs-svc/{n} {'completed' if done else 'in progress'}."}
        self.deployments.insert(0, d)
        revision = self.arn("service-revision", f"/{n}")
        self.ecs.revisions[revision] = {"serviceRevisionArn": revision, "serviceArn": self.arn("service"),
                                        "clusterArn": self.ecs.cluster_arn(self.spec["cluster"]), "taskDefinition": td,
                                        "createdAt": now}
        if reason is None:
            self.service_deployments.insert(0, {
                "serviceDeploymentArn": self.arn("service-deployment", f"/{n}"), "serviceArn": self.arn("service"),
                "clusterArn": self.ecs.cluster_arn(self.spec["cluster"]), "createdAt": now, "startedAt": now, "updatedAt": now,
                "status": "PENDING", "lifecycleStage": "RECONCILE_SERVICE",
                "targetServiceRevision": {"arn": revision, "requestedTaskCount": desired, "runningTaskCount": 0,
                                          "pendingTaskCount": 0},
                "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 0, "threshold": 3}})
        return d

    def update(self, data):
        if self.spec.get("controller", "ECS") != "ECS" and "taskDefinition" in data:
            raise Refusal("InvalidParameterException",
                          f"Unable to update task definition on services with a {self.spec['controller']} deployment controller.")
        if "taskDefinition" in data or data.get("forceNewDeployment"):
            td = self.ecs.resolve(data.get("taskDefinition", self.deployments[0]["taskDefinition"]))
            self.old, self.step, self.lists = self.deployments[0], 0, 0
            self.ours = self.begin(td, data.get("desiredCount", self.spec.get("desired", 1)))
            self.stopped.clear()
        return self.describe()

    def describe(self):
        primary = self.deployments[0]
        out = {"serviceArn": self.arn("service"), "serviceName": self.spec["name"],
               "clusterArn": self.ecs.cluster_arn(self.spec["cluster"]), "status": self.status,
               "desiredCount": primary["desiredCount"], "runningCount": sum(d["runningCount"] for d in self.deployments),
               "pendingCount": sum(d["pendingCount"] for d in self.deployments), "taskDefinition": primary["taskDefinition"],
               "launchType": self.spec.get("launch_type", "FARGATE"), "deployments": self.deployments, "events": self.events,
               "deploymentController": {"type": self.spec.get("controller", "ECS")},
               "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200,
                                           "minimumHealthyPercent": 100}}
        return json.loads(json.dumps(out))

    # --- one step of the plan ---

    def advance(self):
        if not self.ours:
            return
        self.step += 1
        plan, polls, ours = self.spec.get("plan", "succeed"), self.spec.get("polls", 3), self.ours
        getattr(self, "plan_" + plan)(ours, polls)

    def object_of(self, deployment):
        return next((s for s in self.service_deployments if s["serviceDeploymentArn"].endswith(deployment["id"][8:])), None)

    def moving(self, ours, stage="SCALE_UP"):
        o = self.object_of(ours)
        o.update(status="IN_PROGRESS", lifecycleStage=stage, updatedAt=self.ecs.tick())

    def start_tasks(self, ours):
        if ours["runningCount"] < ours["desiredCount"]:
            ours["runningCount"] += 1
            self.event(f"has started 1 tasks: (task {self.ecs.number()}).")

    def fail_task(self, ours):
        s, n = self.spec.get("stopped", {}), self.ecs.number()
        ours["failedTasks"] += 1
        task = f"arn:aws:ecs:{self.ecs.region}:{self.ecs.state.account}:task/{self.spec['cluster']}/{n:032d}"
        td = self.ecs.task_definitions[ours["taskDefinition"]]
        container = {"containerArn": task.replace(":task/", ":container/") + "/c", "taskArn": task, "lastStatus": "STOPPED",
                     "name": td["containerDefinitions"][0]["name"], "image": td["containerDefinitions"][0].get("image", "")}
        if s.get("exit", 1) is not None:
            container["exitCode"] = s.get("exit", 1)
        if s.get("reason"):
            container["reason"] = s["reason"]
        self.stopped.insert(0, {
            "taskArn": task, "clusterArn": self.ecs.cluster_arn(self.spec["cluster"]), "taskDefinitionArn": ours["taskDefinition"],
            "group": "service:" + self.spec["name"], "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "startedBy": ours["id"],
            "stopCode": s.get("stop_code", "EssentialContainerExited"), "stoppedAt": self.ecs.tick(), "containers": [container],
            "stoppedReason": s.get("stopped_reason", "Essential container in task exited")})
        self.event(f"(deployment {ours['id']}) (task {n}) failed to start.")
        self.object_of(ours)["deploymentCircuitBreaker"]["failureCount"] += 1

    def finish(self, d):
        d.update(runningCount=d["desiredCount"], rolloutState="COMPLETED",
                 rolloutStateReason=f"ECS deployment {d['id']} completed.", updatedAt=self.ecs.tick())
        self.deployments = [d]
        self.event(f"(deployment {d['id']}) deployment completed.")
        self.event("has reached a steady state.")

    def plan_succeed(self, ours, polls):
        if self.step > polls:
            return
        self.moving(ours)
        self.start_tasks(ours)
        if self.step == polls:
            self.finish(ours)
            self.object_of(ours).update(status="SUCCESSFUL", lifecycleStage="CLEAN_UP", finishedAt=self.ecs.tick())

    def trip(self, ours):
        ours.update(rolloutState="FAILED", rolloutStateReason=TRIPPED, updatedAt=self.ecs.tick())
        self.event(f"(deployment {ours['id']}) deployment failed: tasks failed to start.")
        self.object_of(ours)["deploymentCircuitBreaker"]["status"] = "TRIGGERED"

    def plan_fail(self, ours, polls):
        if self.step > polls:
            return
        self.moving(ours)
        self.fail_task(ours)
        if self.step == polls:
            self.trip(ours)
            self.object_of(ours).update(status="STOPPED", statusReason=TRIPPED)

    def plan_rollback(self, ours, polls):
        if self.step < polls:
            self.moving(ours)
            self.fail_task(ours)
        elif self.step == polls:
            self.fail_task(ours)
            self.trip(ours)
            self.event(f"rolling back to (deployment {self.old['id']}).")
            self.begin(self.old["taskDefinition"], self.old["desiredCount"],
                       reason=f"ECS deployment circuit breaker: rolling back to deploymentId {self.old['id']}.")
            self.object_of(ours).update(status="ROLLBACK_IN_PROGRESS", statusReason="Service deployment rolled back because the "
                                        "circuit breaker threshold was exceeded.", rollback={"reason": TRIPPED})
        elif self.step == 2 * polls:
            self.finish(self.deployments[0])
            self.object_of(ours).update(status="ROLLBACK_SUCCESSFUL", finishedAt=self.ecs.tick())

    def plan_stuck(self, ours, _):
        self.moving(ours)
        self.fail_task(ours)
        self.event("is unable to consistently start tasks successfully. For more information, see the Troubleshooting section.")

    def plan_superseded(self, ours, polls):
        self.moving(ours)
        self.start_tasks(ours)
        if self.step == polls:
            self.object_of(ours).update(status="STOPPED", statusReason="Service deployment was stopped because a new service "
                                        "deployment was started.")
            self.begin(self.ecs.register({"family": "other", "containerDefinitions": [{"name": "x", "image": "x"}]}), 1)

    def plan_drained(self, ours, polls):
        self.moving(ours)
        if self.step == polls:
            self.status = "DRAINING"
            ours["runningCount"] = 0

    def plan_stopped(self, ours, polls):
        self.moving(ours)
        if self.step == polls:
            ours.update(rolloutState="FAILED", rolloutStateReason="ECS deployment was stopped.")
            self.object_of(ours).update(status="STOPPED", statusReason="Service deployment was stopped by the user.")


class Ecs:
    def __init__(self, state):
        self.state, self.region, self.clock, self.numbers = state, "us-east-1", 0.0, itertools.count(1000000000000000001)
        self.task_definitions, self.services, self.revisions = {}, {}, {}
        self.has_deployments = self.has_revisions = True

    def merge(self, script):
        self.region = script.get("region") or self.region
        self.has_deployments = script.get("service_deployments", self.has_deployments)
        self.has_revisions = script.get("describe_revisions", self.has_revisions)
        for spec in script.get("services", []):
            key = (spec["cluster"], spec["name"])
            if key in self.services:
                self.services[key].spec.update(spec)
            else:
                self.services[key] = Service(self, spec)

    def dump(self):
        return {"services": [s.describe() for s in self.services.values()],
                "task_definitions": list(self.task_definitions.values())}

    def tick(self):
        """The time, never twice the same."""
        self.clock = max(round(self.state.now(), 3), self.clock + 0.001)
        return round(self.clock, 3)

    def number(self):
        return next(self.numbers)

    def cluster_arn(self, name):
        return f"arn:aws:ecs:{self.region}:{self.state.account}:cluster/{name}"

    def register(self, data):
        family = data["family"]
        revision = 1 + max([t["revision"] for t in self.task_definitions.values() if t["family"] == family], default=0)
        arn = f"arn:aws:ecs:{self.region}:{self.state.account}:task-definition/{family}:{revision}"
        td = {k: v for k, v in data.items() if k != "tags"}
        td.update(taskDefinitionArn=arn, revision=revision, status="ACTIVE", registeredAt=self.tick(),
                  registeredBy=f"arn:aws:iam::{self.state.account}:user/ci", compatibilities=["EC2", "FARGATE"],
                  requiresAttributes=[{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}])
        self.task_definitions[arn] = td
        return arn

    def resolve(self, name, make=False):
        short = name.rsplit("/", 1)[-1]
        family, _, revision = short.partition(":")
        have = [t for t in self.task_definitions.values() if t["family"] == family and (not revision or t["revision"] == int(revision))]
        if have:
            return max(have, key=lambda t: t["revision"])["taskDefinitionArn"]
        if make:
            return self.register({"family": family, "containerDefinitions": [{"name": family, "image": "old:1"}]})
        raise Refusal("ClientException", "Unable to describe task definition.")

    def answer(self, service, action, data):
        method = getattr(self, "do_" + action, None)
        hidden = not self.has_deployments and "ServiceDeployment" in action or not self.has_revisions and "Revision" in action
        if not method or hidden:
            raise Refusal("UnknownOperationException", f"{service} {action} is not known here")
        return method(data)

    def find(self, data, name):
        cluster = data.get("cluster", "default").rsplit("/", 1)[-1]
        if not any(c == cluster for c, _ in self.services):
            raise Refusal("ClusterNotFoundException", "Cluster not found.")
        return self.services.get((cluster, name.rsplit("/", 1)[-1]))

    def do_RegisterTaskDefinition(self, data):
        extra = [k for k in data if k in DESCRIBE_ONLY]
        if extra:
            raise Refusal("InvalidParameterException", f"not members of RegisterTaskDefinition: {extra}")
        if "" in (data.get("taskRoleArn"), data.get("executionRoleArn")):
            raise Refusal("ClientException", "Role is not valid")
        for c in data["containerDefinitions"]:
            if not c.get("image") or not c.get("name"):
                raise Refusal("ClientException", "Container.image should not be null or empty.")
        return {"taskDefinition": self.task_definitions[self.register(data)], **({"tags": data["tags"]} if "tags" in data else {})}

    def do_DescribeTaskDefinition(self, data):
        return {"taskDefinition": self.task_definitions[self.resolve(data["taskDefinition"])], "tags": []}

    def do_DescribeServices(self, data):
        services, failures = [], []
        for name in data["services"]:
            s = self.find(data, name)
            if not s:
                failures.append({"arn": f"{self.cluster_arn(data.get('cluster', 'default'))}/{name}", "reason": "MISSING"})
                continue
            if not (self.has_deployments and self.has_revisions):
                s.advance()
            services.append(s.describe())
        return {"services": services, "failures": failures}

    def do_UpdateService(self, data):
        s = self.find(data, data["service"])
        if not s:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        if s.status != "ACTIVE":
            raise Refusal("ServiceNotActiveException", "Service was not ACTIVE.")
        return {"service": s.update(data)}

    def do_ListServiceDeployments(self, data):
        s = self.find(data, data["service"])
        if not s:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        s.lists += 1
        listed = s.service_deployments if s.lists > s.spec.get("listed_after", 0) else s.service_deployments[1:]
        keep = ("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "status", "statusReason")
        after = data.get("createdAt", {}).get("after", 0)
        return {"serviceDeployments": [{**{k: d[k] for k in keep if k in d}, "targetServiceRevisionArn":
                                        d["targetServiceRevision"]["arn"]} for d in listed if d["createdAt"] >= after]}

    def do_DescribeServiceDeployments(self, data):
        found, failures = [], []
        for arn in data["serviceDeploymentArns"]:
            for s in self.services.values():
                d = next((d for d in s.service_deployments if d["serviceDeploymentArn"] == arn), None)
                if d:
                    s.advance()
                    d["targetServiceRevision"]["runningTaskCount"] = s.ours["runningCount"] if s.ours else 0
                    found.append(json.loads(json.dumps(d)))
                    break
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"serviceDeployments": found, "failures": failures}

    def do_DescribeServiceRevisions(self, data):
        return {"serviceRevisions": [self.revisions[a] for a in data["serviceRevisionArns"] if a in self.revisions], "failures":
                [{"arn": a, "reason": "MISSING"} for a in data["serviceRevisionArns"] if a not in self.revisions]}

    def tasks(self):
        return [t for s in self.services.values() for t in s.stopped]

    def do_ListTasks(self, data):
        cluster = self.cluster_arn(data.get("cluster", "default").rsplit("/", 1)[-1])
        name = data.get("serviceName", "").rsplit("/", 1)[-1]
        return {"taskArns": [t["taskArn"] for t in self.tasks() if t["desiredStatus"] == data.get("desiredStatus", "RUNNING")
                             and t["clusterArn"] == cluster and (not name or t["group"] == "service:" + name)]}

    def do_DescribeTasks(self, data):
        have = {t["taskArn"]: t for t in self.tasks()}
        return {"tasks": [have[a] for a in data["tasks"] if a in have],
                "failures": [{"arn": a, "reason": "MISSING"} for a in data["tasks"] if a not in have]}

    def do_DescribeClusters(self, data):
        names = [n.rsplit("/", 1)[-1] for n in data.get("clusters", ["default"])]
        return {"clusters": [{"clusterArn": self.cluster_arn(n), "clusterName": n, "status": "ACTIVE"} for n in names
                             if any(c == n for c, _ in self.services)], "failures": []}

    def do_CreateCluster(self, data):
        name = data.get("clusterName", "default")
        self.services.setdefault((name, ""), Service(self, {"cluster": name, "name": "", "task_definition": "none:1"}))
        return {"cluster": {"clusterArn": self.cluster_arn(name), "clusterName": name, "status": "ACTIVE"}}

    def do_CreateService(self, data):
        cluster = data.get("cluster", "default").rsplit("/", 1)[-1]
        td = self.resolve(data["taskDefinition"])
        key = (cluster, data["serviceName"])
        if key in self.services:
            raise Refusal("InvalidParameterException", "Creation of service was not idempotent.")
        spec = {"cluster": cluster, "name": data["serviceName"], "task_definition": td, "desired": data.get("desiredCount", 1),
                "controller": data.get("deploymentController", {}).get("type", "ECS"), "launch_type": data.get("launchType", "EC2")}
        self.services[key] = Service(self, spec)
        return {"service": self.services[key].describe()}
