"""The peer of a preview: the same resources of a cloud as a plain program of Pulumi's, made from the state of a stack
that stands. It has no components, no settings and no checks, and imports the modules of the SDK that it uses.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.emulated.checkout import REPOSITORY

STACK: Final = "bench"
_SECRET: Final = "4dabf18193072939515e22adb298388d"  # noqa: S105 - by which Pulumi's state marks a secret
_SOME_TEXT: Final = "YSBzZWNyZXQ="
_PROJECT: Final = "name: plain\nruntime: {name: python, options: {virtualenv: .venv}}\noptions: {refresh: always}\n"
_PROGRAM: Final = """import json
from pathlib import Path

import pulumi
IMPORTS

made = {}
for each in json.loads(Path(__file__).with_name("resources.json").read_text()):
    options = pulumi.ResourceOptions(
        provider=made.get(each["provider"]), depends_on=[made[urn] for urn in each["dependencies"]]
    )
    if each["type"].startswith("pulumi:providers:"):
        made[each["urn"]] = pulumi.ProviderResource(each["type"].rpartition(":")[2], each["name"], each["inputs"])
    else:
        made[each["urn"]] = pulumi.CustomResource(each["type"], each["name"], each["inputs"], options)
"""

Resource = Mapping[str, Any]


class PlainProgram:
    """A project in a folder of its own, for the package ``kubernetes`` or ``azure-native``."""

    def __init__(
        self,
        folder: Path,
        package: str,
        resources: Sequence[Resource],
        environment: Mapping[str, str],
        renamed: tuple[str, str] = ("", ""),
    ) -> None:
        """``environment`` is that of our stack, whose state it does not share. ``renamed`` is what of all names becomes
        what, where both stand in one place."""
        self._folder = folder
        folder.mkdir()
        (folder / "state").mkdir()
        self._environment = {**environment, "PULUMI_BACKEND_URL": (folder / "state").as_uri()}
        mine = [each for each in resources if _package(each["type"]) == package]
        self.count = sum(1 for each in mine if not each["type"].startswith("pulumi:"))
        known = {each["urn"] for each in mine}
        text = json.dumps([_declared(each, known) for each in mine])
        (folder / "resources.json").write_text(text.replace(*renamed) if renamed[0] else text, encoding="utf-8")
        imports = "\n".join(sorted(_imports(package, mine)))
        (folder / "__main__.py").write_text(_PROGRAM.replace("IMPORTS", imports), encoding="utf-8")
        (folder / "Pulumi.yaml").write_text(_PROJECT, encoding="utf-8")
        (folder / ".venv").symlink_to(REPOSITORY / ".venv")
        self._pulumi("stack", "init", STACK)

    def up(self) -> None:
        self._pulumi("up", "--yes", "--skip-preview", "--stack", STACK)

    def preview(self) -> float:
        """Seconds of a `pulumi preview`."""
        began = time.monotonic()
        self._pulumi("preview", "--stack", STACK)
        return time.monotonic() - began

    def _pulumi(self, *arguments: str) -> None:
        command = ["pulumi", *arguments, "--non-interactive"]
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _package(kind: str) -> str:
    first, second, third = kind.split(":")
    return third if (first, second) == ("pulumi", "providers") else first


def _declared(resource: Resource, known: Iterable[str]) -> dict[str, Any]:
    return {
        "urn": resource["urn"],
        "type": resource["type"],
        "name": resource["urn"].rpartition("::")[2],
        "provider": str(resource.get("provider", "")).rpartition("::")[0],
        "dependencies": [urn for urn in resource.get("dependencies") or () if urn in known],
        "inputs": {key: _plain(value, key) for key, value in resource["inputs"].items() if not key.startswith("__")},
    }


def _plain(value: Any, key: str = "") -> Any:
    """Without secrets: ``data`` of Kubernetes is a map, others are texts."""
    if isinstance(value, dict):
        if _SECRET in value:
            return {"token": _SOME_TEXT} if key == "data" else _SOME_TEXT
        return {name: _plain(item, name) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _imports(package: str, resources: Sequence[Resource]) -> set[str]:
    """As a person writes them: ``kubernetes:rbac.authorization.k8s.io/v1:Role`` is of ``pulumi_kubernetes.rbac.v1``."""
    root = f"pulumi_{package.replace('-', '_')}"
    found = {f"import {root}"}
    for each in resources:
        if not each["type"].startswith("pulumi:"):
            _, place, kind = each["type"].split(":")
            group, *version = place.split("/")
            found.add(f"from {'.'.join([root, group.partition('.')[0], *version])} import {kind}")
    return found
