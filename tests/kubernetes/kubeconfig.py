"""Kubeconfigs: how a program reaches the cluster, and as whom."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from tests.containers.home import write
from tests.kubernetes.certificates import Pair

CONTEXT = "lab"


def by_certificate(path: Path, server: str, authority: Path, pair: Pair) -> Path:
    """For components and the administrator."""
    data = {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}
    return _written(path, server, authority, data)


def by_token(path: Path, server: str, authority: Path, token: str, *, namespace: str = "default") -> Path:
    """For a service account."""
    return _written(path, server, authority, {"token": token}, namespace)


def _written(path: Path, server: str, authority: Path, user: dict[str, str], namespace: str = "default") -> Path:
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": _encoded(authority)}}],
        "users": [{"name": path.stem, "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": "lab", "user": path.stem, "namespace": namespace}}],
    }
    write(path, yaml.safe_dump(document))
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
