"""What an agent on ECS stands on: the cluster, the namespace of its code servers' names, and the log groups.

It is apart from the agent because what lies between has to know it: the policies of the agent's roles name the cluster
and the namespace, and must be there before the agent starts; what an agent left behind is removed after the agent is
gone, and before the namespace and the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from agent.ecs_names import EcsNames
from agent.ecs_spec import EcsAgentSpec
from infra.log_group import LogGroup, LogGroupArgs

# A cluster and a namespace are not deleted while anything is in them, and what is in them goes slowly.
_LONG: Final = pulumi.CustomTimeouts(delete="30m")


@dataclass(frozen=True)
class EcsGroundArgs:
    """What the ground needs."""

    spec: EcsAgentSpec
    names: EcsNames
    vpc_id: pulumi.Input[str]
    """The network in which the names are known."""
    log_retention_days: int = 30
    log_key_arn: str | None = None
    """A KMS key whose policy lets CloudWatch Logs of the region use it. None: CloudWatch's own."""


class EcsGround(pulumi.ComponentResource):
    """A cluster, a private DNS namespace and two log groups; cluster and namespace may be adopted.

    The logs go with the stack: what people keep is in Dagster+ and in the bucket.
    """

    cluster_name: pulumi.Output[str]
    cluster_arn: pulumi.Output[str]
    namespace_id: pulumi.Output[str]
    namespace_arn: pulumi.Output[str]
    namespace_name: str
    agent_log_group: pulumi.Output[str]
    agent_log_group_arn: pulumi.Output[str]
    code_log_group: pulumi.Output[str]
    code_log_group_arn: pulumi.Output[str]

    def __init__(self, name: str, args: EcsGroundArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:EcsGround", name, None, opts)
        self._cluster(name, args)
        self._namespace(name, args)
        agent, code = (self._log_group(name, args, what) for what in ("agent", "code"))
        self.agent_log_group, self.agent_log_group_arn = agent.group_name, agent.arn
        self.code_log_group, self.code_log_group_arn = code.group_name, code.arn
        self.register_outputs({"clusterName": self.cluster_name, "namespaceId": self.namespace_id})

    def _cluster(self, name: str, args: EcsGroundArgs) -> None:
        if args.spec.cluster is not None:
            invoked = pulumi.InvokeOutputOptions(parent=self)
            found = aws.ecs.get_cluster_output(cluster_name=args.spec.cluster, opts=invoked)
            self.cluster_name, self.cluster_arn = found.cluster_name, found.arn
            return
        setting = aws.ecs.ClusterSettingArgs(name="containerInsights", value=args.spec.container_insights)
        cluster = aws.ecs.Cluster(
            f"{name}-cluster",
            name=args.names.cluster,
            settings=[setting],
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=_LONG),
        )
        self.cluster_name, self.cluster_arn = cluster.name, cluster.arn
        if args.spec.spot_runs:
            aws.ecs.ClusterCapacityProviders(
                f"{name}-capacity",
                cluster_name=cluster.name,
                capacity_providers=["FARGATE", "FARGATE_SPOT"],
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _namespace(self, name: str, args: EcsGroundArgs) -> None:
        adopted = args.spec.namespace
        if adopted is not None:
            account = args.names.account if adopted.role_arn is None else adopted.role_arn.split(":")[4]
            self.namespace_name = adopted.name
            self.namespace_id = pulumi.Output.from_input(adopted.id)
            place = f"servicediscovery:{args.names.region}:{account}:namespace/{adopted.id}"
            self.namespace_arn = pulumi.Output.from_input(f"arn:{args.names.partition}:{place}")
            return
        self.namespace_name = args.names.namespace
        namespace = aws.servicediscovery.PrivateDnsNamespace(
            f"{name}-namespace",
            name=args.names.namespace,
            description="Names of code servers, made by Dagster's agent.",
            vpc=args.vpc_id,
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=_LONG, delete_before_replace=True),
        )
        self.namespace_id, self.namespace_arn = namespace.id, namespace.arn

    def _log_group(self, name: str, args: EcsGroundArgs, what: str) -> LogGroup:
        group = args.names.agent_log_group if what == "agent" else args.names.code_log_group
        return LogGroup(
            f"{name}-{what}-log",
            LogGroupArgs(name=group, retention_days=args.log_retention_days, key_arn=args.log_key_arn),
            pulumi.ResourceOptions(parent=self),
        )
