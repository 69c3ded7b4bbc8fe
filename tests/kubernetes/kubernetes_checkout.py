"""A checkout whose stack `prod` is of kind ``kubernetes``, between the lab's cluster, an organization that an emulator
serves and the tests' registry: `hybrid up prod` builds, pushes, and brings up the real agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Final

from agent.kubernetes_names import KubernetesNames
from tests.containers.stand import Containers
from tests.emulated.served import ServedOrganization
from tests.emulated.stack_checkout import STACK, StackCheckout
from tests.kubernetes.lab import KubernetesLab
from tests.kubernetes.served_cluster import Call

_CODE: Final = """
import os
import time

import dagster as dg

VERSION = "{version}"

@dg.asset
def hello(context: dg.AssetExecutionContext) -> str:
    context.log.info(f"version {VERSION}")
    return VERSION

@dg.op
def fail() -> None:
    raise ValueError("this op fails by design")

@dg.job(executor_def=dg.in_process_executor)
def failing() -> None:
    fail()

@dg.op
def sleep() -> None:
    time.sleep(600)

@dg.job(executor_def=dg.in_process_executor)
def sleeping() -> None:
    sleep()

greeting = dg.define_asset_job("greeting", selection=[hello], executor_def=dg.in_process_executor)
defs = dg.Definitions(assets=[hello], jobs=[greeting, failing, sleeping])
"""


class KubernetesCheckout(StackCheckout):
    """See the module."""

    CODE = _CODE
    PATIENCE: ClassVar[dict[str, int]] = {"podStartupTimeoutSeconds": 90, "startupTimeoutSeconds": 90}
    """The agent's with pods: short, for tests whose pods never come."""

    def __init__(
        self, root: Path, lab: KubernetesLab, plus: ServedOrganization, containers: Containers, agent_image: str,
        plugin: str,
    ) -> None:  # fmt: skip
        super().__init__(root, plus, containers, plugin)
        self.lab = lab
        self.names = KubernetesNames.of(STACK)
        self.settings = self._settings(agent_image)

    # what stands

    def objects(self, kind: str) -> list[Any]:
        """The ``deployment``, ``service``, ``config_map``, ``secret``, ``pod`` or ``job`` objects of the namespace."""
        door = {"deployment": self.lab.apps, "job": self.lab.batch}.get(kind, self.lab.core)()
        return list(getattr(door, f"list_namespaced_{kind}")(self.names.namespace).items)

    def agent_pods(self) -> list[str]:
        """The names of the agent's pods that are not ending."""
        wanted = self.names.agent_selector.items()
        pods = [pod for pod in self.objects("pod") if wanted <= (pod.metadata.labels or {}).items()]
        return [pod.metadata.name for pod in pods if not pod.metadata.deletion_timestamp]

    def servers(self) -> dict[str, set[str]]:
        """The uids of the pods of code servers that run, by location."""
        found: dict[str, set[str]] = {}
        for pod in self.objects("pod"):
            labels = pod.metadata.labels or {}
            if "user-deployment" in labels and pod.status.phase == "Running" and not pod.metadata.deletion_timestamp:
                found.setdefault(labels["location_name"], set()).add(pod.metadata.uid)
        return found

    def agent_log(self) -> str:
        if not self.lab.exists(self.names.namespace):
            return ""
        core = self.lab.core()
        logs = []
        for name in self.agent_pods():
            try:
                answer = core.read_namespaced_pod_log(name, self.names.namespace, _preload_content=False)
                logs.append(answer.data.decode())
            except Exception as error:
                logs.append(f"{name}: {error}")
        return "\n".join(logs)

    @property
    def agent_user(self) -> str:
        """By which the API server knows the agent."""
        return f"system:serviceaccount:{self.names.namespace}:{self.names.agent}"

    def agent_calls(self) -> list[Call]:
        return self.lab.calls(self.agent_user)

    def trouble(self) -> str:
        """What may explain a failure."""
        denied = [
            f"{call.user}: {call.verb} {call.resource} {call.name}" for call in self.lab.calls() if not call.allowed
        ]
        events = [json.dumps(event) for event in self.lab.events[-10:]]
        waiting = [
            f"{pod.metadata.name}: {one.state.waiting.reason} {one.state.waiting.message}"
            for pod in (self.objects("pod") if self.lab.exists(self.names.namespace) else [])
            for one in pod.status.container_statuses or []
            if one.state.waiting
        ]
        taints = [str(taint) for node in self.lab.core().list_node().items for taint in node.spec.taints or []]
        faults = [json.dumps(event) for event in self.lab.events if event["what"] == "fault"][-5:]
        parts = {"Denied": denied[-5:], "Events": events, "Faults": faults, "Waiting": waiting, "Taints": taints}
        lines = [line for title, said in parts.items() for line in (f"{title}:", *said)]
        return "\n".join([*lines, "The agent's log:", self.agent_log()[-4000:]])

    def _settings(self, agent_image: str) -> dict[str, Any]:
        return self.settled(
            self.lab.gateway,
            kubernetes={
                "context": self.lab.context,
                "kubeconfig": str(self.lab.kubeconfig),
                "server": self.lab.server,
                "registryLogin": True,
            },
            agent={
                "kind": "kubernetes",
                "image": agent_image,
                **self.PATIENCE,
                "environment": {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2"},
            },
            registry={"address": f"{self.containers.registry}/kubernetes{self.plus.port}"},
        )
