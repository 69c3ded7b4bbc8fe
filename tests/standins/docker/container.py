"""docker:index/container:Container."""

from __future__ import annotations

import time
from typing import Any, Final

import docker.errors
from hybrid.provider.properties import Properties
from tests.standins.docker.container_config import MEGABYTE, config, restart_policy
from tests.standins.docker.kind import Found, Kind, PartialError, PluginError, Session
from tests.standins.docker.remote_image import image_of
from tests.standins.docker.shape import EACH, Property
from tests.standins.docker.upload import UPLOAD, upload

_LOOK: Final = 0.1
_START_SECONDS: Final = 15.0  # the plugin's containerReadRefreshTimeoutMilliseconds
_MOUNT: Final = {
    "target!": str,
    "type!": str,
    "source": str,
    "readOnly": bool,
    "bindOptions": {"propagation": str},
    "tmpfsOptions": {"mode": int, "sizeBytes": int},
    "volumeOptions": {
        "driverName": str,
        "driverOptions": {EACH: str},
        "labels": [{"label!": str, "value!": str}],
        "noCopy": bool,
    },
}
_HEALTH: Final = {
    "tests!": [str],
    "interval": str,
    "timeout": str,
    "startPeriod": str,
    "startInterval": str,
    "retries": int,
}
_VOLUME: Final = {"containerPath": str, "hostPath": str, "readOnly": bool, "volumeName": str, "fromContainer": str}
_NETWORK: Final = {"name!": str, "aliases": [str], "ipv4Address": str, "ipv6Address": str}

# Taken by the plugin without replacing the container, and without any effect on one that runs.
_WITHOUT_EFFECT: Final = ("healthcheck", "tmpfs", "init", "rm")
_UPDATED: Final = ("restart", "maxRetryCount", "cpuShares", "memory", "cpuSet", "memorySwap")


