"""docker:index/network:Network."""

from __future__ import annotations

from typing import Any, Final

import docker.errors
from docker.types import IPAMConfig, IPAMPool
from hybrid.provider.properties import Properties
from tests.standins.docker.kind import Found, Kind, Session, as_labels, labels, removed
from tests.standins.docker.shape import EACH, Property

_POOL: Final = {"auxAddress": {EACH: str}, "gateway": str, "ipRange": str, "subnet": str}


class Network(Kind):
    token = "docker:index/network:Network"
    properties = {
        "name": Property(str),
        "driver": Property(str, default="bridge"),
        "labels": Property([{"label!": str, "value!": str}], unordered=True),
        "internal": Property(bool, default=False),
        "attachable": Property(bool, default=False),
        "ipv6": Property(bool, default=False),
        "options": Property({EACH: str}),
        "ipamDriver": Property(str, default="default"),
        "ipamConfigs": Property([_POOL], unordered=True),
    }
    computed = ("scope",)

    def create(self, session: Session, inputs: Properties) -> Found:
        made = session.client.api.create_network(
            inputs["name"],
            driver=inputs.get("driver", "bridge"),
            options=inputs.get("options"),
            ipam=_ipam(inputs),
            check_duplicate=True,
            internal=inputs.get("internal", False),
            labels=labels(inputs.get("labels")),
            enable_ipv6=inputs.get("ipv6", False),
            attachable=inputs.get("attachable"),
        )
        seen = session.client.api.inspect_network(made["Id"])
        return Found(made["Id"], {"scope": seen["Scope"]})

    def read(self, session: Session, id: str, inputs: Properties) -> Found | None:
        try:
            seen = session.client.api.inspect_network(id)
        except docker.errors.NotFound:
            return None
        found = {} if inputs else _as_inputs(seen)
        return Found(seen["Id"], {"scope": seen["Scope"]}, found)

    def delete(self, session: Session, id: str, inputs: Properties) -> None:
        removed(lambda: session.client.api.remove_network(id), in_use="has active endpoints")


def _ipam(inputs: Properties) -> IPAMConfig | None:
    if not inputs.get("ipamConfigs") and "ipamDriver" not in inputs:
        return None
    pools = [
        IPAMPool(pool.get("subnet"), pool.get("ipRange"), pool.get("gateway"), pool.get("auxAddress"))
        for pool in inputs.get("ipamConfigs", [])
    ]
    return IPAMConfig(driver=inputs.get("ipamDriver", "default"), pool_configs=pools)


def _as_inputs(seen: dict[str, Any]) -> Properties:
    """What an import takes over: whatever is not the engine's default."""
    found: Properties = {"name": seen["Name"], "driver": seen["Driver"]}
    if seen["Labels"]:
        found["labels"] = as_labels(seen["Labels"])
    if seen["Internal"]:
        found["internal"] = True
    if seen["Options"]:
        found["options"] = seen["Options"]
    return found
