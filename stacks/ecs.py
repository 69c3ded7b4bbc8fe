"""The ECS platform: the agent, its code servers and its runs are Fargate tasks of an AWS account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from agent.ecs import EcsAgent, EcsAgentArgs
from agent.ecs_grants import NamedByLocations, named_in, named_in_context
from agent.ecs_ground import EcsGround, EcsGroundArgs
from agent.ecs_names import STACK_TAG, EcsNames
from agent.ecs_spec import EcsAgentSpec
from hybrid.delivery.catalog import CodeLocationFolder
from hybrid.delivery.document import location_document
from hybrid.delivery.images.spec import ImageSpec
from hybrid.delivery.repository import AGENT
from hybrid.provider.ecs_resources import (
    EcsArchitecture,
    EcsDrain,
    EcsDrainArgs,
    EcsLaunchCheck,
    EcsLaunchCheckArgs,
    EcsServiceState,
    EcsServiceStateArgs,
)
from hybrid.provider.image_resources import LocationImage, LocationImageArgs
from hybrid.provider.resources import AgentToken
from hybrid.workspace import Workspace
from infra.alarms import Alarms, AlarmsArgs
from infra.bucket import Bucket, BucketArgs
from infra.place import Place
from infra.repository import Repository, RepositoryArgs
from infra.roles import TaskRole
from infra.secret import Secret, SecretArgs
from stacks.aws_settings import AlarmSettings, AwsSettings
from stacks.containers import ContainerLocations
from stacks.documents import document_of_image
from stacks.ecs_facts import EcsFacts
from stacks.ecs_images import own_repositories, repositories_elsewhere, repository_arns
from stacks.ecs_network import EcsNetwork, ecs_network
from stacks.ecs_roles import ASSETS, COMPUTE_LOGS, EcsRoles, PulledFrom
from stacks.ecs_standing import Kept, look
from stacks.given import BUCKET_VARIABLE, PREFIX_VARIABLE
from stacks.identity import StackIdentity
from stacks.images import build_secrets, registry_address
from stacks.platform import LocationSource, StandingAgent

_ARCHITECTURES = {"amd64": EcsArchitecture.X86_64, "arm64": EcsArchitecture.ARM64}


@dataclass
class EcsPlatform:
    """Everything of the stack is in one account and region, and bears the stack's tag."""

    who: StackIdentity
    workspace: Workspace
    spec: EcsAgentSpec
    folders: tuple[CodeLocationFolder, ...]
    names: EcsNames
    settings: AwsSettings
    kept: Kept = field(default_factory=Kept)
    """What an earlier `down` has left."""
    _token_secret: Secret = field(init=False)
    _grants: list[pulumi.Resource] = field(init=False)

    @classmethod
    def of(
        cls, who: StackIdentity, workspace: Workspace, spec: EcsAgentSpec, folders: tuple[CodeLocationFolder, ...]
    ) -> EcsPlatform:
        """Raises ``AwsError`` for credentials that are missing, expired or of another account."""
        facts = EcsFacts(who)
        names = facts.names
        platform = cls(who, workspace, spec, folders, names, facts.aws)
        repositories = [names.repository(each) for each in platform._wanted_repositories()]
        platform.kept = look(names, platform._bucket_name, repositories, platform.tags)
        return platform

    @property
    def process_directory(self) -> None:
        return None

    @property
    def reached_at(self) -> tuple[str, ...]:
        return ()

    @property
    def tags(self) -> dict[str, str]:
        """What everything bears."""
        return {**self.settings.tags, STACK_TAG: self.names.base}

    def agent(self, token: AgentToken) -> StandingAgent:
        network = ecs_network(self.who, self.names, self.spec, self.settings.network, self._opts)
        ground = EcsGround(
            "ground",
            EcsGroundArgs(
                spec=self.spec,
                names=self.names,
                vpc_id=network.network.vpc_id,
                log_retention_days=self.settings.log_retention_days,
                log_key_arn=self.settings.log_key_arn,
            ),
            self._opts,
        )
        secret = self._token_secret = self._secret(token)
        granted = self._granted(ground, secret)
        drain = self._drain(network, ground, granted)
        agent = EcsAgent(
            "agent", self._agent_args(network, ground, secret, [*network.resources, *granted, drain]), self._opts
        )
        if self.settings.alarms is not None:
            self._alarms(self.settings.alarms, agent)
        return self._standing(agent)

    def location(self, folder: CodeLocationFolder) -> LocationSource:
        source = self._locations.source(folder)
        if source.image is None:
            return source
        document = document_of_image(self.who, folder, "any")
        context: Mapping[str, Any] = document.get("container_context", {}).get("ecs", {})
        named = named_in_context(context)
        check = EcsLaunchCheck(
            f"{folder.name}-launch",
            EcsLaunchCheckArgs(
                region=self.names.region,
                account=self.names.account,
                location=folder.name,
                image=source.image,
                execution_role_arn=context.get("execution_role_arn") or self._roles.role_arn("code-execution"),
                task_role_arn=context.get("task_role_arn") or self._roles.role_arn("code"),
                architecture=self._architecture(context),
                secrets=[self._token_secret.arn, *self.spec.secrets.values(), *named.secret_arns],
                repository_credentials=context.get("repository_credentials") or self.spec.repository_credentials,
                triggers={"grants": self._granting},
            ),
            pulumi.ResourceOptions(depends_on=self._grants),
        )
        return LocationSource(source.document, source.content_hash, source.image, (check,))

    # what is made once, in the order of its first use

    @cached_property
    def _opts(self) -> pulumi.ResourceOptions:
        provider = aws.Provider(
            "aws",
            region=self.names.region,
            allowed_account_ids=[self.names.account],
            default_tags=aws.ProviderDefaultTagsArgs(tags=self.tags),
        )
        return pulumi.ResourceOptions(providers=[provider])

    @cached_property
    def _place(self) -> Place:
        return Place(self.names.account, self.names.region, self.names.partition)

    @cached_property
    def _roles(self) -> EcsRoles:
        return EcsRoles(self.names, self.settings, self.spec, self._opts)

    @cached_property
    def _made_roles(self) -> Mapping[str, TaskRole]:
        return self._roles.make()

    @cached_property
    def _repositories(self) -> dict[str, Repository]:
        """By location; that of the agent's own image by ``AGENT``."""
        settings = self.settings.repositories
        return {
            name: Repository(
                f"{name}-images",
                RepositoryArgs(
                    name=self.names.repository(name),
                    place=self._place,
                    key_arn=settings.key_arn,
                    untagged_days=settings.untagged_days,
                    on_destroy="keep" if settings.keep else "remove",
                    adopted=self.kept.repositories.get(self.names.repository(name)),
                ),
                self._opts,
            )
            for name in self._wanted_repositories()
        }

    @cached_property
    def _bucket(self) -> Bucket:
        storage = self.settings.storage
        return Bucket(
            "storage",
            BucketArgs(
                name=self._bucket_name,
                place=self._place,
                key_arn=storage.key_arn,
                noncurrent_days=storage.old_version_days,
                expirations={} if storage.compute_log_days is None else {COMPUTE_LOGS: storage.compute_log_days},
                on_destroy="keep" if storage.keep else "remove",
                adopted=self.kept.bucket,
            ),
            self._opts,
        )

    @cached_property
    def _locations(self) -> ContainerLocations:
        return ContainerLocations(self.who, self.workspace, repositories=self._repositories)

    # parts of the agent

    def _secret(self, token: AgentToken) -> Secret:
        return Secret(
            "token",
            SecretArgs(
                name=self.names.token_secret,
                description=f"The token of Dagster's agent of the stack {self.who.stack}",
                value=token.token,
                place=self._place,
                key_arn=self.settings.secret_key_arn,
                adopted=self.kept.secret,
            ),
            self._opts,
        )

    def _granted(self, ground: EcsGround, secret: Secret) -> list[pulumi.Resource]:
        """All roles with all their policies."""
        roles, made = self._roles, self._made_roles
        agents = self._repositories.get(AGENT)
        locations = [repository for name, repository in self._repositories.items() if name != AGENT]
        elsewhere = self._pulled_from_elsewhere()
        granted = [
            *roles.grant(made, ground, secret.arn, self._named),
            *roles.grant_bucket(made, self._bucket),
            *roles.grant_images(made, locations, agents, elsewhere),
        ]
        values = self.who.settings.asset_values
        if values.writer is not None:
            roles.make_writer(values.writer, self._bucket, values.prefix)
        if self.settings.ci is not None:
            roles.make_ci(self.settings.ci, locations, self._bucket_name, elsewhere, writer=values.writer is not None)
        self._grants = granted
        return [*made.values(), *granted]

    def _drain(self, network: EcsNetwork, ground: EcsGround, granted: list[pulumi.Resource]) -> EcsDrain:
        return EcsDrain(
            "ecs-drain",
            EcsDrainArgs(
                region=self.names.region,
                account=self.names.account,
                cluster=ground.cluster_name,
                service=self.names.service,
                stack=self.names.base,
                namespace=None if self.spec.namespace and self.spec.namespace.role_arn else ground.namespace_id,
                owns_namespace=self.spec.namespace is None,
                owns_cluster=self.spec.cluster is None,
            ),
            pulumi.ResourceOptions(
                depends_on=[*network.resources, ground, *granted],
                custom_timeouts=pulumi.CustomTimeouts(delete="2h"),
            ),
        )

    def _agent_args(
        self, network: EcsNetwork, ground: EcsGround, secret: Secret, before: list[pulumi.Resource]
    ) -> EcsAgentArgs:
        image, pushed = self._agent_image()
        made = self._made_roles
        return EcsAgentArgs(
            spec=self.spec,
            names=self.names,
            ground=ground,
            deployment=self.who.endpoint.deployment,
            label=self.who.agent_label,
            agent_url=self.who.endpoint.agent_url,
            token_secret_arn=secret.arn,
            token_version=secret.version_id,
            image=image,
            subnet_ids=network.network.task_subnet_ids,
            assign_public_ip=network.network.assign_public_ip,
            agent_security_group_ids=[network.groups.agent_id],
            code_security_group_ids=[network.groups.code_id],
            agent_role_arn=made["agent"].arn,
            agent_execution_role_arn=made["agent-execution"].arn,
            code_role_arn=made["code"].arn,
            code_execution_role_arn=made["code-execution"].arn,
            bucket=self._bucket.bucket_name,
            code_environment=self._bucket_variables,
            compute_log_prefix=COMPUTE_LOGS.rstrip("/"),
            tags=self.settings.tags,
            locations=len(self.folders),
            before_service=[*before, *pushed],
        )

    def _agent_image(self) -> tuple[pulumi.Input[str] | None, list[pulumi.Resource]]:
        """The copy in the stack's registry, if one is wanted."""
        if not self.spec.mirror_image:
            return None, []
        context = Path(__file__).resolve().parent.parent / "agent" / "mirror"
        spec = ImageSpec(
            repository=f"{registry_address(self.who)}/{AGENT}",
            context=context,
            dockerfile=context / "Dockerfile",
            arguments={"PYTHON_IMAGE": self.spec.image},
            platforms=(f"linux/{self.spec.architecture}",),
            secrets=build_secrets(self.who),
            labels={"org.opencontainers.image.title": AGENT},
        )
        standing = self._repositories.get(AGENT)
        copy = LocationImage(
            "agent-image",
            LocationImageArgs.of(spec),
            pulumi.ResourceOptions(depends_on=[standing] if standing is not None else []),
        )
        return copy.reference, [copy]

    def _standing(self, agent: EcsAgent) -> StandingAgent:
        timing = self.spec.timing(len(self.folders))
        state = EcsServiceState(
            "agent-state",
            EcsServiceStateArgs(
                region=self.names.region,
                account=self.names.account,
                cluster=agent.cluster_name,
                service=agent.service_name,
                task_definition=agent.task_definition_arn,
                timeout_seconds=timing.agent_ready,
                await_health=False,  # it waits for all locations, and AgentReady knows which one does not load
            ),
            pulumi.ResourceOptions(depends_on=[agent]),
        )
        place: dict[str, pulumi.Input[str]] = {
            "platform": self.spec.kind,
            "region": self.names.region,
            "account": self.names.account,
            "cluster": agent.cluster_name,
            "service": agent.service_name,
            "stack": self.names.base,
        }
        return StandingAgent(agent, agent.label, state.instance, state.started_at, place=place)

    def _alarms(self, settings: AlarmSettings, agent: EcsAgent) -> Alarms:
        """Gone before the agent is stopped on purpose."""
        return Alarms(
            "alarms",
            AlarmsArgs(
                name=self.names.base,
                place=self._place,
                cluster=self.spec.cluster or self.names.cluster,
                service=self.names.service,
                replicas=self.spec.replicas,
                topic_arn=settings.topic_arn,
                emails=settings.emails,
                after=[agent],
            ),
            self._opts,
        )

    # facts

    @property
    def _bucket_name(self) -> str:
        return EcsFacts(self.who).values.name

    @property
    def _bucket_variables(self) -> dict[str, str]:
        """By which code finds the bucket, whatever the environment is called."""
        return {BUCKET_VARIABLE: self._bucket_name, PREFIX_VARIABLE: ASSETS.rstrip("/")}

    @cached_property
    def _named(self) -> NamedByLocations:
        """What all locations and the settings name in AWS, beside the stack's own."""
        documents = [location_document(folder, image="any", platform="ecs") for folder in self.folders]
        return named_in(documents).joined(self.spec.named())

    @property
    def _granting(self) -> list[list[str]]:
        """Another value whenever other things are granted to the roles of code."""
        named = self._named
        return [list(named.secret_arns), list(named.repository_credential_arns), list(named.secrets_tags)]

    def _wanted_repositories(self) -> list[str]:
        return own_repositories(self.who, self.folders, mirrors_agent=self.spec.mirror_image)

    def _pulled_from_elsewhere(self) -> PulledFrom:
        agent = [] if self.spec.mirror_image else [self.spec.image]
        return PulledFrom(
            locations=repositories_elsewhere(self.who, self.names, self.folders, self._repositories),
            agent=repository_arns(agent, self.names),
        )

    def _architecture(self, context: Mapping[str, Any]) -> EcsArchitecture:
        own = (context.get("runtime_platform") or {}).get("cpuArchitecture")
        return EcsArchitecture(own) if own else _ARCHITECTURES[self.spec.code_architecture]