class Container(Kind):
    token = "docker:index/container:Container"
    properties = {
        "capabilities": Property({"adds": [str], "drops": [str]}),
        "cgroupParent": Property(str),
        "command": Property([str]),
        "containerReadRefreshTimeoutMilliseconds": Property(int, in_place=True, default=15000),
        "cpuPeriod": Property(int),
        "cpuQuota": Property(int),
        "cpuSet": Property(str, in_place=True),
        "cpuShares": Property(int, in_place=True),
        "cpus": Property(str),
        "destroyGraceSeconds": Property(int, in_place=True),
        "dns": Property([str], unordered=True),
        "dnsOpts": Property([str], unordered=True),
        "dnsSearches": Property([str], unordered=True),
        "domainname": Property(str),
        "entrypoints": Property([str]),
        "envs": Property([str], unordered=True),
        "groupAdds": Property([str], unordered=True),
        "healthcheck": Property(_HEALTH, in_place=True),
        "hostname": Property(str),
        "hosts": Property([{"host!": str, "ip!": str}], unordered=True),
        "image": Property(str, required=True),
        "init": Property(bool, in_place=True),
        "ipcMode": Property(str),
        "labels": Property([{"label!": str, "value!": str}], unordered=True),
        "logDriver": Property(str),
        "logOpts": Property({EACH: str}),
        "maxRetryCount": Property(int, in_place=True),
        "memory": Property(int, in_place=True),
        "memoryReservation": Property(int),
        "memorySwap": Property(int, in_place=True),
        "mounts": Property([_MOUNT], unordered=True),
        "mustRun": Property(bool, in_place=True, default=True),
        "name": Property(str),
        "networkMode": Property(str, default="bridge"),
        "networksAdvanced": Property([_NETWORK], unordered=True),
        "pidMode": Property(str),
        "ports": Property([{"internal!": int, "external": int, "ip": str, "protocol": str}]),
        "privileged": Property(bool, default=False),
        "publishAllPorts": Property(bool, default=False),
        "readOnly": Property(bool, default=False),
        "removeVolumes": Property(bool, in_place=True, default=True),
        "restart": Property(str, in_place=True, default="no"),
        "rm": Property(bool, in_place=True, default=False),
        "securityOpts": Property([str], unordered=True),
        "shmSize": Property(int),
        "start": Property(bool, in_place=True, default=True),
        "stdinOpen": Property(bool, default=False),
        "stopSignal": Property(str),
        "stopTimeout": Property(int),
        "storageOpts": Property({EACH: str}),
        "sysctls": Property({EACH: str}),
        "tmpfs": Property({EACH: str}, in_place=True),
        "tty": Property(bool, default=False),
        "ulimits": Property([{"name!": str, "soft!": int, "hard!": int}], unordered=True),
        "uploads": Property([UPLOAD], unordered=True),
        "user": Property(str),
        "usernsMode": Property(str),
        "volumes": Property([_VOLUME], unordered=True),
        "wait": Property(bool, in_place=True, default=False),
        "waitTimeout": Property(int, in_place=True, default=60),
        "workingDir": Property(str),
    }
    computed = ("bridge", "networkDatas", "exitCode")

    def create(self, session: Session, inputs: Properties) -> Found:
        api = session.client.api
        image_of(session, inputs["image"], None)
        id = api.create_container_from_config(config(inputs), inputs["name"])["Id"]
        try:
            _connect(session, id, inputs)
            for file in inputs.get("uploads", []):
                upload(session, id, file)
            if inputs.get("start", True):
                api.start(id)
                _await_running(session, id, inputs)
        except PartialError:
            raise
        except (PluginError, docker.errors.APIError, OSError):
            api.remove_container(id, v=True, force=True)
            raise
        return Found(id, _outputs(api.inspect_container(id)))

    def read(self, session: Session, id: str, inputs: Properties) -> Found | None:
        try:
            seen = session.client.api.inspect_container(id)
        except docker.errors.NotFound:
            return None
        return Found(seen["Id"], _outputs(seen), _drift(seen, inputs) if inputs else _as_inputs(seen))

    def update(self, session: Session, id: str, old: Properties, inputs: Properties) -> Found:
        api = session.client.api
        for name in _WITHOUT_EFFECT:
            if old.get(name) != inputs.get(name):
                session.warn(f"'{name}' is noted, but a container that runs keeps its own until it is replaced")
        if any(old.get(name) != inputs.get(name) for name in _UPDATED):
            api._raise_for_status(  # docker-py's own update_container leaves out the number of retries
                api._post_json(api._url("/containers/{0}/update", id), data=_updated(inputs))
            )
        seen = api.inspect_container(id)
        if inputs.get("mustRun", True) and inputs.get("start", True) and not seen["State"]["Running"]:
            api.start(id)
            _await_running(session, id, inputs)
        return Found(id, _outputs(api.inspect_container(id)))

    def delete(self, session: Session, id: str, inputs: Properties) -> None:
        api = session.client.api
        try:
            if grace := inputs.get("destroyGraceSeconds"):
                api.stop(id, timeout=grace)
            api.remove_container(id, v=inputs.get("removeVolumes", True), force=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if "already in progress" not in str(error):
                raise


def _connect(session: Session, id: str, inputs: Properties) -> None:
    """Named networks take the place of the default one."""
    networks = inputs.get("networksAdvanced") or []
    if networks and inputs.get("networkMode", "bridge") == "bridge":
        session.client.api.disconnect_container_from_network(id, "bridge")
    for network in networks:
        session.client.api.connect_container_to_network(
            id,
            network["name"],
            aliases=network.get("aliases"),
            ipv4_address=network.get("ipv4Address"),
            ipv6_address=network.get("ipv6Address"),
        )


def _await_running(session: Session, id: str, inputs: Properties) -> None:
    must_run, healthy = inputs.get("mustRun", True), inputs.get("wait", False)
    limit = inputs.get("waitTimeout", 60) if healthy else _START_SECONDS
    until = time.monotonic() + limit
    time.sleep(_LOOK)  # as the plugin: what ends at once has ended by then
    while True:
        seen = session.client.api.inspect_container(id)
        state = seen["State"]
        if not state["Running"] and not state["Restarting"] and must_run:
            raise PluginError(f"container exited immediately, code {state['ExitCode']}: {_last_words(session, id)}")
        if healthy and "Health" not in state:
            raise PluginError("'wait' needs a container with a health check")
        if not healthy or state["Health"]["Status"] == "healthy":
            return
        if state["Health"]["Status"] == "unhealthy" or time.monotonic() > until:
            raise PartialError(f"the container is not healthy: {_last_words(session, id)}", seen["Id"], _outputs(seen))
        time.sleep(_LOOK)


def _last_words(session: Session, id: str) -> str:
    said: bytes = session.client.api.logs(id, tail=10)
    return said.decode(errors="replace").strip() or "it wrote nothing"


def _updated(inputs: Properties) -> dict[str, Any]:
    data = {
        "RestartPolicy": restart_policy(inputs),
        "CpuShares": inputs.get("cpuShares", 0),
        "Memory": inputs.get("memory", 0) * MEGABYTE,
        "CpusetCpus": inputs.get("cpuSet", ""),
    }
    if swap := inputs.get("memorySwap"):
        data["MemorySwap"] = swap * MEGABYTE if swap > 0 else swap
    return data


def _outputs(seen: dict[str, Any]) -> Properties:
    """What is computed, and ``image`` as the plugin keeps it: the ID, whatever name was given."""
    networks = seen["NetworkSettings"]["Networks"]
    found: Properties = {
        "image": seen["Image"],
        "hostname": seen["Config"]["Hostname"],
        "bridge": seen["NetworkSettings"].get("Bridge", ""),
        "networkDatas": [_network_data(name, networks[name]) for name in sorted(networks)],
    }
    if not seen["State"]["Running"]:
        found["exitCode"] = seen["State"]["ExitCode"]
    return found


def _network_data(name: str, seen: dict[str, Any]) -> Properties:
    return {
        "networkName": name,
        "ipAddress": seen["IPAddress"],
        "ipPrefixLength": seen["IPPrefixLen"],
        "gateway": seen["Gateway"],
        "globalIpv6Address": seen["GlobalIPv6Address"],
        "globalIpv6PrefixLength": seen["GlobalIPv6PrefixLen"],
        "ipv6Gateway": seen["IPv6Gateway"],
        "macAddress": seen["MacAddress"],
    }


def _drift(seen: dict[str, Any], inputs: Properties) -> Properties:
    """The inputs that no longer hold. As by the plugin, ``mustRun`` tells of a container that does not run."""
    host = seen["HostConfig"]
    now = {
        "restart": host["RestartPolicy"]["Name"] or "no",
        "maxRetryCount": host["RestartPolicy"]["MaximumRetryCount"],
        "memory": host["Memory"] // MEGABYTE,
        "cpuShares": host["CpuShares"],
        "cpuSet": host["CpusetCpus"],
    }
    usual = {"restart": "no", "maxRetryCount": 0, "memory": 0, "cpuShares": 0, "cpuSet": ""}
    drift = {name: value for name, value in now.items() if value != inputs.get(name, usual[name])}
    if inputs.get("mustRun", True) and not seen["State"]["Running"]:
        drift["mustRun"] = False
    return drift


def _as_inputs(seen: dict[str, Any]) -> Properties:
    """What an import takes over. As by the plugin: no environment and no labels, which are partly the image's."""
    found: Properties = {"name": seen["Name"].lstrip("/"), "image": seen["Image"]}
    found |= _drift(seen, {})
    if seen["Config"]["Cmd"]:
        found["command"] = seen["Config"]["Cmd"]
    networks = sorted(set(seen["NetworkSettings"]["Networks"]) - {"bridge", "host", "none"})
    if networks:
        found["networksAdvanced"] = [{"name": name} for name in networks]
    return found
