"""What is adopted in tests: the official CloudFormation template's agent in moto, and an organization in memory.

The shape of the template is written here from its documented resources (version 1.13.18, new VPC, public). moto makes
the parts of it that it knows; the service, its task definition and the namespace, of which it drops what matters here,
are made by boto3 and shown among the stack's resources, as AWS shows them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.client

from hybrid.plus import Agent, CodeLocationStatus, Deployment, Failure

ACCOUNT, REGION, STACK = "123456789012", "eu-central-1", "dagster"
CLUSTER = "Dagster-Cloud-acme-prod-Cluster"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
TOKEN = ":".join(["agent", "acme", "0123456789abcdef" * 2])  # assembled: none lies in the repository
VALUE = "hunter2-is-no-password"

_TASKS = {"Service": "ecs-tasks.amazonaws.com"}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": _TASKS, "Action": "sts:AssumeRole"}],
}
_AGENTS_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Resource": "*",
            "Action": [
                "ecs:ListTagsForResource", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
                "secretsmanager:ListSecrets", "ec2:DescribeRouteTables", "ec2:DescribeNetworkInterfaces",
                "ecs:ListAccountSettings", "ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole",
                "servicediscovery:ListServices", "servicediscovery:DeleteService", "tag:GetResources",
            ],
        },
        {"Effect": "Allow", "Resource": "*", "Action": "logs:GetLogEvents"},
    ],
}  # fmt: skip
_BUCKETS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Resource": "*", "Action": ["s3:GetObject", "s3:PutObject"]}],
}

TEMPLATE = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Parameters": {
        "DagsterOrganization": {"Type": "String"},
        "DagsterDeployment": {"Type": "String", "Default": ""},
        "AgentToken": {"Type": "String", "NoEcho": True},
    },
    "Resources": {
        "AgentLogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
        "VPC": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "SubnetA": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"CidrBlock": "10.0.0.0/22", "VpcId": {"Ref": "VPC"}, "MapPublicIpOnLaunch": True},
        },
        "SubnetB": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"CidrBlock": "10.0.4.0/22", "VpcId": {"Ref": "VPC"}, "MapPublicIpOnLaunch": True},
        },
        "AgentCluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": CLUSTER}},
        "TaskExecutionRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": _TRUST,
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"],
            },
        },
        "AgentRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": _TRUST},
        },
    },
}


def dagster_yaml(**changes: Any) -> str:
    """The file that the official template writes, by its documented keys; ``launcher`` and others are added to it."""
    launcher = changes.pop("launcher", {})
    api = {"url": "https://acme.agent.dagster.cloud", "agent_token": TOKEN, "deployments": ["prod"]}
    return json.dumps(
        {
            "instance_class": {"module": "dagster_cloud.instance", "class": "DagsterCloudAgentInstance"},
            "dagster_cloud_api": api | {"branch_deployments": False} | changes.pop("api", {}),
            "isolated_agents": {"enabled": False},
            "user_code_launcher": {
                "module": "dagster_cloud.workspace.ecs",
                "class": "EcsUserCodeLauncher",
                "config": launcher,
            },
            **changes,
        }
    )


def block(document: str) -> str:
    """JSON as the block style that the template has; a scalar in quotes stays one."""
    import yaml

    return yaml.safe_dump(json.loads(document), sort_keys=False, width=10_000)


def official_command(document: str) -> list[str]:
    """How the template's container makes its file and starts."""
    text = "\n".join(f"    {line}" for line in block(document).splitlines())
    return [
        f"/bin/bash -c \"\nmkdir -p $DAGSTER_HOME && echo '\n{text}\n' > $DAGSTER_HOME/dagster.yaml && "
        'cat $DAGSTER_HOME/dagster.yaml && dagster-cloud agent run\n"\n'
    ]


@dataclass
class Estate:
    """An account with the official stack in it."""

    network: str
    subnets: list[str]
    log_group: str
    namespace: str
    namespace_name: str
    role: str
    """The ARN of the agent's own role, which code has too."""
    execution_role: str
    service: str
    clients: dict[str, Any]
    rollouts: dict[str, dict[str, int]] = field(default_factory=dict)
    """How each service is rolled out: moto takes it and does not tell it."""

    @property
    def launcher(self) -> dict[str, Any]:
        """The configuration that the template writes."""
        return {
            "cluster": CLUSTER,
            "subnets": self.subnets,
            "service_discovery_namespace_id": self.namespace,
            "execution_role_arn": self.execution_role,
            "task_role_arn": self.role,
            "log_group": self.log_group,
            "launch_type": "FARGATE",
            "requires_healthcheck": False,
            "agent_metrics": {"enabled": False},
            "code_server_metrics": {"enabled": False},
        }

    def agent(self, name: str = "agent", document: str | None = None, **changes: Any) -> str:
        """A service like the template's. ``container`` and ``service`` go over what it says."""
        document = dagster_yaml(launcher=self.launcher) if document is None else document
        container = {
            "name": "DagsterAgent",
            "image": "docker.io/dagster/dagster-cloud-agent:1.13.18",
            "entryPoint": ["bash", "-c"],
            "command": official_command(document),
            "environment": [
                {"name": "DAGSTER_HOME", "value": "/opt/dagster/dagster_home"},
                {"name": "DAGSTER_CLOUD_AGENT_MEMORY_LIMIT", "value": "1024"},
                {"name": "DAGSTER_CLOUD_AGENT_CPU_LIMIT", "value": "256"},
            ],
            "stopTimeout": 120,
            **changes.pop("container", {}),
        }
        made = self.clients["ecs"].register_task_definition(
            family=f"{name}-task",
            cpu=changes.pop("cpu", "256"),
            memory=changes.pop("memory", "1024"),
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            taskRoleArn=self.role,
            executionRoleArn=self.execution_role,
            containerDefinitions=[container],
        )
        network = {"subnets": self.subnets, "securityGroups": [], "assignPublicIp": "ENABLED"}
        asked = {
            "cluster": CLUSTER,
            "serviceName": name,
            "taskDefinition": made["taskDefinition"]["taskDefinitionArn"],
            "desiredCount": 1,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": network},
            "deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0},
            **changes.pop("service", {}),
        }
        self.rollouts[name] = asked["deploymentConfiguration"]
        told = self.clients["ecs"].create_service(**asked)
        assert not changes, f"an agent has no {changes}"
        return told["service"]["serviceArn"]


