"""What an ECS stack has standing that is billed by time, by its file and its locations alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hybrid.costs.aws import Footprint, TaskSize, estimate
from hybrid.costs.aws_prices import US_EAST_1
from hybrid.costs.estimate import Estimate
from hybrid.delivery.document import CONTEXTS
from stacks.aws_settings import AwsSettings, CreatedNetwork, NetworkSettings

if TYPE_CHECKING:
    from agent.ecs_spec import EcsAgentSpec
    from hybrid.delivery.catalog import CodeLocationFolder
    from hybrid.engine.stack import Stack

_METRIC_ALARMS: Final = 3  # infra/alarms.py: down, CPU, memory; rules of EventBridge cost nothing


def monthly(stack: Stack, spec: EcsAgentSpec) -> Estimate:
    """What the stack costs a month by list prices; runs, data and requests on top."""
    aws = stack.who.settings.aws
    if aws is None:
        raise TypeError("settings of an agent on ECS have `aws`: Settings holds it")
    return estimate(_footprint(aws, spec, stack.folders), US_EAST_1)


def _footprint(aws: AwsSettings, agent: EcsAgentSpec, folders: Sequence[CodeLocationFolder]) -> Footprint:
    tasks = (
        TaskSize("agent", agent.cpu, agent.memory_mib, agent.replicas, arm=agent.architecture == "arm64"),
        *(_server(agent, folder) for folder in folders),
    )
    running = sum(size.count for size in tasks)
    return replace(
        _network(aws.network, running),
        tasks=tasks,
        secrets=1,
        namespaces=0 if agent.namespace else 1,
        alarms=_METRIC_ALARMS if aws.alarms else 0,
    )


def _network(network: NetworkSettings, tasks: int) -> Footprint:
    """What the network costs; one that is adopted costs its owner."""
    if not isinstance(network, CreatedNetwork):
        return Footprint((), public_addresses=tasks if network.assign_public_ip else 0)
    zones = len(network.zone_names) or network.zones
    endpoints = (len(network.endpoints) + bool(network.private_link)) * zones
    return Footprint(
        (),
        nat_gateways={"one": 1, "per-zone": zones, "none": 0}[network.gateways],
        public_addresses=tasks if network.tasks == "public" else 0,
        interface_endpoints=endpoints,
    )


def _server(agent: EcsAgentSpec, folder: CodeLocationFolder) -> TaskSize:
    """Every agent starts code servers of its own, so that replicas multiply them."""
    own: Mapping[str, Any] = folder.container_context.get(CONTEXTS[agent.kind]) or {}
    said = {**agent.server_resources.launcher(), **(own.get("server_resources") or {})}
    return TaskSize(
        f"code server of {folder.name}",
        int(said["cpu"]),
        int(said["memory"]),
        int(said.get("replica_count") or 1) * agent.replicas,
        arm=_is_arm(own.get("runtime_platform")) if own.get("runtime_platform") else agent.code_architecture == "arm64",
        ephemeral_gib=int(said.get("ephemeral_storage") or 20),
    )


def _is_arm(platform: Mapping[str, Any] | None) -> bool:
    return bool(platform) and str((platform or {}).get("cpuArchitecture", "")).upper() == "ARM64"
