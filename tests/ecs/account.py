"""What an agent on ECS stands on, made by boto3: the stack without Pulumi. Roles have the project's own policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent import ecs_policies
from agent.ecs_launcher import CodePlace
from agent.ecs_names import STACK_TAG, EcsNames
from agent.ecs_policies import PolicyScope
from agent.ecs_spec import EcsAgentSpec
from agent.ecs_task import AgentText, agent_container, dagster_yaml, task_definition
from infra.place import Place
from infra.roles import task_trust
from infra.statements import Statement, policy_text
from tests.standins.ecs.client import EcsLab

CAN = "hybrid-tests"
"""The name of each role's policy here."""


@dataclass
class Account:
    """A network, a cluster, a namespace, log groups, the token's secret and four roles."""

    lab: EcsLab
    stack: str
    token: str
    names: EcsNames = field(init=False)
    vpc: str = ""
    subnets: list[str] = field(default_factory=list)
    security_group: str = ""
    namespace: str = ""
    token_secret: str = ""
    roles: dict[str, str] = field(default_factory=dict)
    """ARNs by ``agent``, ``agent-execution``, ``code`` and ``code-execution``."""

    def __post_init__(self) -> None:
        self.names = EcsNames.of(self.stack, self.lab.account, self.lab.region)

    def make(self) -> Account:
        self._network()
        names, lab = self.names, self.lab
        lab.client("ecs").create_cluster(clusterName=names.cluster)
        cloud_map = lab.client("servicediscovery")
        operation = cloud_map.create_private_dns_namespace(Name=names.namespace, Vpc=self.vpc)["OperationId"]
        self.namespace = cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
        for group in (names.agent_log_group, names.code_log_group):
            lab.client("logs").create_log_group(logGroupName=group)
        secret = lab.client("secretsmanager").create_secret(Name=names.token_secret, SecretString=self.token)
        self.token_secret = secret["ARN"]
        trust = policy_text([task_trust(Place(lab.account, lab.region))])
        for what in ("agent", "agent-execution", "code", "code-execution"):
            made = lab.client("iam").create_role(RoleName=names.role(what), AssumeRolePolicyDocument=trust)
            self.roles[what] = made["Role"]["Arn"]
        for what, statements in self.statements().items():
            self.allow(what, statements)
        return self

    @property
    def scope(self) -> PolicyScope:
        return PolicyScope(
            names=self.names,
            cluster=self.names.cluster,
            namespace_arn=self.names.arn("servicediscovery", f"namespace/{self.namespace}"),
            token_secret_arn=self.token_secret,
            code_role_arns=(self.roles["code"],),
            code_execution_role_arn=self.roles["code-execution"],
            agent_log_group=self.names.agent_log_group,
            code_log_group=self.names.code_log_group,
        )

    def statements(self) -> dict[str, tuple[Statement, ...]]:
        """What the project grants each role."""
        return {
            "agent": ecs_policies.agent_statements(self.scope),
            "agent-execution": ecs_policies.agent_execution_statements(self.scope),
            "code": ecs_policies.code_statements(self.scope),
            "code-execution": ecs_policies.code_execution_statements(self.scope),
        }

    def allow(self, role: str, statements: Sequence[Statement]) -> None:
        """Replace what a role may do."""
        iam, name = self.lab.client("iam"), self.names.role(role)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName=CAN, PolicyDocument=policy_text(statements))

    def without(self, role: str, *sids: str) -> None:
        """Take statements from a role."""
        kept = [one for one in self.statements()[role] if one.sid not in sids]
        assert len(kept) == len(self.statements()[role]) - len(sids), f"{role} has not all of {sids}"
        self.allow(role, kept)

    def register(self, spec: EcsAgentSpec, agent_url: str, *, generation: str = "") -> str:
        """Register the agent's task definition, as the project renders it; its ARN."""
        names = self.names
        place = CodePlace(
            base=names.base,
            cluster=names.cluster,
            subnet_ids=self.subnets,
            security_group_ids=[self.security_group],
            assign_public_ip=True,
            namespace_id=self.namespace,
            log_group=names.code_log_group,
            task_role_arn=self.roles["code"],
            execution_role_arn=self.roles["code-execution"],
            token_secret_arn=self.token_secret,
            server_prefix=names.server_prefix,
            run_prefix=names.run_prefix,
        )
        said = AgentText(label=names.base, deployment="prod", url=agent_url, region=names.region)
        container = agent_container(
            spec,
            settings=dagster_yaml(spec, place, said),
            region=names.region,
            log_group=names.agent_log_group,
            token_secret_arn=self.token_secret,
            namespace_name=names.namespace,
            generation=generation,
        )
        definition = task_definition(
            spec,
            container,
            family=names.task_family,
            task_role_arn=self.roles["agent"],
            execution_role_arn=self.roles["agent-execution"],
        )
        made = self.lab.client("ecs").register_task_definition(**definition)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def create_service(self, definition: str, *, count: int = 1) -> None:
        """The agent's service, rolled without downtime."""
        self.lab.client("ecs").create_service(
            cluster=self.names.cluster,
            serviceName=self.names.service,
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=self.network,
            deploymentConfiguration={
                "maximumPercent": 200,
                "minimumHealthyPercent": 100,
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            },
            tags=[{"key": STACK_TAG, "value": self.names.base}],
            propagateTags="SERVICE",
        )

    def update_service(self, **changes: Any) -> None:
        self.lab.client("ecs").update_service(cluster=self.names.cluster, service=self.names.service, **changes)

    @property
    def network(self) -> dict[str, Any]:
        groups = [self.security_group]
        return {"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": groups, "assignPublicIp": "ENABLED"}}

    def service(self) -> dict[str, Any]:
        """The agent's service, as DescribeServices shows it."""
        asked = {"cluster": self.names.cluster, "services": [self.names.service]}
        (found,) = self.lab.client("ecs").describe_services(**asked)["services"]
        return dict(found)

    def code_servers(self) -> list[str]:
        """The ARNs of the services that the agent made."""
        listed = self.lab.client("ecs").list_services(cluster=self.names.cluster)["serviceArns"]
        return [arn for arn in listed if not arn.endswith(f"/{self.names.service}")]

    def cloud_map_services(self) -> list[str]:
        asked = [{"Name": "NAMESPACE_ID", "Values": [self.namespace], "Condition": "EQ"}]
        return [one["Name"] for one in self.lab.client("servicediscovery").list_services(Filters=asked)["Services"]]

    def tasks(self, *, family: str | None = None, status: str = "RUNNING") -> list[dict[str, Any]]:
        """The tasks of the cluster whose family begins with ``family``."""
        ecs, cluster = self.lab.client("ecs"), self.names.cluster
        arns = ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
        found = ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"] if arns else []
        begins = f"task-definition/{family or ''}"
        return [task for task in found if begins in task["taskDefinitionArn"]]

    def log(self, group: str | None = None) -> str:
        """All lines of a log group, by default the agent's."""
        logs, name = self.lab.client("logs"), group or self.names.agent_log_group
        streams = [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=name)["logStreams"]]
        lines = [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(logGroupName=name, logStreamName=stream, limit=10_000)["events"]
        ]
        return "\n".join(lines)

    def _network(self) -> None:
        ec2 = self.lab.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        for number, zone in enumerate("ab"):
            made = ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{self.lab.region}{zone}"
            )
            self.subnets.append(made["Subnet"]["SubnetId"])
        group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=self.vpc)
        self.security_group = group["GroupId"]
