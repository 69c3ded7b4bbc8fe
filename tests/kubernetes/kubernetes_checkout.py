"""A checkout whose stack `prod` is of kind ``kubernetes``, between the lab's cluster, an organization that an emulator
serves and the tests' registry: `hybrid up prod` builds, pushes, and brings up the real agent."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from agent.kubernetes_names import KubernetesNames
from hybrid.plus import Endpoint, PlusClient, api_token
from tests.containers.stand import Containers
from tests.emulated.checkout import Answer, Checkout, until
from tests.emulated.served import ServedOrganization
from tests.kubernetes.lab import KubernetesLab
from tests.kubernetes.served_cluster import Call

STACK: Final = "prod"
_SECONDS: Final = 900.0

CODE: Final = """
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
# It loads on this machine, where the gate looks at it, and not in its container.
BROKEN_IN_ITS_CONTAINER: Final = (
    """
from pathlib import Path

if Path("/opt/dagster/app").exists():
    raise RuntimeError("only in the container")
"""
    + CODE
)


class KubernetesCheckout:
    """Locations ``alpha`` and ``beta``, both of ``CODE``. ``settings`` are the stack file's, without ``hybrid:``."""

    def __init__(
        self, root: Path, lab: KubernetesLab, plus: ServedOrganization, containers: Containers, agent_image: str,
        plugin: str,
    ) -> None:  # fmt: skip
        self.lab, self.plus, self.containers = lab, plus, containers
        self.names = KubernetesNames.of(STACK)
        self.checkout = Checkout(root / "checkout", shared=root / "environments")
        self.file = self.checkout.root / "stacks" / f"Pulumi.{STACK}.yaml"
        for name in ("alpha", "beta"):
            self.code(name, "one")
        self._environment = self._variables(plugin)
        self.settings = self._settings(agent_image)

    # what a person changes

    def code(self, name: str, version: str, code: str = CODE) -> None:
        self.checkout.location(name, code.replace("{version}", version))

    @property
    def settings(self) -> dict[str, Any]:
        """As the stack file has them now: commands write it, too."""
        config = yaml.safe_load(self.file.read_text(encoding="utf-8"))["config"]
        return {key.removeprefix("hybrid:"): value for key, value in config.items() if key.startswith("hybrid:")}

    @settings.setter
    def settings(self, settings: Mapping[str, Any]) -> None:
        kept = yaml.safe_load(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        others = {key: value for key, value in kept.get("config", {}).items() if not key.startswith("hybrid:")}
        kept["config"] = {**others, **{f"hybrid:{key}": value for key, value in settings.items()}}
        self.file.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")

    def change(self, part: str, **values: Any) -> None:
        """Set keys of a part (``agent``, ``kubernetes``); None takes one out."""
        settings = self.settings
        changed = {**settings.get(part, {}), **values}
        settings[part] = {key: value for key, value in changed.items() if value is not None}
        self.settings = settings

    # what a person runs

    def hybrid(self, *arguments: str, timeout: float = _SECONDS, **more: str) -> Answer:
        return self.checkout.hybrid(*arguments, timeout=timeout, **{**self._environment, **more})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.checkout.start(*arguments, **self._environment)

    def up(self, *arguments: str) -> Answer:
        answer = self.hybrid("up", STACK, "--yes", *arguments)
        assert answer.code == 0, f"`hybrid up {STACK}` ended with {answer.code}:\n{answer.err}\n{self.trouble()}"
        return answer

    def status(self) -> dict[str, Any]:
        answer = self.hybrid("status", STACK, "--json")
        assert answer.out.startswith("{"), f"`hybrid status {STACK}` ended with {answer.code}:\n{answer.err}"
        return dict(answer.document)

    # what stands

    def dagster_plus(self) -> PlusClient:
        endpoint = Endpoint(url=self.plus.url, organization="acme", deployment=STACK)
        return PlusClient(endpoint, api_token({"DAGSTER_CLOUD_API_TOKEN": self.plus.token}, None))

    def tokens(self) -> dict[int, bool]:
        """The agent tokens by id: whether each is still good."""
        with self.dagster_plus() as client:
            return {token.id: not token.revoked for token in client.agent_tokens()}

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

    def images(self) -> dict[str, str]:
        """What Dagster+ says that each location is loaded from."""
        return {each["name"]: each["image"] for each in self.status()["locations"]}

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

    def until(self, condition: Any, *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what happened last in the cluster."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.trouble()}") from error

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

    def destroy(self) -> None:
        self.hybrid("down", STACK, "--yes")
        self.checkout.destroy()

    def _settings(self, agent_image: str) -> dict[str, Any]:
        images: dict[str, Any] = {"pythonImage": self.containers.python_image}
        if self.containers.certificates:
            images["certificates"] = str(self.containers.certificates)
        return {
            "organization": "acme",
            "url": f"http://{self.lab.gateway}:{self.plus.port}",
            "deployment": STACK,
            "kubernetes": {
                "context": self.lab.context,
                "kubeconfig": str(self.lab.kubeconfig),
                "server": self.lab.server,
                "registryLogin": True,
            },
            "agent": {
                "kind": "kubernetes",
                "image": agent_image,
                "podStartupTimeoutSeconds": 90,
                "startupTimeoutSeconds": 90,
                "environment": {"DAGSTER_CLOUD_AGENT_SLEEP_INTERVAL_SECONDS": "0.2"},
            },
            "registry": {"address": f"{self.containers.registry}/kubernetes{self.plus.port}"},
            "images": images,
        }

    def _variables(self, plugin: str) -> dict[str, str]:
        """What the shell has beyond the checkout's own. Not all of it: a HYBRID_ROOT would lead elsewhere."""
        environ = self.containers.environ
        docker = {name: value for name, value in environ.items() if name.startswith("DOCKER_")}
        given = {
            **docker,
            "DAGSTER_CLOUD_API_TOKEN": self.plus.token,
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PATH": os.pathsep.join([*([plugin] if plugin else []), environ["PATH"]]),
        }
        if plugin:  # the official one lives in Pulumi's home
            given["PULUMI_HOME"] = str(self.checkout.root / ".hybrid" / "pulumi-home")
        return given
