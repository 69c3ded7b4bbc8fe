"""The network of an ECS stack, as its settings choose it: made or adopted, with groups and endpoints."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from agent.ecs_names import EcsNames
from agent.ecs_spec import EcsAgentSpec
from hybrid.aws.registry import EcrAddress
from infra.adopted_network import AdoptedNetwork, AdoptedNetworkArgs, ByIds, ByStack, ByTags, Where
from infra.egress import Outside
from infra.endpoints import Endpoints, EndpointsArgs, PrivateLink
from infra.network import AnyNetwork, Network, NetworkArgs
from infra.security_groups import Destination, SecurityGroups, SecurityGroupsArgs
from stacks.aws_settings import CreatedNetwork, NetworkByIds, NetworkByTags, NetworkSettings
from stacks.identity import StackIdentity


@dataclass(frozen=True)
class EcsNetwork:
    """Where the stack's tasks run, and who may speak to whom."""

    network: AnyNetwork
    groups: SecurityGroups
    endpoints: Endpoints | None

    @property
    def resources(self) -> list[pulumi.Resource]:
        """All of it: a task that starts before the routes stand cannot pull its image."""
        return [self.network, self.groups, *([self.endpoints] if self.endpoints else [])]


def ecs_network(
    who: StackIdentity, names: EcsNames, spec: EcsAgentSpec, settings: NetworkSettings, opts: pulumi.ResourceOptions
) -> EcsNetwork:
    """Raises ``SettingsError`` for addresses that do not fit, and for tasks that would have no way out."""
    outside = Outside(
        proxy=spec.proxy is not None,
        private_link=who.settings.url is not None,
        images_mirrored=_is_mirrored(who, names, spec),
    )
    if not isinstance(settings, CreatedNetwork):
        adopted = AdoptedNetworkArgs(_where(settings), settings.assign_public_ip, outside)
        network: AnyNetwork = AdoptedNetwork("network", adopted, opts)
        groups = SecurityGroups("tasks", SecurityGroupsArgs(network.vpc_id), opts)
        return EcsNetwork(network, groups, None)
    made = Network(
        "network",
        NetworkArgs(
            region=names.region,
            cidr=settings.cidr,
            zones=settings.zones,
            zone_names=settings.zone_names,
            tasks=settings.tasks,
            nat=settings.gateways,
            outside=outside,
            endpoints=settings.endpoints,
        ),
        opts,
    )
    destinations = [Destination(cidr) for cidr in settings.egress] or None
    groups = SecurityGroups(
        "tasks", SecurityGroupsArgs(made.vpc_id, destinations, s3_prefix_list_id=made.s3_prefix_list_id), opts
    )
    return EcsNetwork(made, groups, _endpoints(names, settings, made, groups, opts))


def _where(settings: NetworkSettings) -> Where:
    if isinstance(settings, NetworkByIds):
        return ByIds(settings.vpc_id, settings.subnet_ids)
    if isinstance(settings, NetworkByTags):
        return ByTags(settings.vpc_tags, settings.subnet_tags)
    if isinstance(settings, CreatedNetwork):
        raise TypeError("a network that is made is not looked for")
    return ByStack(settings.stack, settings.vpc_id_output, settings.subnet_ids_output)


def _is_mirrored(who: StackIdentity, names: EcsNames, spec: EcsAgentSpec) -> bool:
    """Whether all images come from the account's registry in the region."""
    registry = who.settings.registry
    own = registry is None or registry.address.partition("/")[0] == names.registry
    agent = EcrAddress.parse(spec.image.partition("/")[0])
    return own and (spec.mirror_image or (agent is not None and agent.region == names.region))


def _endpoints(
    names: EcsNames,
    settings: CreatedNetwork,
    network: Network,
    groups: SecurityGroups,
    opts: pulumi.ResourceOptions,
) -> Endpoints | None:
    if not settings.endpoints and settings.private_link is None:
        return None
    links = [PrivateLink("dagster-plus", settings.private_link)] if settings.private_link else []
    return Endpoints(
        "endpoints",
        EndpointsArgs(
            vpc_id=network.vpc_id,
            subnet_ids=network.task_subnet_ids,
            region=names.region,
            clients={"agent": groups.agent_id, "code": groups.code_id},
            services=settings.endpoints,
            private_links=links,
            clients_are_restricted=bool(settings.egress),
        ),
        opts,
    )
