"""docker:index/volume:Volume."""

from __future__ import annotations

import docker.errors
from hybrid.provider.properties import Properties
from tests.standins.docker.kind import Found, Kind, Session, as_labels, labels, removed
from tests.standins.docker.shape import EACH, Property


class Volume(Kind):
    token = "docker:index/volume:Volume"
    properties = {
        "name": Property(str),
        "driver": Property(str, default="local"),
        "driverOpts": Property({EACH: str}),
        "labels": Property([{"label!": str, "value!": str}], unordered=True),
    }
    computed = ("mountpoint",)

    def create(self, session: Session, inputs: Properties) -> Found:
        made = session.client.api.create_volume(
            inputs["name"],
            driver=inputs.get("driver", "local"),
            driver_opts=inputs.get("driverOpts"),
            labels=labels(inputs.get("labels")),
        )
        return Found(made["Name"], {"mountpoint": made["Mountpoint"]})

    def read(self, session: Session, id: str, inputs: Properties) -> Found | None:
        try:
            seen = session.client.api.inspect_volume(id)
        except docker.errors.NotFound:
            return None
        found: Properties = {}
        if not inputs:
            found = {"name": seen["Name"], "driver": seen["Driver"]}
            if seen.get("Labels"):
                found["labels"] = as_labels(seen["Labels"])
            if seen.get("Options"):
                found["driverOpts"] = seen["Options"]
        return Found(seen["Name"], {"mountpoint": seen["Mountpoint"]}, found)

    def delete(self, session: Session, id: str, inputs: Properties) -> None:
        removed(lambda: session.client.api.remove_volume(id, force=True), in_use="volume is in use")
