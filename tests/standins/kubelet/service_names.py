"""The names of services, as lines of /etc/hosts in each Pod: they lead to the service's ready Pods."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.standins.kubelet.cluster import Object

_SIZE: Final = 64 * 1024
"""All files are as long, filled with empty lines: a reader in a container never sees half of a new one."""
_SERVICE: Final = "kubernetes.io/service-name"


class ServiceNames:
    """One file a namespace, which the containers of its Pods mount."""

    def __init__(self, folder: Path, server: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._api = folder, str(urlsplit(server).hostname)
        self._slices: dict[str, Object] = {}
        self._namespaces: set[str] = set()
        self._one = threading.Lock()

    def file_for(self, namespace: str) -> Path:
        """The file for Pods of ``namespace``; it is kept as endpoints are."""
        with self._one:
            if namespace not in self._namespaces:
                self._namespaces.add(namespace)
                self._write(namespace)
        return self._folder / namespace

    def change(self, kind: str, endpoints: Object) -> None:
        """An EndpointSlice was added, modified or deleted."""
        with self._one:
            uid = endpoints["metadata"]["uid"]
            if kind == "DELETED":
                self._slices.pop(uid, None)
            else:
                self._slices[uid] = endpoints
            for namespace in self._namespaces:
                self._write(namespace)

    def forget(self) -> None:
        """All are told anew."""
        with self._one:
            self._slices.clear()

    def _write(self, namespace: str) -> None:
        text = hosts_text(self._slices, namespace, self._api).encode()
        if len(text) > _SIZE:
            raise ValueError(f"more services than {_SIZE} bytes of /etc/hosts name")
        written = os.open(self._folder / namespace, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(written, text.ljust(_SIZE, b"\n"), 0)  # in place: a mount holds on to the file itself
        finally:
            os.close(written)


def hosts_text(slices: Mapping[str, Object], namespace: str, api: str) -> str:
    """The lines for Pods of ``namespace``; services of others go by ``name.namespace`` and longer."""
    lines = [
        "127.0.0.1 localhost",
        f"{api} kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local",
    ]
    for endpoints in slices.values():
        meta = endpoints["metadata"]
        service = (meta.get("labels") or {}).get(_SERVICE)
        if service is None:
            continue
        full = f"{service}.{meta['namespace']}"
        names = [
            full,
            f"{full}.svc",
            f"{full}.svc.cluster.local",
            *([service] if meta["namespace"] == namespace else []),
        ]
        for endpoint in endpoints.get("endpoints") or []:
            if (endpoint.get("conditions") or {}).get("ready", True):
                lines += [f"{address} {' '.join(names)}" for address in endpoint["addresses"]]
    return "\n".join(lines) + "\n"
