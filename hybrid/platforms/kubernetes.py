"""A Kubernetes stack's agent for the commands: a Deployment, one for each code server, a Job for each run."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from hybrid.errors import NotReadyError, ToolchainError
from hybrid.platforms.commands import LogRequest, PlatformCommands, RunningAgent, Say
from hybrid.platforms.kubernetes_place import KubernetesPlace

if TYPE_CHECKING:
    from agent.kubernetes_spec import KubernetesAgentSpec
    from hybrid.costs.estimate import Estimate
    from hybrid.kubernetes.workloads import Pod
    from hybrid.platforms.kubernetes_standing import KubernetesStanding
    from hybrid.plus import Agent
    from hybrid.toolchain.doctor import Finding

_AGENT_CONTAINER: Final = "agent"  # agent/kubernetes_pod.py
_CODE_CONTAINER: Final = "dagster"  # construct_code_location_deployment in dagster_cloud/workspace/kubernetes/utils.py
_SETTINGS_FILE: Final = "dagster.yaml"  # agent/kubernetes_pod.py


@dataclass(frozen=True)
class KubernetesCommands(PlatformCommands):
    """See the module."""

    spec: KubernetesAgentSpec

    @cached_property
    def place(self) -> KubernetesPlace:
        return KubernetesPlace.of(self.stack.who)

    def check_beforehand(self) -> None:
        """Refuses a context that is not there, a cluster that does not answer or is too old, and rights that lack."""
        cluster = self.place.door()
        cluster.check_version()
        if refusal := self.place.refusal(cluster):
            raise refusal

    def logs(self, wanted: LogRequest, say: Say) -> None:
        from hybrid.platforms.kubernetes_logs import PodLog

        log = PodLog.of(self.stack, self.place, wanted)
        found = log.last(wanted.lines)
        for line in found:
            say(log.line(line))
        if wanted.follow:
            for line in log.followed(found):
                say(log.line(line))
        elif not found:
            further = "a larger --since, or " if wanted.since is not None else ""
            self.report(
                f"There is no log of {log.what}{log.bound}: {log.state()}. Next: {further}`hybrid status "
                f"{self.place.stack}`, which tells what runs."
            )

    def shell(self, location: str | None, command: str, *, checked: bool) -> list[str]:
        kubectl = shutil.which("kubectl") or ""
        if checked and not kubectl:
            raise ToolchainError(
                "A shell in a pod needs kubectl, and PATH has none.",
                why="It is a stream of the Kubernetes API to this terminal, for which kubectl is the client.",
                next_step="install it: https://kubernetes.io/docs/tasks/tools/; `--print` shows the command.",
            )
        pod = self._newest(location)
        place = self.place
        which = ["--context", place.context, *(["--kubeconfig", _path(place.kubeconfig)] if place.kubeconfig else [])]
        container = _AGENT_CONTAINER if location is None else _CODE_CONTAINER
        streams = ["--stdin", *(["--tty"] if sys.stdin.isatty() else [])]
        where = ["--namespace", pod.thing.namespace, pod.name, "--container", container]
        return [kubectl or "kubectl", *which, "exec", *streams, *where, "--", *shlex.split(command)]

    def _newest(self, location: str | None) -> Pod:
        from hybrid.platforms.kubernetes_logs import pods_of_agent, pods_of_location

        place = self.place
        pods = pods_of_agent(place) if location is None else pods_of_location(self.stack, place, location)
        running = [pod for pod in pods if pod.phase == "Running" and not pod.thing.leaving]
        if not running:
            what = "agent" if location is None else f"code server of {location}"
            raise NotReadyError(
                f"No {what} of the stack '{self.place.stack}' runs.",
                next_step=f"`hybrid status {self.place.stack}` says what does; `hybrid agent logs {self.place.stack}` "
                "why not.",
            )
        return max(running, key=lambda pod: pod.thing.created)

    def stop_agent(self) -> bool:
        return False

    @property
    def single(self) -> None:
        return None

    def agents_running(self) -> int:
        from hybrid.kubernetes.made import deployment_in

        found = deployment_in(self.place.door(), self.place.home, self.place.deployment)
        return found.ready if found is not None else 0

    @property
    def agent_image(self) -> str:
        return self.spec.image

    def agent_running(self) -> RunningAgent:
        from hybrid.kubernetes.errors import KubernetesError
        from hybrid.kubernetes.kinds import CONFIG_MAP
        from hybrid.kubernetes.made import deployment_in

        place = self.place
        cluster = place.door()
        try:
            found = deployment_in(cluster, place.home, place.deployment)
            settings = cluster.find(CONFIG_MAP, place.home, place.deployment)
        except KubernetesError as error:
            return RunningAgent(unknown=error.what)
        if found is None:
            return RunningAgent(unknown=f"there is no Deployment {place.deployment} in the namespace {place.home}")
        return RunningAgent(found.image or None, ((settings or {}).get("data") or {}).get(_SETTINGS_FILE))

    def standing(self, agents: Sequence[Agent]) -> KubernetesStanding:
        from hybrid.platforms.kubernetes_standing import kubernetes_standing

        return kubernetes_standing(self.place, agents)

    def images_in_use(self, registry: str, asked: set[object]) -> Iterator[tuple[str, str]]:
        from hybrid.kubernetes.made import images_in

        yield self.spec.image, f"the agent of the stack {self.place.stack}"
        key = (self.place.kubeconfig, self.place.context)
        if key not in asked:
            asked.add(key)
            for image, user in images_in(self.place.door()):
                yield image, f"{user} in {self.place.context}"

    def findings(self) -> list[Finding]:
        from hybrid.platforms.kubernetes_doctor import check_cluster
        from hybrid.toolchain import find_pulumi

        return check_cluster(self.place, os.environ, find_pulumi())

    def monthly_cost(self) -> Estimate | None:
        from hybrid.platforms.kubernetes_costs import monthly

        return monthly(self.stack, self.spec)

    def without_prices(self) -> tuple[str, str]:
        from hybrid.platforms.kubernetes_costs import requested

        vcpu, memory = requested(self.stack, self.spec)
        return (
            f"Its pods that are up all the time request {vcpu:g} processors and {memory:g} GiB; what those cost, the "
            "nodes of the cluster decide.",
            'say what they cost you: `hybrid:kubernetes.prices: {vcpuHour: 0.031, gibHour: 0.004, asOf: "2026-11"}`.',
        )


def _path(kubeconfig: str) -> str:
    from pathlib import Path

    return str(Path(kubeconfig).expanduser())
