"""A Hybrid agent as a service of ECS on Fargate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from agent.ecs_ground import EcsGround
from agent.ecs_launcher import CodePlace
from agent.ecs_names import EcsNames
from agent.ecs_parts import ARCHITECTURES
from agent.ecs_spec import EcsAgentSpec
from agent.ecs_task import AgentText, agent_container, dagster_yaml, volumes
from infra.late_errors import told


@dataclass(frozen=True)
class EcsAgentArgs:
    """What an agent on ECS needs."""

    spec: EcsAgentSpec
    names: EcsNames
    ground: EcsGround
    deployment: str
    label: str
    """How it calls itself in Dagster+."""
    agent_url: str
    """Where Dagster+ answers agents, as tasks reach it."""
    token_secret_arn: pulumi.Input[str]
    """The secret of Secrets Manager that is the agent's token."""
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    assign_public_ip: bool
    """Whether tasks get an address of their own; always said."""
    agent_security_group_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    code_security_group_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    agent_role_arn: pulumi.Input[str]
    agent_execution_role_arn: pulumi.Input[str]
    code_role_arn: pulumi.Input[str]
    """The role of code that has none of its own; not the agent's."""
    code_execution_role_arn: pulumi.Input[str]
    image: pulumi.Input[str] | None = None
    """The agent's image in a registry of the stack's own. None: that of the settings."""
    token_version: pulumi.Input[str] | None = None
    """The version of the token's secret: another one starts the agent anew."""
    bucket: pulumi.Input[str] | None = None
    """For ``computeLogs: bucket``."""
    compute_log_prefix: str = "compute-logs"
    code_environment: Mapping[str, str] = field(default_factory=dict)
    """The stack's own variables for code servers and runs; those of the settings go before."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The settings' own, for what the agent makes. The stack's tag is always on it."""
    locations: int = 1
    """How many locations the stack serves, for the time that the agent may take to load them."""
    before_service: Sequence[pulumi.Resource] = ()
    """What must be there before the agent starts, and may go only when it is gone: the policies of its roles, and what
    removes on the way down what an agent left behind."""


class EcsAgent(pulumi.ComponentResource):
    """The real ``dagster-cloud agent run`` in Fargate tasks, whose launcher makes services and tasks of the stack.

    - a task definition: the stock image, its settings as text, its token as a secret
    - a service, rolled back when its new tasks do not come up; whether the agent works is not waited for here

    On the way down the service goes first. ECS calls it gone as soon as its tasks are stopping, while the agent, on
    SIGTERM, still removes what it has made; ``EcsDrain``, which the service depends on, waits for the tasks to end.
    """

    label: pulumi.Output[str]
    instance: pulumi.Output[str]
    """Changes whenever the agent is started anew: the ARN of its task definition's revision."""
    cluster_name: pulumi.Output[str]
    service_name: pulumi.Output[str]
    namespace_id: pulumi.Output[str]
    task_definition_arn: pulumi.Output[str]

    def __init__(self, name: str, args: EcsAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dagsterhybrid:agent:EcsAgent", name, None, opts)
        _containers_text(args, _expected(args))  # what cannot be is said at a preview, too, when ids are not known yet
        self._warn_of_servers_left_behind(args)
        definition = self._definition(name, args)
        service = self._service(name, args, definition)
        self.label = pulumi.Output.from_input(args.label)
        self.instance = definition.arn
        self.cluster_name = args.ground.cluster_name
        self.service_name = service.name
        self.namespace_id = args.ground.namespace_id
        self.task_definition_arn = definition.arn
        self.register_outputs({"label": self.label, "service": self.service_name})

    def _warn_of_servers_left_behind(self, args: EcsAgentArgs) -> None:
        timing = args.spec.timing(args.locations)
        if timing.servers_left_behind:
            pulumi.log.warn(
                f"When the agent stops, Fargate gives it {timing.stop} s, which are too few to remove the code servers "
                f"of {args.locations} locations: about {timing.servers_left_behind} go on, and are billed, until the "
                f"next agent has been up for {timing.cleanup_grace // 60} minutes, or `hybrid down` removes them.",
                self,
            )

    def _definition(self, name: str, args: EcsAgentArgs) -> aws.ecs.TaskDefinition:
        spec = args.spec
        return aws.ecs.TaskDefinition(
            f"{name}-task",
            family=args.names.task_family,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(spec.cpu),
            memory=str(spec.memory_mib),
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                cpu_architecture=ARCHITECTURES[spec.architecture], operating_system_family="LINUX"
            ),
            task_role_arn=args.agent_role_arn,
            execution_role_arn=args.agent_execution_role_arn,
            container_definitions=_containers(args),
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name=volume["name"]) for volume in volumes(spec)],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _service(self, name: str, args: EcsAgentArgs, definition: aws.ecs.TaskDefinition) -> aws.ecs.Service:
        spec = args.spec
        return aws.ecs.Service(
            f"{name}-service",
            name=args.names.service,
            cluster=args.ground.cluster_arn,
            task_definition=definition.arn,
            desired_count=spec.replicas,
            launch_type="FARGATE",
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=args.subnet_ids,
                security_groups=args.agent_security_group_ids,
                assign_public_ip=args.assign_public_ip,
            ),
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            deployment_maximum_percent=200 if spec.zero_downtime else 100,
            deployment_minimum_healthy_percent=100 if spec.zero_downtime else 0,
            enable_execute_command=spec.exec,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.before_service),
                # its tasks stop for up to two minutes, then ECS shows it as draining for some more
                custom_timeouts=pulumi.CustomTimeouts(delete="30m"),
                delete_before_replace=True,
            ),
        )