@cache
def _client(service: str) -> Any:
    """One for all tests: moto stands behind each, anew for each."""
    return boto3.client(service, REGION)  # type: ignore[call-overload]


def official(monkeypatch: Any) -> Estate:
    """The official template's stack, without its service and what stands for it in CloudFormation's list."""
    clients = {name: _client(name) for name in ("cloudformation", "ecs", "iam", "servicediscovery")}
    clients["cloudformation"].create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(TEMPLATE),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {"DagsterOrganization": "acme", "DagsterDeployment": "prod", "AgentToken": TOKEN}.items()
        ],
    )
    listed = clients["cloudformation"].list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    made = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}
    # moto keeps a policy from a template as no JSON
    clients["iam"].put_role_policy(
        RoleName=made["AgentRole"], PolicyName="root", PolicyDocument=json.dumps(_AGENTS_POLICY)
    )
    name = "dagster-agent-acme-prod-0a1b2c.local"
    operation = clients["servicediscovery"].create_private_dns_namespace(Name=name, Vpc=made["VPC"])["OperationId"]
    targets = clients["servicediscovery"].get_operation(OperationId=operation)["Operation"]["Targets"]
    roles = {
        role: clients["iam"].get_role(RoleName=made[role])["Role"]["Arn"] for role in ("AgentRole", "TaskExecutionRole")
    }
    estate = Estate(
        network=made["VPC"],
        subnets=[made["SubnetA"], made["SubnetB"]],
        log_group=made["AgentLogGroup"],
        namespace=targets["NAMESPACE"],
        namespace_name=name,
        role=roles["AgentRole"],
        execution_role=roles["TaskExecutionRole"],
        service="",
        clients=clients,
    )
    _listing(monkeypatch, estate)
    return estate


def _listing(monkeypatch: Any, estate: Estate) -> None:
    """CloudFormation's list of resources with those that were made beside it, and what moto does not tell."""
    own = botocore.client.BaseClient._make_api_call

    def call(client: Any, operation: str, parameters: Any) -> Any:
        told = own(client, operation, parameters)
        if operation == "DescribeServices":
            for each in told["services"]:
                each["deploymentConfiguration"] = estate.rollouts[each["serviceName"]]
        if operation == "ListStackResources" and estate.service:
            further = {
                "AWS::ServiceDiscovery::PrivateDnsNamespace": ("ServiceDiscoveryNamespace", estate.namespace),
                "AWS::ECS::TaskDefinition": ("AgentTaskDefinition", "arn:…"),
                "AWS::ECS::Service": ("AgentService", estate.service),
            }
            told["StackResourceSummaries"] += [
                {"LogicalResourceId": logical, "ResourceType": kind, "PhysicalResourceId": physical}
                for kind, (logical, physical) in further.items()
            ]
        return told

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)


@dataclass
class FakeOrganization:
    """Dagster+ in memory, as `hybrid.plus.PlusClient` shows it."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    failing: tuple[str, ...] = ()
    listed: list[Agent] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    agent_type: str = "HYBRID"
    settings: dict[str, Any] = field(default_factory=lambda: {"run_queue": {"max_concurrent_runs": 10}})

    def __enter__(self) -> FakeOrganization:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def current_deployment(self) -> Deployment:
        return Deployment(1, "prod", "PRODUCTION", self.agent_type)

    def location_documents(self) -> dict[str, dict[str, Any]]:
        return self.documents

    def code_locations(self) -> list[CodeLocationStatus]:
        def status(name: str) -> CodeLocationStatus:
            error = Failure("it is broken", "") if name in self.failing else None
            return CodeLocationStatus(name, "LOADED", None, error, 1.0, 1.0, 1.0, False)

        return [status(name) for name in self.documents]

    def branch_deployments(self) -> list[Any]:
        if "branch_deployments" in self.faults:
            raise self.faults["branch_deployments"]
        return [SimpleNamespace(parent="prod")]

    def agents(self) -> list[Agent]:
        return self.listed

    def deployment_settings(self) -> dict[str, Any]:
        return self.settings


def running(label: str | None = None, id: str = "a1") -> Agent:
    return Agent(id, label, "RUNNING", 100.0, "EcsUserCodeLauncher", {}, (), ())
