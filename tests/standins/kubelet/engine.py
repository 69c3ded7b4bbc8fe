"""The Docker engine as a node uses it: everything with the lab's label, and gone by it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from docker.errors import APIError, ImageNotFound

from tests.containers.lab_engine import LabEngine, LabNetwork, exit_code, explained
from tests.standins.kubelet import failures
from tests.standins.kubelet.cluster import Object
from tests.standins.kubelet.place import GATEWAY, LABEL, NETWORK, POD_LABEL, SUBNET

_NETWORK: Final = LabNetwork(NETWORK, SUBNET, GATEWAY, LABEL)
_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_HUB: Final = ("docker.io", "index.docker.io")


@dataclass(frozen=True)
class Seen:
    """A container's state."""

    running: bool
    exit_code: int | None
    out_of_memory: bool
    started: str
    finished: str


class Engine(LabEngine):
    """A client of its own: give each thread one."""

    def __init__(self) -> None:
        super().__init__(_NETWORK)

    def pull(self, image: str, logins: Sequence[Mapping[str, str]]) -> None:
        """Pull ``image`` with each of ``logins`` in turn, without any when there is none; never with this machine's.

        Raises WaitingError with what the registry said last.
        """
        said = ""
        for login in logins or [{}]:
            said = self.pull_fault(image, login)
            if not said:
                return
        raise failures.pull(image, said)

    def has(self, image: str) -> bool:
        try:
            self._api.inspect_image(image)
        except ImageNotFound:
            return False
        return True

    def user_of(self, image: str) -> str:
        return str(self._api.inspect_image(image)["Config"].get("User") or "")

    def hold(self, image: str, pod: Object) -> str:
        """The container that has a Pod's address, and does nothing."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        made = self._api.create_container(
            image=image,
            name=f"k8s_{namespace}_{name}_{pod['metadata']['uid'][:8]}",
            entrypoint=["sleep", "infinity"],
            hostname=name[:63].rstrip("-."),
            labels={LABEL: "1", POD_LABEL: f"{namespace}/{name}"},
            networking_config=self.joined(name),
            host_config=self._api.create_host_config(network_mode=NETWORK, init=True),
        )
        self._api.start(made["Id"])
        return str(made["Id"])

    def create(
        self, container: Object, pod: Object, *, held: str, environment: Mapping[str, str], binds: list[str],
        command: Sequence[str], arguments: Sequence[str], attempt: int,
    ) -> str:  # fmt: skip
        """A container of ``pod`` that shares the network of ``held``. Raises WaitingError."""
        meta, security = pod["metadata"], _security(container, pod)
        host = self._api.create_host_config(
            network_mode=f"container:{held}",
            binds=binds,
            mem_limit=_bytes((container.get("resources", {}).get("limits") or {}).get("memory")),
            read_only=bool(security.get("readOnlyRootFilesystem")),
            privileged=bool(security.get("privileged")),
            cap_add=(security.get("capabilities") or {}).get("add"),
            cap_drop=(security.get("capabilities") or {}).get("drop"),
            security_opt=["no-new-privileges"] if security.get("allowPrivilegeEscalation") is False else None,
            group_add=[str(one) for one in _groups(security)] or None,
        )
        try:
            made = self._api.create_container(
                image=container["image"],
                name=f"k8s_{meta['namespace']}_{meta['name']}_{container['name']}_{meta['uid'][:8]}_{attempt}",
                entrypoint=list(command) or None,
                command=list(arguments) or None,
                environment=dict(environment),
                labels={LABEL: "1", POD_LABEL: f"{meta['namespace']}/{meta['name']}"},
                host_config=host,
                user=_user(security),
                working_dir=container.get("workingDir"),
            )
        except APIError as error:
            raise failures.config(explained(error)) from error
        return str(made["Id"])

    def start(self, container: str) -> None:
        """Raises WaitingError, and takes the container away, when it cannot start."""
        try:
            self._api.start(container)
        except APIError as error:
            self.remove(container)
            raise failures.start(explained(error)) from error

    def seen(self, container: str) -> Seen:
        """A container that is not there was killed."""
        state = self.state(container)
        if state is None:
            return Seen(False, 137, False, "", "")
        started, finished = (_second(state[name]) for name in ("StartedAt", "FinishedAt"))
        return Seen(state["Running"], exit_code(state), bool(state.get("OOMKilled")), started, finished)

    def succeeds(self, container: str, command: Sequence[str]) -> bool:
        """Whether ``command`` in the container ends with 0."""
        try:
            made = self._api.exec_create(container, list(command))
            self._api.exec_start(made["Id"])
            return bool(self._api.exec_inspect(made["Id"])["ExitCode"] == 0)
        except APIError:
            return False

    def log(
        self, container: str, *, follow: bool, tail: int | None, since: int | None, stamps: bool
    ) -> Iterable[bytes]:
        """Its output in pieces."""
        wanted = "all" if tail is None else tail
        return self.output(container, follow=follow, timestamps=stamps, since=since, tail=wanted)


def logins_of(secrets: Sequence[Mapping[str, bytes]], image: str) -> list[dict[str, str]]:
    """What pull secrets (``.dockerconfigjson``) have for the registry of ``image``."""
    host = image.split("/")[0] if "/" in image and re.search(r"[.:]", image.split("/")[0]) else _HUB[0]
    found = []
    for secret in secrets:
        with contextlib.suppress(ValueError, KeyError, binascii.Error):
            given = json.loads(secret[".dockerconfigjson"])["auths"]
            for place, login in given.items():
                if re.sub(r"^https?://", "", place).split("/")[0] in ((host,) if host != _HUB[0] else _HUB):
                    found.append(_login(login))
    return found


def _login(login: Mapping[str, str]) -> dict[str, str]:
    if "auth" in login:
        username, _, password = base64.b64decode(login["auth"]).decode().partition(":")
        return {"username": username, "password": password}
    return {"username": login["username"], "password": login["password"]}


def _security(container: Object, pod: Object) -> dict[str, Any]:
    return {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}


def _user(security: Mapping[str, Any]) -> str | None:
    user, group = security.get("runAsUser"), security.get("runAsGroup")
    if user is None:
        return None
    return f"{user}:{group}" if group is not None else str(user)


def _groups(security: Mapping[str, Any]) -> list[int]:
    given = [security["fsGroup"]] if "fsGroup" in security else []
    return [*given, *(security.get("supplementalGroups") or [])]


def runs_as_root(container: Object, pod: Object, user_of_image: str) -> bool:
    """Whether it must not start: ``runAsNonRoot``, and it would run as root."""
    security = _security(container, pod)
    user = str(security["runAsUser"]) if "runAsUser" in security else user_of_image.split(":")[0]
    return bool(security.get("runAsNonRoot")) and user in ("", "0", "root")


def _bytes(quantity: str | None) -> int | None:
    if quantity is None:
        return None
    match = re.fullmatch(r"([\d.]+)([A-Za-z]*)", quantity)
    return int(float(match[1]) * _UNITS.get(match[2], 1)) if match else None


def _second(when: str) -> str:
    return f"{when[:19]}Z"