def _containers(args: EcsAgentArgs) -> pulumi.Output[str]:
    known = pulumi.Output.all(
        cluster=args.ground.cluster_name,
        namespace_id=args.ground.namespace_id,
        agent_log_group=args.ground.agent_log_group,
        code_log_group=args.ground.code_log_group,
        subnet_ids=args.subnet_ids,
        code_security_group_ids=args.code_security_group_ids,
        code_role_arn=args.code_role_arn,
        code_execution_role_arn=args.code_execution_role_arn,
        token_secret_arn=args.token_secret_arn,
        token_version=args.token_version,
        bucket=args.bucket,
        image=args.image,
    )
    return known.apply(told(lambda values: _containers_text(args, values)))


def _containers_text(args: EcsAgentArgs, known: Mapping[str, Any]) -> str:
    place = CodePlace(
        base=args.names.base,
        cluster=known["cluster"],
        subnet_ids=known["subnet_ids"],
        security_group_ids=known["code_security_group_ids"],
        assign_public_ip=args.assign_public_ip,
        namespace_id=known["namespace_id"],
        log_group=known["code_log_group"],
        task_role_arn=known["code_role_arn"],
        execution_role_arn=known["code_execution_role_arn"],
        token_secret_arn=known["token_secret_arn"],
        server_prefix=args.names.server_prefix,
        run_prefix=args.names.run_prefix,
        environment=args.code_environment,
        tags=args.tags,
    )
    said = AgentText(
        label=args.label,
        deployment=args.deployment,
        url=args.agent_url,
        region=args.names.region,
        bucket=known["bucket"],
        compute_log_prefix=args.compute_log_prefix,
    )
    container = agent_container(
        args.spec,
        settings=dagster_yaml(args.spec, place, said),
        region=args.names.region,
        log_group=known["agent_log_group"],
        token_secret_arn=known["token_secret_arn"],
        namespace_name=args.ground.namespace_name,
        generation=_generation(args.spec.restarts, known["token_version"]),
        locations=args.locations,
        image=known["image"],
        code_environment=args.code_environment,
    )
    return json.dumps([container], separators=(",", ":"), sort_keys=True)


def _generation(restarts: int, token_version: str | None) -> str:
    counted = f"restart {restarts}" if restarts else ""
    return ", ".join(part for part in (counted, f"token {token_version}" if token_version else "") if part)


def _expected(args: EcsAgentArgs) -> Mapping[str, Any]:
    """Values as long as those that only an update knows."""
    names = args.names
    return {
        "cluster": args.spec.cluster or names.cluster,
        "namespace_id": "ns-" + "0" * 16,
        "agent_log_group": names.agent_log_group,
        "code_log_group": names.code_log_group,
        "subnet_ids": ["subnet-" + "0" * 17] * 3,
        "code_security_group_ids": ["sg-" + "0" * 17],
        "code_role_arn": names.arn("iam", f"role/{names.role('code')}", region=False),
        "code_execution_role_arn": names.arn("iam", f"role/{names.role('code-execution')}", region=False),
        "token_secret_arn": names.arn("secretsmanager", f"secret:{names.token_secret}-000000"),
        "token_version": "0" * 36,
        "bucket": names.bucket,
        "image": None,
    }
