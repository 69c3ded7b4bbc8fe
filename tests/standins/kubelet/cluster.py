"""The API server as a node uses it: JSON in, JSON out."""

from __future__ import annotations

import base64
import datetime
import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

Object = Mapping[str, Any]
"""What Kubernetes has of a kind, as JSON."""

_MERGE: Final = "application/strategic-merge-patch+json"


class Cluster:
    """Safe for use by several threads."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        trusted = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]).decode())
        for name in ("certificate", "key"):
            path = kubeconfig.with_suffix(f".{name}")
            path.touch(mode=0o600)
            path.write_bytes(_decoded(user[f"client-{name}-data"]))
        trusted.load_cert_chain(kubeconfig.with_suffix(".certificate"), kubeconfig.with_suffix(".key"))
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=20)
        self._http = httpx.Client(
            base_url=cluster["server"], verify=trusted, timeout=30, limits=limits, trust_env=False
        )

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at ``path``; None when it is not there."""
        answer = self._http.get(path)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _read(answer)

    def post(self, path: str, document: Object) -> dict[str, Any]:
        return _read(self._http.post(path, json=document))

    def patch(self, path: str, document: Object) -> dict[str, Any] | None:
        """Merge ``document`` in; None when the object is gone."""
        answer = self._http.patch(path, content=json.dumps(document), headers={"content-type": _MERGE})
        return None if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT) else _read(answer)

    def delete_now(self, path: str, uid: str) -> None:
        """Remove the object without grace, if it is still the one with ``uid``."""
        document = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        answer = self._http.request("DELETE", path, json=document)
        if answer.status_code not in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT):
            _read(answer)

    def watch(self, path: str, **selectors: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """All objects there are, as ``("ADDED", object)``, a ``("SYNCED", {})``, and then each change.

        Ends when the server ends it, which it does after some minutes: begin again.
        """
        listed = _read(self._http.get(path, params=selectors))
        for found in listed["items"]:
            yield "ADDED", found
        yield "SYNCED", {}
        asked = {**selectors, "watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]}
        with self._http.stream("GET", path, params=asked, timeout=httpx.Timeout(30, read=None)) as answer:
            for line in answer.iter_lines():
                said = json.loads(line)
                if said["type"] == "ERROR":
                    return  # too old a version: begin again
                yield said["type"], said["object"]

    def event(self, about: Object, kind: str, reason: str, message: str) -> None:
        """An event about a Pod as the kubelet writes one; ``kind`` is ``Normal`` or ``Warning``."""
        meta, when = about["metadata"], now()
        document = {
            "metadata": {"generateName": f"{meta['name'][:200]}.", "namespace": meta["namespace"]},
            "involvedObject": {
                "kind": "Pod", "apiVersion": "v1", "name": meta["name"], "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "reason": reason, "message": message[:1000], "type": kind, "count": 1,
            "firstTimestamp": when, "lastTimestamp": when, "source": {"component": "kubelet-standin"},
        }  # fmt: skip
        answer = self._http.post(f"/api/v1/namespaces/{meta['namespace']}/events", json=document)
        if answer.status_code != httpx.codes.FORBIDDEN:  # a namespace that is being deleted takes none
            _read(answer)


def pod_path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise httpx.HTTPStatusError(answer.text[:800], request=answer.request, response=answer)
    found: dict[str, Any] = answer.json()
    return found


def _decoded(text: str) -> bytes:
    return base64.b64decode(text)
