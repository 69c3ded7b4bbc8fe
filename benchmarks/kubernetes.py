"""A preview of the whole stack on Kubernetes beside a preview of the same objects as a plain program of Pulumi's, by
the same plugin against the same API servers: from nothing, and when it stands.

The clusters are control planes without a node: no pod runs, and a preview needs none.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import kubernetes

from benchmarks import program_start
from benchmarks.figure import Figure
from benchmarks.organization_stack import OrganizationStack, organization_stack
from benchmarks.plain_program import PlainProgram
from benchmarks.previews import compared
from tests.emulated.checkout import REPOSITORY
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.fixtures import official_plugin
from tests.kubernetes.kubeconfig import CONTEXT
from tests.kubernetes.parts import obtain

_STANDIN: Final = REPOSITORY / "tests" / "standins" / "kubernetes"
_PLACE: Final = {
    "agent": {"kind": "kubernetes"},
    "kubernetes": {"context": CONTEXT},
    "registry": {"address": "registry.example/data"},
}
_NAMES: Final = ("hybrid-prod", "plain-prod")
_SMALLEST: Final = 'import pulumi_kubernetes as kubernetes\nkubernetes.Provider("kubernetes", context="lab")\n'


def measure() -> list[Figure]:
    """Seconds of previews and of the program's start."""
    with tempfile.TemporaryDirectory(prefix="hybrid-bench-") as folder, ExitStack() as held:
        root = Path(folder)
        made = held.enter_context(organization_stack(root, _PLACE))
        stack = replace(made, plugins="" if official_plugin(dict(os.environ)) else str(_STANDIN))
        empty, full = (held.enter_context(_cluster(root / name)) for name in ("empty", "full"))
        nothing, stands = (
            stack.use({"KUBECONFIG": str(plane.admin)}, root / what)
            for plane, what in ((empty, "nothing"), (full, "stands"))
        )
        stands.up()
        return [*_previews(root, nothing, stands), *_start(nothing)]


def _previews(root: Path, nothing: OrganizationStack, stands: OrganizationStack) -> list[Figure]:
    resources = stands.resources()
    plain = {
        name: PlainProgram(root / f"plain-{name}", "kubernetes", resources, stack.environment, _NAMES)
        for name, stack in (("nothing", nothing), ("stands", stands))
    }
    plain["stands"].up()
    told = f"{plain['stands'].count} objects of Kubernetes"
    return [
        *compared(
            {"pulumi": nothing.preview, "hybrid": nothing.hybrid_preview},
            plain["nothing"].preview,
            f"from nothing, {told}",
        ),
        *compared(
            {"pulumi": stands.preview, "hybrid": stands.hybrid_preview},
            plain["stands"].preview,
            f"of what stands, {told}",
        ),
    ]


def _start(stack: OrganizationStack) -> list[Figure]:
    return program_start.measure(stack, "Kubernetes", "pulumi_kubernetes", _SMALLEST)


@contextmanager
def _cluster(folder: Path) -> Iterator[ControlPlane]:
    folder.mkdir()
    plane = ControlPlane(obtain(dict(os.environ)), folder, "127.0.0.1")
    try:
        plane.start()
        _add_node(kubernetes.config.new_client_from_config(str(plane.admin)))
        yield plane
    finally:
        plane.stop()


def _add_node(client: Any) -> None:
    """An entry that says the processor, which the stack looks at before Dagster+ is told of a location."""
    core = kubernetes.client.CoreV1Api(client)
    labels = {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
    core.create_node({"metadata": {"name": "one", "labels": labels}})
    told = {"architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.36.3", "bootID": "-",
            "containerRuntimeVersion": "-", "kernelVersion": "-", "kubeProxyVersion": "-", "machineID": "-",
            "osImage": "-", "systemUUID": "-"}  # fmt: skip
    ready = {"type": "Ready", "status": "True", "reason": "Told", "message": "a benchmark's"}
    core.patch_node_status("one", {"status": {"nodeInfo": told, "conditions": [ready]}})
