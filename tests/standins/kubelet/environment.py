"""The environment of a container, from its Pod's words."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tests.standins.kubelet import failures
from tests.standins.kubelet.cluster import Cluster, Object

_REFERENCE: Final = re.compile(r"\$\$|\$\(([A-Za-z_.-][\w.-]*)\)")
_MAP_FIELD: Final = re.compile(r"^metadata\.(labels|annotations)\['([^']+)'\]$")


class Values:
    """Reads config maps and secrets of one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def of(self, kind: str, name: str) -> dict[str, bytes] | None:
        """The data of a ``configmap`` or ``secret``; None when there is none."""
        found = self._cluster.get(f"/api/v1/namespaces/{self._namespace}/{kind}s/{name}")
        if found is None:
            return None
        plain = {} if kind == "secret" else found.get("data") or {}
        encoded = (found.get("data") if kind == "secret" else found.get("binaryData")) or {}
        return {
            **{key: text.encode() for key, text in plain.items()},
            **{key: base64.b64decode(text) for key, text in encoded.items()},
        }


def environment_of(container: Object, pod: Object, values: Values, server: str, address: str) -> dict[str, str]:
    """All variables. Raises WaitingError for what is named and not there."""
    found = _of_service(server)
    for source in container.get("envFrom") or []:
        kind, reference = ("secret", source["secretRef"]) if "secretRef" in source else (
            "configmap", source["configMapRef"])  # fmt: skip
        data = values.of(kind, reference["name"])
        if data is None and not reference.get("optional"):
            raise failures.config(f'{kind} "{reference["name"]}" not found')
        found |= {f"{source.get('prefix', '')}{key}": text.decode() for key, text in (data or {}).items()}
    for variable in container.get("env") or []:
        value = _value_of(variable, container, pod, values, address)
        if value is not None:
            found[variable["name"]] = expanded(value, found)
    return found


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """``text`` with ``$(NAME)`` replaced; one that is not known stays as it is, and ``$$`` is a ``$``."""

    def replaced(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return _REFERENCE.sub(replaced, text)


def field(pod: Object, path: str, address: str) -> str:
    """What the downward API has at ``path``."""
    if match := _MAP_FIELD.match(path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        given = pod["metadata"].get(path.split(".")[1]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(given.items()))
    if path in ("status.podIP", "status.podIPs"):
        return address
    found: Any = pod
    for part in path.split("."):
        found = (found or {}).get(part)
    return "" if found is None else str(found)


def _value_of(variable: Object, container: Object, pod: Object, values: Values, address: str) -> str | None:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value", ""))
    if reference := source.get("fieldRef"):
        return field(pod, reference["fieldPath"], address)
    if reference := source.get("resourceFieldRef"):
        group, _, what = reference["resource"].partition(".")
        return str((container.get("resources", {}).get(group) or {}).get(what, ""))
    kind = "secret" if "secretKeyRef" in source else "configmap"
    reference = source.get("secretKeyRef") or source["configMapKeyRef"]
    data = values.of(kind, reference["name"])
    if data is not None and reference["key"] in data:
        return data[reference["key"]].decode()
    if reference.get("optional"):
        return None
    where = f'{kind} "{reference["name"]}" not found'
    raise failures.config(where if data is None else f"couldn't find key {reference['key']} in {kind} "
                          f"{pod['metadata']['namespace']}/{reference['name']}")  # fmt: skip


def _of_service(server: str) -> dict[str, str]:
    """Of the API server only; other services' variables are the network's names here."""
    parts = urlsplit(server)
    host, port = str(parts.hostname), str(parts.port)
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "KUBERNETES_SERVICE_PORT_HTTPS": port,
        "KUBERNETES_PORT": f"tcp://{host}:{port}",
    }
