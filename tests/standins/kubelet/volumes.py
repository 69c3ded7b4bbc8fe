"""The volumes of a Pod as folders of this machine, which containers mount."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.standins.kubelet.cluster import Cluster, Object
from tests.standins.kubelet.environment import Values, field
from tests.standins.kubelet.failures import VolumeError

_SHORTEST_TOKEN: Final = 3600


class Volumes:
    """Those of one Pod, under ``folder``."""

    def __init__(self, cluster: Cluster, pod: Object, folder: Path) -> None:
        self._cluster, self._pod, self.folder = cluster, pod, folder
        self._values = Values(cluster, pod["metadata"]["namespace"])

    def set_up(self, address: str) -> None:
        """Write them all; again is safe. Raises VolumeError for the first that cannot be had."""
        for volume in self._pod["spec"].get("volumes") or []:
            place = self.folder / volume["name"]
            place.mkdir(parents=True, exist_ok=True)
            if "emptyDir" in volume:
                place.chmod(0o777)
                continue
            for name, (content, mode) in self._files(volume, address).items():
                _write(place, name, content, mode)

    def binds(self, container: Object, hosts: Path) -> list[str]:
        """Docker's binds of a container's mounts, and of the names of services."""
        found = [f"{hosts}:/etc/hosts:rw"]
        for mount in container.get("volumeMounts") or []:
            source = self.folder / mount["name"]
            if sub := mount.get("subPath"):
                source = _inside(source, sub)
                if not source.exists():
                    source.mkdir(parents=True)
                    source.chmod(0o777)
            found.append(f"{source}:{mount['mountPath']}:{'ro' if mount.get('readOnly') else 'rw'}")
        return found

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self, volume: Object, address: str) -> dict[str, tuple[bytes, int]]:
        sources = volume["projected"]["sources"] if "projected" in volume else [volume]
        mode = next((one.get("defaultMode") for one in volume.values() if isinstance(one, dict)), None) or 0o644
        found: dict[str, tuple[bytes, int]] = {}
        for source in sources:
            for name, content, own in self._of_source(volume["name"], source, address):
                found[name] = (content, own or mode)
        return found

    def _of_source(self, volume: str, source: Object, address: str) -> Iterator[tuple[str, bytes, int | None]]:
        if given := source.get("serviceAccountToken"):
            yield given["path"], self._token(given), None
        elif given := source.get("downwardAPI"):
            for item in given.get("items") or []:
                yield item["path"], field(self._pod, item["fieldRef"]["fieldPath"], address).encode(), item.get("mode")
        elif "configMap" in source or "secret" in source:
            yield from self._of_values(volume, source)
        else:
            kind = next((name for name in source if name != "name"), "?")
            raise VolumeError(f'MountVolume.SetUp failed for volume "{volume}": a {kind} is not to be had on this node')

    def _of_values(self, volume: str, source: Object) -> Iterator[tuple[str, bytes, int | None]]:
        kind = "configmap" if "configMap" in source else "secret"
        given: Mapping[str, Any] = source["configMap"] if kind == "configmap" else source["secret"]
        name = given.get("secretName") or given["name"]
        data = self._values.of(kind, name)
        optional = given.get("optional", False)
        if data is None and not optional:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{volume}" : {kind} "{name}" not found')
        items = given.get("items") or [{"key": key, "path": key} for key in data or {}]
        for item in items:
            if item["key"] in (data or {}):
                yield item["path"], (data or {})[item["key"]], item.get("mode")
            elif not optional:
                key = item["key"]
                raise VolumeError(
                    f'MountVolume.SetUp failed for volume "{volume}" : references non-existent {kind} key: {key}'
                )

    def _token(self, given: Object) -> bytes:
        meta, account = self._pod["metadata"], self._pod["spec"]["serviceAccountName"]
        spec: dict[str, Any] = {
            "expirationSeconds": max(int(given.get("expirationSeconds", 0)), _SHORTEST_TOKEN),
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]},
        }
        if audience := given.get("audience"):
            spec["audiences"] = [audience]
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
        document = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self._cluster.post(path, document)["status"]["token"]).encode()


def _write(place: Path, name: str, content: bytes, mode: int) -> None:
    path = _inside(place, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.chmod(mode)
    part.replace(path)


def _inside(place: Path, name: str) -> Path:
    path = Path(os.path.normpath(place / name))
    if place != path and place not in path.parents:
        raise VolumeError(f"{name} leads out of the volume")
    return path
