"""Objects of a cluster by manifest: applied, read, deleted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

import kubernetes
from kubernetes.client import ApiClient, ApiException

Manifest = Mapping[str, Any]

_MANAGER: Final = "pulumi-kubernetes"
_SKIP: Final = "pulumi.com/skipAwait"
_LOOK: Final = 0.3
_ROLLOUT_SECONDS: Final = 600.0
_DELETE_SECONDS: Final = 600.0


class ObjectError(Exception):
    """What the API server said, or what did not come about in time."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Objects:
    """Those of one cluster."""

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        """``kubeconfig``: a path or the text of one; None for the usual place."""
        self._api = _client(kubeconfig, context)
        self._places: dict[tuple[str, str], tuple[str, bool]] = {}

    def apply(self, manifest: Manifest, *, dry_run: bool) -> dict[str, Any]:
        """The object as it is then."""
        query = [("fieldManager", _MANAGER), ("force", "true"), *([("dryRun", "All")] if dry_run else [])]
        return self._asked("PATCH", self._path(manifest), query, dict(manifest), "application/apply-patch+yaml")

    def read(self, manifest: Manifest) -> dict[str, Any] | None:
        """None when there is none."""
        try:
            return self._asked("GET", self._path(manifest))
        except ObjectError as error:
            if error.status == 404:
                return None
            raise

    def delete(self, manifest: Manifest, seconds: float) -> None:
        """Returns when it is gone, with all that it owned."""
        policy = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
        try:
            self._asked("DELETE", self._path(manifest), body=policy)
        except ObjectError as error:
            if error.status == 404:
                return
            raise
        self._until(lambda: self.read(manifest) is None, seconds or _DELETE_SECONDS, f"{_named(manifest)} is gone")

    def await_ready(self, manifest: Manifest, seconds: float) -> None:
        """Wait for a Deployment's rollout, unless its annotation says not to."""
        notes = manifest["metadata"].get("annotations") or {}
        if manifest["kind"] == "Deployment" and str(notes.get(_SKIP, "")).lower() != "true":
            self._until(
                lambda: _rolled_out(self.read(manifest) or {}), seconds or _ROLLOUT_SECONDS,
                f"{_named(manifest)} is rolled out",
            )  # fmt: skip

    def _path(self, manifest: Manifest) -> str:
        group, kind, meta = str(manifest["apiVersion"]), str(manifest["kind"]), manifest["metadata"]
        if (group, kind) not in self._places:
            listed = self._asked("GET", _root(group))["resources"]
            for one in listed:
                if "/" not in one["name"]:
                    self._places[group, one["kind"]] = (one["name"], one["namespaced"])
        if (group, kind) not in self._places:
            raise ObjectError(f"the cluster has no {kind} of {group}")
        plural, namespaced = self._places[group, kind]
        within = f"/namespaces/{meta.get('namespace') or 'default'}" if namespaced else ""
        return f"{_root(group)}{within}/{plural}/{meta['name']}"

    def _asked(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: Any = None,
        content: str = "application/json",
    ) -> dict[str, Any]:  # fmt: skip
        headers = {"Accept": "application/json", "Content-Type": content}
        try:
            answer = self._api.call_api(
                path, method, query_params=query or [], header_params=headers, body=body,
                auth_settings=["BearerToken"], _preload_content=False, _request_timeout=60,
            )  # fmt: skip
        except ApiException as error:
            raise ObjectError(_said(error), int(error.status or 0)) from None
        found: dict[str, Any] = json.loads(answer.data)
        return found

    def _until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise ObjectError(f"not within {seconds:.0f} s: {what}")
            time.sleep(_LOOK)


def _client(kubeconfig: str | None, context: str | None) -> ApiClient:
    if kubeconfig is None or Path(kubeconfig).expanduser().is_file():
        path = str(Path(kubeconfig).expanduser()) if kubeconfig else None
        return kubernetes.config.new_client_from_config(path, context=context)
    return kubernetes.config.new_client_from_config_dict(yaml.safe_load(kubeconfig), context=context)


def _root(group: str) -> str:
    return f"/apis/{group}" if "/" in group else f"/api/{group}"


def _rolled_out(found: Manifest) -> bool:
    wanted, status = (found.get("spec") or {}).get("replicas", 1), found.get("status") or {}
    seen = status.get("observedGeneration") == (found.get("metadata") or {}).get("generation")
    return seen and all(status.get(name, 0) == wanted for name in ("replicas", "updatedReplicas", "availableReplicas"))


def _named(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _said(error: ApiException) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"
