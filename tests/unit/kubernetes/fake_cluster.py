"""A Kubernetes API in this process, at the level of HTTP: objects in any state that a test wants. It is strict: a path,
a method, a parameter or a header that no rule here knows is answered by 501 and kept in ``unknown``, which the fixture
refuses at the end; contents of a Secret are never to be asked for. ``Fake.refuse`` lets one call be answered by an
error.

It is a stand-in: that a real API server answers so is for the slow tests on one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import urllib.parse
from datetime import UTC, datetime
from unittest import mock

import urllib3
import yaml

NAMESPACE = "team-a"
STACK = "hybrid-test"
AGENT = "hybrid-test-agent"
AGENT_ID = "1d9e8c2a-0000-4000-8000-000000000001"
STACK_LABEL = "hybrid.dagster/stack"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

_GROUPS = {
    "/api/v1": {"configmaps", "events", "namespaces", "nodes", "persistentvolumeclaims", "pods", "secrets",
                "serviceaccounts", "services", "resourcequotas"},
    "/apis/apps/v1": {"daemonsets", "deployments", "replicasets", "statefulsets"},
    "/apis/batch/v1": {"cronjobs", "jobs"},
    "/apis/rbac.authorization.k8s.io/v1": {"roles", "rolebindings"},
}  # fmt: skip
_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_METADATA_OF_LIST = _METADATA.replace("PartialObjectMetadata", "PartialObjectMetadataList")
_LISTING = {"labelSelector", "fieldSelector", "limit", "continue"}
_LOGGING = {"container", "tailLines", "limitBytes", "previous", "timestamps", "sinceTime"}


class Refused(Exception):
    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


class Fake:
    """``calls``: "list pods team-a", "delete deployments team-a/hello", "log team-a/hello-1"; ``bodies`` with them."""

    def __init__(self):
        self.objects: dict[tuple[str, str, str], dict] = {}
        self.calls: list[str] = []
        self.bodies: list[tuple[str, dict]] = []
        self.unknown: list[str] = []
        self.hooks: dict[str, object] = {}
        self.denied: set[tuple[str, str]] = set()
        self.rules: list[dict] = []
        self.logs: dict[tuple[str, str, bool], str] = {}
        self.version = {"major": "1", "minor": "34+", "gitVersion": "v1.34.2-test"}
        self.page = 500
        self.token = "fake-token-for-tests"
        self._refusals: dict[str, list[Refused]] = {}
        self._uids = itertools.count(1)

    # What a test puts there.

    def put(self, plural, name, *, namespace=NAMESPACE, labels=None, **more):
        number = next(self._uids)
        meta = {"name": name, "namespace": namespace, "uid": f"uid-{number}", "labels": dict(labels or {}),
                "creationTimestamp": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "generation": 1,
                **more.pop("metadata", {})}  # fmt: skip
        self.objects[plural, namespace, name] = made = {"metadata": meta, **more}
        return made

    def agent(self, *, replicas=1, ready=1, name=AGENT, image="dagster/agent:1", labels=None, told=None):
        selector = {"app": name}
        status = {"observedGeneration": 1, "replicas": ready, "updatedReplicas": ready, "readyReplicas": ready,
                  "availableReplicas": ready, **(told or {})}  # fmt: skip
        spec = {"replicas": replicas, "selector": {"matchLabels": selector},
                "template": {"spec": {"containers": [{"name": "agent", "image": image}]}}}  # fmt: skip
        return self.put("deployments", name, labels={STACK_LABEL: STACK, **(labels or {})}, spec=spec, status=status)

    def server(self, name="hello-prod-abc123", *, stack=STACK, agent=AGENT_ID, namespace=NAMESPACE, location="hello"):
        """A code server with its service, its config map and one pod; ``stack`` None leaves the label out."""
        own = {"managed_by": "K8sUserCodeLauncher", "agent_id": agent, "location_name": location,
               "location_hash": f"hash-of-{location}"}  # fmt: skip
        labels = own | ({STACK_LABEL: stack} if stack else {})
        spec = {"replicas": 1, "selector": {"matchLabels": {"user-deployment": name}}}
        made = self.put("deployments", name, namespace=namespace, labels=labels, spec=spec, status={})
        self.put("services", name, namespace=namespace, labels=labels)
        self.state_map(name, agent=agent, namespace=namespace)
        self.pod(f"{name}-1", namespace=namespace, labels={**labels, "user-deployment": name}, owner=made)
        return made

    def state_map(self, server, *, agent=AGENT_ID, namespace=NAMESPACE, location="", **more):
        name = "dagster-defs-state-" + hashlib.sha1(server.encode(), usedforsecurity=False).hexdigest()
        return self.put("configmaps", name, namespace=namespace,
                        labels={"managed_by": "K8sUserCodeLauncher", "agent_id": agent,
                                "location_hash": f"hash-of-{location}"}, data={"pin": ""}, **more)  # fmt: skip

    def run(self, run_id="0f3a2b1c-aaaa", *, stack=STACK, namespace=NAMESPACE, job="nightly", over=""):
        labels = {"dagster/run-id": run_id, "dagster/job": job} | ({STACK_LABEL: stack} if stack else {})
        conditions = [{"type": over, "status": "True"}] if over else []
        made = self.put("jobs", f"dagster-run-{run_id}", namespace=namespace, labels=labels,
                        status={"active": 0 if over else 1, "conditions": conditions})  # fmt: skip
        self.pod(f"dagster-run-{run_id}-x", namespace=namespace, labels=labels, owner=made,
                 phase="Succeeded" if over else "Running")  # fmt: skip
        return made

    def pod(self, name, *, namespace=NAMESPACE, labels=None, owner=None, phase="Running", node="node-1", statuses=None,
            ready=None, conditions=(), message="", reason="", limits=None):  # fmt: skip
        running = {"name": "dagster", "image": "registry.test/hello@sha256:1", "ready": phase == "Running",
                   "restartCount": 0, "state": {"running": {"startedAt": "2026-11-21T12:00:05Z"}}}  # fmt: skip
        is_ready = phase == "Running" if ready is None else ready
        told = [{"type": "Ready", "status": "True" if is_ready else "False"}, *conditions]
        owners = [{"uid": owner["metadata"]["uid"]}] if owner else []
        containers = [{"name": "dagster", "image": running["image"],
                       "resources": {"limits": {"memory": limits}} if limits else {}}]  # fmt: skip
        return self.put("pods", name, namespace=namespace, labels=labels, metadata={"ownerReferences": owners},
                        spec={"nodeName": node, "containers": containers},
                        status={"phase": phase, "reason": reason, "message": message, "conditions": told,
                                "startTime": "2026-11-21T12:00:01Z",
                                "containerStatuses": [running] if statuses is None else statuses})  # fmt: skip

    def agent_pod(self, name=f"{AGENT}-1", **more):
        return self.pod(name, labels={STACK_LABEL: STACK, "app": AGENT}, **more)

    def event(self, about, reason, message, *, kind="Warning", count=1, at="2026-11-21T12:01:00Z", about_kind="Pod"):
        number = next(self._uids)
        return self.put("events", f"event-{number}", type=kind, reason=reason, message=message, count=count,
                        lastTimestamp=at, involvedObject={"kind": about_kind, "name": about["metadata"]["name"],
                                                          "uid": about["metadata"]["uid"]})  # fmt: skip

    def refuse(self, call, status=403, reason="Forbidden", message="because", times=1):
        self._refusals.setdefault(call, []).extend([Refused(status, reason, message)] * times)

    def left(self, plural):
        return sorted(name for kind, _, name in self.objects if kind == plural)

    # What the API does.

    def answer(self, method, target, headers, body):
        split = urllib.parse.urlsplit(target)
        path, query = split.path, dict(urllib.parse.parse_qsl(split.query))
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise Refused(401, "Unauthorized", "Unauthorized")
        if (method, path) == ("GET", "/version"):
            self._called("version")
            return self.version
        if method == "POST" and path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            return self._reviewed(body)
        if method == "POST" and path == "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews":
            self._called(f"rules {body['spec']['namespace']}")
            return {**body, "status": {"resourceRules": self.rules, "incomplete": False}}
        kind, namespace, name, part = self._parts(path)
        where = f"{namespace}/{name}" if namespace and name else namespace or name
        if part == "log" and kind == "pods" and method == "GET":
            return self._log(namespace, name, query)
        if part:
            raise Refused(501, "NotImplemented", f"no part {part}")
        if method == "GET" and not name:
            return self._list(kind, namespace, query, headers)
        if method == "GET":
            self._known(query, set())
            self._called(f"get {kind} {where}")
            return self._shown(kind, self._object(kind, namespace, name), headers)
        if method == "DELETE" and name:
            return self._delete(kind, namespace, name, query, body, where)
        raise Refused(501, "NotImplemented", f"no {method}")

    def _called(self, call, body=None):
        self.calls.append(call)
        if body is not None:
            self.bodies.append((call, body))
        for begin, hook in list(self.hooks.items()):
            if call.startswith(begin):
                hook()
        for begin, refusals in self._refusals.items():
            if call.startswith(begin) and refusals:
                raise refusals.pop(0)

    def _known(self, query, names):
        if wrong := set(query) - names:
            raise Refused(501, "NotImplemented", f"no parameters {wrong}")

    def _parts(self, path):
        for prefix, plurals in _GROUPS.items():
            if path.startswith(f"{prefix}/"):
                rest = [urllib.parse.unquote(part) for part in path.removeprefix(f"{prefix}/").split("/")]
                namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""
                rest = rest[2:] if namespace else rest
                if rest[0] in plurals and len(rest) <= 3:
                    return (rest[0], namespace, *(rest[1:] + ["", ""])[:2])
        raise Refused(501, "NotImplemented", f"no path {path}")

    def _object(self, kind, namespace, name):
        found = self.objects.get((kind, namespace, name))
        if found is None:
            raise Refused(404, "NotFound", f'{kind} "{name}" not found')
        return found

    def _shown(self, kind, given, headers, metadata=_METADATA):
        if headers.get("Accept") == metadata:
            return {"kind": "PartialObjectMetadata", "metadata": given["metadata"]}
        if headers.get("Accept") != "application/json":
            raise Refused(406, "NotAcceptable", f"you requested {headers.get('Accept')}")
        if kind == "secrets":
            raise Refused(501, "NotImplemented", "contents of a Secret were asked for")
        return given

    def _list(self, kind, namespace, query, headers):
        self._known(query, _LISTING)
        self._called(f"list {kind} {namespace}".rstrip())
        wanted = [part.partition("=") for part in query.get("labelSelector", "").split(",") if part]
        found = [
            one
            for (plural, within, _), one in sorted(self.objects.items())
            if plural == kind and namespace in {"", within} and all(
                name in one["metadata"]["labels"] and (not sign or one["metadata"]["labels"][name] == value)
                for name, sign, value in wanted
            ) and self._fields(one, query.get("fieldSelector", ""))
        ]  # fmt: skip
        first = int(query.get("continue") or 0)
        size = min(int(query["limit"]), self.page)
        after = first + size
        shown = [self._shown(kind, one, headers, _METADATA_OF_LIST) for one in found[first:after]]
        return {"metadata": {"continue": str(after) if after < len(found) else ""}, "items": shown}

    def _fields(self, given, fields):
        name, _, value = fields.partition("=")
        if not fields:
            return True
        if name != "involvedObject.uid":
            raise Refused(501, "NotImplemented", f"no field {name}")
        return given["involvedObject"]["uid"] == value

    def _delete(self, kind, namespace, name, query, body, where):
        self._known(query, set())
        said = body.get("propagationPolicy"), set(body.get("preconditions", ()))
        if set(body) != {"propagationPolicy", "preconditions"} or said != ("Background", {"uid"}):
            raise Refused(501, "NotImplemented", f"no such way to delete: {body}")
        self._called(f"delete {kind} {where}")
        given = self._object(kind, namespace, name)
        if body["preconditions"] != {"uid": given["metadata"]["uid"]}:
            raise Refused(409, "Conflict", "the UID in the precondition does not match")
        self.remove(kind, namespace, name)
        return {"kind": "Status", "status": "Success"}

    def remove(self, kind, namespace, name):
        """As the garbage collector: what belongs to it goes, too."""
        gone = self.objects.pop((kind, namespace, name))
        uid = gone["metadata"]["uid"]
        for key, one in list(self.objects.items()):
            if uid in {owner["uid"] for owner in one["metadata"].get("ownerReferences", [])}:
                del self.objects[key]

    def _log(self, namespace, name, query):
        self._known(query, _LOGGING)
        self._called(f"log {namespace}/{name}")
        self._object("pods", namespace, name)
        key = name, query["container"], query.get("previous") == "true"
        if key not in self.logs:
            raise Refused(400, "BadRequest", f'container "{key[1]}" in pod "{name}" is waiting to start')
        text = self.logs[key]
        if "tailLines" in query:
            text = "\n".join(text.splitlines()[-int(query["tailLines"]) :])
        if query.get("timestamps") != "true":
            text = "\n".join(line.partition(" ")[2] for line in text.splitlines())
        if "sinceTime" in query:
            text = "\n".join(line for line in text.splitlines() if line >= query["sinceTime"][:-1])
        return text.encode()

    def _reviewed(self, body):
        asked = body["spec"]["resourceAttributes"]
        if set(asked) - {"namespace", "verb", "group", "resource", "subresource", "name"}:
            raise Refused(501, "NotImplemented", f"no such review {asked}")
        resource = asked["resource"] + (f"/{asked['subresource']}" if asked.get("subresource") else "")
        self._called(f"review {asked['verb']} {resource} {asked.get('namespace', '')}".rstrip())
        return {**body, "status": {"allowed": (asked["verb"], resource) not in self.denied}}


@contextlib.contextmanager
def served(fake, folder):
    """The fake behind an address, and a kubeconfig that leads there, with the contexts `test` (current) and `other`.
    Requests are taken where the client would open a connection: whole, and without a socket's turns."""
    fake.address = "http://cluster.test:6443"
    fake.kubeconfig = str(write_kubeconfig(folder / "kubeconfig", fake.address, fake.token))
    own = urllib3.PoolManager.urlopen

    def urlopen(manager, method, url, redirect=True, **more):
        if not url.startswith(f"{fake.address}/"):
            return own(manager, method, url, redirect, **more)
        body, sent = more.get("body"), urllib3.HTTPHeaderDict(more["headers"])
        try:
            told = fake.answer(method, url.removeprefix(fake.address), sent, body and json.loads(body))
            status, text = 200, told if isinstance(told, bytes) else json.dumps(told).encode()
        except Refused as refused:
            if refused.status == 501:
                fake.unknown.append(f"{method} {url}: {refused.message}")
            status = refused.status
            text = json.dumps({"kind": "Status", "reason": refused.reason, "message": refused.message}).encode()
        headers = {"Content-Type": "application/json" if text.startswith(b"{") else "text/plain"}
        preload = more.get("preload_content", True)
        return urllib3.HTTPResponse(io.BytesIO(text), headers, status, preload_content=preload)

    with mock.patch.object(urllib3.PoolManager, "urlopen", urlopen):
        yield fake


def write_kubeconfig(path, address, token, *, current="test", user=None):
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": "test", "cluster": {"server": address}}],
        "users": [{"name": "test", "user": user or {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": "test", "user": "test"}} for name in ("test", "other")],
    }
    path.write_text(yaml.safe_dump({key: value for key, value in told.items() if value is not None}))
    path.chmod(0o600)
    return path
