"""The engine's request for a container (POST /containers/create), from the plugin's inputs."""

from __future__ import annotations

import re
from typing import Any, Final

from hybrid.provider.properties import Properties
from tests.standins.docker.kind import PluginError, labels

MEGABYTE: Final = 1024 * 1024
_NANOSECONDS: Final = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

_CONFIG: Final = {
    "image": "Image",
    "hostname": "Hostname",
    "domainname": "Domainname",
    "tty": "Tty",
    "stdinOpen": "OpenStdin",
    "envs": "Env",
    "command": "Cmd",
    "entrypoints": "Entrypoint",
    "user": "User",
    "workingDir": "WorkingDir",
    "stopSignal": "StopSignal",
    "stopTimeout": "StopTimeout",
}
_HOST: Final = {
    "privileged": "Privileged",
    "publishAllPorts": "PublishAllPorts",
    "rm": "AutoRemove",
    "readOnly": "ReadonlyRootfs",
    "tmpfs": "Tmpfs",
    "cgroupParent": "CgroupParent",
    "cpuPeriod": "CpuPeriod",
    "cpuQuota": "CpuQuota",
    "cpuSet": "CpusetCpus",
    "cpuShares": "CpuShares",
    "dns": "Dns",
    "dnsOpts": "DnsOptions",
    "dnsSearches": "DnsSearch",
    "groupAdds": "GroupAdd",
    "init": "Init",
    "ipcMode": "IpcMode",
    "pidMode": "PidMode",
    "securityOpts": "SecurityOpt",
    "storageOpts": "StorageOpt",
    "sysctls": "Sysctls",
    "usernsMode": "UsernsMode",
}
_MEGABYTES: Final = {"memory": "Memory", "memoryReservation": "MemoryReservation", "shmSize": "ShmSize"}


def config(inputs: Properties) -> dict[str, Any]:
    """The whole request."""
    made: dict[str, Any] = {theirs: inputs[ours] for ours, theirs in _CONFIG.items() if ours in inputs}
    made["Labels"] = labels(inputs.get("labels"))
    if "healthcheck" in inputs:
        made["Healthcheck"] = _health(inputs["healthcheck"])
    if ports := inputs.get("ports"):
        made["ExposedPorts"] = {_port(port): {} for port in ports}
    anonymous = [volume["containerPath"] for volume in inputs.get("volumes", []) if _is_anonymous(volume)]
    if anonymous:
        made["Volumes"] = {path: {} for path in anonymous}
    made["HostConfig"] = _host_config(inputs)
    return made


def restart_policy(inputs: Properties) -> dict[str, Any]:
    return {"Name": inputs.get("restart", "no"), "MaximumRetryCount": inputs.get("maxRetryCount", 0)}


def nanoseconds(text: str) -> int:
    """A duration as Go writes it (``1m30s``), in nanoseconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise PluginError(f"'{text}' is no duration such as 30s")
    return sum(int(float(number) * _NANOSECONDS[unit]) for number, unit in parts)


def _host_config(inputs: Properties) -> dict[str, Any]:
    made: dict[str, Any] = {theirs: inputs[ours] for ours, theirs in _HOST.items() if ours in inputs}
    made |= {theirs: inputs[ours] * MEGABYTE for ours, theirs in _MEGABYTES.items() if ours in inputs}
    made["RestartPolicy"] = restart_policy(inputs)
    made["NetworkMode"] = inputs.get("networkMode", "bridge")
    made["LogConfig"] = {"Type": inputs.get("logDriver", ""), "Config": inputs.get("logOpts", {})}
    if swap := inputs.get("memorySwap"):
        made["MemorySwap"] = swap * MEGABYTE if swap > 0 else swap
    if cpus := inputs.get("cpus"):
        made["NanoCpus"] = round(float(cpus) * 10**9)
    if given := inputs.get("capabilities"):
        made |= {"CapAdd": given.get("adds", []), "CapDrop": given.get("drops", [])}
    if given := inputs.get("hosts"):
        made["ExtraHosts"] = [f"{item['host']}:{item['ip']}" for item in given]
    if given := inputs.get("ulimits"):
        made["Ulimits"] = [{"Name": item["name"], "Soft": item["soft"], "Hard": item["hard"]} for item in given]
    if given := inputs.get("ports"):
        made["PortBindings"] = {_port(port): [_binding(port)] for port in given}
    return made | _mounted(inputs)


def _mounted(inputs: Properties) -> dict[str, Any]:
    volumes = inputs.get("volumes", [])
    binds = [_bind(volume) for volume in volumes if volume.get("hostPath") or volume.get("volumeName")]
    others = [volume["fromContainer"] for volume in volumes if volume.get("fromContainer")]
    mounts = [_mount(mount) for mount in inputs.get("mounts", [])]
    made = {"Binds": binds, "VolumesFrom": others, "Mounts": mounts}
    return {name: value for name, value in made.items() if value}


def _is_anonymous(volume: dict[str, Any]) -> bool:
    return not any(volume.get(name) for name in ("hostPath", "volumeName", "fromContainer"))


def _bind(volume: dict[str, Any]) -> str:
    mode = "ro" if volume.get("readOnly") else "rw"
    return f"{volume.get('hostPath') or volume['volumeName']}:{volume['containerPath']}:{mode}"


def _mount(mount: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount.get("source", ""),
        "ReadOnly": mount.get("readOnly", False),
    }
    if given := mount.get("bindOptions"):
        made["BindOptions"] = {"Propagation": given.get("propagation", "")}
    if given := mount.get("tmpfsOptions"):
        made["TmpfsOptions"] = {"SizeBytes": given.get("sizeBytes", 0), "Mode": given.get("mode", 0)}
    if given := mount.get("volumeOptions"):
        made["VolumeOptions"] = {
            "NoCopy": given.get("noCopy", False),
            "Labels": labels(given.get("labels")),
            "DriverConfig": {"Name": given.get("driverName", ""), "Options": given.get("driverOptions", {})},
        }
    return made


def _port(port: dict[str, Any]) -> str:
    return f"{port['internal']}/{port.get('protocol', 'tcp')}"


def _binding(port: dict[str, Any]) -> dict[str, str]:
    return {"HostIp": port.get("ip", "0.0.0.0"), "HostPort": str(port.get("external") or "")}


def _health(given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"Test": given["tests"], "Retries": given.get("retries", 0)}
    for ours, theirs in (("interval", "Interval"), ("timeout", "Timeout"), ("startPeriod", "StartPeriod")):
        made[theirs] = nanoseconds(given.get(ours, "0s"))
    if "startInterval" in given:
        made["StartInterval"] = nanoseconds(given["startInterval"])
    return made
